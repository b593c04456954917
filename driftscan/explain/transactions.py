"""Packages on one side only: which command of the host, or which line of the Dockerfile."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from driftscan.explain import wanted
from driftscan.explain.case import Case
from driftscan.explain.records import newest
from driftscan.explain.runs import Transaction
from driftscan.explain.wording import logged, some, were
from driftscan.model import Cause, Divergence, Evidence, HostRecord, Level, Place, Want, managers
from driftscan.model.managers import APK, is_package


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`removed`, `host-only` and `image-only`, one cause for each command or line."""
    packages = [d for d in open_ if is_package(d) and d.kind != "changed"]
    missing = [d for d in packages if d.kind == "missing"]
    extra = [d for d in packages if d.kind == "extra"]
    removed = [d for d in missing if case.records.removal(d.key)]
    dropped = [d for d in missing if d not in removed and case.records.dropped(d.key)]
    rest = [d for d in missing if d not in removed and d not in dropped]
    return [
        *_removed(case, removed),
        *_dropped(case, dropped),
        *_image_only(case, rest),
        *_host_only(case, extra),
        *_undated(case, extra),
    ]


_Find = Callable[[str], Transaction | None]


def _by_transaction(
    divergences: Sequence[Divergence], find: _Find
) -> list[tuple[Transaction, list[Divergence]]]:
    groups: dict[str, tuple[Transaction, list[Divergence]]] = {}
    for divergence in divergences:
        transaction = find(divergence.key)
        if transaction:
            groups.setdefault(transaction.keys[0], (transaction, []))[1].append(divergence)
    return [groups[key] for key in sorted(groups)]


# --- removed -----------------------------------------------------------------------------------


def _removed(case: Case, divergences: Sequence[Divergence]) -> list[Cause]:
    """A line of apt's history removed them: what the Dockerfile names is missed there."""
    causes: list[Cause] = []
    for transaction, members in _by_transaction(divergences, case.records.removal):
        lead = _named_lead(case, members)
        record = case.records.of(transaction)
        causes.append(
            Cause(
                type="removed",
                subject=lead,
                text=f"{were([d.key for d in members], lead)} removed from {case.subject.label}",
                confidence="recorded",
                level=_loss(case, members),
                claims=[d.id for d in members],
                evidence=[logged(record), *_missed(case, _divergence(members, lead), record)],
                host_record=record,
                image_record=_place(case, members, lead),
                also=["release-differs:os"] if case.releases_differ else [],
            )
        )
    return causes


def _dropped(case: Case, divergences: Sequence[Divergence]) -> list[Cause]:
    """Only dpkg's log has it: `dpkg -r`, or apt's history no longer reaches back to it."""
    causes: list[Cause] = []
    for group in sorted({d.group for d in divergences}):
        members = [d for d in divergences if d.group == group]
        lead = _named_lead(case, members)
        record = newest(case.records.record(d.key, removed=True) for d in members)
        told = [logged(record)] if record else []
        causes.append(
            Cause(
                type="removed",
                subject=lead,
                text=f"{were([d.key for d in members], lead)} removed from {case.subject.label} "
                "by a command that no log names",
                confidence="recorded",
                level=_loss(case, members),
                claims=[d.id for d in members],
                evidence=[*told, *_missed(case, _divergence(members, lead), record)],
                host_record=record,
                image_record=_place(case, members, lead),
            )
        )
    return causes


def _divergence(members: Sequence[Divergence], package: str) -> Divergence:
    return next(d for d in members if d.key == package)


def _loss(case: Case, members: Sequence[Divergence]) -> Level:
    missed = [d for d in members if wanted.asked_for(case, d.key) or wanted.run_by(case, d.key)]
    if missed and all(wanted.instead(case, d) for d in missed):
        return "in-use"
    return "breaks" if missed else "installed"


def _missed(case: Case, lead: Divergence, record: HostRecord | None) -> list[Evidence]:
    """Who wanted it, who starts it, and what is there instead.

    Where one log alone tells of the removal, these are nobody's loss without it.
    """
    told = [
        *wanted.asked_for(case, lead.key),
        *wanted.run_by(case, lead.key),
        *wanted.in_its_place(case, lead),
    ]
    if case.records.manager.log or record is None:
        return told
    return [replace(evidence, cites=[*evidence.cites, *record.cites]) for evidence in told]


def _named(case: Case, package: str) -> bool:
    """The reference was asked for it by its own name."""
    place = case.brought_by(case.reference, package)
    if place is not None:
        return place.kind == "line" and managers.names(place.text, package)
    return case.reference_records.asked(package) is not None


# --- never there -------------------------------------------------------------------------------


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
            groups.setdefault(transaction.keys[0], []).append(divergence)
    return [_only_there(case, groups[key]) for key in sorted(groups)]


def _only_there(case: Case, members: Sequence[Divergence]) -> Cause:
    lead = _named_lead(case, members)
    place = _place(case, members, lead)
    transaction = case.reference_records.last(lead)
    by = f"on {case.reference.label}"
    if place and place.kind == "line":
        by = f"by {place.file}:{place.line}"
    # That another host has it on purpose does not make it needed here; the Dockerfile does.
    level: Level = _loss(case, members) if case.reference.is_image else "installed"
    text = f"{were([d.key for d in members], lead)} installed {by}"
    silence = _silence(case, lead)
    if silence.confidence == "recorded":
        text += f", never on {case.subject.label}"
    else:
        text += f", and not on {case.subject.label}"
    return Cause(
        type="image-only" if case.reference.is_image else "reference-only",
        subject=lead,
        text=text,
        confidence="recorded",
        level=level,
        claims=[d.id for d in members],
        evidence=[silence],
        host_record=case.reference_records.of(transaction) if transaction else None,
        image_record=place,
    )


