"""The text of a file that was asked about: without secrets, and only of what may be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import diff
from driftscan.details.asking import questions_for
from driftscan.explain import engine
from driftscan.model import Files, Payload, Raw, Side, Want
from driftscan.probes import etc_paths
from driftscan.probes.wanted import contents
from tests.build import fingerprint, package

PATH = "/etc/app/app.conf"
CANARY = "canary-7f3a"


def want(path=PATH):
    return Want(side="subject", kind="contents", name=path)


def learned(*lines, path=PATH, gaps=None, cut=False):
    raw = Raw(files={path: Payload(lines, cut=cut)} if lines else {}, gaps=gaps or {})
    return contents.parse(raw, [want(path)])


def lines(*given_):
    return learned(*given_).items[PATH]["lines"]


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/shadow", "/etc/app/private.key", "/etc/ssh/ssh_host_rsa_key", "/etc/../root/x"),
        *("/root/.bashrc", "/etc/a b", "/etc/$(id)", "/etc/*", "relative", "/etc/app/.env"),
    ],
)
def test_what_may_be_a_secret_or_is_no_plain_path_is_never_asked(path):
    assert contents.questions([want(path)]) == ()
    asked = engine.wants(*_sides(), about=path)
    assert [one for one in asked if one.kind == contents.KIND] == []
    assert path in contents.parse(Raw(), [want(path)]).missing


def test_a_file_is_asked_of_both_sides_when_somebody_asks_about_it():
    wants = engine.wants(*_sides(), about=PATH)
    assert [(w.side, w.name) for w in wants] == [("subject", PATH), ("reference", PATH)] or [
        (w.side, w.name) for w in wants
    ] == [("reference", PATH), ("subject", PATH)]
    assert contents.questions(wants) == (Files((PATH,)),)
    assert PATH in questions_for(wants, deadline=10).script
    assert engine.wants(*_sides()) == []


SECRETS = [
    "password = {}",
    "password {}",
    "requirepass {}",
    "  bindpw: {}",
    '"api_key": "{}",',
    "url = https://user:{}@host/",
    "DB_URL=mysql://u:a/{}@h/d",
    "-----BEGIN RSA PRIVATE KEY----- {} -----END RSA PRIVATE KEY-----",
    "<password>{}</password>",
    '  <property name="password">{}</property>',
    '<add key="ApiKey" value="{}"/>',
    '<Connector port="1" keystorePass="{}" x="y"/>',
    "define('DB_PASSWORD', '{}');",
    "$cfg['pw'] = '{}';",
    "  'password' => '{}',",
    "export STRIPE_KEY={}",
    "env STRIPE_KEY={} cmd",
    "SetEnv STRIPE_KEY {}",
    "set -x GITHUB_TOKEN {}",
    'set pass "{}"',
    "machine h login u password {}",
    "user alice password {}",
    "- {{user: x, psk: {}}}",
    '{{"a": 1, "password": "{}", "b": 2}}',
    'key "x" {{ algorithm hmac-md5; secret "{}"; }};',
    "createUser u SHA {} AES x",
    "rocommunity {}",
    "server 192.0.2.1 key {}",
    "enable secret 5 {}",
    "stats auth admin:{}",
    "PrivateKey = {}",
    "env[DB_PASS] = {}",
    "//registry.example.com/:_authToken={}",
    '"auth": "{}"',
    'php_value pdo.dsn "u:{}"',
    "u:{{PLAIN}}{}",
    'secret = "a" + "{}"',
    "#password = {}",
    ";psk: {}",
    "- DB_PASSWORD={}",
    "ldap_default_authtok = {}",
    "private_key: |\n  {0}\n\n  {0}",
    "private_key: |  # of x\n  {0}",
    "password:\n  {}",
    '"secret": {{\n  "x": "{}"',
    "passwords:\n- {0}\n- {0}",
    "- name: DB_PASSWORD\n  value: {}",
    '"name": "API_KEY",\n"value": "{}"',
    "<name>db.password</name>\n<value>{}</value>",
    "<key>db.password</key>\n<string>{}</string>",
    "<password>\n  {}\n</password>",
    "password = \\\n{}",
    "password = a # {}",
    "password = 'a # {}'",
    "x = 1 # password={}",
    "password: ${{X:-{}}}",
    "SetCredential=db:{}",
    'password = "a\n{}\nb"\nx',
    'password = """\n{}\n"""\nx',
    "data:\n  a.conf: {}\nkind: Secret",
]


@pytest.mark.case("H30")
@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_redacted_however_it_is_written(text):
    given_ = text.format(CANARY).split("\n")
    told = lines("a = b", *given_, "c = d")
    assert CANARY not in "\n".join(told)
    assert (told[0], told[-1], len(told)) == ("a = b", "c = d", len(given_) + 2)


@pytest.mark.parametrize(
    "line",
    [
        "ssl_certificate_key /etc/ssl/private/key.pem; # of x",
        "ssl_key = </etc/dovecot/private/dovecot.pem",
        "proxy_pass http://backend;",
        "fastcgi_pass unix:/run/php.sock;",
        "PasswordAuthentication no",
        "AuthorizedKeysFile .ssh/authorized_keys",
        "AuthType Basic",
        'auth_basic "Restricted";',
        "PASS_MAX_DAYS 99999",
        "auth required pam_unix.so nullok",
        "password requisite pam_pwquality.so retry=3",
        "key_buffer_size = 16M",
        "password_encryption = scram-sha-256",
        "smtp_sasl_password_maps = hash:/etc/postfix/sasl",
        'add_header Cache-Control "private, max-age=0";',
        "server auth.example.com 8080",
        "# The password is elsewhere",
        "ServerTokens Prod",
        "password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt",
        "kpasswd\t\t464/tcp",
        "isakmp\t\t500/udp\t\t\t# IPSEC key management",
        "keyUsage = nonRepudiation, digitalSignature, keyEncipherment",
        "private_key\t= $dir/private/cakey.pem # The private key",
        "password: ${DB_PASSWORD}",
        "HandlePowerKey=poweroff",
        "LoadCredential=db:/etc/credstore/db",
        "proxy_cache_path /var/cache keys_zone=a:10m;",
        "deb [signed-by=/usr/share/keyrings/x.gpg] https://d.example.com/debian sid main",
    ],
)
def test_what_is_no_secret_is_told_as_it_stands(line):
    assert lines(line, "x = y") == [line, "x = y"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"password": "a", "host": "b"}', '{"password": "[redacted]", "host": "b"}'),
        ("'password' => 'a', 'host' => 'b',", "'password' => '[redacted]', 'host' => 'b',"),
        ('<x port="1" keyPass="a" y="b"/>', '<x port="1" keyPass="[redacted]" y="b"/>'),
    ],
)
def test_a_quoted_secret_leaves_what_follows_it(line, told):
    assert lines(line) == [told]


@pytest.mark.case("H14")
@pytest.mark.parametrize(
    "piece", ["password ", "key='", 'key="a",', "a/", "<key>", "password: |", "{PLAIN}"]
)
def test_a_long_line_is_read_in_one_pass(piece):
    """A quadratic rule would take minutes here."""
    assert len(lines(piece * ((64 << 10) // len(piece)), "x = y")) == 2


def test_a_private_key_among_other_lines_is_taken_out():
    key = ["-----BEGIN PRIVATE KEY-----", CANARY, "-----END PRIVATE KEY-----"]
    assert lines("a", *key, "b") == ["a", "[redacted]", "[redacted]", "b"]


@given(
    st.sampled_from(["password", "db_password", "SECRET_KEY", "token", "auth_token", "passphrase"]),
    st.sampled_from([" ", "=", " = ", ": ", "\t"]),
    st.sampled_from(["", "  ", "\t"]),
)
def test_no_way_to_name_and_space_a_secret_lets_it_through(name, between, before):
    assert CANARY not in "\n".join(lines(f"{before}{name}{between}{CANARY}"))


def test_what_cannot_be_shown_says_why():
    assert learned(gaps={PATH: "denied"}).missing == {
        PATH: "not readable by this account: try --become"
    }
    assert learned("a\\x00b").missing == {PATH: "not a text"}
    assert learned("a", cut=True).missing == {PATH: f"longer than {contents.MOST} lines"}
    assert learned() == contents.Learned({}, {})


def _sides(ours=None, theirs=None):
    def side(name, told):
        details = {"contents": {PATH: {"lines": told}}} if told else {}
        facts = {"files": {PATH: {"mode": "644"}}}
        return Side(
            fingerprint=fingerprint(name, {"a": package("1")}, facts=facts, details=details)
        )

    subject, reference = side("web-a", ours), side("web-b", theirs)
    return subject, reference, diff.compare(subject.fingerprint, reference.fingerprint)


def test_the_report_shows_how_the_text_differs():
    subject, reference, compared = _sides(["a = 1", "b = 2"], ["a = 1", "b = 3"])

    report = engine.explain(subject, reference, compared, about=PATH)

    assert report.about.difference == [
        f"--- {PATH} on web-b",
        f"+++ {PATH} on web-a",
        "@@ -1,2 +1,2 @@",
        " a = 1",
        "-b = 3",
        "+b = 2",
    ]


def test_a_long_difference_is_bounded():
    subject, reference, compared = _sides([f"a{n}" for n in range(900)], ["b"])
    told = engine.explain(subject, reference, compared, about=PATH).about.difference
    assert len(told) == 401
    assert told[-1].endswith("more lines")


def test_every_reason_to_leave_a_file_out_has_patterns_below_etc_or_of_names():
    for patterns in etc_paths.ELSEWHERE.values():
        assert all(pattern.startswith(("/etc/", "*")) for pattern in patterns)
