"""What a host's own logs say was done to it: who, when, by which command."""

import re
from functools import cached_property

from msgspec import Struct

from driftscan.model import Fingerprint, HostRecord, Item, Items, Section


def items(section: Section | None) -> Items:
    """The items of a section, or none when it has none that can be used."""
    found: Items = getattr(section, "items", None) or {}
    return found


class Operation(Struct, frozen=True):
    """What one transaction did to one package."""

    action: str
    old: str
    new: str


class Transaction(Struct, frozen=True):
    """One run of the package manager, or several of the same command within minutes."""

    start: str
    user: str
    command: str
    operations: dict[str, Operation]
    automatic: frozenset[str]

    @property
    def requested(self) -> list[str]:
        """The packages it installed because they were asked for, in order."""
        return sorted(
            package
            for package, done in self.operations.items()
            if done.action == "install" and package not in self.automatic
        )


_ADDED = ("install", "upgrade", "downgrade", "reinstall")
_REMOVED = ("remove", "purge")
_UNATTENDED = re.compile(r"\bunattended-upgrade")


class Records:
    """The evidence of one machine, asked for a package at a time."""

    def __init__(self, fingerprint: Fingerprint) -> None:
        self._evidence = fingerprint.evidence
        self._target = fingerprint.meta.target

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

    @property
    def knows_marks(self) -> bool:
        return "apt-auto" in self._evidence and bool(self.automatic)

    def last(self, package: str, *, removed: bool = False) -> Transaction | None:
        """The last transaction that put the package there (or removed it)."""
        actions = _REMOVED if removed else _ADDED
        for transaction in reversed(self.transactions):
            done = transaction.operations.get(package)
            if done and done.action in actions:
                return transaction
        return None

    def record(self, package: str, *, removed: bool = False) -> HostRecord | None:
        """The best record of the last change: apt's history, else dpkg's log, else a file time."""
        transaction = self.last(package, removed=removed)
        if transaction:
            return self.of(transaction)
        return self._from_log(package, removed) or (None if removed else self._from_time(package))

    def of(self, transaction: Transaction) -> HostRecord:
        return HostRecord(
            time=transaction.start[:16],
            zone=self.zone,
            user=transaction.user or "root or unknown",
            command=transaction.command,
            source="apt history",
        )

    def _from_log(self, package: str, removed: bool) -> HostRecord | None:
        events = items(self._evidence.get("dpkg-log")).get(package, {}).get("events")
        wanted = _REMOVED if removed else _ADDED
        for event in reversed(events if isinstance(events, list) else []):
            words = event.split(" ")
            if len(words) > 2 and words[2] in wanted:
                return HostRecord(
                    time=f"{words[0]} {words[1][:5]}",
                    zone=self.zone,
                    user="root or unknown",
                    source="dpkg log",
                )
        return None

    def _from_time(self, package: str) -> HostRecord | None:
        changed = items(self._evidence.get("dpkg-times")).get(package, {}).get("changed")
        if not isinstance(changed, int):
            return None
        return HostRecord(
            time=_utc(changed),
            zone="UTC",
            user="root or unknown",
            source="file time",
            confidence="inferred",
        )

    @property
    def last_activity(self) -> Transaction | None:
        """The last transaction that installed or upgraded anything."""
        for transaction in reversed(self.transactions):
            if any(done.action in _ADDED for done in transaction.operations.values()):
                return transaction
        return None


def _utc(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _transaction(key: str, item: Item) -> Transaction:
    operations: dict[str, Operation] = {}
    for action in (*_ADDED, *_REMOVED):
        packages = item.get(action)
        for name, value in packages.items() if isinstance(packages, dict) else ():
            old, arrow, new = value.partition(" -> ")
            operations[name] = Operation(action, old if arrow else "", new if arrow else old)
    automatic = item.get("automatic")
    return Transaction(
        start=str(item.get("start") or key),
        user=str(item.get("user") or ""),
        command=str(item.get("command") or ""),
        operations=operations,
        automatic=frozenset(automatic if isinstance(automatic, list) else ()),
    )


def _same_event(first: Transaction, second: Transaction) -> bool:
    """One unattended upgrade logs each of its minimal steps as a transaction of its own."""
    return (
        first.command == second.command
        and _UNATTENDED.search(first.command) is not None
        and _minutes(second.start) - _minutes(first.start) < 10 + len(first.operations)
    )


def _merged(first: Transaction, second: Transaction) -> Transaction:
    return Transaction(
        first.start,
        first.user,
        first.command,
        {**first.operations, **second.operations},
        first.automatic | second.automatic,
    )


_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d) +(\d\d):(\d\d)", re.ASCII)


def _minutes(text: str) -> int:
    match = _TIME.match(text)
    if match is None:
        return 0
    year, month, day, hour, minute = (int(part) for part in match.groups())
    return (((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute
