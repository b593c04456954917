"""What apt and dpkg logged: transactions with time, user and command; changes; automatic marks.

All three sections are evidence: a line that is not understood is counted in a gap, and the rest
stands. Times are the host's own, without a zone, as logged (its zone is in the section `host`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Field,
    Files,
    Item,
    Items,
    Lines,
    Partial,
    Payload,
    Raw,
    Section,
    Shell,
)
from driftscan.probes import reading
from driftscan.probes.contract import About
from driftscan.probes.twins import rotated

NAME = "apt-history"
_HISTORY = "/var/log/apt/history.log"
_LOG = "/var/log/dpkg.log"
_MARKS = "/var/lib/apt/extended_states"
_ARCH = "/var/lib/dpkg/arch"
_EVENTS = "^[0-9: -]{19} (install|upgrade|remove|purge) "
ROTATED_LIMIT = 4 << 20


_ROTATED = r"""
plain=
for f in @LOG@ @LOG@.* @LOG@-*; do
  [ -f "$f" ] || continue
  case $f in *"$NL"*) continue ;; esac
  if ! [ -r "$f" ]; then printf 'denied %s\n' "$f"; continue; fi
  case $f in
    @LOG@) ;;
    *.gz) set -- "$@" "$f" ;;
    *.bz2|*.lz4|*.xz|*.zst) printf 'packed %s\n' "$f" ;;
    *) plain=$plain$f$NL ;;
  esac
