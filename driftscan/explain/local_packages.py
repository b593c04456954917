"""Packages from a file: installed with dpkg, or with apt and a path, from no repository."""

import re
from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.records import Records, Transaction, newest
from driftscan.explain.wording import logged, were
from driftscan.model import Cause, Confidence, Divergence, Evidence, HostRecord, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`local-package`: one cause a source package whose version came from a file."""
    found = [
        (d, record)
        for d in open_
        if d.section == "dpkg" and d.kind != "missing" and (record := _from_file(case, d))
    ]
    groups = sorted({d.group for d, _ in found})
    return [_local(case, [pair for pair in found if pair[0].group == group]) for group in groups]


def _local(case: Case, found: Sequence[tuple[Divergence, HostRecord]]) -> Cause:
    members = [d for d, _ in found]
    names = [d.key for d in members]
    record = newest(record for _, record in found)
    confidence: Confidence = record.confidence if record else "unknown"
    how = f"with {record.command}" if record and record.command else "with dpkg"
    told = [logged(record)] if record else []
    if record and not record.command:
        text = f"no transaction of apt brought {', '.join(sorted(names))}"
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
        return records.of(transaction) if _by_path(transaction, package.key) else None
    return _by_dpkg(records, package.key, version)


def _by_path(transaction: Transaction, package: str) -> bool:
    """`apt-get install ./tool_1.0_amd64.deb`: a file of its name, or the only one."""
    words = transaction.command.split()
    files = [word.rpartition("/")[2] for word in words if word.endswith(".deb")]
    name = package.partition(":")[0]
    named = any(re.split(r"[_.]", file, maxsplit=1)[0] == name for file in files)
    return named or (len(files) == 1 and transaction.requested == [package])


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
    record = records.of_event(package, event)
    first = records.cites("apt-history", records.transactions[0].keys[0])
    sure = records.logged("apt-history")
    return HostRecord(
        time=record.time,
        zone=record.zone,
        user=record.user,
        source=record.source,
        confidence="recorded" if sure == "recorded" else "inferred",
        cites=sorted({*record.cites, *first}),
    )


def _running(records: Records, time: str) -> bool:
    """Whether apt was at work then: what dpkg did belongs to that transaction."""
    return any(t.start <= time <= t.end for t in records.transactions)
