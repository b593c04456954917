"""Host bytes become safe text and keep no secret: seeded canaries, hostile input, properties."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from driftscan import sanitize
from driftscan.model import Absent, Collected, Denied, Failed, Partial
from driftscan.redaction import may_hold_secret
from driftscan.sanitize import (
    MAX_FIELD,
    MAX_LINE,
    MAX_REASON,
    REDACTED,
    clean,
    lines,
    redact,
    redact_variable,
    safe,
    safe_bytes,
)

CANARY = "hunter2horse"

UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def is_safe(text):
    """Nothing that a terminal, a log or a parser could obey; of the blanks only the space."""
    return all(char == " " or unicodedata.category(char) not in {*UNSAFE, "Zs"} for char in text)


# --- secrets: every form must lose the canary --------------------------------------------------

COMMANDS = [
    "curl https://deploy:{}@repo.example/x",
    "curl https://deploy:pa@{}@repo.example/x",
    "git clone https://{}@github.com/x/y",
    "deb https://user:{}@apt.example/debian bookworm main",
    "curl -u deploy:{} https://x",
    "curl -udeploy:{} https://x",
    'curl -u "deploy:{}" https://x',
    "curl --user deploy:{} https://x",
    "curl --user=deploy:{} https://x",
    "curl --proxy-user 'deploy:{}' https://x",
    "curl -H 'Authorization: Bearer {}' https://x",
    "curl -H 'Authorization: Basic {}' https://x",
    'curl -H "X-Auth-Token: {}" https://x',
    "curl https://x/?access_token={}",
    'curl -d \'{{"password": "{}"}}\' https://x',
    'curl -d \'{{"password":"{}"}}\' https://x',
    "wget --http-password={} https://x",
    "wget --password {} https://x",
    "DB_PASSWORD={} app --run",
    "DBPASS={} app",
    "APP_PWD={} app",
    "export API_KEY='{}'",
    'export API_KEY="two words {}"',
    "app --api-key {} run",
    "app --api-key={} run",
    "app -Dspring.datasource.password={} -jar x",
    "app --client-secret '{} and more' run",
    "mysql -u root -p{} app",
    "mysqldump --all -p'{} x' app",
    "mariadb -h x -p{}",
    "/usr/bin/mysqladmin -p{} status",
    "sshpass -p {} ssh x",
    "sshpass -p{} ssh x",
    "docker login -u me -p {} registry.example",
    "podman login --password={} registry.example",
    "redis-cli -h x -a {}",
    "ldapsearch -D cn=x -w {} -b y",
    "zip -P {} a.zip b",
    "openssl rsa -passin pass:{} -in x",
    "-----BEGIN RSA PRIVATE KEY----- {}",
    "-----BEGIN OPENSSH PRIVATE KEY----- {}",
    "password: {}",
    "passphrase={}",
    "secret_access_key = {}",
    "aws_session_token={}",
    "credentials={}",
    "https://user:ab/{}@host/x",
    "https://user:ab/c@{}@host/x",
    "https://user:p@ab/{}@host.example.com/x",
    "http://u:3128/{}@host.example.com/x",
    "env STRIPE_KEY={} app",
    "HMAC_KEY={0} AWS_KEY={0} app",
    "app --key {0} --psk={0} --hmac-key '{0}'",
    "SMTP_PW={0} DBPWD={0} wpa_psk={0} SALT={0}",
    "password:  {}",
    "password\t{}",
    "password  =  {}",
    "--password  = {}",
    "PASSWORD=$'{}'",
    "PASSWORD=$'it\\'s {}'",
    "PASSWORD='it'\\''s {}'",
    'PASSWORD=ab"c {}"',
    'curl -d "{{\\"password\\": \\"a {}\\"}}" https://x',
    "ENV PASSWORD {}",
    "ENV DB_PASSWORD two words {}",
    "SetEnv STRIPE_KEY {}",
    "machine h login u password {}",
    "token {}",
    "aws configure set aws_secret_access_key {}",
    "nmcli c modify x 802-11-wireless-security.psk {}",
    "curl -b session={} https://x",
    "curl -b 'a=1; session={}' https://x",
    "curl --cookie s={} https://x",
    "wget --header 'Cookie: a=1; sid={}' https://x",
    "curl 'https://x/?a=b&sig={}'",
    "curl 'https://x/?X-Amz-Signature={}'",
    "curl https://hooks.slack.com/services/T00/B00/{}",
    "curl https://discord.com/api/webhooks/123456/{}",
    "curl https://api.telegram.org/bot123456:{}/sendMessage",
    "smbclient -U user%{} //h/x",
    "echo {} | sudo -S app",
    "echo 'u:{}' | /usr/sbin/chpasswd",
    "printf '%s' {} | docker login --password-stdin",
    "kinit u <<< {}",
    "mongodump -u u -p {}",
    "mongodump -p{}",
    "sshpass -p x{0} mysql -p{0} app",
    "useradd -p {} u",
    "htpasswd -b f u {}",
    "snmpwalk -c {} h",
    "openssl enc -k {}",
    "ipmitool -H h -P {} x",
    "7z a -p{} x",
    "lftp -u u,{} h",
    "sqlplus -s scott/{}@db",
    "jdbc:oracle:thin:scott/{}@db",
    "vault login {}",
    "http -a u:{} https://x",
    "mosquitto_pub -u u -P {} -t x",
    "ncftpput -u u -p {} h",
    'php -r \'f("password", "{}");\'',
    "x /password:{}",
    "x api-key {}",
    "CREDS={}",
    "curl -sSfu u:{} https://h",
    'x "--password" "{}"',
    "wpa_passphrase ssid {}",
    "ssh-keygen -N {} -f x",
    "nsupdate -y hmac-sha256:k:{} x",
    "mc alias set x https://h a {}",
    "bundle config gems.example.com u:{}",
    "composer config -g http-basic.example.com u {}",
    "npm config set //r/:_authToken {}",
    "Authorization: ApiKey {}",
    "mount -o user=u%{},vers=3 //h/x /m",
    "netroot=iscsi:u:{}@192.0.2.1::x",
    "PASSWORD=1.2-{}",
    "ENV PASSWORD \\\n  {}",
    "RUN A=1 DB_PASSWORD=\\\n{} app",
    "COPY <<EOF /k\n-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\nEOF",
]


@pytest.mark.case("H30")
@pytest.mark.parametrize("form", COMMANDS)
def test_a_secret_in_a_command_is_not_kept(form):
    text = form.format(CANARY)
    assert CANARY in text
    assert CANARY not in redact(text)
    kept = clean(Collected(items={text: {"command": text, "list": [text], "map": {text: text}}}))
    assert CANARY not in repr(kept)
    assert REDACTED in repr(kept)


@pytest.mark.parametrize("form", COMMANDS)
def test_what_is_redacted_stays_as_it_is(form):
    once = redact(form.format(CANARY))
    assert redact(once) == once


@pytest.mark.parametrize(
    "token",
    [
        "AKIA" + "ABCDEFGH12345678",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 9,
        "glpat-" + "a1B2" * 5,
        "xoxb-" + "1234-" * 5,
        "sk_live_" + "a1B2" * 6,
        "sk_test_" + "a1B2" * 6,
        "sk-proj-" + "a1B2" * 8,
        "hvs." + "a1B2" * 6,
        "dop_v1_" + "a1b2" * 8,
        "SG." + "a1B2" * 4 + "." + "a1B2" * 6,
        "AIza" + "a1B2" * 9,
        "npm_" + "a1B2" * 9,
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "$1$saltsalt$qJH7.N4xYta3aEG/dfqo/0",
        "$2b$12$" + "a1B2" * 13,
        "$5$rounds=5000$saltsalt$" + "a1B2" * 10,
        "$6$saltsalt$" + "a1B2" * 21,
        "$y$j9T$saltsalt$" + "a1B2" * 10,
        "$apr1$saltsalt$" + "a1B2" * 5,
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$" + "a1B2" * 8,
        "$pbkdf2-sha256$29000$c2FsdA$" + "a1B2" * 8,
    ],
)
def test_a_token_of_a_known_form_is_not_kept_wherever_it_stands(token):
    kept = clean(Collected(items={"a": {"value": f"run x {token} y"}}))
    assert kept == Collected(items={"a": {"value": f"run x {REDACTED} y"}})


@pytest.mark.parametrize(
    "text",
    [
        "apt-get install -y --allow-unauthenticated imagemagick",
        "apt-get install libsecret-1-0:i386 passwd:amd64",
        "passwd:any (>= 1:4.5), libsecret-1-0 (= 0.20.5-3), libpam-passwdqc",
        "8:6.9.11.60+dfsg-1.6+deb12u15",
        "http://deb.debian.org/debian bookworm/main",
        "cn=admin,dc=example",
        "app --passive --author Smith --port 3306",
        "mysql -P 3306 -h db",
        "mkdir -p /srv/app",
        "libkeyutils1:arm64",
        "/usr/lib/x86_64-linux-gnu/libsecret-1.so.0",
        "unit:auth.service/HOME",
        "/etc/passwd: not a directory",
        "write it like ssh://[user@]host[:port]",
        "deb [arch=amd64 signed-by=/etc/apt/keyrings/x.asc] https://d.example.com/debian sid main",
        "apt-key adv --keyserver hkps://keys.example.com --recv-keys ABCD1234",
        "gpgkey=https://d.example.com/RPM-GPG-KEY",
        "SSL_KEY_FILE=/etc/ssl/private/key.pem",
        "app --key /etc/ssl/private/a.pem --password-file=/run/secrets/db",
        "/root/.ssh/authorized_keys: denied",
        "/etc/pam.d/common-auth: denied",
        "AuthorizedKeysFile=.ssh/authorized_keys",
        "ssh -o PasswordAuthentication=no -o KbdInteractiveAuthentication=off h",
        "Defaults passwd_tries=3, passwd_timeout=10",
        'Defaults env_keep += "SSH_AUTH_SOCK DB_PASSWORD API_KEY"',
        "apt-get install passwd=1:4.13+dfsg1-1 libsecret-1-0=0.20.5-3",
        "libsecret-0:0.20.4-2.el9",
        "PyJWT==2.8.0",
        "oauthlib>=3.2,<4",
        "git+https://github.com/x/y@v1.2",
        "http://proxy.example.com:3128/x@1.2",
        "https://cdn.example.com/npm/@scope/x@1.2.3",
        "docker run -u 1000:1000 -p 80:80 mysql:8",
        "password authentication failed: a password is required",
        "the token is old, key: unknown, auth: refused",
        "echo done | sort",
        "/etc/dnf/hooks.d/x",
        "KEYMAP=de KEYBOARD=x monkey=x",
        "/etc/pam.d/passwd eaf2ad85b5ccd06cceb19a3e75f40c63",
        "LoadCredential=passwd.hashed-password.root",
        "app --password ${DB_PASSWORD} --db x",
        "Bearer tokens are told",
        "/etc/apt/auth.conf.d/a.conf:123",
        '["DB_PASSWORD", "API_KEY", "HOME"]',
        "apt-get install libsecret-1-0 apt-key gnome-keyring-2",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redact(text) == text
    assert clean(Collected(items={text: {"value": text}})) == Collected(
        items={text: {"value": text}}
    )


@pytest.mark.case("H30")
@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "DBPASS",
        "API_KEY",
        "SSH_KEY_2",
        "GITHUB_TOKEN",
        "APP_SECRET",
        "SMTP_PW",
        "MYSQL_PWD",
        "SENTRY_DSN",
        "AUTH",
        "HASH_SALT",
        "SESSION_COOKIE",
        "SLACK_WEBHOOK",
    ],
)
def test_a_variable_with_the_name_of_a_secret_is_redacted_whatever_it_holds(name):
    assert redact_variable(name, "x") == REDACTED


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "PATH", "JAVA_HOME", "KEYBOARD", "LANG"])
def test_a_variable_with_another_name_keeps_its_value(name):
    assert redact_variable(name, "/srv/app") == "/srv/app"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("git+https://u:{}@github.com/x/y@v1.2", "@github.com/x/y@v1.2"),
        ("git+https://u:{}@git/x/y@main", "@git/x/y@main"),
        ("https://u:{}@npm.example.com/@scope/x", "@npm.example.com/@scope/x"),
        ("https://u:{}@h.example.com/?mail=a@b.example.com", "h.example.com/?mail=a@b.example.com"),
        ('curl -d \'{{"password": "{}"}}\' https://x', "' https://x"),
        ('sh -c "app --password={}" next "x"', '" next "x"'),
        ("DB_PASSWORD={} app -p 80", " app -p 80"),
        ("echo {} | sudo -S app --run", "| sudo -S app --run"),
    ],
)
def test_what_stands_beside_a_secret_stays(text, kept):
    found = redact(text.format(CANARY))
    assert CANARY not in found
    assert found.endswith(kept)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_KEY_FILE", "/etc/ssl/private/key.pem"),
        ("SSH_AUTH_SOCK", "/run/user/0/agent"),
        ("ALLOW_EMPTY_PASSWORD", "yes"),
        ("iommu.passthrough", "1"),
        ("AUTHOR", "Smith"),
    ],
)
def test_a_path_a_switch_and_a_small_number_are_no_secrets(name, value):
    assert redact_variable(name, value) == value


def test_a_text_of_many_lines_keeps_its_lines():
    """As the text of a Dockerfile: its lines are known by their numbers."""
    key = "-----BEGIN PRIVATE KEY-----\nabc\ndef\n-----END PRIVATE KEY-----"
    text = f"FROM a\nENV PASSWORD \\\n  x1\nARG TOKEN=\nCOPY <<EOF /k\n{key}\nEOF\nRUN b\n"
    found = redact(text)
    assert found.count("\n") == text.count("\n")
    assert [line for line in found.split("\n") if line and line in text.split("\n")] == [
        *("FROM a", "ARG TOKEN=", "COPY <<EOF /k", "EOF", "RUN b"),
    ]


def test_a_variable_with_another_name_loses_the_secret_in_its_value():
    assert redact_variable("DATABASE_URL", "postgres://u:p@db/x") == f"postgres://{REDACTED}@db/x"


# --- bytes: the table of hostile ones ----------------------------------------------------------


@pytest.mark.case("H15", "H16")
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        (b"a\tb", "a\tb"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"nul\x00", "nul\\x00"),
        (b"cr\r", "cr\\x0d"),
        (b"\x1b[31mred", "\\x1b[31mred"),
        (b"\x1b]52;c;eA==\x07", "\\x1b]52;c;eA==\\x07"),
        (b"\xc2\x9b31m", "\\x9b31m"),
        (b"\x08\x0b\x0c\x1c\x1d\x1e\x1f\x7f", "\\x08\\x0b\\x0c\\x1c\\x1d\\x1e\\x1f\\x7f"),
        (b"\xc2\x85", "\\x85"),
        (b"\xc2\xa0", "\\xa0"),
        ("\u2028\u2029".encode(), "\\u2028\\u2029"),
        ("\u202e\u2066\u200b".encode(), "\\u202e\\u2066\\u200b"),
        ("\ufeffbom".encode(), "\\ufeffbom"),
        ("\U000e0001".encode(), "\\U000e0001"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        ("grüße, 日本".encode(), "grüße, 日本"),
    ],
)
def test_each_hostile_byte_becomes_text_that_nothing_obeys(data, text):
    assert lines(data) == [text]


@pytest.mark.case("H15")
def test_lines_end_at_newlines_only_and_the_last_may_be_open():
    assert lines(b"") == []
    assert lines(b"a\n\nb") == ["a", "", "b"]
    assert lines(b"a\n") == ["a"]


@pytest.mark.case("H14")
def test_a_line_that_is_too_long_is_cut_and_says_so():
    (line,) = lines(b"x" * (MAX_LINE + 1))
    assert line == "x" * MAX_LINE + "[line cut]"


def test_a_message_about_bytes_is_one_short_safe_line():
    assert safe_bytes(b"\x1b[2J\nforged\tline" + b"x" * 1000, 16) == "\\x1b[2J\\x0aforged\\tline"


# --- sections ----------------------------------------------------------------------------------


def test_every_string_of_every_kind_of_section_is_cleaned():
    bad = "\x1b[0m https://u:hunter2horse@h"
    good = f"\\x1b[0m https://{REDACTED}@h"
    item = {"text": bad, "list": [bad], "map": {bad: bad}, "number": 1, "flag": True, "none": None}
    expected = {**item, "text": good, "list": [good], "map": {good: good}}
    assert clean(Collected(items={bad: item})) == Collected(items={good: expected})
    assert clean(Partial(items={bad: {}}, gaps=[bad])) == Partial(items={good: {}}, gaps=[good])
    assert clean(Denied(cure=bad)) == Denied(cure=good)
    assert clean(Failed(reason=bad)) == Failed(reason=good)
    assert clean(Absent()) == Absent()


def test_two_keys_that_become_the_same_are_both_kept():
    items = {f"https://{user}@host": {"n": number} for number, user in enumerate(["a", "b", "c"])}
    same = f"https://{REDACTED}@host"
    assert clean(Collected(items=items)) == Collected(
        items={same: {"n": 0}, f"{same} #2": {"n": 1}, f"{same} #3": {"n": 2}}
    )


@pytest.mark.case("H14")
def test_fields_and_reasons_are_bounded_after_escaping():
    long = "\x00" * MAX_FIELD
    kept = clean(Collected(items={"a": {"value": long}}))
    assert len(kept.items["a"]["value"]) == MAX_FIELD + len("[cut]")
    assert len(clean(Failed(reason=long)).reason) == MAX_REASON + len("[cut]")


# --- properties --------------------------------------------------------------------------------

BYTES = st.binary(max_size=200) | st.text(max_size=100).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
PIECES = st.lists(
    st.sampled_from(
        [
            "password",
            "token",
            "=",
            ":",
            " ",
            "'",
            '"',
            "-u",
            "--auth",
            "://",
            "@",
            "/",
            "x",
            "-p",
            "mysql",
            "Bearer",
            "Authorization:",
            "pass:",
            REDACTED,
            "|",
            "zip",
            "-P",
            "i386",
            "\\",
        ]
    ),
    max_size=16,
).map("".join)


@pytest.mark.case("H15", "H16")
@given(BYTES)
def test_lines_never_hold_a_character_outside_the_safe_set(data):
    for line in lines(data):
        assert is_safe(line.replace("\t", ""))


@given(st.text(max_size=100))
def test_safe_text_is_safe_and_stays_as_it_is(text):
    once = safe(text)
    assert is_safe(once)
    assert safe(once) == once


VALUES = st.text(max_size=60) | PIECES


@given(
    st.dictionaries(
        VALUES,
        st.dictionaries(
            st.sampled_from(["a", "b"]),
            VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(VALUES, VALUES, max_size=3),
        ),
        max_size=4,
    )
)
def test_a_clean_section_holds_no_character_outside_the_safe_set_and_loses_no_item(items):
    kept = clean(Collected(items=items)).items
    assert len(kept) == len(items)
    for key, item in kept.items():
        assert is_safe(key)
        for value in item.values():
            for text in [value] if isinstance(value, str) else [*value]:
                assert is_safe(text)
            for text in value.values() if isinstance(value, dict) else ():
                assert is_safe(text)


@given(PIECES | st.text(max_size=80))
@example("auth='token=b'")
def test_redaction_leaves_alone_what_it_gave(text):
    once = redact(text)
    assert redact(once) == once


@pytest.mark.case("H30")
@given(st.text("abcXYZ019_-+", min_size=8, max_size=40), st.sampled_from(COMMANDS))
def test_no_form_keeps_any_secret(secret, form):
    canary = f"q{secret}q"
    if canary in form:
        return
    assert canary not in redact(form.format(canary))


@pytest.mark.case("H14")
@pytest.mark.parametrize(
    "piece",
    [
        "auth",
        "-auth",
        "token=",
        "mysql ",
        "mysql -p",
        "http://",
        "a://b@",
        "-u a",
        "Bearer ",
        "=:",
        "Authorization: ",
        "-----BEGIN ",
        "eyJaaaaaaaa.",
        "pass:",
        "'",
        '"',
        "--x ",
        "-",
        ".",
        "zip ",
        'password="',
        "a:b ",
        "key ",
        "docker login ",
        "ghp_aaaaaaaaaaaaaaaaaaa",
        "A B ",
        "x=a://u:b/",
        "echo a|",
        "echo ",
        "password=x'",
        'password=x\\"',
        "password ",
        "ENV x_key ",
        "login a password ",
        "Cookie: ",
        "-b '",
        "a.",
        "://u:a/",
        "hooks.",
        "sqlplus a",
        "@",
        "\\",
    ],
)
@pytest.mark.parametrize("size", [MAX_LINE // 8, pytest.param(MAX_LINE, marks=pytest.mark.long)])
def test_a_hostile_line_of_any_size_is_read_without_nested_repetition(piece, size):
    """Time grows with the line, not with its square: a quadratic rule would take hours here."""
    text = piece * (size // len(piece))
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "value",
    ["7.88.1-10+deb12u1", "libc6 (>= 2.34), zlib1g:amd64", "/usr/lib/x86_64-linux-gnu/libm.so.6"],
)
def test_the_cheap_look_passes_over_what_most_values_are(value):
    assert not may_hold_secret(value)


@given(PIECES, st.sampled_from(COMMANDS))
def test_the_cheap_look_never_passes_over_what_the_rules_would_redact(text, form):
    for value in (text, f"{text} {form.format(CANARY)}"):
        kept = clean(Collected(items={"a": {"value": value}}))
        assert kept == Collected(items={"a": {"value": safe(redact(value))}})


@given(
    st.lists(st.one_of(st.text(max_size=90), st.sampled_from(["token=abcdefgh", "a\x1bb", "1.2"])))
)
def test_what_was_seen_before_is_cleaned_as_when_it_was_seen_first(values):
    """Values that stay as they are are remembered, so that a fleet's are looked at once."""
    item = {str(number): value for number, value in enumerate(values)}
    sanitize._SEEN.clear()
    first = sanitize.clean(Collected(items={"a": item}))
    assert sanitize.clean(Collected(items={"a": item})) == first
    assert not {value for value in sanitize._SEEN if sanitize.safe(sanitize.redact(value)) != value}


def test_what_was_seen_takes_no_memory_without_end(monkeypatch):
    monkeypatch.setattr(sanitize, "_SEEN", set())
    monkeypatch.setattr(sanitize, "_MOST_SEEN", 10)
    sanitize.clean(Collected(items={f"name {n}": {"long": "x" * 5000} for n in range(100)}))
    assert len(sanitize._SEEN) == 10
    assert max(map(len, sanitize._SEEN)) <= sanitize._SHORT


@given(st.binary() | st.text(alphabet="ab\t\n\x7e", max_size=50).map(str.encode))
def test_lines_are_the_same_whether_all_is_plain_or_each_is_looked_at(data):
    parts = data.decode("utf-8", "backslashreplace").split("\n")
    whole = [sanitize._clean_line(part) for part in parts]
    assert sanitize.lines(data) == (whole if whole[-1] else whole[:-1])
