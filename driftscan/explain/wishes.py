"""Packages that were asked for: where no log tells, the manager still has a list of those."""

from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.wording import some, were
from driftscan.model import Cause, Divergence, Evidence, Side, Want
from driftscan.model.managers import is_package


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`host-only` and `reference-only`: one cause a package that apk or pacman was asked for."""
    mine = [d for d in open_ if is_package(d)]
    return [
        *_wished(case, case.subject, [d for d in mine if d.kind == "extra"]),
        *_wished(case, case.reference, [d for d in mine if d.kind == "missing"]),
    ]


def _wished(case: Case, side: Side, divergences: Sequence[Divergence]) -> list[Cause]:
    """Each package that is asked for takes along what it needs."""
    manager = case.of(side).manager
    wishes = case.evidence(side, manager.origins)
    here = {d.key: d for d in divergences if d.section == manager.section and manager.wish}
    graph = case.graph if side is case.subject else case.reference_graph
    causes: list[Cause] = []
    asked = {key for key in here if wishes.get(key, {}).get("asked")}
    for name in sorted(asked):
        needed = graph.within(set(here)).closure([name]) - asked
        members = sorted((needed | {name}) & here.keys())
        causes.append(_wish(case, side, name, [here.pop(key) for key in members]))
    return causes


def _wish(case: Case, side: Side, name: str, members: Sequence[Divergence]) -> Cause:
    names, manager = [d.key for d in members], case.of(side).manager
    told = [
        Evidence(
            text=f"{manager.wish} {name} on {side.label}",
            confidence="recorded",
            cites=case.cite(side, manager.origins, name),
        )
    ]
    needed = [key for key in names if key != name]
    if needed:
        text, cites = f"needed by it: {some(needed, 6)}", case.cite_needs(side, *names)
        told.append(Evidence(text=text, confidence="recorded", cites=cites))
    whose = "host" if case.reference.is_image else "subject"
    return Cause(
        type=f"{whose}-only" if side is case.subject else "reference-only",
        subject=name,
        text=f"{were(names, name)} installed on {side.label} only",
        confidence="recorded",
        claims=[d.id for d in members],
        evidence=told,
    )
