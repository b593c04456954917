"""Host bytes -> safe text, once, at the edge; and redaction of secrets before anything is kept."""

import re
import unicodedata

from driftscan.model import Absent, Collected, Denied, Failed, Field, Items, Partial, Section

REDACTED = "[redacted]"
MAX_LINE = 64 << 10
MAX_FIELD = 8 << 10

# Everything outside printable ASCII and tab is looked at one by one: most host text has none.
_SUSPECT = re.compile(r"[^\t\x20-\x7e]")
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_SECRET_WORD = r"(?:pass(?:wd|word|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth)"
_SECRET_NAME = re.compile(
    r"(?i)(?:pass|secret|token|credential|auth|(?:^|_|-)pw(?:$|_|-)|key(?:$|_|-|\d)|dsn$|cookie|salt$)"
)
_URL_USER = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,30}://)[^/\s@'\"]{1,512}@")
_ASSIGNMENT = re.compile(
    rf"(?i)([A-Za-z0-9_.-]{{0,64}}{_SECRET_WORD}[A-Za-z0-9_.-]{{0,64}}\s?[=:]\s?)(\"[^\"]*\"|'[^']*'|[^\s'\"]+)"
)
_OPTION = re.compile(
    rf"(?i)(--?[a-z0-9-]{{0,64}}{_SECRET_WORD}[a-z0-9-]{{0,64}}\s+)(?!-)(\"[^\"]*\"|'[^']*'|\S+)"
)
_SHORT_OPTION = re.compile(
    r"(?<!\S)((?:mysql|mysqldump|mysqladmin|mariadb|sshpass)\b[^|;&]*?\s-p)(\S+)"
)
_BASIC = re.compile(r"(?i)\b(Authorization:\s*\w+\s+|Bearer\s+)([A-Za-z0-9._~+/=-]{6,})")
_CURL_USER = re.compile(r"(?<!\S)((?:-u|--user|--proxy-user)[\s=]?)([^\s:'\"]+:)(\S+)")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*", re.DOTALL)


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
    text = data.decode("utf-8", "backslashreplace")
    parts = text.split("\n")
    if parts and not parts[-1]:
        parts.pop()
    return [_clean_line(part) for part in parts]


def _clean_line(line: str) -> str:
    if len(line) > MAX_LINE:
        line = line[:MAX_LINE] + "[line cut]"
    return _SUSPECT.sub(_escape, line) if not line.isascii() or not line.isprintable() else line


def redact(text: str) -> str:
    """Replace what looks like a secret: URL user info, password options and assignments, keys."""
    text = _PEM.sub(REDACTED, text)
    text = _URL_USER.sub(rf"\1{REDACTED}@", text)
    text = _BASIC.sub(rf"\1{REDACTED}", text)
    text = _CURL_USER.sub(rf"\1\2{REDACTED}", text)
    text = _SHORT_OPTION.sub(rf"\1{REDACTED}", text)
    text = _ASSIGNMENT.sub(rf"\1{REDACTED}", text)
    return _OPTION.sub(rf"\1{REDACTED}", text)


def redact_variable(name: str, value: str) -> str:
    """The value of an environment variable, unless its name or its form says it is a secret."""
    return REDACTED if _SECRET_NAME.search(name) else redact(value)


def _field(value: Field) -> Field:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [_text(entry) for entry in value]
    if isinstance(value, dict):
        return {_text(key): _text(entry) for key, entry in value.items()}
    return value


def _text(value: str) -> str:
    value = redact(value) if _may_hold_secret(value) else value
    if len(value) > MAX_FIELD:
        value = value[:MAX_FIELD] + "[cut]"
    return value if value.isprintable() and value.isascii() else safe(value)


# One cheap look decides whether the redaction rules can match at all: most values are versions.
_HINT = re.compile(r"(?i)://|pass|secret|token|key|credential|auth|bearer|private|-p|-u|--")


def _may_hold_secret(value: str) -> bool:
    return len(value) > 5 and _HINT.search(value) is not None


def clean(section: Section) -> Section:
    """A section whose every string is printable, bounded and without secrets.

    Runs on every section before it is stored or compared, so no probe has to remember it.
    """
    match section:
        case Collected(items=items):
            return Collected(items=_items(items))
        case Partial(items=items, gaps=gaps):
            return Partial(items=_items(items), gaps=[_text(gap) for gap in gaps])
        case Denied(cure=cure):
            return Denied(cure=_text(cure))
        case Failed(reason=reason):
            return Failed(reason=_text(reason))
        case Absent():
            return section


def _items(items: Items) -> Items:
    return {
        _text(key): {name: _field(value) for name, value in item.items()}
        for key, item in items.items()
    }
