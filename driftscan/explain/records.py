"""What a host's own logs say was done to it: who, when, by which command."""

import re
from collections.abc import Iterable
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from driftscan.model import (
    Collected,
    Confidence,
    Fingerprint,
    HostRecord,
    Item,
    Items,
    Partial,
    Section,
)


def items(section: Section | None) -> Items:
    """The items of a section, or none when it has none that can be used."""
    found: Items = getattr(section, "items", None) or {}
    return found


class Operation(Struct, frozen=True):
    """What one transaction did to one package."""

    action: str
    old: str
    new: str


class Event(Struct, frozen=True):
    """One line of dpkg's log about one package."""

    time: str
    action: str
    old: str
    new: str


class Transaction(Struct, frozen=True):
    """One run of the package manager, or several of the same command within minutes.

    `keys` are the items of the section it was read from.
    """

    start: str
    end: str
    user: str
    command: str
    operations: dict[str, Operation]
    automatic: frozenset[str]
    keys: tuple[str, ...]

    @property
    def requested(self) -> list[str]:
        """The packages it installed because they were asked for, in order."""
        return sorted(
            package
            for package, done in self.operations.items()
            if done.action == "install" and package not in self.automatic
        )

    @property
    def named(self) -> list[str]:
        """The packages its command line asks to install, as written there.

        One that was there already is in no list of the log: only its mark changed.
        """
        words = self.command.split()
        verbs = [i for i, word in enumerate(words) if word in ("install", "reinstall")]
        if not verbs or "--only-upgrade" in words:
            return []
        found = (_ASKED.fullmatch(word) for word in words[verbs[0] + 1 :])
        return [match[1] for match in found if match]

    @property
    def unattended(self) -> bool:
        return _UNATTENDED.search(self.command) is not None

    @property
    def whole(self) -> bool:
        """Whether the command upgrades everything it can, not only what it names."""
        return self.unattended or _WHOLE.search(self.command) is not None

    @property
    def of_release(self) -> bool:
        """Whether the command is one that moves a host to another release."""
        return _RELEASE.search(self.command) is not None


_ADDED = ("install", "upgrade", "downgrade", "reinstall")
_REMOVED = ("remove", "purge")
_ASKED = re.compile(r"([a-z0-9][a-z0-9+.-]{0,250})(?::[a-z0-9-]{1,30})?(?:[=/]\S+)?")
_UNATTENDED = re.compile(r"\bunattended-upgrades?\b")
_WHOLE = re.compile(
    r"(?<![-\w])(?:upgrade|dist-upgrade|full-upgrade|safe-upgrade|do-release-upgrade)(?![-\w])"
)
_RELEASE = re.compile(r"(?<![-\w])(?:dist-upgrade|full-upgrade|do-release-upgrade)(?![-\w])")
NOBODY = "root or unknown"


