"""The entries of a changelog in Debian's format (deb-changelog(5)); NEWS.Debian has the same."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

MAX_SIZE = 4 << 20
"""Characters read of one changelog; the newest entries stand first, so the oldest are left out."""

MAX_ENTRIES = 10_000
"""Real ones have up to 2 000; more would only cost time."""


class Entry(Struct, frozen=True, kw_only=True):
    """One upload: its date is UTC like 2026-10-29T09:34:49Z, or empty; a bullet is one line."""

    version: str
    distributions: tuple[str, ...] = ()
    urgency: str = ""
    date: str = ""
    bullets: tuple[str, ...] = ()


class Changelog(Struct, frozen=True, kw_only=True):
    """The entries of one source package, newest first as the file has them.

    `unread` counts the lines that were not understood; `cut` says that the file had more than
    MAX_SIZE or MAX_ENTRIES. An entry may bear another name than `source`: sources get renamed.
    """

    source: str
    entries: tuple[Entry, ...] = ()
    unread: int = 0
    cut: bool = False


def entries(lines: Iterable[str], source: str) -> Changelog:
    """What a changelog says, as far as it can be understood: never raises for any text.

    Old formats, comments and editors' marks are no entries; an end that is missing leaves the
    last entry without its date (deb-changelog(5), Dpkg::Changelog::Parse(3)).
    """
    reader = _Reader()
    left, cut = MAX_SIZE, False
    for line in lines:
        left -= len(line) + 1
        if cut := left < 0 or len(reader.entries) >= MAX_ENTRIES:
            break
        reader.read(line.expandtabs(8).rstrip().removesuffix("\\x0d").rstrip())
    reader.close()
    return Changelog(source=source, entries=tuple(reader.entries), unread=reader.unread, cut=cut)


# Dpkg::Changelog::Entry::Debian; fields are taken apart by hand, since its patterns backtrack.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9.+-]*", re.ASCII)
_VERSION = re.compile(r"[^()\s]+", re.ASCII)
_GROUP = re.compile(r"\[ ?[^\[\]]+ ?\]")
_MARKED = re.compile(r"[*+-] +(?=\S)|[*+-]$")


class _Reader:
    """The open entry and what is closed already; each line is looked at once."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.unread = 0
        self._head: Entry | None = None
        self._body = _Body()

    def read(self, line: str) -> None:
        if line.startswith("  "):
            self._read_body(line)
        elif not line:
            self._body.blank()
        elif line.startswith((" --", "--")):
            self._read_trailer(line)
        elif (head := _header(line)) is not None:
            self.close()
            self._head = head
        else:
            self.unread += not line.startswith("#")

    def close(self, date: str = "") -> None:
        if self._head is not None:
            head = self._head
            self.entries.append(
                Entry(
                    version=head.version,
                    distributions=head.distributions,
                    urgency=head.urgency,
                    date=date,
                    bullets=self._body.bullets(),
                )
            )
        self._head, self._body = None, _Body()

    def _read_body(self, line: str) -> None:
        if self._head is None:
            self.unread += 1
        else:
            self._body.add(line)

    def _read_trailer(self, line: str) -> None:
        self.unread += self._head is None
        self.close(_date(line.rpartition(">")[2]))


def _header(line: str) -> Entry | None:
    """`source (version) suite suite; urgency=low, binary-only=yes`."""
    name, opened, rest = line.partition(" (")
    version, closed, rest = rest.partition(")")
    suites, semicolon, options = rest.partition(";")
    if not (opened and closed and semicolon):
        return None
    if not (_NAME.fullmatch(name) and _VERSION.fullmatch(version)):
        return None
    return Entry(
        version=version, distributions=tuple(suites.split()), urgency=_option(options, "urgency")
    )


def _option(options: str, name: str) -> str:
    for option in options.split(","):
        key, _, value = option.partition("=")
        if key.strip().lower() == name and value.strip():
            return value.split()[0].lower()
    return ""


class _Body:
    """Lines to bullets: nested ones and continuations are joined to the bullet they stand under."""

    def __init__(self) -> None:
        self._bullets: list[list[str]] = []
        self._depth: int | None = None  # of the open bullet's mark; None: nothing can stand under
        self._after_blank = False

    def blank(self) -> None:
        self._after_blank = True

    def add(self, line: str) -> None:
        text = line.lstrip()
        depth = len(line) - len(text)
        if _GROUP.fullmatch(text):
            self._depth = None
            self._after_blank = True
            return
        if self._starts(depth, text):
            mark = _MARKED.match(text)
            self._bullets.append([text[mark.end() :] if mark else text])
            self._depth = depth if mark else None
        else:
            self._bullets[-1].append(text)
        self._after_blank = False

    def _starts(self, depth: int, text: str) -> bool:
        if not self._bullets:
            return True
        if _MARKED.match(text):
            return self._depth is None or depth <= self._depth
        return self._after_blank and (self._depth is None or depth <= self._depth)

    def bullets(self) -> tuple[str, ...]:
        joined = (" ".join(" ".join(parts).split()) for parts in self._bullets)
        return tuple(text for text in joined if text)


_DATE = re.compile(
    r"(?:[A-Za-z]{2,9}, *)?([0-9]{1,2}) +([A-Za-z]{3})[A-Za-z]{0,6} +([0-9]{4}) +"
    r"([0-9]{1,2}):([0-9]{2}):?([0-9]{2})? +(?:([+-])([0-9]{2})([0-9]{2})|UTC?|GMT)(?: .*)?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _date(text: str) -> str:
    """RFC 5322 as deb-changelog(5) asks for; anything else is no date."""
    found = _DATE.fullmatch(text.strip())
    if found is None or found[2].lower() not in _MONTHS:
        return ""
    offset = timedelta(hours=int(found[8] or 0), minutes=int(found[9] or 0))
    offset = -offset if found[7] == "-" else offset
    try:
        day, hour, minute, second = (int(part or 0) for part in found.group(1, 4, 5, 6))
        month = _MONTHS.index(found[2].lower()) + 1
        local = datetime(int(found[3]), month, day, hour, minute, second, tzinfo=UTC)
        return (local - offset).replace(tzinfo=None).isoformat() + "Z"
    except (ValueError, OverflowError):
        return ""
