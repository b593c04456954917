"""The same repositories at another moment: behind, ahead, or dragged along by a command."""

from collections.abc import Sequence

from driftscan.explain import suites
from driftscan.explain.case import Case
from driftscan.explain.runs import Transaction
from driftscan.explain.updates import updates
from driftscan.explain.wording import logged, run, some, were
from driftscan.model import Cause, Divergence, Evidence, Want
from driftscan.model.managers import is_package


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`behind`, `dragged` and `ahead`: versions that differ though the repositories do not."""
    if "repositories" not in case.comparison.equal:
        return []
    changed = [d for d in open_ if is_package(d) and d.kind == "changed"]
    older = [d for d in changed if d.direction == "older" and _reachable(case, d)]
    newer = [d for d in changed if d.direction == "newer"]
    causes = [_behind(case, older)] if older else []
    dragged = _dragged(case, newer)
    taken = {claim for cause in dragged for claim in cause.claims}
    rest = [d for d in newer if d.id not in taken]
    return [*causes, *dragged, *([_ahead(case, rest)] if rest else [])]


def _reachable(case: Case, package: Divergence) -> bool:
    """Age explains nothing while a repository is missing, unless the subject's lists offer it."""
    version = str((package.reference or {}).get("version", ""))
    return not suites.missing(case) or suites.offered(case, package, version)


# --- behind ------------------------------------------------------------------------------------


def _behind(case: Case, older: Sequence[Divergence]) -> Cause:
    last = case.records.last_activity
    partial = _partial(case)
    when = f", last changed by {case.records.manager.tool} on {last.start[:16]}" if last else ""
    text = f"{case.subject.label} has the same repositories and older packages{when}"
    if partial:
        text = f"only a part of {case.subject.label} was upgraded, by {run(partial)}"
    keys = [d.key for d in older]
    dated = case.records.of(last).cites if last else []
    evidence = [
        Evidence(
            text=f"packages are older than on {case.reference.label}{when}",
            confidence="recorded" if last else "inferred",
            cites=[*_versions(case, keys), *dated],
        ),
        *([_moved(case, partial)] if partial else []),
        *updates(case),
        *_offers(case),
    ]
    return Cause(
        type="behind",
        subject="packages",
        text=text,
        confidence="recorded" if partial else "inferred",
        claims=[d.id for d in older],
        evidence=evidence,
        host_record=case.records.of(partial or last) if last else None,
    )


def _versions(case: Case, keys: Sequence[str]) -> list[str]:
    subject = case.cite_packages(case.subject, *keys)
    return [*subject, *case.cite_packages(case.reference, *keys)]


def _partial(case: Case) -> Transaction | None:
    """The last upgrade, if it reached the reference's versions for a few packages by name only."""
    for transaction in reversed(case.records.transactions):
        if any(done.action == "upgrade" for done in transaction.operations.values()):
            return transaction if not transaction.whole and _now_equal(case, transaction) else None
    return None


def _now_equal(case: Case, transaction: Transaction) -> list[str]:
    """The packages it upgraded to exactly what the reference has."""
    theirs = case.packages(case.reference)
    return sorted(
        name
        for name, done in transaction.operations.items()
        if done.action == "upgrade" and done.new == theirs.get(name, {}).get("version")
    )


def _moved(case: Case, transaction: Transaction) -> Evidence:
    equal = _now_equal(case, transaction)
    text = (
        f"{run(transaction)} brought {some(equal)} to the versions of {case.reference.label} "
        "and left the others"
    )
    record = case.records.of(transaction)
    cites = [*record.cites, *case.cite_packages(case.reference, *equal)]
    return Evidence(text=text, confidence="recorded", cites=cites)


def _offers(case: Case) -> list[Evidence]:
    """That the subject's own lists have the newer version: nothing but an upgrade is missing."""
    older = [d for d in case.comparison.divergences if suites.is_older(d)]
    version = {d.key: str((d.reference or {}).get("version", "")) for d in older}
    ready = [d.key for d in older if suites.offered(case, d, version[d.key])]
    if not ready:
        return []
    text = f"the repositories of {case.subject.label} offer the newer version of {some(ready)}"
    cites = case.cite(case.subject, "available", *ready)
    return [Evidence(text=text, confidence="recorded", cites=cites)]


# --- ahead -------------------------------------------------------------------------------------


def _dragged(case: Case, newer: Sequence[Divergence]) -> list[Cause]:
    """Upgraded because something else was installed: nobody asked for that version."""
    groups: dict[str, tuple[Transaction, list[Divergence]]] = {}
    for divergence in newer:
        transaction = case.records.last(divergence.key)
        if transaction and _drags(transaction, divergence.key):
            groups.setdefault(transaction.keys[0], (transaction, []))[1].append(divergence)
    return [_drag(case, *groups[key]) for key in sorted(groups)]


def _drags(transaction: Transaction, package: str) -> bool:
    asked = {*transaction.named, *transaction.requested}
    return (
        transaction.operations[package].action == "upgrade"
        and not transaction.whole
        and bool(asked)
        and package not in asked
    )


def _drag(case: Case, transaction: Transaction, members: Sequence[Divergence]) -> Cause:
    record = case.records.of(transaction)
    names = [d.key for d in members]
    return Cause(
        type="dragged",
        subject=min(names),
        text=f"{were(names)} upgraded on {case.subject.label} as a side effect of "
        f"{run(transaction)}",
        confidence="recorded",
        claims=[d.id for d in members],
        evidence=[logged(record)],
        host_record=record,
    )


def _ahead(case: Case, newer: Sequence[Divergence]) -> Cause:
    found = {t.keys[0]: t for d in newer if (t := case.records.last(d.key))}
    newest = found[max(found)] if found else None
    stale = ": the image is stale, rebuild it" if case.reference.is_image else ""
    by = " by its own automatic updates" if newest and newest.unattended else ""
    keys = [d.key for d in newer]
    evidence = [
        Evidence(
            text=f"packages are newer than on {case.reference.label}",
            confidence="recorded",
            cites=_versions(case, keys),
        )
    ]
    evidence += [logged(case.records.of(found[key])) for key in sorted(found)]
    return Cause(
        type="ahead",
        subject="packages",
        text=f"{case.subject.label} was upgraded beyond {case.reference.label}{by}{stale}",
        confidence="recorded" if newest else "inferred",
        claims=[d.id for d in newer],
        evidence=evidence,
        host_record=case.records.of(newest) if newest else None,
    )
