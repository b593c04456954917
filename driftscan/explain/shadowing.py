"""What stands in front of a package's own file: libraries, and programs first in a PATH."""

from collections.abc import Sequence

from driftscan.explain import filetimes, java, loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Side, Want


def wants(case: Case) -> list[Want]:
    """Which Java the applications need, where an older one wins."""
    return java.wants(case)


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`library-shadowed` (proven by the linker's own cache), `runtime-shadowed` and, by the order
    of a PATH, `program-shadowed`."""
    causes = [*_libraries(case, open_), *_runtimes(case, open_)]
    taken = {claim for cause in causes for claim in cause.claims}
    programs = [d for d in open_ if d.section == "programs" and d.id not in taken]
    return [*causes, *(_program(case, d) for d in programs)]


# --- libraries ---------------------------------------------------------------------------------


def _libraries(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """An unowned copy that the linker finds before the package's own."""
    causes: list[Cause] = []
    for divergence in open_:
        if divergence.section != "libraries" or divergence.subject is None:
            continue
        if divergence.subject.get("owner"):
            continue
        hidden = _behind(case, divergence.key)
        if hidden:
            causes.append(_library(case, divergence, hidden))
    return causes


def _behind(case: Case, key: str) -> str:
    """The key of the first packaged namesake that comes after this copy, if there is one."""
    cache = case.facts(case.subject, "libraries")
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


def _library(case: Case, divergence: Divergence, hidden: str) -> Cause:
    soname, _, directory = divergence.key.split("|", 2)
    owner = str(case.facts(case.subject, "libraries")[hidden]["owner"])
    first = Evidence(
        text=f"ldconfig -p lists {directory} before {hidden.rpartition('|')[2]} for {soname}",
        confidence="proven",
        cites=case.cite(case.subject, "libraries", divergence.key, hidden),
    )
    file = str((divergence.subject or {}).get("target", ""))
    files = {f"{directory}/{soname}", file}
    users = loaded.maps(case, lambda path: path in files)
    return Cause(
        type="library-shadowed",
        subject=soname,
        text=f"{directory}/{soname}, which no package owns, hides the one of {owner} "
        f"on {case.subject.label}",
        confidence="proven",
        level="breaks",
        claims=[divergence.id],
        evidence=[
            first,
            *users,
            *_builds(case, directory, soname),
            *_packages(case, owner),
            *_built(case, directory),
        ],
        host_record=filetimes.record(case, "local-files", sorted(files)),
    )


def _packages(case: Case, owner: str) -> list[Evidence]:
    """Whether a difference of packages could explain it as well: it cannot."""
    ours, theirs = (case.facts(side, "dpkg").get(owner) for side in (case.subject, case.reference))
    if ours is None or theirs is None:
        return []
    cites = case.cite(case.subject, "dpkg", owner) + case.cite(case.reference, "dpkg", owner)
    text = f"upgrading {owner} changes nothing here: its library is not the one that is loaded"
    if ours == theirs:
        text = (
            f"{owner} is equal on both sides: packages do not explain this, "
            "a library outside the package manager does"
        )
    return [Evidence(text=text, confidence="recorded", cites=cites)]


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
    lost = [name for name in there if name not in here]
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


_TOOLS = ("gcc", "g++", "make", "build-essential", "cmake")


def _built(case: Case, directory: str) -> list[Evidence]:
    """Sources that stayed, or compilers and headers that one command brought: a build there."""
    if not directory.startswith("/usr/local/"):
        return []
    files = case.evidence(case.subject, "local-files")
    sources = [path for path in sorted(files) if path.startswith("/usr/local/src/")]
    commands = _tools(case)
    if not sources and not commands:
        return []
    told = [f"{loaded.some(sources)} is there"] if sources else []
    cites = case.cite(case.subject, "local-files", *sources[:3])
    for key, text in commands[-1:]:
        told.append(text)
        cites += case.cite(case.subject, "apt-history", key)
    text = f"it was probably built on {case.subject.label}: {'; '.join(told)}"
    return [Evidence(text=text, confidence="inferred", cites=cites)]


def _tools(case: Case) -> list[tuple[str, str]]:
    """The transactions that brought what a build needs, by key."""
    found: list[tuple[str, str]] = []
    for key, item in sorted(case.evidence(case.subject, "apt-history").items()):
        install = item.get("install")
        names = [name.partition(":")[0] for name in install] if isinstance(install, dict) else []
        headers = [name for name in names if name.endswith("-dev")]
        tools = sorted(set(names) & set(_TOOLS))
        if tools or len(headers) > 1:
            brought = [*tools, f"{len(headers)} -dev packages"] if headers else tools
            by = item.get("user") or "root or unknown"
            text = f"{' and '.join(brought)} came {item.get('start')} with {item.get('command')}"
            found.append((key, f"{text} ({by})"))
    return found


# --- programs ----------------------------------------------------------------------------------


def _program(case: Case, divergence: Divergence) -> Cause:
    path, here = divergence.key, divergence.subject is not None
    side, other = (case.subject, case.reference) if here else (case.reference, case.subject)
    item = (divergence.subject if here else divergence.reference) or {}
    hidden = str(item.get("hides", ""))
    owner = str(item.get("owner", ""))
    first = _order(case, side, path, hidden)
    users = loaded.runs(case, path) if here else []
    used = bool(users) or (here and _wanted(case, owner))
    return Cause(
        type="program-shadowed",
        subject=path.rpartition("/")[2],
        text=f"{path}, which no package owns, hides {hidden}{f' of {owner}' if owner else ''} "
        f"on {side.label}"
        + ("" if divergence.kind == "changed" else f"; {other.label} has no such file"),
        confidence="proven" if first else "recorded",
        level="in-use" if used else "installed",
        claims=[divergence.id],
        evidence=[*first, *_names(case, side, path), *users],
        host_record=filetimes.record(case, "local-files", [path]) if here else None,
    )


def _order(case: Case, side: Side, path: str, hidden: str) -> list[Evidence]:
    """The PATHs that list the directory of the one before the other's."""
    paths = case.facts(side, "path")
    ours, theirs = path.rpartition("/")[0], hidden.rpartition("/")[0]
    scopes: list[str] = []
    cites: list[str] = []
    for key in sorted(paths):
        scope, slash, directory = key.partition("//")
        behind = f"{scope}/{theirs}"
        if not slash or f"/{directory}" != ours or behind not in paths:
            continue
        if _position(paths[key]) < _position(paths[behind]):
            scopes.append(scope)
            cites += case.cite(side, "path", key, behind)
    text = f"{ours} comes before {theirs} in the PATH of: {', '.join(scopes)}"
    return [Evidence(text=text, confidence="proven", cites=cites)] if scopes else []


def _names(case: Case, side: Side, path: str) -> list[Evidence]:
    text = f"{path} is there and no package lists it"
    return [Evidence(text=text, confidence="proven", cites=case.cite(side, "programs", path))]


def _wanted(case: Case, owner: str) -> bool:
    """Whether somebody asked for the hidden program's package, or another of its source."""
    packages = case.facts(case.subject, "dpkg")
    source = packages.get(owner, {}).get("source")
    own = [n for n, item in packages.items() if source and item.get("source") == source]
    return any(case.requested(name) for name in own)


# --- runtimes ----------------------------------------------------------------------------------


def _runtimes(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """A program that no package owns and that a PATH of the subject finds first."""
    by_kind: dict[str, list[Divergence]] = {}
    for divergence in open_:
        kind = divergence.key.partition("@")[0]
        if divergence.section == "winners" and _unowned(case, kind, divergence.subject):
            by_kind.setdefault(kind, []).append(divergence)
    return [_runtime(case, kind, by_kind[kind], open_) for kind in sorted(by_kind)]


def _unowned(case: Case, kind: str, winner: Item | None) -> bool:
    if winner is None:
        return False
    copy = case.facts(case.subject, "runtimes").get(f"{kind}|{winner.get('real', '')}")
    return copy is not None and not copy.get("owner")


def _runtime(
    case: Case, kind: str, winners: Sequence[Divergence], open_: Sequence[Divergence]
) -> Cause:
    ours, theirs = winners[0].subject or {}, winners[0].reference or {}
    copy = f"{kind}|{ours.get('real', '')}"
    own = (f"runtimes:{copy}", f"programs:{ours.get('path', '')}")
    copies = [d.id for d in open_ if d.id in own]
    scopes = ", ".join(d.key.partition("@")[2] for d in winners)
    instead = f"; on {case.reference.label} it is {theirs['path']}" if theirs.get("path") else ""
    cites = [
        *case.cite(case.subject, "winners", *(d.key for d in winners)),
        *case.cite(case.subject, "runtimes", copy),
    ]
    found = Evidence(text=f"first in the PATH of: {scopes}", confidence="proven", cites=cites)
    real = str(ours.get("real", ""))
    fails = java.too_old(case, ours) if kind == "java" else []
    return Cause(
        type="runtime-shadowed",
        subject=kind,
        text=f"{kind} is {ours.get('path', '')} on {case.subject.label}, "
        f"which no package owns{instead}",
        confidence="proven",
        level="breaks" if fails else "installed",
        claims=[*(d.id for d in winners), *copies],
        evidence=[*fails, found, *loaded.maps(case, lambda path: path == real)],
    )