class Records:
    """The evidence of one machine, asked for a package at a time; `side` is how it is cited."""

    def __init__(self, fingerprint: Fingerprint, side: str = "subject") -> None:
        self._evidence = fingerprint.evidence
        self._side = side

    @cached_property
    def zone(self) -> str:
        host = items(self._evidence.get("host")).get("self", {})
        return str(host.get("zone", "")) or str(host.get("offset", ""))

    @cached_property
    def transactions(self) -> list[Transaction]:
        """In time order; consecutive unattended upgrades are one event."""
        found: list[Transaction] = []
        for key, item in sorted(items(self._evidence.get("apt-history")).items()):
            transaction = _transaction(key, item)
            last = found[-1] if found else None
            if last and _same_event(last, transaction):
                found[-1] = _merged(last, transaction)
            else:
                found.append(transaction)
        return found

    @cached_property
    def automatic(self) -> set[str]:
        return set(items(self._evidence.get("apt-auto")))

    def events(self, package: str) -> list[Event]:
        """What dpkg's log says of the package, in time order."""
        lines = items(self._evidence.get("dpkg-log")).get(package, {}).get("events")
        found: list[Event] = []
        for line in lines if isinstance(lines, list) else []:
            day, time, action, old, new, *_ = [*line.split(" "), "", "", "", "", ""]
            if action in (*_ADDED, *_REMOVED):
                found.append(Event(f"{day} {time}", action, old, new))
        return found

    def logged(self, section: str) -> Confidence:
        """How far the absence of a line in a log tells that nothing happened."""
        match self._evidence.get(section):
            case Collected():
                return "recorded"
            case Partial():
                return "inferred"
            case _:
                return "unknown"

    def last(self, package: str) -> Transaction | None:
        """The last transaction that put the package there."""
        for transaction in reversed(self.transactions):
            done = transaction.operations.get(package)
            if done and done.action in _ADDED:
                return transaction
        return None

    def brought(self, package: str) -> Transaction | None:
        """The last transaction that installed the package, else what is known to have moved it."""
        for transaction in reversed(self.transactions):
            done = transaction.operations.get(package)
            if done and done.action == "install":
                return transaction
        return self.last(package)

    def removal(self, package: str) -> Transaction | None:
        """What removed the package that was there; a purge of what was left is not that."""
        found: Transaction | None = None
        for transaction in self.transactions:
            done = transaction.operations.get(package)
            if done and done.action in _ADDED:
                found = None
            elif done and found is None:
                found = transaction
        return found

    def dropped(self, package: str) -> bool:
        """Whether the last that dpkg's log says of the package is that it was removed."""
        events = self.events(package)
        return bool(events) and events[-1].action in _REMOVED

    def asked(self, package: str) -> Transaction | None:
        """The last transaction in which somebody asked for the package by its name."""
        return self._asked.get(package)

    @cached_property
    def _asked(self) -> dict[str, Transaction]:
        return {n: t for t in self.transactions for n in (*t.requested, *t.named)}

    def record(self, package: str, *, removed: bool = False) -> HostRecord | None:
        """The best record of the last change: apt's history, else dpkg's log, else a file time."""
        transaction = self.removal(package) if removed else self.last(package)
        if transaction:
            return self.of(transaction)
        return self._from_log(package, removed) or (None if removed else self._from_time(package))

    def of(self, transaction: Transaction) -> HostRecord:
        return HostRecord(
            time=transaction.start[:16],
            zone=self.zone,
            user=transaction.user or NOBODY,
            command=transaction.command,
            source="apt history",
            cites=self.cites("apt-history", *transaction.keys),
        )

    def cites(self, section: str, *keys: str) -> list[str]:
        """The items of a log, and the zone that their times are told in."""
        told = [f"{self._side}/{section}:{key}" for key in keys]
        return [*told, f"{self._side}/host:self"] if self.zone else told

    def _from_log(self, package: str, removed: bool) -> HostRecord | None:
        events = self.events(package)
        if removed:
            added = [i for i, event in enumerate(events) if event.action in _ADDED]
            gone = events[added[-1] + 1 :] if added else events
            return self.of_event(package, gone[0]) if gone else None
        here = [event for event in events if event.action in _ADDED]
        return self.of_event(package, here[-1]) if here else None

    def of_event(self, package: str, event: Event) -> HostRecord:
        return HostRecord(
            time=event.time[:16],
            zone=self.zone,
            user=NOBODY,
            source="dpkg log",
            cites=self.cites("dpkg-log", package),
        )

    def _from_time(self, package: str) -> HostRecord | None:
        changed = items(self._evidence.get("dpkg-times")).get(package, {}).get("changed")
        time = utc(changed) if isinstance(changed, int) else ""
        if not time:
            return None
        return HostRecord(
            time=time,
            zone="UTC",
            user=NOBODY,
            source="file time",
            confidence="inferred",
            cites=[f"{self._side}/dpkg-times:{package}"],
        )

    @property
    def last_activity(self) -> Transaction | None:
        """The last transaction that installed or upgraded anything."""
        for transaction in reversed(self.transactions):
            if any(done.action in _ADDED for done in transaction.operations.values()):
                return transaction
        return None


_SOURCES = ("file time", "dpkg log", "apt history")


def newest(records: Iterable[HostRecord | None]) -> HostRecord | None:
    """A record that names a command before one that does not; among those the newest.

    Several that say the same carry each other.
    """
    there = [record for record in records if record is not None]
    best = max(there, key=_rank, default=None)
    if best is None:
        return None
    same = [record for record in there if _rank(record) == _rank(best)]
    return replace(best, cites=sorted({cite for record in same for cite in record.cites}))


def _rank(record: HostRecord) -> tuple[int, str, str, str]:
    return (_SOURCES.index(record.source), record.time, record.command, record.user)


def utc(seconds: int) -> str:
    """The time in UTC, or nothing when a clock was so wrong that no calendar has it."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return ""


def _transaction(key: str, item: Item) -> Transaction:
    operations: dict[str, Operation] = {}
    for action in (*_ADDED, *_REMOVED):
        packages = item.get(action)
        for name, value in packages.items() if isinstance(packages, dict) else ():
            old, arrow, new = value.partition(" -> ")
            operations[name] = Operation(action, old if arrow else "", new if arrow else old)
    automatic = item.get("automatic")
    start = str(item.get("start") or key)
    return Transaction(
        start=start,
        end=str(item.get("end") or start),
        user=str(item.get("user") or ""),
        command=str(item.get("command") or ""),
        operations=operations,
        automatic=frozenset(automatic if isinstance(automatic, list) else ()),
        keys=(key,),
    )


_GAP = 10
"""Minutes of silence after which the same command is another run."""


def _same_event(first: Transaction, second: Transaction) -> bool:
    """One unattended upgrade logs each of its minimal steps as a transaction of its own."""
    return (
        first.command == second.command
        and first.unattended
        and _minutes(second.start) - _minutes(first.end) < _GAP
    )


def _merged(first: Transaction, second: Transaction) -> Transaction:
    operations = dict(first.operations)
    for name, done in second.operations.items():
        before = operations.get(name)
        operations[name] = Operation(done.action, before.old if before else done.old, done.new)
    return Transaction(
        first.start,
        second.end,
        first.user,
        first.command,
        operations,
        first.automatic | second.automatic,
        (*first.keys, *second.keys),
    )


_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d) +(\d\d):(\d\d)", re.ASCII)


def _minutes(text: str) -> int:
    """Only the distance of two times matters, and only when it is a matter of minutes."""
    match = _TIME.match(text)
    if match is None:
        return 0
    year, month, day, hour, minute = (int(part) for part in match.groups())
    return (((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute
