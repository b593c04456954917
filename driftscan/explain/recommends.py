"""Packages that one side has only because another recommends them, and the other side does not."""

from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.needs import Graph
from driftscan.explain.records import newest
from driftscan.explain.runs import Transaction
from driftscan.explain.wording import logged, some, were
from driftscan.model import Cause, Divergence, Evidence, Kind, Side, Want, managers
from driftscan.model.managers import is_package

OFF = ("--no-install-recommends", *(f"install_weak_deps={no}" for no in ("false", "0", "no")))


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`recommends`: what a package of both sides recommends, on one side only."""
    packages = [d for d in open_ if is_package(d)]
    return [
        *_side(case, packages, "extra", case.subject, case.reference),
        *_side(case, packages, "missing", case.reference, case.subject),
    ]


def _side(
    case: Case, packages: Sequence[Divergence], kind: Kind, having: Side, lacking: Side
) -> list[Cause]:
    mine = {
        d.key: d
        for d in packages
        if d.kind == kind
        and _unasked(case, having, d.key)
        and not _taken_away(case, lacking, d.key)
    }
    common = set(case.packages(having)) & set(case.packages(lacking))
    graph = case.graph if having is case.subject else case.reference_graph
    roots = _recommended(graph, set(mine), common)
    members = sorted(_only_for(graph, set(mine), set(roots)))
    roots = {name: by for name, by in roots.items() if name in members}
    if not roots:
        return []
    switched = _switch(case, lacking, roots)
    record = newest(case.of(having).record(name) for name in members)
    told = [
        Evidence(
            text=f"{some(roots[name])} of both sides recommends {name}",
            confidence="recorded",
            cites=case.cite_needs(having, name, *roots[name]),
        )
        for name in sorted(roots)
    ]
    return [
        Cause(
            type="recommends",
            subject=min(roots),
            text=f"{were(members)} installed on {having.label} as recommended by "
            f"{some(sorted({r for n in roots.values() for r in n}))}; {lacking.label} "
            "did not take them",
            confidence="recorded" if switched else "inferred",
            claims=[mine[name].id for name in members],
            evidence=[*told, *switched, *([logged(record)] if record else [])],
            host_record=record,
            image_record=case.brought_by(case.reference, min(roots)),
        )
    ]


def _taken_away(case: Case, side: Side, package: str) -> bool:
    """Whether the side had it once: then its removal is what there is to tell."""
    records = case.of(side)
    return records.removal(package) is not None or records.dropped(package)


def _unasked(case: Case, side: Side, package: str) -> bool:
    """Nobody named it there: neither a command nor the line of the Dockerfile."""
    records, place = case.of(side), case.brought_by(side, package)
    named = place is not None and managers.names(place.text, package)
    came = records.brought(package)
    automatic = package in came.automatic if came else package in records.automatic
    return not named and records.asked(package) is None and (automatic or place is not None)


def _recommended(graph: Graph, mine: set[str], common: set[str]) -> dict[str, list[str]]:
    """Those that packages of both sides recommend, and who does."""
    found: dict[str, list[str]] = {}
    for package in sorted(common) if mine else ():
        for name in graph.recommended(package) & mine:
            found.setdefault(name, []).append(package)
    return found


def _only_for(graph: Graph, mine: set[str], roots: set[str]) -> set[str]:
    """The roots and what they need, without what anything else needs."""
    members = graph.within(mine).closure(roots)
    while True:
        others = set(graph.packages) - members if members else set()
        needed = {n for p in others for g in graph.groups(p, recommends=False) for n in g}
        if not members & needed:
            return members
        members = graph.within(mine - needed).closure((members - needed) & roots)


def _switch(case: Case, lacking: Side, roots: dict[str, list[str]]) -> list[Evidence]:
    """What says that the other side takes none: its settings, a command, a line."""
    setting = case.evidence(lacking, "apt-settings").get("APT::Install-Recommends", {})
    if str(setting.get("value", "")).lower() in ("0", "no", "false", "off"):
        where = setting.get("place", "")
        text = f'{lacking.label}: APT::Install-Recommends "{setting["value"]}" ({where})'
        cites = case.cite(lacking, "apt-settings", "APT::Install-Recommends")
        return [Evidence(text=text, confidence="recorded", cites=cites)]
    if weak := _weak(case, lacking):
        return [weak]
    for package in sorted({name for by in roots.values() for name in by}):
        place = case.brought_by(lacking, package)
        off = next((o for o in OFF if place is not None and o in place.text.lower()), "")
        if place is not None and off:
            text = f"{place.file}:{place.line} installs {package} with {off}"
            cites = case.cite_packages(lacking, package)
            return [Evidence(text=text, confidence="recorded", cites=cites)]
        transaction: Transaction | None = case.of(lacking).brought(package)
        if transaction is not None and any(o in transaction.command.lower() for o in OFF):
            return [logged(case.of(lacking).of(transaction))]
    return []


def _weak(case: Case, lacking: Side) -> Evidence | None:
    """`install_weak_deps` of dnf.conf(5)."""
    for key, item in sorted(case.evidence(lacking, "dnf-settings").items()):
        off = str(item.get("value", "")).lower() in ("0", "no", "false", "off")
        if key.endswith(":main.install_weak_deps") and off:
            text = f"{lacking.label}: install_weak_deps={item['value']} ({item.get('place', '')})"
            cites = case.cite(lacking, "dnf-settings", key)
            return Evidence(text=text, confidence="recorded", cites=cites)
    return None
