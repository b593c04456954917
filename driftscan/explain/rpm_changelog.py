"""The entries of a changelog of an rpm package, as `rpm -q --changelog` prints them."""

import re
from collections.abc import Iterable

from driftscan.explain.changelog import MAX_ENTRIES, MAX_SIZE, Changelog, Entry

_HEAD = re.compile(r"\* [A-Z][a-z]{2} ([A-Z][a-z]{2}) +([0-9]{1,2}) ([0-9]{4})(?: (.*))?", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_VERSION = re.compile(
    r"(?:[0-9]{1,9}:)?[0-9A-Za-z][0-9A-Za-z._+~^]*(?:-[0-9A-Za-z._+~^]+)?", re.ASCII
)
_BULLET = re.compile(r"[-*+] *(?=\S)")


def entries(lines: Iterable[str], source: str) -> Changelog:
    """What it says, newest first, as far as it can be understood: never raises for any text.

    `* Wed Nov 06 2024 Name <mail> - 2.4.57-11.1`, then lines that begin with `-`, or go on with the
    one before (rpm-spec(5), Fedora's packaging guidelines). A version may be missing.
    """
    found: list[Entry] = []
    bullets: list[str] = []
    unread, left, cut = 0, MAX_SIZE, False
    for line in lines:
        left -= len(line) + 1
        if cut := left < 0 or len(found) >= MAX_ENTRIES:
            break
        if head := _HEAD.fullmatch(line.rstrip()):
            _close(found, bullets)
            found.append(Entry(version=_version(head[4] or ""), date=_date(head)))
        elif not found:
            unread += bool(line.strip())
        else:
            _add(bullets, line)
    _close(found, bullets)
    return Changelog(source=source, entries=tuple(found), unread=unread, cut=cut)


def _close(found: list[Entry], bullets: list[str]) -> None:
    """What was told since belongs to the last entry."""
    if found:
        last = found.pop()
        found.append(Entry(version=last.version, date=last.date, bullets=tuple(bullets)))
    bullets.clear()


def _add(bullets: list[str], line: str) -> None:
    text = " ".join(line.split())
    mark = _BULLET.match(text)
    if mark or (text and not bullets):
        bullets.append(text[mark.end() :] if mark else text)
    elif text:
        bullets[-1] += f" {text}"


def _version(packager: str) -> str:
    """What stands after the address of who packaged it, or at the end where there is none."""
    _, closed, rest = packager.rpartition(">")
    text = (rest if closed else packager.rpartition(" ")[2]).strip(" -")
    known = _VERSION.fullmatch(text) and any(char.isdigit() for char in text)
    return text if known else ""


def _date(head: re.Match[str]) -> str:
    """A day, told as its noon: rpm keeps no other hour."""
    if head[1] not in _MONTHS or not 0 < int(head[2]) < 32:
        return ""
    return f"{head[3]}-{_MONTHS.index(head[1]) + 1:02}-{int(head[2]):02}T12:00:00Z"
