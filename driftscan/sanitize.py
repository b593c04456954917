"""Host bytes -> safe text, once, at the edge; and redaction of secrets before anything is kept."""

import re
import unicodedata
from collections.abc import Iterable
from typing import TypeVar

from driftscan.model import Absent, Collected, Denied, Failed, Field, Items, Partial, Section
from driftscan.redaction import may_hold_secret, redact, redact_variable
from driftscan.url_secrets import REDACTED

__all__ = [
    "REDACTED",
    "clean",
    "inert",
    "inert_json",
    "lines",
    "redact",
    "redact_variable",
    "safe",
    "safe_bytes",
]

V = TypeVar("V")

MAX_LINE = 256 << 10  # apt logs an upgrade of 3,000 packages in one line of 200 kB
MAX_FIELD = 8 << 10
MAX_REASON = 500

# Everything outside printable ASCII and tab is looked at one by one: most host text has none.
_SUSPECT = re.compile(r"[^\t\x20-\x7e]")
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})


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


# What runners of CI jobs take for a command: `::name` where a word begins (GitHub reads it at the
# start of a line, and a wrapped line can start anywhere), `##[`, `##vso[` and `##teamcity[`.
_COMMAND = re.compile(r"(?<!\S):(?=:[A-Za-z])|#(?=#\w*\[)")


def inert(text: str) -> str:
    """As `safe`, and nothing that a CI log would obey: for every line that is printed."""
    return _COMMAND.sub(lambda found: f"\\x{ord(found[0]):02x}", safe(text))


def inert_json(text: str) -> str:
    """JSON that says the same, in which a terminal or a CI log finds nothing to obey."""
    lines = (_SUSPECT.sub(_json_escape, line) for line in text.split("\n"))
    return _JSON_COMMAND.sub(_json_escape, "\n".join(lines))


_JSON_COMMAND = re.compile(r"(?<=\s):(?=:[A-Za-z])|#(?=#\w*\[)")


def _json_escape(match: re.Match[str]) -> str:
    char = match.group()
    if char not in ":#" and unicodedata.category(char) not in _UNSAFE_CATEGORIES:
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


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
    if not (value.isascii() and value.isprintable()) or may_hold_secret(value):
        value = safe(redact(value))
    return value if len(value) <= limit else value[:limit] + "[cut]"


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
