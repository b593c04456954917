"""What looks like a secret is taken out of text: too much rather than too little.

Names decide (`API_KEY=`, `--password`, `Authorization:`), then forms (user info of URLs, webhooks,
tokens, hashes of passwords), then options of known programs. What cannot be a secret stays, so that
two machines with different settings never look alike: paths, switches, versions of packages.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial

from driftscan.url_secrets import REDACTED, without_hooks, without_users

# --- names -------------------------------------------------------------------------------------

# What makes the name of a variable, an option or a field the name of a secret.
_SECRET_NAME = re.compile(
    r"pass|secret|token|credential|creds?$|auth|cookie|bearer|private|webhook|jwt|psk|signature$"
    r"|key(?:$|[_.\d-])|pwd?(?:$|[_.\d-])|salt$|dsn$|(?:^|[_.-])sig$|sess(?:ion)?id$|aws_session"
)
# Names that only look so: people, public halves of keys, sort orders, limits, animals; where a
# request goes, how somebody proves who he is.
_HARMLESS_NAME = re.compile(
    r"auth(?:or(?!i[sz])|entic)|authorized[_.-]?keys?|(?:^|[_.-])key_buffer\w*|server_?tokens"
    r"|(?:pub|public|host|gpg|recv|sort|primary|foreign|partition|mon|tur|don|hot|whis|joc|hoc|bind)"
    r"[_.-]?key|handle\w{1,20}key|(?:load|import|condition)credential\w*|bypass|compass|passiv|passeng|passthrough|passport|passprompt|passwdqc|tokeni[sz]"
    r"|pass_(?:max|min|warn|change|always)_\w+|passwd_(?:tries|timeout)|max_tokens"
    r"|(?:proxy|fastcgi|uwsgi|scgi|grpc|memcached)_?pass(?:$|_?(?:header|request|reverse|match)\w*)"
    r"|(?:proxy|fastcgi)_cache_key|password_encryption|use_(?:only_)?cookies?"
    r"|cookie_?(?:domain|path|secure|samesite|httponly|lifetime)|auth[_-]?(?:type|name|methods?"
    r"|mechanisms?|providers?|basic|request|mode|backend|module|user_?file|group_?file)$"
)
_NAMES = (
    *("pass", "secret", "token", "credential", "auth", "cookie", "bearer", "private"),
    *("webhook", "jwt", "psk", "sig", "key", "pw", "salt", "dsn", "sess", "cred"),
)

_LONGEST_NAME = 300


@lru_cache(maxsize=4096)
def names_secret(name: str) -> bool:
    """Whether a variable, an option or a field of this name holds a secret."""
    if len(name) > _LONGEST_NAME:
        return True
    return _SECRET_NAME.search(_HARMLESS_NAME.sub("", name.lower())) is not None


# --- values ------------------------------------------------------------------------------------

# In one pass whatever a host sends: every repetition is possessive. Quoted and plain pieces of a
# shell word that touch are one value; brackets and commas end it where a quote follows.
_IN_QUOTES = r"(?:\$?\"(?:[^\"\\]|\\.)*+\"?|\$'(?:[^'\\]|\\.)*+'?|'[^']*+'?|\\\"[^\"]*+\"?)"
_VALUE = rf"(?=\S)(?:{_IN_QUOTES}|\\.|[^\s'\"\\,;)}}\]&])*+(?:(?<!['\"])[^\s'\"]*+)?"
QUOTED = re.compile(_IN_QUOTES, re.DOTALL)
_WITHIN = re.compile(rf"(?=\S)(?:{_IN_QUOTES}|[^\s'\"]++)", re.DOTALL)
_WORD_OF_SHELL = re.compile(_VALUE, re.DOTALL)

_PLACE = re.compile(
    r"(?:(?:hash|texthash|btree|lmdb|cdb|file|unix):|<)?/"
    r"(?:(?:app|bin|boot|data|dev|etc|home|lib|lib64|media|mnt|nix|opt|proc|root|run|sbin|srv|sys"
    r"|tmp|usr|var)(?:/[\w./+-]*)?)?|\$\{?\w+\}?/[\w./+-]*|\$\{\w+\}"
)
_SWITCH = re.compile(r"(?i)\d{0,2}|yes|no|true|false|on|off|none|null|enabled?|disabled?")


def cannot_be_secret(value: str) -> bool:
    """Whether a value is a path, a switch or a small number, whatever its name is."""
    bare = value.strip("\"' ;,)")
    return _PLACE.fullmatch(bare) is not None or _SWITCH.fullmatch(bare) is not None


def hidden(value: str) -> str:
    """The mark in the quotes of the value, so that what is around them keeps its meaning."""
    found = _QUOTE.match(value)
    quote = found[0] if found else ""
    lines = "\n" * value.count("\n")  # as many as there were
    return f"{quote}{REDACTED}{lines}{quote if value.count(quote or ' ') > 1 else ''}"


_QUOTE = re.compile(r"\\?[\"']")


def _second(match: re.Match[str]) -> str:
    """The first group stays, the second is the secret."""
    return match[0] if cannot_be_secret(match[2]) else match[1] + hidden(match[2])


# --- names with their values --------------------------------------------------------------------

_NAMED = re.compile(
    rf"(?<![\w.-])(?=[\w.-]*?(?i:{'|'.join(_NAMES)}))([\w.-]++)"
    r"([\"'\]\\]{0,4}[ \t]*+(?:=>|[+:?]?==?|:)[ \t]*+|[\"'][ \t]*+,[ \t]*+(?=[\"'])"
    r"|[ \t]++(?![-=:])|[\"'][ \t]++(?=[\"']))",
    re.ASCII,
)
# dpkg-architecture(1): name:architecture is a package.
_ARCHITECTURE = re.compile(
    r"(?:any|all|native|source|[a-z0-9-]*(?:amd64|i386|x32|arm64|armel|armhf|mips\w*|ppc64\w*"
    r"|powerpc|riscv64|s390x?|loong64|sparc64))(?![\w.-])"
)
# `PyJWT==2.8.0`, `passwd=1:4.13+dfsg1-1`, `libsecret-0:0.20.4-2.el9`, `(= 0.20.5-3)` are packages.
_PACKAGE = re.compile(r"[a-z0-9][A-Za-z0-9.+-]*|[A-Z][A-Za-z]+")
_VERSION = re.compile(r"(?:\d+:)?\d+(?:\.\d+)+(?:[-+~._:](?:\d+|[a-z]{1,8}\d*))*[,;)\]]*")
# Bare words that name what follows them; in longer ones an underscore tells that they are names.
_BARE = re.compile(
    r"(?i)(?:pass|passwd|password|passphrase|passcode|secret|token|psk|requirepass|masterauth|_?authtoken"
    r"|[\w.]*_(?:key|pass|passwd|password|passphrase|secret|token|psk|pw)"
    r"|(?:api|access|secret|private|auth)-(?:key|token)|[\w.-]+\.(?:psk|password|secret))"
)
_PROSE = re.compile(r"[A-Za-z]?[a-z]+[.,;:!?)'\"]*|\[.*|[\"']?[A-Z][A-Z_]*[\"',]*|\W+")


def _named(text: str) -> str:
    """The values behind names of secrets: assignments, options, fields, `password hunter2`."""
    kept: list[str] = []
    done = at = counted = 0
    quotes = [0, 0]
    while match := _NAMED.search(text, at):
        at = match.end()
        if not names_secret(match[1]):
            continue
        for kind, sign in enumerate("\"'"):
            quotes[kind] += text.count(sign, counted, match.start())
        counted = match.start()
        value = _behind(text, match, within=any(count % 2 for count in quotes))
        if value and not cannot_be_secret(value[0]):
            kept += (text[done:at], hidden(value[0]))
            done = at = value.end()
    return "".join([*kept, text[done:]]) if kept else text


def _behind(text: str, name: re.Match[str], *, within: bool) -> re.Match[str] | None:
    """The value of a secret's name; None where what follows the name is not its value.

    `within` quotes a further quote ends them.
    """
    sign = name[2].strip("\"' \t,")
    if not sign and _is_set(text, name):
        return _REST.match(text, name.end())
    bare = not sign and not name[1].startswith("-")
    if bare and (text[name.start() - 1 : name.start()] == "/" or not _BARE.fullmatch(name[1])):
        return None
    value = (_WITHIN if within else _WORD_OF_SHELL).match(text, name.end())
    if value is None or bare:
        return None if value is None or _PROSE.fullmatch(value[0]) else value
    if sign and _is_package(name[1]) and _VERSION.fullmatch(value[0]):
        return None
    return None if sign == ":" and _is_field(text, name, value[0]) else value


def _is_package(name: str) -> bool:
    return _PACKAGE.fullmatch(name) is not None and (
        name == "passwd" or _BARE.fullmatch(name) is None
    )


def _is_field(text: str, name: re.Match[str], value: str) -> bool:
    """Whether `:` parts a package and its architecture, a path or a step and what is told of it."""
    if name[1].lower() in ("auth", "key") and _PROSE.fullmatch(value):
        return True
    before = text[max(0, name.start() - 256) : name.start()]
    folder = _NO_PATH.split(before)[-1] if before.endswith("/") else ""
    is_path = folder.startswith("/") and folder != "/"
    return is_path or _ARCHITECTURE.match(value) is not None


def _is_set(text: str, match: re.Match[str]) -> bool:
    """Whether it is `ENV NAME value` of a Dockerfile or `SetEnv NAME value` of Apache."""
    return _SETS.search(text[max(0, match.start() - 12) : match.start()]) is not None


_NO_PATH = re.compile(r"[^\w./+-]")
_SETS = re.compile(r"(?i)(?:^|\s)(?:ENV|ARG|SetEnv)\s+$")
_REST = re.compile(r"(?=\S)(?:[^;\n\\]|\\.)*+", re.DOTALL)
# netrc(5), in one line or in a command
_LOGIN = re.compile(
    r"(?i)(?<![\w.-])((?:login|user|username|account)\s++\S++\s++"
    rf"(?:password|passwd|pass|secret)\s++)({_VALUE})"
)


# --- forms and programs --------------------------------------------------------------------------

_BASIC = re.compile(
    r"(?i)\b(Authorization:\s*+\w++\s++(?=\S)|Bearer\s++(?=\S{16}|\S{0,16}\d))([^\s'\"]++)"
)
_COOKIE = re.compile(r"(?i)\b((?:Set-)?Cookie2?:\s*+)([^\s'\"][^'\"\n]*+)")
_COOKIE_OPTION = re.compile(
    r"(?<!\S)(-b\s?+)('[^'=]*+=[^']*+'?|\"[^\"=]*+=[^\"]*+\"?|[^\s'\"=]++=\S++)"
)
_USER_OPTION = re.compile(
    r"(?<!\S)((?:-u|--user|--proxy-user)[\s=]?['\"]?(?!\d++:\d++(?!\S)))([^\s:'\"]++:)([^\s'\"]++)"
)
_PEM = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,80}-----|\Z)",
    re.DOTALL,
)
_OPENSSL = re.compile(r"(?<!\S)(pass:)(\S++)")
_ORACLE = re.compile(
    r"(?i)\b((?:jdbc:oracle:\w{1,8}:|(?:sqlplus|sqlldr|expdp|impdp|rman)\s++(?:-\S++\s++)*+)"
    r"[^\s/@]++/)([^\s@]++)"
)
# As mount.cifs(8) and dracut.cmdline(7) have it.
_MOUNT = re.compile(r"(?i)((?<![\w.-])(?:user(?:name)?=[^\s%,]++%|iscsi:[^\s@:]*+:))([^\s,@]++)")
# Tokens that say by their form what they are, as their issuers document it.
_KNOWN = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}"
    r"|glpat-[\w-]{16,255}|xox[abeoprs]-[\w-]{10,255}|xapp-[\w-]{10,255}|[rs]k_(?:live|test)_\w{10,255}"
    r"|whsec_\w{10,255}|AIza[\w-]{30,64}|sk-(?:[a-z]{2,10}-){0,2}[A-Za-z0-9_]{20,255}|hv[sb]\.\w{16,255}"
    r"|do[pro]_v1_\w{10,255}|SG\.[\w-]{10,64}\.[\w-]{10,128}|dckr_pat_[\w-]{16,128}|tskey-[\w-]{10,128}"
    r"|glsa_\w{20,128}|shp(?:at|ca|pa|ss)_\w{20,128}|AGE-SECRET-KEY-1[A-Z0-9]{20,80}"
    r"|npm_[A-Za-z0-9]{30,64}|pypi-[\w-]{30,255}|eyJ[\w-]{8,2048}\.[\w-]{8,4096}\.[\w-]{0,1024})",
    re.ASCII,
)
# Passwords as crypt(5), Apache and Python keep them.
_CRYPT = re.compile(
    r"\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|sha1|argon2[di]{1,2}|scrypt|pbkdf2[a-z0-9-]{0,10})\$"
    r"[./A-Za-z0-9$=,+-]{8,1024}",
    re.ASCII,
)
# Options that take a password, by the program that has them: the first group stays.
_OPTIONS = {
    # here a blank would mean a prompt
    "curl|wget": r"-[a-zA-Z]+u\s*+['\"]?[^\s:'\"]*:",
    "wpa_passphrase": r"[^\s-]\S*\s++",
    "ssh-keygen": r"-[NP]\s*+",
    "nsupdate": r"-y\s*+\S*:",
    r"mc\s{1,4}alias\s{1,4}set": r"\S++\s++\S++\s++\S++\s++",
    r"bundle\s{1,4}config": r"\S++\s++[^\s:]*+:",
    r"composer\s{1,4}config": r"(?:-\S++\s++)*+http-basic\S*+\s++\S++\s++",
    "https?|xh": r"-a\s*+[^\s:]*:",
    r"mysql\w*|mariadb\w*|7z[ar]?|rar|unrar": "-h?p",
    r"sshpass|mongo\w*|cqlsh|ncftp\w*|useradd|usermod|(?:docker|podman|nerdctl|buildah|skopeo|crane|helm"
    r"\s{1,4}registry|oc|az)\s{1,4}login": r"-p\s*+",
    "redis-cli": r"-a\s*+",
    r"ldap\w*": r"-w\s*+",
    r"zip|unzip|mosquitto_\w+|sqlcmd|bcp|tsql|ipmitool": r"-P\s*+",
    r"snmp\w*": r"-[cAX]\s*+",
    "openssl": r"-[kK]\s++",
    r"smb\w*|rpcclient|net\s{1,4}(?:ads|rpc)": r"(?:-U\s*+|--user[=\s])[^\s%]*+%",
    "kinit|chpasswd|cryptsetup|sudo|passwd|smbpasswd|su": r"<<<\s*+",
    "lftp": r"-u\s*+[^\s,]*+,",
    "htpasswd": r"-\w*b\w*\s++(?:-\w+\s++)*\S++\s++\S++\s++",
    r"vault\s{1,4}login": r"(?!-)(?=\S++\s*+$)",
}
_BY_PROGRAM = [
    (
        re.compile(rf"(?<![\w.-])(?:{programs})(?=\s)"),
        re.compile(rf"(?<=\s)({option})({_VALUE})"),
    )
    for programs, option in _OPTIONS.items()
]
_PROGRAM = re.compile(rf"(?<![\w.-])(?:{'|'.join(_OPTIONS)})(?=\s)")
_COMMANDS = re.compile(r"([|;&]|(?<!\\)\n)")
# `echo hunter2 | sudo -S`, and what else reads a password from its input
_WRITES = re.compile(r"(?<![\w.-])((?:echo|printf)\s++)\S[^\n]*+")
_READS = re.compile(
    r"sudo\s.*-\w*S|(?:sudo\s+)?(?:\S*/)?(?:chpasswd|passwd|kinit|cryptsetup|smbpasswd|su|gpg\d?"
    r"|docker|podman|helm|vault|ssh-add|pass)\b"
)


def _programs(text: str) -> str:
    """Each command by itself, with the rules of every program that it names."""
    if not _PROGRAM.search(text):
        return text
    return "".join(map(_command, _COMMANDS.split(text)))


def _command(text: str) -> str:
    for program, option in _BY_PROGRAM:
        found = program.search(text)
        if found:
            text = text[: found.end()] + option.sub(_second, text[found.end() :])
    return text


def _piped(text: str) -> str:
    """What is written to a program that takes a password."""
    parts = _COMMANDS.split(text)
    for at in range(2, len(parts), 2):
        if parts[at - 1] == "|" and _READS.match(parts[at].lstrip()[:200]):
            parts[at - 2] = _WRITES.sub(rf"\1{REDACTED} ", parts[at - 2])
    return "".join(parts)


# Each rule with what a text has, in lower case, where the rule can find something.
_TOKENS = (
    *("akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "glpat", "xox", "xapp-"),
    *("k_live", "k_test", "whsec", "aiza", "sk-", "hvs.", "hvb.", "_v1_", "sg.", "_pat_"),
    *("tskey", "glsa_", "shpat", "shpca", "shppa", "shpss", "npm_", "pypi-", "eyj"),
    "age-secret",
)
_HASHES = (
    *("$1$", "$2", "$5$", "$6$", "$7$", "$y$", "$gy$", "$apr1$", "$sha1$", "$argon2"),
    *("$scrypt$", "$pbkdf2"),
)
_RULES: tuple[tuple[tuple[str, ...], Callable[[str], str]], ...] = (
    (("private key",), partial(_PEM.sub, lambda found: hidden(found[0]))),
    (("user=", "username=", "iscsi:"), partial(_MOUNT.sub, rf"\1{REDACTED}")),
    (_TOKENS, partial(_KNOWN.sub, REDACTED)),
    (_HASHES, partial(_CRYPT.sub, REDACTED)),
    (("://",), without_users),
    (("//",), without_hooks),
    (("authorization", "bearer"), partial(_BASIC.sub, rf"\1{REDACTED}")),
    (("cookie",), partial(_COOKIE.sub, rf"\1{REDACTED}")),
    (("-b",), partial(_COOKIE_OPTION.sub, _second)),
    (("-u", "--proxy-user"), partial(_USER_OPTION.sub, rf"\1\2{REDACTED}")),
    (("pass:",), partial(_OPENSSL.sub, rf"\1{REDACTED}")),
    (("oracle", "sqlplus", "sqlldr", "expdp", "impdp", "rman"), partial(_ORACLE.sub, _second)),
    ((" -", "<<<", "login", "wpa_pass", "alias", "config"), _programs),
    (("echo", "printf"), _piped),
    (("pass", "secret"), partial(_LOGIN.sub, _second)),
    (_NAMES, _named),
)


def _any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, branching by character: a flat one takes twice as long."""
    ends: dict[str, list[str]] = {}
    for word in words:
        ends.setdefault(word[0], []).append(word[1:])
    branches = [
        re.escape(first) + ("" if "" in rest else _any_of(rest)) for first, rest in ends.items()
    ]
    return f"(?:{'|'.join(branches)})"


# One cheap look decides whether the rules can find anything at all: most values are versions.
# (Searched in the lower-cased value: to ignore the case instead takes five times as long.)
_HINT = re.compile(_any_of(hint for hints, _ in _RULES for hint in hints))


def may_hold_secret(text: str) -> bool:
    """Whether `redact` could find something: cheap, and never wrong when it denies."""
    return len(text) > 5 and _HINT.search(text.lower()) is not None


def redact(text: str) -> str:
    """Replace what looks like a secret; what it gave, it leaves as it is.

    Takes too much rather than too little, in time that grows with the text.
    """
    lower = text.lower().replace("\t", " ").replace("\n", " ")
    for hints, rule in _RULES:
        if any(hint in lower for hint in hints):
            text = rule(text)
    return text


def redact_variable(name: str, value: str) -> str:
    """The value of an environment variable, unless its name or its form says it is a secret."""
    if names_secret(name) and not cannot_be_secret(value):
        return REDACTED
    return redact(value)
