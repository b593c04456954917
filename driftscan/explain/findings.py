"""Divergences and the causes that claim them -> findings with records, reach, level and score."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from driftscan.explain import changes, expectations, impact, levels
from driftscan.explain.case import Case
from driftscan.explain.levels import Weighed
from driftscan.explain.records import newest
from driftscan.model import (
    LEVELS,
    Cause,
    Direction,
    Divergence,
    Finding,
    HostRecord,
    Kind,
    Match,
    Place,
)
from driftscan.model.managers import MANAGERS, is_package


def findings(
    case: Case,
    causes: Sequence[Cause],
    open_: Sequence[Divergence],
    followers: Mapping[str, list[Divergence]],
) -> list[Finding]:
    """One finding a group, worst first: level, then score, then id.

    `open_` are the divergences that stand for themselves, `followers` those that follow each.
    """
    by_claim = {claim: cause for cause in reversed(causes) for claim in cause.claims}
    groups: dict[tuple[str, str], list[Divergence]] = {}
    for divergence in open_:
        group = _group(divergence, by_claim[divergence.id])
        groups.setdefault((divergence.section, group), []).append(divergence)
    matches = changes.matches(case)
    found = [
        _finding(case, section, group, members, by_claim, followers, matches)
        for (section, group), members in sorted(groups.items())
    ]
    return sorted(found, key=lambda f: (LEVELS.index(f.level), -f.score, f.id))


# Sections where one operation puts many items there: a build, an editor's day.
_TOGETHER = ("libraries", "programs", "conffiles", "verified", "software", "modules")


def _group(divergence: Divergence, cause: Cause) -> str:
    """The name of the finding: packages by their source, what one build brought by its first."""
    section = divergence.section
    if section not in _TOGETHER or cause.type == "unexplained":
        return divergence.group
    own = [claim for claim in cause.claims if claim.startswith(f"{section}:")]
    return min(own).partition(":")[2]


def _finding(
    case: Case,
    section: str,
    group: str,
    members: list[Divergence],
    by_claim: Mapping[str, Cause],
    followers: Mapping[str, list[Divergence]],
    matches: Mapping[str, Match],
) -> Finding:
    claimed = Counter(by_claim[d.id].id for d in members)
    broken = {by_claim[d.id].id for d in members if by_claim[d.id].level == "breaks"}
    cause = min(claimed, key=lambda name: (name not in broken, -claimed[name], name))
    also = sorted(name for name in claimed if name != cause)
    names = [d.key for d in members] if section in MANAGERS else []
    claims = [by_claim[name] for name in dict.fromkeys(d.id for d in members)]
    weighed = _weighed(case, group, members, claims, matches if section in MANAGERS else {})
    proof = levels.proof(case, group, weighed)
    needed, differing = _dependencies(case, names)
    lead = _lead(case, members)
    return Finding(
        section=section,
        key=group,
        kind=_kind(members),
        direction=_direction(members),
        subject_version=_version(lead.subject),
        reference_version=_version(lead.reference),
        level=levels.level(weighed, proof),
        score=levels.score(case, weighed),
        members=[*members, *(f for d in members for f in followers.get(d.id, []))],
        cause=cause,
        also=also,
        requested=weighed.requested,
        host_record=_host_record(case, members),
        reference_record=_reference_record(case, members),
        image_record=_image_record(case, members),
        uses=weighed.uses,
        uses_known=not names or bool(weighed.uses) or impact.known(case),
        tools=impact.tools(case, members) if weighed.requested else [],
        proof=proof,
        changes=weighed.changes,
        windows=weighed.windows,
        match=weighed.match,
        symbols=weighed.symbols,
        dependencies=differing,
        dependency_count=needed,
    )


def _weighed(
    case: Case,
    group: str,
    members: list[Divergence],
    causes: list[Cause],
    matches: Mapping[str, Match],
) -> Weighed:
    """What is known of the group: who loads it, what changed in it, what that broke."""
    names = [d.key for d in members if is_package(d)]
    known = Weighed(
        members=members,
        causes=list({cause.id: cause for cause in causes}.values()),
        uses=impact.users(case, members),
        requested=any(case.requested(n) and not expectations.plumbing(n) for n in names),
    )
    if not names:
        return known
    return replace(
        known,
        reached=levels.reached(case, group, names),
        changes=changes.changes_of(case, group),
        windows=changes.windows_of(case, group, matches.get(group)),
        match=matches.get(group),
        symbols=changes.symbols_of(case, group),
    )


def _kind(members: Sequence[Divergence]) -> Kind | Literal["mixed"]:
    kinds = {d.kind for d in members}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _direction(members: Sequence[Divergence]) -> Direction:
    directions = {d.direction for d in members if d.kind == "changed"}
    return directions.pop() if len(directions) == 1 else "unknown"


def _lead(case: Case, members: Sequence[Divergence]) -> Divergence:
    """The member whose versions stand for the group: changed before the rest, asked for first."""
    return min(members, key=lambda d: (d.kind != "changed", not case.requested(d.key), d.key))


def _version(item: Mapping[str, object] | None) -> str:
    return str((item or {}).get("version", ""))


def _dependencies(case: Case, names: Sequence[str]) -> tuple[int, list[str]]:
    """How many packages these need, and which of them differ: what could be the real cause."""
    _, needed = case.needed(names)
    differing = sorted(name for name in needed if case.package(name))
    return len(needed), differing


def _host_record(case: Case, members: Sequence[Divergence]) -> HostRecord | None:
    """The newest record among the members: the operation that made the subject what it is."""
    packages = [d for d in members if is_package(d)]
    gone = [d.key for d in packages if d.kind == "missing"]
    here = [d.key for d in packages if d.kind != "missing"]
    found = [case.records.record(name) for name in here]
    found += [case.records.record(name, removed=True) for name in gone]
    return newest(found)


def _reference_record(case: Case, members: Sequence[Divergence]) -> HostRecord | None:
    if case.reference.is_image:
        return None
    packages = [d for d in members if is_package(d)]
    here = [d.key for d in packages if d.kind != "extra"]
    gone = [d.key for d in packages if d.kind == "extra"]
    found = [case.reference_records.record(name) for name in here]
    found += [case.reference_records.record(name, removed=True) for name in gone]
    return newest(found)


def _image_record(case: Case, members: Sequence[Divergence]) -> Place | None:
    """The line most members owe their state in the image to."""
    places = [
        place
        for d in members
        if is_package(d) and (place := case.changed_by(case.reference, d.key))
    ]
    if not places:
        return None
    counts = Counter((place.kind, place.line) for place in places)
    best = max(counts, key=lambda key: (counts[key], key[0] == "line", key[1]))
    return next(place for place in places if (place.kind, place.line) == best)
