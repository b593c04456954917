"""Libraries that no package owns and that the linker finds before a package's own."""

from collections.abc import Sequence

from msgspec import Struct

from driftscan.explain import building, filetimes, loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Items, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`library-shadowed`, proven by the linker's own cache: one cause a directory and source."""
    groups: dict[tuple[str, str], list[_Copy]] = {}
    for copy in _copies(case, open_):
        groups.setdefault((copy.directory, source(case, copy.owner)), []).append(copy)
    return [_shadowed(case, groups[key], open_) for key in sorted(groups)]


class _Copy(Struct, frozen=True):
    """An unowned library, and the key of the packaged one that the linker finds after it."""

    divergence: Divergence
    hidden: str
    owner: str

    @property
    def soname(self) -> str:
        return self.divergence.key.partition("|")[0]

    @property
    def directory(self) -> str:
        return self.divergence.key.rpartition("|")[2]

    @property
    def target(self) -> str:
        return str((self.divergence.subject or {}).get("target", ""))


def _copies(case: Case, open_: Sequence[Divergence]) -> list[_Copy]:
    cache = case.facts(case.subject, "libraries")
    return [
        _Copy(divergence, hidden, str(cache[hidden]["owner"]))
        for divergence in open_
        if _unowned(divergence) and (hidden := _behind(cache, divergence.key))
    ]


def hidden(case: Case) -> set[str]:
    """The subject's packages whose library is not the one that is loaded."""
    return {copy.owner for copy in _copies(case, case.comparison.divergences)}


def _unowned(divergence: Divergence) -> bool:
    item = divergence.subject
    return divergence.section == "libraries" and item is not None and not item.get("owner")


def owners(case: Case, members: Sequence[Divergence]) -> list[str]:
    """The packages whose libraries are hidden by these copies."""
    return sorted({copy.owner for copy in _copies(case, members)})


def source(case: Case, owner: str) -> str:
    """The source package of one of the subject's."""
    return str(case.packages(case.subject).get(owner, {}).get("source", owner))


def _behind(cache: Items, key: str) -> str:
    """The key of the first packaged namesake that comes after this copy, if there is one."""
    namesake = key.rpartition("|")[0] + "|"
    own = _position(cache[key])
    behind = [
        (_position(item), other)
        for other, item in cache.items()
        if other.startswith(namesake) and item.get("owner") and _position(item) > own
    ]
    return min(behind)[1] if behind else ""


def _position(item: Item) -> int:
    position = item.get("position")
    return position if isinstance(position, int) else 0


def _shadowed(case: Case, copies: Sequence[_Copy], open_: Sequence[Divergence]) -> Cause:
    first = copies[0]
    directory = first.directory
    targets = {copy.target for copy in copies} - {""}
    names = {f"{directory}/{copy.soname}" for copy in copies} | targets
    # Other names of the same files, such as those that compilers look for.
    beside = [
        d.id
        for d in open_
        if _unowned(d)
        and d.key.rpartition("|")[2] == directory
        and (d.subject or {}).get("target") in targets
    ]
    owners = sorted({copy.owner for copy in copies})
    return Cause(
        type="library-shadowed",
        subject=first.soname,
        text=_text(case, copies, owners),
        confidence="proven",
        level="breaks",
        claims=sorted({*(copy.divergence.id for copy in copies), *beside}),
        evidence=[
            *loaded.maps(case, lambda path: path in names),
            *_builds(case, directory, first.soname),
            _first(case, copies),
            *(told for owner in owners for told in _packages(case, owner)),
            *building.built(case, directory),
        ],
        host_record=filetimes.record(case, "local-files", sorted(names)),
    )


def _text(case: Case, copies: Sequence[_Copy], owners: list[str]) -> str:
    first, *others = copies
    path = f"{first.directory}/{first.soname}"
    on = f"on {case.subject.label}"
    if not others:
        return f"{path}, which no package owns, hides the one of {first.owner} {on}"
    names = loaded.some([path, *(copy.soname for copy in others)])
    return f"{names}, which no package owns, hide those of {loaded.some(owners)} {on}"


def _first(case: Case, copies: Sequence[_Copy]) -> Evidence:
    place = copies[0].hidden.rpartition("|")[2]
    names = loaded.some([copy.soname for copy in copies])
    keys = [key for copy in copies for key in (copy.divergence.key, copy.hidden)]
    return Evidence(
        text=f"ldconfig -p lists {copies[0].directory} before {place} for {names}",
        confidence="proven",
        cites=case.cite(case.subject, "libraries", *keys),
    )


def _packages(case: Case, owner: str) -> list[Evidence]:
    """Whether a difference of packages could explain it as well: it cannot."""
    ours, theirs = (case.packages(side).get(owner) for side in (case.subject, case.reference))
    if ours is None or theirs is None:
        return []
    cites = case.cite_packages(case.subject, owner) + case.cite_packages(case.reference, owner)
    text = f"upgrading {owner} changes nothing here: its library is not the one that is loaded"
    if ours == theirs:
        text = (
            f"{owner} is equal on both sides: packages do not explain this, "
            "a library outside the package manager does"
        )
    return [Evidence(text=text, confidence="recorded", cites=cites)]


# The formats that people miss first.
_FORMATS = ("heic", "jpeg", "png", "svg", "tiff", "webp")


def _builds(case: Case, directory: str, soname: str) -> list[Evidence]:
    """What this build of ImageMagick cannot do that the packaged one can, as both state it."""
    if not soname.startswith("libMagick"):
        return []
    builds = case.evidence(case.subject, "builds")
    ours = sorted(key for key in builds if key.startswith(f"{directory}/ImageMagick-"))
    theirs = sorted(key for key in builds if key.startswith("/usr/lib/"))
    if not ours or not theirs:
        return []
    own, packaged = builds[ours[-1]], builds[theirs[-1]]
    here, there = _list(own, "delegates"), _list(packaged, "delegates")
    lost = sorted((n for n in there if n not in here), key=lambda n: (n not in _FORMATS, n))
    if not lost:
        return []
    same = own.get("version") == packaged.get("version")
    text = (
        f"delegates: {', '.join(here) or 'none'}; the package has {len(there)}, among them "
        f"{loaded.some(lost)}" + (f" (both call themselves {own['version']})" if same else "")
    )
    cites = case.cite(case.subject, "builds", ours[-1], theirs[-1])
    return [Evidence(text=text, confidence="proven", cites=cites)]


def _list(item: Item, field: str) -> list[str]:
    value = item.get(field)
    return value if isinstance(value, list) else []
