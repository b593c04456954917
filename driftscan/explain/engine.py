"""Two sides and what differs -> the explained report of that pair."""

from collections.abc import Sequence

from msgspec.structs import replace

from driftscan import plausible, privileges
from driftscan.explain import about as about_
from driftscan.explain import (
    brought,
    changes,
    contents,
    expectations,
    follow,
    hypotheses,
    impact,
    processes,
    remedies,
)
from driftscan.explain.case import Case
from driftscan.explain.findings import findings
from driftscan.explain.focus import focus
from driftscan.explain.since import since
from driftscan.explain.table import FAMILIES
from driftscan.model import (
    LEVELS,
    NO_LOGS,
    About,
    Cause,
    Comparison,
    Denied,
    Divergence,
    Expected,
    Explains,
    Failed,
    Finding,
    Gap,
    HostReport,
    Partial,
    Place,
    Side,
    Want,
)
from driftscan.model.managers import is_package


def wants(
    subject: Side, reference: Side, comparison: Comparison, symptom: str = "", about: str = ""
) -> list[Want]:
    """All that explaining this pair wants to learn on a second trip, each thing once, in order."""
    case = Case(subject, reference, comparison, symptom)
    asked = [*changes.wants(case), *remedies.wants(case), *impact.wants(case)]
    roots = {*subject.fingerprint.meta.apps, *reference.fingerprint.meta.apps}
    asked += [*contents.wants(about, roots), *brought.wants(case, about)]
    asked += [want for family in FAMILIES for want in family.wants(case)]
    return sorted(set(asked))


def explain(
    subject: Side,
    reference: Side,
    comparison: Comparison,
    about: str | None = None,
    symptom: str = "",
) -> HostReport:
    """Every divergence is expected, follows from another, or is claimed by exactly one cause.

    What no family can show becomes the cause `unexplained`. Pure: the same input gives the
    same report. With `about` only what answers to that name, whether it differs or
    not; raises InputError if neither side has it.
    """
    case = Case(subject, reference, comparison, symptom)
    parents = follow.parents(case)
    awaited = _with_followers(expectations.expected(case), parents)
    unjudged = follow.unjudged(case)
    settled = {i for group in awaited for i in group.members} | set(parents)
    settled |= {d.id for d in unjudged}
    open_ = [d for d in comparison.divergences if d.id not in settled]
    open_ += processes.stale(case)
    causes = _causes(case, open_)
    followers: dict[str, list[Divergence]] = {}
    for child, parent in sorted(parents.items()):
        followers.setdefault(parent, []).append(case.by_id[child])
    found = findings(case, causes, open_, followers)
    causes = _counted(_ordered(causes, found), open_)
    one: About | None = None
    if about is not None:
        one = about_.about(case, about)
        part = focus(found, causes, awaited, {about} | (about_.names(one) if one else set()))
        found, causes, awaited = part.findings, part.causes, part.expected
        if one is None and not any((found, causes, awaited)):
            raise about_.nothing(case, about)
    gaps = [*comparison.gaps, *_unjudged(case, unjudged)]
    gaps += [*_no_logs(case), *_blind_spots(subject), *_blind_spots(reference)]
    return HostReport(
        state="drift" if found else _unseen(gaps) or "in-sync",
        subject=subject.fingerprint.meta,
        reference=reference.fingerprint.meta,
        reference_image=_image(reference),
        causes=causes,
        findings=found,
        equal=comparison.equal,
        unknown=gaps,
        remedies=remedies.remedies(case, causes, found),
        since=since(case),
        expected=awaited,
        symptom=symptom,
        about=one,
        hypotheses=hypotheses.hypotheses(case, found, causes),
    )


def _unseen(gaps: Sequence[Gap]) -> str:
    """The state of a host of which something could not be compared; empty if nothing is."""
    blocking = [gap for gap in gaps if gap.blocks]
    if any(plausible.is_suspect(gap) for gap in blocking):
        return plausible.SUSPECT
    return "incomplete" if blocking else ""


