"""What a host's own logs say was done to it: who, when, by which command."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from driftscan import plausible
from driftscan.explain import runs
from driftscan.explain.runs import Transaction
from driftscan.model import (
    Absent,
    Collected,
    Confidence,
    Fingerprint,
    HostRecord,
    Item,
    Items,
    Partial,
    Section,
    managers,
)


def items(section: Section | None) -> Items:
    """The items of a section, or none when it has none that can be used."""
    found: Items = getattr(section, "items", None) or {}
    return found


class Event(Struct, frozen=True):
    """One line of the log of single packages (dpkg's) about one of them."""

    time: str
    action: str
    old: str
    new: str


_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})")
NOBODY = "root or unknown"


class Records:
    """The evidence of one machine, asked for a package at a time; `side` is how it is cited."""

    def __init__(self, fingerprint: Fingerprint, side: str = "subject") -> None:
        self._evidence = fingerprint.evidence
        self._side = side
        # A clock that is wrong now may have been when each line was written.
        self.skewed = bool(plausible.skew(fingerprint))
        self._sure: Confidence = "inferred" if self.skewed else "recorded"
        self.manager = managers.of(fingerprint)

    @cached_property
    def zone(self) -> str:
        host = items(self._evidence.get("host")).get("self", {})
        return str(host.get("zone", "")) or str(host.get("offset", ""))

    @cached_property
    def transactions(self) -> list[Transaction]:
        """In time order; consecutive unattended upgrades are one event."""
        found: list[Transaction] = []
        history = items(self._evidence.get(self.manager.history)).items()
        for key, item in sorted(history, key=_moment):
            transaction = runs.read(self.manager, key, item)
            last = found[-1] if found else None
            if last and runs.same(last, transaction):
                found[-1] = runs.merged(last, transaction)
            else:
                found.append(transaction)
        return found

    @cached_property
    def automatic(self) -> set[str]:
        return set(items(self._evidence.get(self.manager.auto)))

    def events(self, package: str) -> list[Event]:
        """What the log of single packages says of this one, in time order."""
        lines = items(self._evidence.get(self.manager.log)).get(package, {}).get("events")
        found: list[Event] = []
        for line in lines if isinstance(lines, list) else []:
            day, time, action, old, new, *_ = [*line.split(" "), "", "", "", "", ""]
            if action in (*runs.ADDED, *runs.REMOVED):
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

    @property
    def history(self) -> Confidence:
        """How far the absence of a transaction tells that there was none."""
        return self.logged(self.manager.history)

    @property
    def is_empty(self) -> bool:
        """Whether its logs and times could be read, and have no line of any package."""
        logs = (self.manager.history, self.manager.log, self.manager.times)
        read = [found for log in logs if log and (found := self._evidence.get(log)) is not None]
        good = all(isinstance(found, Collected | Absent) for found in read)
        return bool(read) and good and not any(items(found) for found in read)

    @property
    def keeps_no_log(self) -> bool:
        """Whether there is no history at all, as of apk before its third version."""
        return isinstance(self._evidence.get(self.manager.history, Absent()), Absent)

    @property
    def silence(self) -> Confidence:
        """How far no log mentioning a package tells that nothing was done to it."""
        logs = [log for log in (self.manager.history, self.manager.log) if log]
        return min((self.logged(log) for log in logs), key=_SURENESS.index, default="unknown")

    def last(self, package: str) -> Transaction | None:
        """The last transaction that put the package there."""
        for transaction in reversed(self.transactions):
            done = transaction.operations.get(package)
            if done and done.action in runs.ADDED:
                return transaction
        return None

    def moved_to(self, package: str, version: str) -> HostRecord | None:
        """The last record of what brought that very version, if a log has one."""
        for transaction in reversed(self.transactions):
            done = transaction.operations.get(package)
            if done and done.action in runs.ADDED and done.new.partition(",")[0] == version:
                return self.of(transaction)
        brought = [e for e in self.events(package) if e.action in runs.ADDED and e.new == version]
        return self.of_event(package, brought[-1]) if brought else None

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
            if done and done.action in runs.ADDED:
                found = None
            elif done and found is None:
                found = transaction
        return found

    def dropped(self, package: str) -> bool:
        """Whether the last that the log of single packages says of it is that it was removed."""
        events = self.events(package)
        return bool(events) and events[-1].action in runs.REMOVED

    def asked(self, package: str) -> Transaction | None:
        """The last transaction in which somebody asked for the package by its name."""
        return self._asked.get(package) or self._asked.get(managers.bare(package))

    @cached_property
    def _asked(self) -> dict[str, Transaction]:
        return {n: t for t in self.transactions for n in (*t.requested, *t.named)}

    def record(self, package: str, *, removed: bool = False) -> HostRecord | None:
        """The best record of the last change: the history, else a log of packages, else a time."""
        transaction = self.removal(package) if removed else self.last(package)
        if transaction:
            return self.of(transaction)
        return self._from_log(package, removed) or (None if removed else self._from_time(package))

    def of(self, transaction: Transaction) -> HostRecord:
        return HostRecord(
            time=transaction.start[:16],
            zone=transaction.zone or self.zone,
            user=transaction.user or NOBODY,
            command=transaction.command,
            source=self.manager.history_name,
            confidence=self._sure,
            cites=self.cites_of(transaction)
            if transaction.zone
            else self.cites(self.manager.history, *transaction.keys),
        )

    def cites_of(self, transaction: Transaction) -> list[str]:
        """The items that a transaction was read from, without the zone."""
        return [f"{self._side}/{self.manager.history}:{key}" for key in transaction.keys]

    def cites(self, section: str, *keys: str) -> list[str]:
        """The items of a log, and the zone that their times are told in."""
        told = [f"{self._side}/{section}:{key}" for key in keys]
        return [*told, f"{self._side}/host:self"] if self.zone else told

    def changed(self, package: str) -> int:
        """When the package was last changed, in seconds since 1970; 0 if nothing tells."""
        changed = items(self._evidence.get(self.manager.times)).get(package, {}).get("changed")
        return changed if isinstance(changed, int) else 0

    def local(self, seconds: object, zone: str = "") -> str:
        """A moment as the machine's logs write it; empty if its offset is not known.

        `zone` is the offset that the log itself tells, or UTC.
        """
        host = items(self._evidence.get("host")).get("self", {})
        offset = zone.replace("UTC", "+0000") or str(host.get("offset", ""))
        match = _OFFSET.fullmatch(offset)
        if not isinstance(seconds, int) or not 0 < seconds < 1 << 37 or match is None:
            return ""
        shift = (int(match[2]) * 60 + int(match[3])) * 60 * (-1 if match[1] == "-" else 1)
        return datetime.fromtimestamp(seconds + shift, UTC).strftime("%Y-%m-%d %H:%M:%S")

    def _from_log(self, package: str, removed: bool) -> HostRecord | None:
        events = self.events(package)
        if removed:
            added = [i for i, event in enumerate(events) if event.action in runs.ADDED]
            gone = events[added[-1] + 1 :] if added else events
            return self.of_event(package, gone[0]) if gone else None
        here = [event for event in events if event.action in runs.ADDED]
        return self.of_event(package, here[-1]) if here else None

    def of_event(self, package: str, event: Event) -> HostRecord:
        return HostRecord(
            time=event.time[:16],
            zone=self.zone,
            user=NOBODY,
            source=self.manager.log_name,
            confidence=self._sure,
            cites=self.cites(self.manager.log, package),
        )

    def _from_time(self, package: str) -> HostRecord | None:
        time = utc(self.changed(package))
        if not time:
            return None
        return HostRecord(
            time=time,
            zone="UTC",
            user=NOBODY,
            source=self.manager.time_name,
            confidence=self._sure if self.manager.time_recorded else "inferred",
            cites=[f"{self._side}/{self.manager.times}:{package}"],
        )

    @property
    def last_activity(self) -> Transaction | None:
        """The last transaction that installed or upgraded anything."""
        for transaction in reversed(self.transactions):
            if any(done.action in runs.ADDED for done in transaction.operations.values()):
                return transaction
        return None


_SURENESS = ("unknown", "inferred", "recorded", "proven")
_LOGS = {manager.log_name for manager in managers.MANAGERS.values() if manager.log_name}
_TIMES = {manager.time_name for manager in managers.MANAGERS.values()}


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
    source = 0 if record.source in _TIMES else 1 if record.source in _LOGS else 2
    return (source, record.time, record.command, record.user)


def utc(seconds: int) -> str:
    """The time in UTC, or nothing when a clock was so wrong that no calendar has it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else ""
    except (ValueError, OverflowError, OSError):
        return ""


def _moment(entry: tuple[str, Item]) -> tuple[str, str]:
    """In time order, whatever the keys are; apt's begin with the time."""
    key, item = entry
    return str(item.get("start") or key), key
