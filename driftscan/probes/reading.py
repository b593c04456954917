"""Small readers that several probes share: deb822 stanzas, `path:line` answers, stat lines."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.model import Payload, Raw

_BLANKS = re.compile(r"[ \t]+")

MOST_INCLUDED = 200
"""Files that one configuration includes, again ones among them. Without such an end a file that
includes itself in each of k lines is read k to the power of the depth."""


def words(text: str) -> list[str]:
    """Split at spaces and tabs only: `str.split` would also split at what a host smuggles in."""
    return [word for word in _BLANKS.split(text) if word]


def stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The stanzas of a deb822 file: field name to value, continuation lines joined by newlines.

    Comment lines are skipped. Raises ParseError for a line that is neither field nor continuation
    (deb-control(5), deb822(5)).
    """
    return (stanza for _, stanza in numbered_stanzas(lines))


def numbered_stanzas(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """As `stanzas`, each with the number of its first line, counted from 1."""
    stanza: dict[str, str] = {}
    first, last = 0, ""
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            continue
        if not line.strip(" \t"):
            if stanza:
                yield first, stanza
            stanza, last = {}, ""
        elif line[0] in " \t":
            if not last:
                raise ParseError(f"line {number}: continuation without a field: {line!r}")
            stanza[last] += "\n" + line.strip(" \t")
        else:
            first = first if stanza else number
            last, value = _field(line, stanza)
            stanza[last] = value
    if stanza:
        yield first, stanza


def _field(line: str, stanza: dict[str, str]) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not re.fullmatch(r"[!-9;-~]+", name):
        raise ParseError(f"expected 'Field: value', got {line!r}")
    if name in stanza:
        raise ParseError(f"field answered twice: {line!r}")
    return name, value.strip(" \t")


def path_lines(payload: Payload, suffix: str) -> Iterator[tuple[str, str]]:
    """`path:line` answers whose paths end with the suffix (a package's name may hold a colon)."""
    mark = suffix + ":"
    for line in payload.lines:
        head, found, rest = line.partition(mark)
        if not found or not head.startswith("/"):
            raise ParseError(f"expected '/…{mark}…', got {line!r}")
        yield head + suffix, rest


# os-release(5) is a subset of sh; like systemd we also take blanks in a value without quotes,
# which some distributions have shipped (ID_LIKE=debian ubuntu).
_ASSIGNMENT = re.compile(
    r"""[ \t]*([A-Za-z_][A-Za-z0-9_]*)=([^"'\\$`]*|'[^']*'|"(?:[^"\\$`]|\\.)*")[ \t]*"""
)
_ESCAPED = re.compile(r'\\([\\"$`])')


def os_release(lines: Iterable[str], path: str) -> tuple[dict[str, str], list[str]]:
    """The variables of an os-release file, unquoted; a later assignment wins, as in sh.

    And the lines that are no assignments (os-release(5)), each as a gap with its place.
    """
    values: dict[str, str] = {}
    odd: list[str] = []
    for number, line in enumerate(lines, 1):
        text = without_return(line)
        if not text.strip(" \t") or text.lstrip(" \t").startswith("#"):
            continue
        match = _ASSIGNMENT.fullmatch(text)
        if match is None:
            odd.append(f"{path}:{number}: expected NAME=value, got {line!r}")
        else:
            values[match.group(1)] = _unquoted(match.group(2))
    return values, odd


def _unquoted(value: str) -> str:
    if value.startswith("'"):
        return value[1:-1]
    if value.startswith('"'):
        return _ESCAPED.sub(r"\1", value[1:-1])
    return value.strip(" \t")


def without_return(line: str) -> str:
    """The line of a file that was written on Windows, without its (escaped) carriage return."""
    return line.removesuffix("\\x0d")


class Stat(Struct, frozen=True):
    """One line of a Stats answer: seconds since 1970, mode with type (inode(7)), ids, bytes."""

    path: str
    mtime: int
    mode: int
    uid: int
    gid: int
    size: int


_STAT = re.compile(
    r"(-?[0-9]{1,12}) ([0-9a-f]{1,8}) ([0-9]{1,10}) ([0-9]{1,10}) ([0-9]{1,20}) (/.*)"
)


def stats(payload: Payload) -> Iterator[Stat]:
    """The lines of a Stats answer; raises ParseError for any other line."""
    for line in payload.lines:
        match = _STAT.fullmatch(line)
        if match is None:
            raise ParseError(f"expected 'mtime mode uid gid size path', got {line!r}")
        mtime, mode, uid, gid, size, path = match.groups()
        yield Stat(path, int(mtime), int(mode, 16), int(uid), int(gid), int(size))


_OCTAL = re.compile(r"\\([0-7]{3})")


def unescaped(word: str) -> str:
    r"""Blanks in /proc/mounts and fstab(5) are written as `\040`."""
    return _OCTAL.sub(lambda found: chr(int(found[1], 8) & 0x7F), word)


def denied(raw: Raw) -> list[str]:
    """The paths that exist and that this account may not read, in order."""
    return sorted(path for path, why in raw.gaps.items() if why == "denied")
