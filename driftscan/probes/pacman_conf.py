"""What pacman.conf(5) and the files that it includes say: repositories in order, what is held."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.model import Payload
from driftscan.probes import reading

MAIN = "/etc/pacman.conf"
FILES = (MAIN, "/etc/pacman.d/*", "/etc/pacman.d/*.d/*")
_HEAD = re.compile(r"\[([^\[\]\s]{1,200})\]")
_DEPTH = 10


class Line(Struct, frozen=True):
    """One setting: where it stands, the section that it is of, its name and value."""

    place: str
    section: str
    name: str
    value: str


class Conf(Struct, frozen=True):
    """`repositories` by name in order: their Server lines. `ignored`: rule and name or glob.

    `included` are the files that were read for an Include, in order; `unread` those that were not.
    """

    repositories: dict[str, list[Line]]
    ignored: list[tuple[str, str]]
    included: list[str]
    unread: list[str]


def read(files: Mapping[str, Payload]) -> Conf:
    """Raises ParseError naming file and line that pacman would refuse too."""
    found = Conf({}, [], [], [])
    if MAIN in files:
        for line in _lines(files, MAIN, "", found, 0):
            if line.section != "options":
                servers = found.repositories.setdefault(line.section, [])
                servers += [line] if line.name == "Server" else []
            elif line.name in ("IgnorePkg", "IgnoreGroup"):
                words = [(line.name, word) for word in reading.words(line.value)]
                found.ignored.extend(word for word in words if word not in found.ignored)
    return found


def _lines(
    files: Mapping[str, Payload], path: str, section: str, found: Conf, depth: int
) -> Iterator[Line]:
    for number, text in enumerate(files[path].lines, 1):
        line = reading.without_return(text).partition("#")[0].strip(" \t")
        head = _HEAD.fullmatch(line)
        if head:
            section = head[1]
            if section != "options":
                yield Line(f"{path}:{number}", section, "", "")
        elif line and not section:
            raise ParseError(f"{path}:{number}: {line!r} stands before any [section]")
        elif line:
            name, _, value = (part.strip(" \t") for part in line.partition("="))
            if name == "Include":
                yield from _included(files, value, section, found, depth + 1)
            else:
                yield Line(f"{path}:{number}", section, name, value)


def _included(
    files: Mapping[str, Payload], pattern: str, section: str, found: Conf, depth: int
) -> Iterator[Line]:
    paths = sorted(path for path in files if fnmatchcase(path, pattern))
    if not paths or depth > _DEPTH:
        found.unread.append(pattern)
        return
    for path in paths:
        if len(found.included) >= reading.MOST_INCLUDED:
            found.unread.append(pattern)
            return
        found.included.append(path)
        yield from _lines(files, path, section, found, depth)
