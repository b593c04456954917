"""What no package manager decides: shadowed libraries and programs, alternatives set by hand."""

from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`library-shadowed` (proven by the linker's own cache), `alternative`, `runtime-shadowed`."""
    causes = [*_shadowed(case, open_), *_alternatives(case, open_)]
    taken = {claim for cause in causes for claim in cause.claims}
    return [*causes, *_runtimes(case, [d for d in open_ if d.id not in taken])]


def _shadowed(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """An unowned copy that the linker finds before the package's own."""
    causes: list[Cause] = []
    cache = case.facts(case.subject, "libraries")
    for divergence in open_:
        if divergence.section != "libraries" or divergence.subject is None:
            continue
        soname, abi, directory = divergence.key.split("|", 2)
        if divergence.subject.get("owner"):
            continue
        hidden = [
            (key, item)
            for key, item in cache.items()
            if key.startswith(f"{soname}|{abi}|") and item.get("owner")
        ]
        own = cache[divergence.key].get("position", 0)
        behind = [key for key, item in hidden if _later(item.get("position"), own)]
        if behind:
            causes.append(_shadow(case, divergence, soname, directory, str(hidden[0][1]["owner"])))
    return causes


def _later(position: object, own: object) -> bool:
    return isinstance(position, int) and isinstance(own, int) and position > own


def _shadow(case: Case, divergence: Divergence, soname: str, directory: str, owner: str) -> Cause:
    return Cause(
        type="library-shadowed",
        subject=soname,
        text=f"{directory}/{soname}, which no package owns, hides the one of {owner} "
        f"on {case.subject.label}",
        confidence="proven",
        level="breaks",
        claims=[divergence.id],
        evidence=[
            Evidence(text=f"ldconfig -p lists {directory} first for {soname}", confidence="proven")
        ],
    )


def _alternatives(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    causes: list[Cause] = []
    for divergence in (d for d in open_ if d.section == "alternatives" and d.subject):
        target = str((divergence.subject or {}).get("target", ""))
        followers = [
            d.id for d in open_ if d.section == "winners" and d.key.startswith(f"{divergence.key}@")
        ]
        causes.append(
            Cause(
                type="alternative",
                subject=divergence.key,
                text=f"{divergence.key} is set by hand to {target} on {case.subject.label}",
                confidence="recorded",
                claims=[divergence.id, *followers],
                evidence=[Evidence(text="update-alternatives: manual", confidence="recorded")],
            )
        )
    return causes


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
    copies = [d.id for d in open_ if d.id == f"runtimes:{kind}|{ours.get('real', '')}"]
    scopes = ", ".join(d.key.partition("@")[2] for d in winners)
    instead = f"; on {case.reference.label} it is {theirs['path']}" if theirs.get("path") else ""
    return Cause(
        type="runtime-shadowed",
        subject=kind,
        text=f"{kind} is {ours.get('path', '')} on {case.subject.label}, "
        f"which no package owns{instead}",
        confidence="proven",
        claims=[*(d.id for d in winners), *copies],
        evidence=[Evidence(text=f"first in the PATH of: {scopes}", confidence="proven")],
    )
