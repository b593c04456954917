"""Host bytes -> safe text, once, at the edge; and redaction of secrets before anything is kept."""

import re
import unicodedata
from collections.abc import Iterable
from typing import TypeVar

from driftscan.model import Absent, Collected, Denied, Failed, Field, Items, Partial, Section

V = TypeVar("V")

REDACTED = "[redacted]"
MAX_LINE = 256 << 10  # apt logs an upgrade of 3,000 packages in one line of 200 kB
MAX_FIELD = 8 << 10
MAX_REASON = 500

# Everything outside printable ASCII and tab is looked at one by one: most host text has none.
_SUSPECT = re.compile(r"[^\t\x20-\x7e]")
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})

# What makes the name of a variable, an option or a field the name of a secret.
_SECRET_NAME = re.compile(
    r"(?i)pass|secret|token|credential|auth|cookie|bearer|private|webhook|jwt|salt$|dsn$"
    r"|key(?:$|_|-|\d)|(?:^|[_-])pw(?:$|[_-])|[_-]pwd(?:$|[_-])"
)
# In running text a name is less sure: these are not found in names of packages or paths.
_END = r"(?![\w.-])"
_SECRET_WORD = (
    rf"(?i:pass(?:{_END}|[_.-]|wd|word|phrase|code|in{_END}|out{_END})|secret|token|credential"
    rf"|auth(?!or(?!iz)|entic)|[_-]pwd{_END}|jwt"
    r"|(?:api|access|private|encryption|signing|account)[_.-]?key)"
)
# dpkg-architecture(1): name:architecture is a package.
_ARCHITECTURE = (
    r"(?:any|all|native|source|[a-z0-9-]*(?:amd64|i386|x32|arm64|armel|armhf|mips\w*|ppc64\w*"
    rf"|powerpc|riscv64|s390x?|loong64|sparc64)){_END}"
)

# Possessive (`++`) and anchored at the start of a word: one pass, whatever a host sends.
_VALUE = r"(?:(?:\"[^\"]*\"?|'[^']*'?)[^\s'\"]*+|[^\s'\"]++)"
_ASSIGNMENT = re.compile(
    rf"(?<![\w.-])(?!(?<=/etc/)passwd:)(?=[\w.-]*?{_SECRET_WORD})([\w.-]++[\"']?\s?[=:]\s?)(?!{_ARCHITECTURE})({_VALUE})",
    re.ASCII,
)
_OPTION = re.compile(
    rf"(?<![\w-])(?=--?[\w.-]*?{_SECRET_WORD})(--?[A-Za-z][\w.-]*+\s++)(?!-)({_VALUE})", re.ASCII
)
# `[user@]` is how our own sentences write it.
_URL_USER = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,30}://)(?!\[user@\])[^/\s'\"]*@")
_BASIC = re.compile(r"(?i)\b(Authorization:\s*+\w++\s++|Bearer\s++)([A-Za-z0-9._~+/=-]{6,})")
_USER_OPTION = re.compile(
    r"(?<!\S)((?:-u|--user|--proxy-user)[\s=]?['\"]?)([^\s:'\"]++:)([^\s'\"]++)"
)
_PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----.*", re.DOTALL)
_OPENSSL = re.compile(r"(?<!\S)(pass:)(\S++)")
# Tokens that say by their form what they are, as their issuers document it.
_KNOWN = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}"
    r"|glpat-[\w-]{16,255}|xox[abeoprs]-[\w-]{10,255}|[rs]k_live_\w{10,255}|AIza[\w-]{30,64}"
    r"|npm_[A-Za-z0-9]{30,64}|pypi-[\w-]{30,255}|eyJ[\w-]{8,2048}\.[\w-]{8,4096}\.[\w-]{0,1024})",
    re.ASCII,
)
# Passwords as crypt(5), Apache and Python keep them.
_CRYPT = re.compile(
    r"\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|sha1|argon2[di]{1,2}|scrypt|pbkdf2[a-z0-9-]{0,10})\$"
    r"[./A-Za-z0-9$=,+-]{8,1024}",
    re.ASCII,
)
# Short options that take a password, by the program that has them.
_PROGRAM = re.compile(
    r"(?<![\w.-])(mysql\w*|mariadb\w*|sshpass|redis-cli|ldap\w*|zip|unzip|(?:docker|podman) login)"
    r"(?=\s)([^|;&]*+)"
)
_LETTERS = {"redis-cli": "a", "ldap": "w", "zip": "P", "unzip": "P"}
_GLUED = ("mysql", "mariadb")


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    if unicodedata.category(char) not in _UNSAFE_CATEGORIES:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe(text: str) -> str:
    """Escape what a terminal, a log or a parser could obey: controls, formats, surrogates.

    Tab, newline and carriage return are escaped too: for single values in messages.
    """
    return _SUSPECT.sub(_escape, text).replace("\t", "\\t")


def safe_bytes(data: bytes, limit: int = 200) -> str:
    """The first `limit` bytes as one safe line, for messages about what a host sent."""
    return safe(data[:limit].decode("utf-8", "backslashreplace"))


