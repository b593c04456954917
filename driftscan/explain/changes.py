"""What changed between the versions: what to ask for on the second trip, and what it tells."""

import re
from collections.abc import Iterable

from driftscan.explain import impact
from driftscan.explain.case import Case
from driftscan.explain.pairs import Pair
from driftscan.model import Divergence, Side, Want

_LIBRARY = re.compile(r"lib[a-z0-9][a-z0-9.+-]*(?<!-dev)(?<!-doc)(?<!-dbg)(?<!-java)(?<!-perl)")


def wants(case: Case) -> list[Want]:
    """The changelog of each source that differs, from its newer side; symbols of its libraries.

    Between two releases everything differs, so there only what is asked for or runs is read.
    """
    told = [pair for pair in case.pairs.all.values() if _worth(case, pair.source)]
    return [_changelog(case, pair) for pair in told] + _symbols(case)


def _worth(case: Case, source: str) -> bool:
    releases = [
        case.facts(side, "os").get("release", {}).get("codename")
        for side in (case.subject, case.reference)
    ]
    if releases[0] == releases[1]:
        return True
    names = _binaries(case, case.subject, source)
    return any(case.requested(name) for name in names) or bool(impact.uses(case, names))


def _changelog(case: Case, pair: Pair) -> Want:
    side = case.subject if pair.newer_on == "subject" else case.reference
    return Want(
        side=pair.newer_on,
        kind="changelogs",
        name=pair.source,
        names=tuple(_binaries(case, side, pair.source)),
        version=pair.newer,
    )


def _binaries(case: Case, side: Side, source: str) -> list[str]:
    facts = case.facts(side, "dpkg")
    return sorted(
        name
        for name, item in facts.items()
        if item.get("source") == source and item.get("status") != "config-files"
    )


def _symbols(case: Case) -> list[Want]:
    """Of both sides where a library differs; a new soname is another package of that source."""
    found: list[Want] = []
    for source, members in sorted(_libraries(case.comparison.divergences).items()):
        if {d.kind for d in members} in ({"missing"}, {"extra"}) or not _worth(case, source):
            continue
        for divergence in members:
            if divergence.subject is not None:
                found.append(Want(side="subject", kind="symbols", name=divergence.key))
            if divergence.reference is not None:
                found.append(Want(side="reference", kind="symbols", name=divergence.key))
    return found


def _libraries(divergences: Iterable[Divergence]) -> dict[str, list[Divergence]]:
    """By source, the library packages that differ."""
    found: dict[str, list[Divergence]] = {}
    for divergence in divergences:
        name = divergence.key.partition(":")[0]
        if divergence.section == "dpkg" and _LIBRARY.fullmatch(name):
            found.setdefault(divergence.group, []).append(divergence)
    return found