def _silence(case: Case, package: str) -> Evidence:
    """That no log mentions it counts as far as the logs could be read."""
    here, records = case.subject.label, case.records
    cites = case.cite_packages(case.reference, package)
    sure = records.silence
    if records.last(package) or records.events(package):
        record = records.record(package)
        when = f" in {record.time[:7]}" if record else ""
        more = record.cites if record else []
        text = f"{here} had {package}{when}, and no log tells who removed it"
        return Evidence(text=text, confidence="inferred", cites=[*cites, *more])
    if sure == "unknown":
        silent = records.manager is APK and records.keeps_no_log
        logs = "its package manager keeps no log" if silent else "its logs could not be read"
        text = f"whether {here} ever had {package} is not known: {logs}"
        return Evidence(text=text, confidence="unknown", cites=cites)
    return Evidence(text=f"no log of {here} mentions {package}", confidence=sure, cites=cites)


# --- only here ---------------------------------------------------------------------------------


def _host_only(case: Case, divergences: Sequence[Divergence]) -> list[Cause]:
    causes: list[Cause] = []
    for transaction, members in _by_transaction(divergences, case.records.brought):
        record = case.records.of(transaction)
        used = {cause.subject for cause in causes}
        lead = _lead(transaction, members, used)
        names = [d.key for d in members]
        causes.append(
            Cause(
                type="host-only" if case.reference.is_image else "subject-only",
                subject=lead,
                text=f"{were(names, lead)} installed on {case.subject.label} only",
                confidence="recorded",
                claims=[d.id for d in members],
                evidence=[logged(record), *_roles(case, transaction)],
                host_record=record,
            )
        )
    return causes


def _roles(case: Case, transaction: Transaction) -> list[Evidence]:
    """What the command asked for, what that needs, and what was only recommended."""
    keys = case.records.cites_of(transaction)
    asked = {*transaction.requested, *transaction.named}
    told: list[Evidence] = []
    if asked:
        text = f"asked for: {some(sorted(asked), 6)}"
        told.append(Evidence(text=text, confidence="recorded", cites=keys))
    brought = {n for n, done in transaction.operations.items() if done.action == "install"}
    present = sorted((brought | asked) & set(case.needs(case.subject)))
    automatic = set(present) & transaction.automatic
    needed = case.graph.within(set(present)).closure(asked & set(present)) & automatic
    cites = [*keys, *case.cite_needs(case.subject, *present)]
    for what, names in (("needed by it", needed), ("only recommended", automatic - needed)):
        if names and asked:
            text = f"{what}: {some(sorted(names), 6)}"
            told.append(Evidence(text=text, confidence="recorded", cites=cites))
    return told


def _lead(transaction: Transaction, members: Sequence[Divergence], used: set[str]) -> str:
    """What the command asked for; a name that no other cause goes by."""
    asked = [*transaction.requested, *transaction.named]
    names = sorted(d.key for d in members)
    here = sorted(name for name in names if name in asked)
    return next(name for name in [*here, *sorted(asked), *names] if name not in used)


_HOUR = 3600


def _undated(case: Case, divergences: Sequence[Divergence]) -> list[Cause]:
    """No log reaches back to them: the times of their files tell which came together."""
    times = case.evidence(case.subject, case.records.manager.times)
    dated = [
        (when, d)
        for d in divergences
        if not case.records.last(d.key)
        and isinstance(when := times.get(d.key, {}).get("changed"), int)
    ]
    clusters: list[list[tuple[int, Divergence]]] = []
    for when, divergence in sorted(dated, key=lambda pair: (pair[0], pair[1].key)):
        if clusters and when - clusters[-1][-1][0] < _HOUR:
            clusters[-1].append((when, divergence))
        else:
            clusters.append([(when, divergence)])
    return [_together(case, [d for _, d in cluster]) for cluster in clusters]


def _together(case: Case, members: Sequence[Divergence]) -> Cause:
    lead = min(d.key for d in members)
    record = newest(case.records.record(d.key) for d in members)
    return Cause(
        type="host-only" if case.reference.is_image else "subject-only",
        subject=lead,
        text=f"{were([d.key for d in members])} installed on {case.subject.label} only, "
        "by a command that no log names",
        confidence=record.confidence if record else "unknown",
        claims=[d.id for d in members],
        evidence=[logged(record)] if record else [],
        host_record=record,
    )


# --- whose name a cause goes by ----------------------------------------------------------------


def _named_lead(case: Case, members: Sequence[Divergence]) -> str:
    """The one that the reference was asked for by name, else for another's sake, else the first."""
    asked = [d.key for d in members if _named(case, d.key)]
    asked = asked or [d.key for d in members if wanted.asked_for(case, d.key)]
    return min(asked) if asked else min(d.key for d in members)


def _place(case: Case, members: Sequence[Divergence], lead: str) -> Place | None:
    names = [lead, *(d.key for d in members)]
    return next((p for n in names if (p := case.brought_by(case.reference, n))), None)
