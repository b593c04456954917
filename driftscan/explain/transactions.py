"""Packages on one side only: which command of the host, or which line of the Dockerfile."""

from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.records import Transaction
from driftscan.model import Cause, Divergence, Evidence, HostRecord, Level, Place, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`removed`, `host-only` and `image-only`, one cause for each command or line."""
    packages = [d for d in open_ if d.section == "dpkg" and d.kind != "changed"]
    missing = [d for d in packages if d.kind == "missing"]
    extra = [d for d in packages if d.kind == "extra"]
    removed = [d for d in missing if case.records.last(d.key, removed=True)]
    rest = [d for d in missing if d not in removed]
    return [*_removed(case, removed), *_image_only(case, rest), *_host_only(case, extra)]


def _by_transaction(
    case: Case, divergences: Sequence[Divergence], *, removed: bool
) -> list[tuple[Transaction, list[Divergence]]]:
    groups: dict[str, tuple[Transaction, list[Divergence]]] = {}
    for divergence in divergences:
        transaction = case.records.last(divergence.key, removed=removed)
        if transaction:
            key = transaction.start + transaction.command
            groups.setdefault(key, (transaction, []))[1].append(divergence)
    return [groups[key] for key in sorted(groups)]


def _removed(case: Case, divergences: Sequence[Divergence]) -> list[Cause]:
    causes: list[Cause] = []
    for transaction, members in _by_transaction(case, divergences, removed=True):
        lead = _lead(case, members)
        needed = _needed(case, members)
        record = case.records.of(transaction)
        causes.append(
            Cause(
                type="removed",
                subject=lead,
                text=f"{_names(members)} removed from {case.subject.label}",
                confidence="recorded",
                level="breaks" if needed else "installed",
                claims=[d.id for d in members],
                evidence=[_logged(record)],
                host_record=record,
                image_record=_place(case, members),
            )
        )
    return causes


def _needed(case: Case, members: Sequence[Divergence]) -> bool:
    """The reference has one of them because it was asked for by name."""
    return any(_named(case, d) for d in members)


def _named(case: Case, divergence: Divergence) -> bool:
    place = case.brought_by(case.reference, divergence.key)
    if place is not None:
        return place.kind == "line" and divergence.key in place.text.split()
    transaction = case.reference_records.last(divergence.key)
    return transaction is not None and divergence.key in transaction.requested


def _image_only(case: Case, divergences: Sequence[Divergence]) -> list[Cause]:
    """Missing without a record of a removal: one cause for the line or command that brought it."""
    groups: dict[str, list[Divergence]] = {}
    for divergence in divergences:
        place = case.brought_by(case.reference, divergence.key)
        transaction = case.reference_records.last(divergence.key)
        if place and place.kind == "line":
            groups.setdefault(f"line {place.line:05}", []).append(divergence)
        elif place and place.kind == "base":
            groups.setdefault("base", []).append(divergence)
        elif transaction:
            groups.setdefault(transaction.start + transaction.command, []).append(divergence)
    causes: list[Cause] = []
    for key in sorted(groups):
        members = groups[key]
        # That another host has it on purpose does not make it needed here; the Dockerfile does.
        needed = case.reference.is_image and _needed(case, members)
        causes.append(_only_there(case, members, "breaks" if needed else "installed"))
    return causes


def _only_there(case: Case, members: Sequence[Divergence], level: Level) -> Cause:
    lead = _lead(case, members)
    place = _place(case, members)
    transaction = case.reference_records.last(lead)
    by = f"on {case.reference.label}"
    if place and place.kind == "line":
        by = f"by {place.file}:{place.line}"
    return Cause(
        type="image-only" if case.reference.is_image else "reference-only",
        subject=lead,
        text=f"{_names(members)} installed {by}, never on {case.subject.label}",
        confidence="recorded",
        level=level,
        claims=[d.id for d in members],
        evidence=[
            Evidence(
                text=f"no log of {case.subject.label} mentions {lead}",
                confidence="recorded",
            )
        ],
        host_record=case.reference_records.of(transaction) if transaction else None,
        image_record=place,
    )


def _host_only(case: Case, divergences: Sequence[Divergence]) -> list[Cause]:
    causes: list[Cause] = []
    for transaction, members in _by_transaction(case, divergences, removed=False):
        record = case.records.of(transaction)
        lead = _lead(case, members)
        causes.append(
            Cause(
                type="host-only" if case.reference.is_image else "subject-only",
                subject=lead,
                text=f"{_names(members)} installed on {case.subject.label} only",
                confidence="recorded",
                claims=[d.id for d in members],
                evidence=[_logged(record)],
                host_record=record,
            )
        )
    return causes


def _lead(case: Case, members: Sequence[Divergence]) -> str:
    """The package that the others came with: asked for, else needed by none of them."""
    asked = [d.key for d in members if case.requested(d.key) or _named(case, d)]
    return min(asked) if asked else min(d.key for d in members)


def _place(case: Case, members: Sequence[Divergence]) -> Place | None:
    places = [p for d in members if (p := case.brought_by(case.reference, d.key))]
    return places[0] if places else None


def _names(members: Sequence[Divergence]) -> str:
    names = sorted(d.key for d in members)
    if len(names) == 1:
        return f"{names[0]} was"
    more = f" and {len(names) - 2} more were" if len(names) > 2 else " were"
    return ", ".join(names[:2]) + more


def _logged(record: HostRecord) -> Evidence:
    return Evidence(
        text=f"{record.source} {record.time} {record.user}: {record.command}",
        confidence="recorded",
    )
