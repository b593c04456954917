"""Programs that no package owns and that a PATH finds before a package's own."""

from collections.abc import Sequence

from driftscan.explain import filetimes, java, loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Side, Want


def wants(case: Case) -> list[Want]:
    """Which Java the applications need, where an older one wins."""
    return java.wants(case)


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`runtime-shadowed` (a compiler or interpreter) and, by the order of a PATH,
    `program-shadowed`."""
    causes = _runtimes(case, open_)
    taken = {claim for cause in causes for claim in cause.claims}
    return [*causes, *_programs(case, [d for d in open_ if d.id not in taken])]


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
        claims=[*(d.id for d in winners), *copies, *java.beside(ours, open_)],
        evidence=[*fails, found, *loaded.maps(case, lambda path: path == real)],
    )


# --- other programs ------------------------------------------------------------------------------


def _programs(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """One cause for what a directory hides of one package, wherever it is there."""
    groups: dict[tuple[str, str, str, bool], list[Divergence]] = {}
    for divergence in (d for d in open_ if d.section == "programs"):
        item = divergence.subject or divergence.reference or {}
        place = divergence.key.rpartition("/")[0]
        behind = str(item.get("hides", "")).rpartition("/")[0]
        owner = str(item.get("owner", ""))
        group = (place, behind, owner, divergence.subject is not None)
        groups.setdefault(group, []).append(divergence)
    return [_hiding(case, groups[key], *key[1:]) for key in sorted(groups)]


def _hiding(
    case: Case, members: Sequence[Divergence], behind: str, owner: str, here: bool
) -> Cause:
    side, other = (case.subject, case.reference) if here else (case.reference, case.subject)
    paths = [d.key for d in members]
    order = _order(case, side, paths[0].rpartition("/")[0], behind)
    users = [told for path in paths for told in loaded.runs(case, path)] if here else []
    used = bool(users) or (here and _wanted(case, owner))
    verb = "hides" if len(paths) == 1 else "hide"
    same = f"{behind}/{paths[0].rpartition('/')[2]}" if len(paths) == 1 else f"those in {behind}"
    by = f" of {owner}" if owner else ""
    lacking = "" if any(d.kind == "changed" for d in members) else f"; {other.label} has none of it"
    return Cause(
        type="program-shadowed",
        subject=owner or paths[0].rpartition("/")[2],
        text=f"{loaded.some(paths)}, which no package owns, {verb} {same}{by} "
        f"on {side.label}{lacking}",
        confidence="proven" if order else "recorded",
        level="in-use" if used else "installed",
        claims=[d.id for d in members],
        evidence=[*order, _there(case, side, paths), *users],
        host_record=filetimes.record(case, "local-files", paths) if here else None,
    )


def _order(case: Case, side: Side, ours: str, theirs: str) -> list[Evidence]:
    """The PATHs that list the directory of the one before the other's."""
    paths = case.facts(side, "path")
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


def _there(case: Case, side: Side, paths: Sequence[str]) -> Evidence:
    verb = "is" if len(paths) == 1 else "are"
    text = f"{', '.join(paths)} {verb} there and no package lists that"
    return Evidence(text=text, confidence="proven", cites=case.cite(side, "programs", *paths))


def _position(item: Item) -> int:
    position = item.get("position")
    return position if isinstance(position, int) else 0


def _wanted(case: Case, owner: str) -> bool:
    """Whether somebody asked for the hidden program's package, or another of its source."""
    packages = case.packages(case.subject)
    source = packages.get(owner, {}).get("source")
    own = [n for n, item in packages.items() if source and item.get("source") == source]
    return any(case.requested(name) for name in own)
