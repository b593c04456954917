"""Until when a host is known to have had the packages it should: its log, read backwards."""

from collections.abc import Mapping

from driftscan.explain import expectations
from driftscan.explain.case import Case
from driftscan.explain.runs import Operation, Transaction
from driftscan.explain.wording import quoted, some
from driftscan.model import Divergence, Evidence
from driftscan.model.managers import is_package


def since(case: Case) -> Evidence | None:
    """The last moment at which the packages that differ now were those of the reference.

    Each transaction is undone, newest first. None unless that moment is found and every step
    back fits the state after it: what was not logged may have happened at any time.
    """
    if case.subject.is_image or case.records.history == "unknown":
        return None
    targets = _targets(case)
    if not targets:
        return None
    state = {d.key: _version(d.subject) for d in targets}
    wanted = {d.key: _version(d.reference) for d in targets}
    undone: list[Transaction] = []
    for transaction in reversed(case.records.transactions):
        mine = {n: done for n, done in transaction.operations.items() if n in state}
        if not mine:
            continue
        before = _undone(state, mine)
        if before is None:
            return None
        state = before
        undone.append(transaction)
        if state == wanted:
            return _told(case, targets, undone, sorted(mine))
    return None


def _targets(case: Case) -> list[Divergence]:
    """What differs and is not only a host's own: what nobody asked for follows from the rest."""
    packages = [d for d in case.comparison.divergences if is_package(d)]
    return [d for d in packages if d.kind != "extra" or _deliberate(case, d.key)]


def _deliberate(case: Case, package: str) -> bool:
    if case.host_and_image and expectations.plumbing(package):
        return False
    transaction = case.records.brought(package)
    if transaction is None:
        return package not in case.records.automatic
    return package not in transaction.automatic


def _version(item: Mapping[str, object] | None) -> str:
    """Empty where the package is not there."""
    return str((item or {}).get("version", ""))


def _undone(state: Mapping[str, str], done: Mapping[str, Operation]) -> dict[str, str] | None:
    """The versions before the operations, or None if they do not lead to those after."""
    before = dict(state)
    for name, operation in done.items():
        removed = operation.action in ("remove", "purge")
        after = "" if removed else operation.new.partition(",")[0]
        if state[name] != after:
            return None
        if operation.action == "install":
            before[name] = ""
        elif removed:
            before[name] = operation.new.partition(",")[0]
        elif operation.action != "reinstall":
            before[name] = operation.old
    return before


def _told(
    case: Case, targets: list[Divergence], undone: list[Transaction], moved: list[str]
) -> Evidence:
    records, last = case.records, undone[-1]
    record = records.of(last)
    zone = f" {record.zone}" if record.zone else ""
    text = (
        f"{case.subject.label} had the packages of {case.reference.label} until "
        f"{last.start[:16]}{zone}, when {record.user} ran {quoted(last)} and moved {some(moved)}"
    )
    cites = case.cite_packages(case.subject, *(d.key for d in targets if d.subject))
    cites += case.cite_packages(case.reference, *(d.key for d in targets if d.reference))
    cites += [cite for transaction in undone for cite in records.of(transaction).cites]
    cites += _passed_over(case)
    known = "inferred" if records.skewed and records.history == "recorded" else records.history
    return Evidence(text=text, confidence=known, cites=sorted(set(cites)))


def _passed_over(case: Case) -> list[str]:
    """What tells that the other packages of the host came for no sake of their own."""
    cites: list[str] = []
    for divergence in case.comparison.divergences:
        if not is_package(divergence) or divergence.kind != "extra":
            continue
        transaction = case.records.brought(divergence.key)
        if transaction is not None:
            cites += case.records.cites_of(transaction)
        elif divergence.key in case.records.automatic:
            cites += case.cite(case.subject, case.records.manager.auto, divergence.key)
    return cites
