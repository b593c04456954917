"""What stands in front of a package's own file: libraries, and runtimes first in a PATH."""

from collections.abc import Sequence

from driftscan.explain import loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`library-shadowed` (proven by the linker's own cache) and `runtime-shadowed`."""
    return [*_libraries(case, open_), *_runtimes(case, open_)]


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
        evidence=[first, *users, *_packages(case, owner), *_built(case)],
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


_TOOLS = ("gcc", "g++", "make", "build-essential", "cmake")


def _built(case: Case) -> list[Evidence]:
    """Compilers and headers that came with one command: the fingerprint of a build."""
    found: list[Evidence] = []
    for key, item in sorted(case.evidence(case.subject, "apt-history").items()):
        install = item.get("install")
        names = [name.partition(":")[0] for name in install] if isinstance(install, dict) else []
        headers = [name for name in names if name.endswith("-dev")]
        tools = sorted(set(names) & set(_TOOLS))
        if tools or len(headers) > 1:
            brought = [*tools, f"{len(headers)} -dev packages"] if headers else tools
            text = (
                f"it was probably built there: {' and '.join(brought)} came {item.get('start')} "
                f"with {item.get('command')} ({item.get('user') or 'root or unknown'})"
            )
            cites = case.cite(case.subject, "apt-history", key)
            found.append(Evidence(text=text, confidence="inferred", cites=cites))
    return found[-1:]


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
    copies = [d.id for d in open_ if d.id == f"runtimes:{copy}"]
    scopes = ", ".join(d.key.partition("@")[2] for d in winners)
    instead = f"; on {case.reference.label} it is {theirs['path']}" if theirs.get("path") else ""
    cites = [
        *case.cite(case.subject, "winners", *(d.key for d in winners)),
        *case.cite(case.subject, "runtimes", copy),
    ]
    found = Evidence(text=f"first in the PATH of: {scopes}", confidence="proven", cites=cites)
    real = str(ours.get("real", ""))
    return Cause(
        type="runtime-shadowed",
        subject=kind,
        text=f"{kind} is {ours.get('path', '')} on {case.subject.label}, "
        f"which no package owns{instead}",
        confidence="proven",
        claims=[*(d.id for d in winners), *copies],
        evidence=[found, *loaded.maps(case, lambda path: path == real)],
    )
