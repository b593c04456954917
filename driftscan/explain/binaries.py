"""What the files that no package owns and that differ tell of themselves, by the second trip."""

from collections.abc import Iterator, Sequence

from driftscan.explain.case import Case
from driftscan.explain.loaded import some
from driftscan.model import ROOT, Evidence, Item, Side, Want
from driftscan.probes.wanted import binaries as wanted

MOST = 5
"""Files of one cause that are told one by one."""
_VERSIONS = ("implementation", "bundle", "specification")


def wants(ours: Sequence[str], theirs: Sequence[str]) -> list[Want]:
    """What each of the paths tells of itself, on the side that has it."""
    return [
        *(Want(side="subject", kind=wanted.KIND, name=path) for path in _fit(ours)),
        *(Want(side="reference", kind=wanted.KIND, name=path) for path in _fit(theirs)),
    ]


def _fit(paths: Sequence[str]) -> list[str]:
    return [path for path in sorted(set(paths)) if ROOT.fullmatch(path)][: wanted.FILES]


def told(case: Case, ours: Sequence[str], theirs: Sequence[str]) -> list[Evidence]:
    """Builds and versions of the first files that tell any; and how many were not summed."""
    paths = sorted({*ours, *theirs})
    found = [evidence for path in paths for evidence in _of(case, path)]
    return [*found[:MOST], *_same(case, ours)]


def _item(case: Case, side: Side, path: str) -> Item:
    return case.details(side, wanted.KIND).get(path, {})


def _of(case: Case, path: str) -> Iterator[Evidence]:
    sides = [(side, _item(case, side, path)) for side in (case.subject, case.reference)]
    for name, words in ((_version, "is version"), (_build, "has the build-id")):
        known = [(side, value) for side, item in sides if (value := name(item))]
        if not known:
            continue
        values = {value for _, value in known}
        if len(known) == 2 and len(values) == 1:
            text = f"{path} {words} {known[0][1]} on both"
        else:
            where = ", ".join(f"{value} on {side.label}" for side, value in known)
            text = f"{path} {words} {where}"
        cites = [c for side, _ in known for c in case.cite(side, wanted.KIND, path)]
        yield Evidence(text=text, confidence="recorded", cites=cites)


def _version(item: Item) -> str:
    """That of the implementation, else the bundle's, else the specification's."""
    return next((str(item[name]) for name in _VERSIONS if item.get(name)), "")


def _build(item: Item) -> str:
    return str(item.get("build_id", ""))


def _same(case: Case, ours: Sequence[str]) -> list[Evidence]:
    """Files that the reference has elsewhere, byte for byte: they were only put somewhere else."""
    details = case.details(case.reference, wanted.KIND)
    there = {str(item["digest"]): path for path, item in details.items() if item.get("digest")}
    moved = {
        path: there[digest]
        for path in ours
        if (digest := str(_item(case, case.subject, path).get("digest", ""))) in there
        and there[digest] != path
    }
    if not moved:
        return []
    places = [f"{path} is {other}" for path, other in sorted(moved.items())]
    cites = [c for path in moved for c in case.cite(case.subject, wanted.KIND, path)]
    cites += [c for path in moved.values() for c in case.cite(case.reference, wanted.KIND, path)]
    text = f"the same bytes elsewhere on {case.reference.label}: {some(places)}"
    return [Evidence(text=text, confidence="proven", cites=cites)]
