"""Programs, libraries and Java archives that no package owns: which, since when, how they came."""

import re
from collections.abc import Iterator, Sequence

from driftscan.explain import binaries, building, filetimes, loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Side, Want

SECTION = "software"
LARGE = "verified-software"
"""The digests of large files, which --verify has."""


def wants(case: Case) -> list[Want]:
    """What the files that differ tell of themselves: builds, versions, digests."""
    members = [d for d in case.comparison.divergences if d.section in (SECTION, LARGE)]
    return binaries.wants(list(_paths(members, "subject")), list(_paths(members, "reference")))


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`unpackaged`: one cause a place, such as /opt/NAME, with a guess of how it came there."""
    places: dict[str, list[Divergence]] = {}
    for divergence in open_:
        if divergence.section in (SECTION, LARGE):
            directory = divergence.key
            if divergence.section == LARGE:
                directory = directory.rpartition("/")[0]
            places.setdefault(place_of(directory), []).append(divergence)
    return [_unpackaged(case, place, places[place]) for place in sorted(places)]


_PLACE = re.compile(r"/(?:opt|srv)/[^/]+|/usr/local|/.*")


def place_of(directory: str) -> str:
    """`/opt/app/lib` -> `/opt/app`: what was put there in one go."""
    match = _PLACE.match(directory)
    return match.group() if match else directory


def _unpackaged(case: Case, place: str, members: Sequence[Divergence]) -> Cause:
    ours, theirs = list(_paths(members, "subject")), list(_paths(members, "reference"))
    differing = sorted(ours) or sorted(theirs)
    users = [
        *(told for path in ours for told in loaded.runs(case, path)),
        *loaded.maps(case, lambda path: path in ours),
    ]
    return Cause(
        type="unpackaged",
        subject=place,
        text=_text(case, place, differing, members),
        confidence="recorded",
        level="in-use" if users else "installed",
        claims=[d.id for d in members],
        evidence=[
            *(_found(case, d) for d in members),
            *binaries.told(case, ours, theirs),
            *users,
            *(_guess(case, place, ours) if ours else []),
        ],
        host_record=filetimes.record(case, "software-files", ours),
    )


def _named(item: Item | None) -> dict[str, str]:
    files, modes = (item or {}).get("files"), (item or {}).get("modes")
    who = modes if isinstance(modes, dict) else {}
    named = files if isinstance(files, dict) else {}
    return {name: f"{told} {who.get(name, '')}".strip() for name, told in named.items()}


def _paths(members: Sequence[Divergence], side: str) -> Iterator[str]:
    """The files of one side that the other lacks or has otherwise."""
    for divergence in members:
        if divergence.section == LARGE:
            own = divergence.subject if side == "subject" else divergence.reference
            yield from [divergence.key] if own is not None else []
            continue
        here, there = _named(divergence.subject), _named(divergence.reference)
        if side != "subject":
            here, there = there, here
        yield from (
            f"{divergence.key}/{name}" for name, told in here.items() if there.get(name) != told
        )


def _text(case: Case, place: str, paths: Sequence[str], members: Sequence[Divergence]) -> str:
    names = [path.removeprefix(f"{place}/") for path in paths]
    count = f"{len(paths)} files" if len(paths) > 1 else "one file"
    own = f"{count} that no package owns below {place}: {loaded.some(names)}"
    kinds = {d.kind for d in members}
    if kinds == {"extra"}:
        return f"{case.subject.label} has {own}; {case.reference.label} has not"
    if kinds == {"missing"}:
        return f"{case.reference.label} has {own}; {case.subject.label} has not"
    return f"{case.subject.label} and {case.reference.label} differ in {own}"


def _found(case: Case, divergence: Divergence) -> Evidence:
    pairs: tuple[tuple[Side, Item | None], ...] = (
        (case.subject, divergence.subject),
        (case.reference, divergence.reference),
    )
    there = [side for side, item in pairs if item is not None]
    if divergence.section == LARGE:
        labels = " than on ".join(side.label for side in there)
        return Evidence(
            text=f"{divergence.key} has other bytes on {labels}",
            confidence="recorded",
            cites=[c for side in there for c in case.cite(side, LARGE, divergence.key)],
        )
    told = [f"{loaded.some(sorted(_named(item)))} on {side.label}" for side, item in pairs if item]
    return Evidence(
        text=f"in {divergence.key}: {', '.join(told)}",
        confidence="recorded",
        cites=[c for side in there for c in case.cite(side, SECTION, divergence.key)],
    )


def _guess(case: Case, place: str, paths: Sequence[str]) -> list[Evidence]:
    """How it may have come: built there, copied, or unpacked; by nothing but times and names."""
    if place == "/usr/local":
        return building.built(case, f"{place}/")
    times = case.evidence(case.subject, "software-files")
    cites = case.cite(case.subject, "software-files", *(path for path in paths if path in times))
    archives = [path for path in paths if path.endswith((".jar", ".war"))]
    if archives and len(archives) == len(paths):
        text = f"{loaded.some(archives)}: probably copied there"
    elif len(paths) > 3 and place.startswith(("/opt/", "/srv/")):
        text = f"{len(paths)} files below {place}: probably unpacked from an archive"
    else:
        return []
    return [Evidence(text=text, confidence="inferred", cites=cites)]
