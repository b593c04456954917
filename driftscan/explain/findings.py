"""Divergences and the causes that claim them -> findings with records, reach, level and score."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from driftscan import versions
from driftscan.explain import expectations, impact
from driftscan.explain.case import Case
from driftscan.explain.records import newest
from driftscan.model import (
    LEVELS,
    Cause,
    Direction,
    Divergence,
    Finding,
    HostRecord,
    Kind,
    Level,
    Place,
    Use,
)

_CHANGE = {
    "epoch": 3,
    "major": 3,
    "minor": 3,
    "patch": 2,
    "revision": 1,
    "data": 1,
    "unknown": 1,
    "rebuild": 0,
    "equal": 0,
}
_NEVER_RUN = ("-dev", "-doc", "-dbg", "-headers", "-common-doc")


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
        groups.setdefault((divergence.section, divergence.group), []).append(divergence)
    found = [
        _finding(case, section, group, members, by_claim, followers)
        for (section, group), members in sorted(groups.items())
    ]
    return sorted(found, key=lambda f: (LEVELS.index(f.level), -f.score, f.id))


def _finding(
    case: Case,
    section: str,
    group: str,
    members: list[Divergence],
    by_claim: Mapping[str, Cause],
    followers: Mapping[str, list[Divergence]],
) -> Finding:
    claimed = Counter(by_claim[d.id].id for d in members)
    cause = min(claimed, key=lambda name: (-claimed[name], name))
    also = sorted(name for name in claimed if name != cause)
    names = [d.key for d in members] if section == "dpkg" else []
    users = impact.users(case, members)
    requested = any(case.requested(n) and not expectations.plumbing(n) for n in names)
    level = _level([by_claim[d.id] for d in members], users, requested)
    needed, differing = _dependencies(case, names)
    lead = _lead(case, members)
    return Finding(
        section=section,
        key=group,
        kind=_kind(members),
        direction=_direction(members),
        subject_version=_version(lead.subject),
        reference_version=_version(lead.reference),
        level=level,
        score=_score(case, members, users, requested),
        members=[*members, *(f for d in members for f in followers.get(d.id, []))],
        cause=cause,
        also=also,
        requested=requested,
        host_record=_host_record(case, members),
        reference_record=_reference_record(case, members),
        image_record=_image_record(case, members),
        uses=users,
        uses_known=not names or bool(users) or impact.known(case),
        dependencies=differing,
        dependency_count=needed,
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


def _level(causes: Sequence[Cause], users: Sequence[Use], requested: bool) -> Level:
    if any(cause.level == "breaks" for cause in causes):
        return "breaks"
    used = users or requested or any(cause.level == "in-use" for cause in causes)
    return "in-use" if used else "installed"


def _score(case: Case, members: Sequence[Divergence], users: Sequence[Use], requested: bool) -> int:
    """Reach times change, as `docs/architecture.md` tells; asked for and running weigh more."""
    if all(d.key.endswith(_NEVER_RUN) for d in members):
        return 0
    reach = 3 if users else 2 if requested or not impact.known(case) else 1
    weight = (4 if requested else 0) + (2 if users else 0)
    return reach * max(_change(d) for d in members) + weight


def _change(divergence: Divergence) -> int:
    if divergence.kind != "changed":
        return 3
    if divergence.section != "dpkg":
        return 1
    ours, theirs = _version(divergence.subject), _version(divergence.reference)
    return _CHANGE[versions.level("deb", ours, theirs)]


def _dependencies(case: Case, names: Sequence[str]) -> tuple[int, list[str]]:
    """How many packages these need, and which of them differ: what could be the real cause."""
    own = set(names)
    graph = case.graph if any(n in case.facts(case.subject, "dpkg") for n in own) else None
    needed = (graph or case.reference_graph).closure(own) - own
    differing = sorted(name for name in needed if f"dpkg:{name}" in case.by_id)
    return len(needed), differing


def _host_record(case: Case, members: Sequence[Divergence]) -> HostRecord | None:
    """The newest record among the members: the operation that made the subject what it is."""
    packages = [d for d in members if d.section == "dpkg"]
    gone = [d.key for d in packages if d.kind == "missing"]
    here = [d.key for d in packages if d.kind != "missing"]
    found = [case.records.record(name) for name in here]
    found += [case.records.record(name, removed=True) for name in gone]
    return newest(found)


def _reference_record(case: Case, members: Sequence[Divergence]) -> HostRecord | None:
    if case.reference.is_image:
        return None
    packages = [d for d in members if d.section == "dpkg"]
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
        if d.section == "dpkg" and (place := case.changed_by(case.reference, d.key))
    ]
    if not places:
        return None
    counts = Counter((place.kind, place.line) for place in places)
    best = max(counts, key=lambda key: (counts[key], key[0] == "line", key[1]))
    return next(place for place in places if (place.kind, place.line) == best)
