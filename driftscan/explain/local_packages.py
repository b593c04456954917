"""Packages from a file: installed with dpkg or rpm, or by a path, from no repository."""

import re
from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.records import Records, newest
from driftscan.explain.runs import Transaction
from driftscan.explain.wording import logged, were
from driftscan.model import Cause, Confidence, Divergence, Evidence, HostRecord, Want, managers
from driftscan.model.managers import is_package


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`local-package`: one cause a source package whose version came from a file."""
    found = [
        (d, record)
        for d in open_
        if is_package(d) and d.kind != "missing" and (record := _from_file(case, d))
    ]
    groups = sorted({d.group for d, _ in found})
    return [_local(case, [pair for pair in found if pair[0].group == group]) for group in groups]


def _local(case: Case, found: Sequence[tuple[Divergence, HostRecord]]) -> Cause:
    members = [d for d, _ in found]
    names = [d.key for d in members]
    record = newest(record for _, record in found)
    confidence: Confidence = record.confidence if record else "unknown"
    manager = case.records.manager
    how = f"with {record.command}" if record and record.command else f"with {manager.section}"
    told = [logged(record)] if record else []
    if record and not record.command:
        text = f"no transaction of {manager.tool} brought {', '.join(sorted(names))}"
        told.append(Evidence(text=text, confidence=confidence, cites=record.cites))
    return Cause(
        type="local-package",
        subject=min(names),
        text=f"{were(names)} installed on {case.subject.label} from a package file, {how}",
        confidence=confidence,
        claims=[d.id for d in members],
        evidence=told,
        host_record=record,
        image_record=case.changed_by(case.reference, min(names)),
    )


def _from_file(case: Case, package: Divergence) -> HostRecord | None:
    """The record of its installation from a file, if its version came by one."""
    records = case.records
    version = str((package.subject or {}).get("version", ""))
    transaction = records.last(package.key)
    if transaction and transaction.operations[package.key].new.partition(",")[0] == version:
        return records.of(transaction) if _by_path(records, transaction, package.key) else None
    return _by_dpkg(records, package.key, version) or _by_rpm(records, package.key)


def _by_path(records: Records, transaction: Transaction, package: str) -> bool:
    """`apt-get install ./tool_1.0_amd64.deb`: a file of its name, or the only one."""
    words = transaction.command.split()
    ending, name = records.manager.file, managers.bare(package)
    files = [word.rpartition("/")[2] for word in words if ending in word]
    named = any(_VERSION.split(file, maxsplit=1)[0] == name for file in files)
    return named or (len(files) == 1 and transaction.requested == [package])


_VERSION = re.compile(r"[_.]|-(?=[0-9])")


def _by_dpkg(records: Records, package: str, version: str) -> HostRecord | None:
    """dpkg's log has it and apt's history does not, though that reaches back further.

    What an installer unpacked is older than the first transaction: it is no file of anybody's.
    """
    events = [e for e in records.events(package) if e.action in ("install", "upgrade")]
    if not events or events[-1].new != version or not records.transactions:
        return None
    event = events[-1]
    if event.time < records.transactions[0].start or _running(records, event.time):
        return None
    return _beyond(records, records.of_event(package, event))


def _beyond(records: Records, record: HostRecord) -> HostRecord:
    """That the history reaches back further makes its silence tell something."""
    first = records.cites(records.manager.history, records.transactions[0].keys[0])
    sure = records.history
    return HostRecord(
        time=record.time,
        zone=record.zone,
        user=record.user,
        source=record.source,
        confidence=record.confidence if sure == "recorded" else "inferred",
        cites=sorted({*record.cites, *first}),
    )


def _by_rpm(records: Records, package: str) -> HostRecord | None:
    """Its database tells when it was installed, and dnf's history has nothing of it then."""
    record = records.record(package)
    seconds = records.changed(package)
    if record is None or record.command or not seconds or not records.transactions:
        return None
    time = records.local(seconds, records.transactions[0].zone)
    unlogged = records.last(package) is None and records.manager.time_recorded
    if not unlogged or time < records.transactions[0].start or _running(records, time):
        return None
    return _beyond(records, record)


def _running(records: Records, time: str) -> bool:
    """Whether apt was at work then: what dpkg did belongs to that transaction."""
    return any(t.start <= time <= t.end for t in records.transactions)