done
[ -n "$plain$*" ] || return 0
{
  [ $# -eq 0 ] || gzip -dc -- "$@" || printf 'damaged @LOG@\n'
  set -f
  IFS=$NL
  [ -z "$plain" ] || cat $plain
} | @KEEP@ head -c @LIMIT@
"""


def _rotated(name: str, log: str, kept: str) -> Shell:
    """All rotations of a log through one gzip: as Files a year of them would cost 40 ms.

    Of them the lines that match `kept`, or all.
    """
    keep = f"grep -E '{kept}|^damaged ' |" if kept else ""
    body = _ROTATED.replace("@LOG@", log).replace("@KEEP@", keep)
    read = rotated.reader(log, kept, ROTATED_LIMIT)
    return Shell(name, body.replace("@LIMIT@", str(ROTATED_LIMIT)), read)


ASK = (
    Files((_HISTORY,)),
    _rotated("history-rotated", _HISTORY, ""),
    # 48 kB of 360 kB: most lines of the log are states in between.
    Lines("events", ("/var/log",), "dpkg.log", _EVENTS, path=False),
    _rotated("events-rotated", _LOG, _EVENTS),
    Files((_MARKS,)),
    # Names the native architecture first; where it is missing there never was a foreign one.
    Files((_ARCH,)),
)
GIVES = (
    About(
        "apt-history",
        "evidence",
        "START#N in the host's time; N orders equal starts",
        "start, end, command, user, uid, error, automatic, install, reinstall, upgrade, "
        "downgrade, remove, purge",
        cost="12 ms",
    ),
    About("dpkg-log", "evidence", "as dpkg", "events (install, upgrade, remove, purge)"),
    About("apt-auto", "evidence", "as dpkg", "auto"),
)

_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2} {1,2}[0-9]{2}:[0-9]{2}:[0-9]{2}"
_NAME = r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,250}"
_STAMP = re.compile(_TIME)
_FIELD = re.compile(r"([A-Z][A-Za-z-]{0,40}):(?: (.*))?")
_USER = re.compile(r"(\S{1,256}) \(([0-9]{1,10})\)")
_WORD = re.compile(rf"({_NAME})(?::([a-z0-9-]{{1,40}}))? \(([^()]{{1,1000}})\)")
_EVENT = re.compile(
    rf"({_TIME}) (install|upgrade|remove|purge) ({_NAME})(?::([a-z0-9-]{{1,40}}))? (\S+)(?: (\S+))?"
)
_UPGRADES = {"Upgrade": "upgrade", "Downgrade": "downgrade"}
_OTHERS = {"Install": "install", "Reinstall": "reinstall", "Remove": "remove", "Purge": "purge"}
_PACKAGES = {**_UPGRADES, **_OTHERS}
_TEXTS = {"Commandline": "command", "Error": "error", "Comment": "comment"}
_UNUSED = {"Disappeared"}


_UNREAD = {
    "denied": "denied",
    "packed": "compressed by another tool than gzip",
    "damaged": "damaged",
}
_MARK = re.compile(r"(denied|packed|damaged) (/.*)")


class _Log(Struct):
    """The lines of one log with its rotations, what is missing, and what is strange in it."""

    path: str
    lines: list[str]
    gaps: list[str]
    strange: Counter[str]


def parse(raw: Raw) -> Mapping[str, Section]:
    """The three sections; never fails for a line of a log (explaining.md 2.1)."""
    native = _native(raw)
    nothing = Payload(())
    rotated = raw.outputs.get("history-rotated", nothing)
    history = _log(raw, _HISTORY, raw.files.get(_HISTORY, nothing), rotated)
    rotated = raw.outputs.get("events-rotated", nothing)
    changes = _log(raw, _LOG, raw.outputs.get("events", nothing), rotated)
    return {
        "apt-history": _section(history, _transactions(history, native)),
        "dpkg-log": _section(changes, _changes(changes, native)),
        "apt-auto": _marks(raw, native),
    }


def _native(raw: Raw) -> str:
    lines = raw.files.get(_ARCH, Payload(())).lines
    return lines[0] if lines else ""


def _key(name: str, architecture: str | None, native: str) -> str:
    """The key of the dpkg section: the architecture is named only where it is a foreign one."""
    own = not native or architecture in (None, native, "all")
    return name if own else f"{name}:{architecture}"


# --- one log: the current file, its rotations, what is missing ---------------------------------


def _log(raw: Raw, path: str, current: Payload, rotated: Payload) -> _Log:
    log = _Log(path, [], [], Counter())
    for line in rotated.lines:
        mark = _MARK.fullmatch(line)
        if mark:
            log.gaps.append(f"{mark[2]}: {_UNREAD[mark[1]]}")
        else:
            log.lines.append(line)
    # A blank line between the files: the last stanza of one may have lost its end.
    log.lines += ["", *current.lines]
    log.gaps += [f"{closed}: denied" for closed in _closed(raw, path)]
    size = sum(len(line) + 1 for line in rotated.lines)
    if current.cut or rotated.cut or size >= ROTATED_LIMIT - 1:
        log.gaps.append(f"{path}: larger than the limit, the rest was not read")
    return log


def _closed(raw: Raw, file: str) -> list[str]:
    """What was denied: the file, or a directory on the way to it."""
    return [path for path in reading.denied(raw) if file == path or file.startswith(path + "/")]


def _section(log: _Log, items: Items) -> Section:
    counted = [f"{count} {what} in {log.path}" for what, count in sorted(log.strange.items())]
    gaps = [*dict.fromkeys(log.gaps), *counted]
    if any(gap.endswith(": denied") for gap in gaps) and not items:
        return Denied(cure=f"read access to {log.path} (group adm), or --become")
    if gaps:
        return Partial(items=items, gaps=gaps)
    return Collected(items=items) if items else Absent()


# --- apt's history -----------------------------------------------------------------------------


def _transactions(log: _Log, native: str) -> Items:
    found = [item for item in (_transaction(s, log, native) for s in _stanzas(log)) if item]
    found.sort(key=lambda item: str(item["start"]))
    seen: Counter[str] = Counter()
    items: Items = {}
    for item in found:
        start = str(item["start"])
        items[f"{start}#{seen[start]:02}"] = item
        seen[start] += 1
    return items


def _stanzas(log: _Log) -> Iterator[list[tuple[str, str]]]:
    stanza: list[tuple[str, str]] = []
    for line in log.lines:
        match = _FIELD.fullmatch(line)
        if not line.strip(" \t"):
            yield stanza
            stanza = []
        elif match is None:
            log.strange["lines not understood"] += 1
        else:
            if match[1] == "Start-Date" and stanza:
                yield stanza
                stanza = []
            stanza.append((match[1], match[2] or ""))
    yield stanza


def _transaction(stanza: list[tuple[str, str]], log: _Log, native: str) -> Item | None:
    """One stanza, or None for one without a start: the log was cut there."""
    fields = dict(stanza)
    if not fields:
        return None
    start = _time(fields.get("Start-Date", ""))
    if not start:
        log.strange["transactions without a start"] += 1
        return None
    item: Item = {"start": start}
    automatic: list[str] = []
    for name, value in stanza:
        if name in _PACKAGES:
            item[_PACKAGES[name]] = dict(_packages(name, value, log, native, automatic))
        elif name in _TEXTS:
            item[_TEXTS[name]] = value
        elif not _other(name, value, item):
            log.strange["lines not understood"] += 1
    if automatic:
        item["automatic"] = sorted(automatic)
    return item


def _time(text: str) -> str:
    """`2026-10-21  14:02:13` with one space, or nothing if it is no time."""
    return text.replace("  ", " ") if _STAMP.fullmatch(text) else ""


def _other(name: str, value: str, item: Item) -> bool:
    """The fields that are neither packages nor free text; False for one that is not known."""
    if name == "End-Date" and _time(value):
        item["end"] = _time(value)
        return True
    user = _USER.fullmatch(value) if name == "Requested-By" else None
    if user:
        item["user"], item["uid"] = user[1], int(user[2])
    return user is not None or name == "Start-Date" or name in _UNUSED


def _packages(
    field: str, value: str, log: _Log, native: str, automatic: list[str]
) -> Iterator[tuple[str, str]]:
    """`name:arch (old, new), name:arch (version, automatic), ...`."""
    *words, last = value.split("), ")
    for word in [*(f"{word})" for word in words), last]:
        match = _WORD.fullmatch(word)
        if match is None:
            log.strange["packages not understood"] += 1
            continue
        key = _key(match[1], match[2], native)
        versions = match[3].split(", ")
        if versions[-1] == "automatic":
            versions.pop()
            automatic.append(key)
        yield key, (" -> " if field in _UPGRADES else ", ").join(versions)


# --- dpkg's log --------------------------------------------------------------------------------


def _changes(log: _Log, native: str) -> Items:
    events: dict[str, list[str]] = {}
    for line in log.lines:
        match = _EVENT.fullmatch(line)
        if match:
            time, action, name, architecture, old, new = match.groups()
            event = f"{time} {action} {old} {new}" if new else f"{time} {action} {old}"
            events.setdefault(_key(name, architecture, native), []).append(event)
        elif line:
            log.strange["lines not understood"] += 1
    # By time alone: two events of one second stay in the order of the log.
    found: dict[str, Field] = {key: sorted(events[key], key=lambda e: e[:19]) for key in events}
    return {key: {"events": value} for key, value in found.items()}


# --- apt's marks -------------------------------------------------------------------------------


def _marks(raw: Raw, native: str) -> Section:
    if _closed(raw, _MARKS):
        return Denied(cure=f"read access to {_MARKS}, or --become")
    payload = raw.files.get(_MARKS)
    if payload is None:
        return Absent()
    gaps = ["the file is larger than the limit"] if payload.cut else []
    items: Items = {}
    strange = 0
    for stanza in _split(payload.lines):
        try:
            fields = next(reading.stanzas(stanza), {})
        except ParseError:
            fields = {}
        if not re.fullmatch(_NAME, fields.get("Package", "")):
            strange += 1
        elif fields.get("Auto-Installed") == "1":
            key = _key(fields["Package"], fields.get("Architecture"), native)
            items[key] = {"auto": True}
    if strange:
        gaps.append(f"{strange} stanzas not understood in {_MARKS}")
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _split(lines: Iterable[str]) -> Iterator[list[str]]:
    stanza: list[str] = []
    for line in lines:
        if line.strip(" \t"):
            stanza.append(line)
        elif stanza:
            yield stanza
            stanza = []
    if stanza:
        yield stanza
