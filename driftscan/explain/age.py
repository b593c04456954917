"""The same repositories at another moment: behind, ahead, or dragged along by a command."""

from collections.abc import Sequence

from driftscan import versions
from driftscan.explain import suites
from driftscan.explain.case import Case
from driftscan.explain.records import newest
from driftscan.explain.runs import Transaction
from driftscan.explain.updates import updates
from driftscan.explain.wording import logged, run, some, were
from driftscan.model import Cause, Divergence, Evidence, HostRecord, Want
from driftscan.model.managers import DPKG, is_package


def wants(case: Case) -> list[Want]:
    """What the subject's repositories offer of packages that it has newer and no log tells why."""
    if case.subject.is_image or case.sections != (DPKG.section,) or case.releases_differ:
        return []
    newer = [d for d in case.comparison.divergences if is_package(d) and d.direction == "newer"]
    silent = [d for d in newer if case.records.moved_to(d.key, _here(d)) is None]
    return [Want(side="subject", kind="available", name=d.key) for d in silent]


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
    rest = [d for d in newer if d.id not in taken and _came(case, d)]
    local = [d for d in newer if d.id not in taken and d not in rest and _beyond(case, d)]
    causes += [_local(case, local)] if local else []
    return [*causes, *dragged, *([_ahead(case, rest)] if rest else [])]


def _came(case: Case, package: Divergence) -> bool:
    """A log has that version, or the lists do: of a local build no image ever gets one."""
    version = _here(package)
    logged_ = case.records.moved_to(package.key, version)
    return logged_ is not None or suites.offered(case, package, version)


def _reachable(case: Case, package: Divergence) -> bool:
    """Age explains nothing while a repository is missing, unless the subject's lists offer it."""
    version = str((package.reference or {}).get("version", ""))
    return not suites.missing(case) or suites.offered(case, package, version)


# --- behind ------------------------------------------------------------------------------------


def _behind(case: Case, older: Sequence[Divergence]) -> Cause:
    partial = _partial(case)
    keys = [d.key for d in older]
    last = newest(case.records.record(key) for key in keys)
    when = f", put there until {last.time}" if last else ""
    text = f"{case.subject.label} has the same repositories and older packages{when}"
    if partial:
        text = f"only a part of {case.subject.label} was upgraded, by {run(partial)}"
    evidence = [
        Evidence(
            text=f"packages are older than on {case.reference.label}{when}",
            confidence=last.confidence if last else "inferred",
            cites=[*_versions(case, keys), *(last.cites if last else [])],
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
        # Nobody did it: what put the older versions there is no reason that they stayed.
        host_record=case.records.of(partial) if partial else None,
        also=suites.preferring(case),
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
    moved: dict[str, list[HostRecord]] = {}
    for divergence in newer:
        if record := case.records.moved_to(divergence.key, _here(divergence)):
            moved.setdefault(f"{record.time} {record.command}", []).append(record)
    # What moved the most of them, of equals the last.
    most = max(moved, key=lambda key: (len(moved[key]), key), default="")
    record = newest(moved.get(most, []))
    stale = ": the image is stale, rebuild it" if case.reference.is_image else ""
    by = " by its own automatic updates" if record and _unattended(case, record) else ""
    keys = [d.key for d in newer]
    evidence = [
        Evidence(
            text=f"packages are newer than on {case.reference.label}",
            confidence="recorded",
            cites=_versions(case, keys),
        )
    ]
    evidence += [logged(found) for key in sorted(moved) if (found := newest(moved[key]))]
    offered = [k for d in newer if suites.offered(case, d, _here(d)) for k in [d.key]]
    if offered:
        text = f"the repositories of {case.subject.label} offer that version of {some(offered)}"
        cites = case.cite(case.subject, "available", *offered)
        evidence.append(Evidence(text=text, confidence="recorded", cites=cites))
    return Cause(
        type="ahead",
        subject="packages",
        text=f"{case.subject.label} was upgraded beyond {case.reference.label}{by}{stale}",
        confidence="recorded" if record else "inferred",
        claims=[d.id for d in newer],
        evidence=evidence,
        host_record=record,
    )


def _beyond(case: Case, package: Divergence) -> bool:
    """The subject's lists know the package, and nothing as new as what it has."""
    offers = _offers_of(case, package)
    ecosystem, version = DPKG.ecosystem, _here(package)
    return bool(offers) and all(versions.compare(ecosystem, o, version) == -1 for o in offers)


def _offers_of(case: Case, package: Divergence) -> list[str]:
    found = case.details(case.subject, "available").get(package.key, {}).get("versions")
    return found if isinstance(found, list) else []


def _local(case: Case, members: Sequence[Divergence]) -> Cause:
    """What no repository has and no log tells of was built, or installed from a file."""
    here = case.subject.label
    names = [d.key for d in members]
    told = some([f"{d.key} {_here(d)}" for d in members])
    evidence = Evidence(
        text=f"no repository of {here} is as new as {told}, and no log tells how it came",
        confidence="inferred",
        cites=[*case.cite(case.subject, "available", *names), *_versions(case, names)],
    )
    return Cause(
        type="local-package",
        subject=min(names),
        text=f"{told} on {here} is from none of its repositories: built or installed by hand",
        confidence="inferred",
        claims=[d.id for d in members],
        evidence=[evidence],
    )


def _unattended(case: Case, record: HostRecord) -> bool:
    return case.records.manager.unattended.search(record.command) is not None


def _here(package: Divergence) -> str:
    return str((package.subject or {}).get("version", ""))