def lines(data: bytes) -> list[str]:
    r"""Decode once and make printable once; split at `\n` only; tabs are kept for the parsers.

    A line over MAX_LINE characters is cut there and ends with a mark, so no parser takes it whole.
    """
    parts = data.decode("utf-8", "backslashreplace").split("\n")
    if not parts[-1]:
        parts.pop()
    if not data.translate(None, _PLAIN) and max(map(len, parts), default=0) <= MAX_LINE:
        return parts
    return [_clean_line(part) for part in parts]


# What most answers hold, and nothing else.
_PLAIN = bytes(range(0x20, 0x7F)) + b"\t\n"


def _clean_line(line: str) -> str:
    if len(line) > MAX_LINE:
        line = line[:MAX_LINE] + "[line cut]"
    return _SUSPECT.sub(_escape, line) if not line.isascii() or not line.isprintable() else line


def redact(text: str) -> str:
    """Replace what looks like a secret: URL user info, passwords as options and assignments, keys.

    Takes too much rather than too little; what it gives, it leaves as it is.
    """
    text = _PEM.sub(REDACTED, text)
    text = _KNOWN.sub(REDACTED, text)
    text = _CRYPT.sub(REDACTED, text)
    text = _URL_USER.sub(rf"\1{REDACTED}@", text)
    text = _BASIC.sub(rf"\1{REDACTED}", text)
    text = _USER_OPTION.sub(rf"\1\2{REDACTED}", text)
    text = _OPENSSL.sub(rf"\1{REDACTED}", text)
    text = _PROGRAM.sub(_program, text)
    text = _ASSIGNMENT.sub(_hidden, text)
    return _OPTION.sub(_hidden, text)


def _hidden(match: re.Match[str]) -> str:
    """The quotes around a value stay, so that what is around them keeps its meaning."""
    name, value = match.groups()
    quote = value[0] if value[0] in "\"'" else ""
    closed = quote if value.count(quote or " ") > 1 else ""
    return f"{name}{quote}{REDACTED}{closed}"


def _program(match: re.Match[str]) -> str:
    """`-pVALUE` of the mysql clients, where a blank would mean a prompt; `-p VALUE` of others."""
    name, rest = match.groups()
    letter = next((_LETTERS[program] for program in _LETTERS if name.startswith(program)), "p")
    blanks = "" if name.startswith(_GLUED) else r"\s*+"
    return name + re.sub(rf"(?<=\s)(-{letter}{blanks})({_VALUE})", _hidden, rest)


def redact_variable(name: str, value: str) -> str:
    """The value of an environment variable, unless its name or its form says it is a secret."""
    return REDACTED if _SECRET_NAME.search(name) else redact(value)


def _field(value: Field) -> Field:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [_text(entry) for entry in value]
    if isinstance(value, dict):
        return _keyed((key, _text(entry)) for key, entry in value.items())
    return value


# Values that were looked at and stayed as they are: the hosts of a fleet have most in common.
_SEEN: set[str] = set()
_MOST_SEEN = 50_000
_SHORT = 80


def _text(value: str, limit: int = MAX_FIELD) -> str:
    if value in _SEEN:
        return value
    found = _looked_at(value, limit)
    if found == value and len(value) <= _SHORT and len(_SEEN) < _MOST_SEEN:
        _SEEN.add(value)
    return found


def _looked_at(value: str, limit: int) -> str:
    if not (value.isascii() and value.isprintable()) or _may_hold_secret(value):
        value = safe(redact(value))
    return value if len(value) <= limit else value[:limit] + "[cut]"


# One cheap look decides whether the redaction rules can match at all: most values are versions.
# (Searched in the lower-cased value: to ignore the case instead takes five times as long.)
_HINTS = (
    *("://", "-u", "pass", "secret", "token", "key", "credential", "auth", "bearer", "private"),
    *("pwd", "jwt", "mysql", "mariadb", "redis", "ldap", "zip", "login"),
    *("akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat", "xox"),
    *("k_live", "aiza", "npm_", "pypi-", "eyj"),
    *("$1$", "$2", "$5$", "$6$", "$7$", "$y$", "$gy$", "$apr1$", "$sha1$", "$argon2", "$scrypt$"),
    "$pbkdf2",
)
_HINT = re.compile("|".join(map(re.escape, _HINTS)))


def _may_hold_secret(value: str) -> bool:
    return len(value) > 5 and _HINT.search(value.lower()) is not None


def _keyed(pairs: Iterable[tuple[str, V]]) -> dict[str, V]:
    """A mapping with clean keys; two that become the same are both kept."""
    found: dict[str, V] = {}
    for key, value in pairs:
        name = plain = _text(key)
        number = 1
        while name in found:
            number += 1
            name = f"{plain} #{number}"
        found[name] = value
    return found


def clean(section: Section) -> Section:
    """A section whose every string is printable, bounded and without secrets.

    Runs on every section before it is stored or compared, so no probe has to remember it.
    """
    match section:
        case Collected(items=items):
            return Collected(items=_items(items))
        case Partial(items=items, gaps=gaps):
            return Partial(items=_items(items), gaps=[_text(gap, MAX_REASON) for gap in gaps])
        case Denied(cure=cure):
            return Denied(cure=_text(cure, MAX_REASON))
        case Failed(reason=reason):
            return Failed(reason=_text(reason, MAX_REASON))
        case Absent():
            return section


def _items(items: Items) -> Items:
    return _keyed(
        (key, {name: _field(value) for name, value in item.items()}) for key, item in items.items()
    )