def _causes(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    causes: list[Cause] = []
    claimed: set[str] = set()
    for family in FAMILIES:
        left = [d for d in open_ if d.id not in claimed]
        for cause in family.claim(case, left):
            causes.append(cause)
            claimed.update(cause.claims)
    left = [d for d in open_ if d.id not in claimed]
    for section in sorted({d.section for d in left}):
        causes.append(_unexplained(section, [d for d in left if d.section == section]))
    return causes


def _unexplained(section: str, left: Sequence[Divergence]) -> Cause:
    return Cause(
        type="unexplained",
        subject=section,
        text=f"{section}: {_some([d.key for d in left])}: no record on either side tells why",
        confidence="unknown",
        claims=[d.id for d in left],
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _with_followers(awaited: Sequence[Expected], parents: dict[str, str]) -> list[Expected]:
    """What follows from an expected package is expected by the same rule."""
    result: list[Expected] = []
    for group in awaited:
        members = set(group.members)
        more = sorted(child for child, parent in parents.items() if parent in members)
        result.append(replace(group, members=[*group.members, *more]))
    return result


def _ordered(causes: Sequence[Cause], found: Sequence[Finding]) -> list[Cause]:
    """Each cause takes the level of the worst finding it leads, and stands where that one stands.

    One that only shares findings with another keeps its own level; but another release is as bad as
    all it led to, and is told before that. What is proven is told before what is only recorded,
    whatever that one claims.
    """
    place: dict[str, int] = {}
    releases = {cause.id for cause in causes if cause.type == "release-differs"}
    for index, finding in enumerate(found):
        for name in (finding.cause, *releases.intersection(finding.also)):
            place.setdefault(name, index)
    levelled = [
        replace(cause, level=found[place[cause.id]].level) if cause.id in place else cause
        for cause in causes
    ]
    return sorted(
        levelled,
        key=lambda c: (
            c.type != "release-differs",
            LEVELS.index(c.level),
            c.confidence != "proven",
            -len(c.claims),
            place.get(c.id, len(found)),
            c.id,
        ),
    )


def _unjudged(case: Case, unjudged: Sequence[Divergence]) -> list[Gap]:
    """One gap a section; the packages' own gap blocks already."""
    sections = sorted({d.section for d in unjudged})
    return [
        Gap(
            what=section,
            side=case.subject.name,
            why=f"{sum(d.section == section for d in unjudged)} differences belong to packages, "
            "which could not be compared",
            blocks=False,
        )
        for section in sections
    ]


def _counted(causes: Sequence[Cause], open_: Sequence[Divergence]) -> list[Cause]:
    """Each cause with its share of the version differences; what nobody knows explains none."""
    changed = {d.id: d for d in open_ if is_package(d) and d.kind == "changed"}
    counted: list[Cause] = []
    for cause in causes:
        mine = [changed[claim] for claim in cause.claims if claim in changed]
        sources = len({d.group for d in mine})
        explains = Explains(differences=len(mine), sources=sources, of=len(changed))
        told = mine and cause.type != "unexplained"
        counted.append(replace(cause, explains=explains) if told else cause)
    return counted


def _no_logs(case: Case) -> list[Gap]:
    """A machine of packages whose logs are empty: nothing tells who did what there."""
    silent = [
        side
        for side in (case.subject, case.reference)
        if not side.is_image and case.packages(side) and case.of(side).is_empty
    ]
    why = "empty: nothing tells when packages came, nor by whom"
    return [Gap(what=NO_LOGS, side=s.name, why=why, blocks=False) for s in silent]


def _blind_spots(side: Side) -> list[Gap]:
    """Evidence and details that are missing: no verdict changes, but less can be told."""
    gaps: list[Gap] = []
    sections = {**side.fingerprint.evidence, **side.fingerprint.details}
    for name, section in sorted(sections.items()):
        for why, cure in _why(section):
            gaps.append(
                Gap(what=name, side=side.fingerprint.meta.target, why=why, cure=cure, blocks=False)
            )
    if why := plausible.skew(side.fingerprint):
        where, cure = side.fingerprint.meta.target, plausible.CLOCK_CURE
        gaps.append(Gap(what="clock", side=where, why=why, cure=cure, blocks=False))
    return gaps


def _why(section: object) -> list[tuple[str, str]]:
    match section:
        case Denied(cure=cure):
            return [(privileges.DENIED, cure)]
        case Failed(reason=reason):
            return [(reason, "")]
        case Partial(gaps=gaps):
            return [(gap, "") for gap in gaps]
        case _:
            return []


def _image(side: Side) -> Place | None:
    baseline = side.baseline
    if baseline is None:
        return None
    return Place(kind="base", file=baseline.dockerfile, text=baseline.name, built=baseline.built)
