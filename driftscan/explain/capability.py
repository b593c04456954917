"""The same packages, and yet not the same abilities: extensions that are switched on or off."""

from collections.abc import Sequence

from driftscan.explain import impact, loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Side, Want

SECTION = "extensions"


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`capability`: one cause a program, of what only one side has switched on."""
    by_program: dict[str, list[Divergence]] = {}
    for divergence in open_:
        if divergence.section == SECTION and divergence.kind != "changed":
            program = divergence.key.rpartition("/")[0]
            by_program.setdefault(program, []).append(divergence)
    return [_program(case, name, by_program[name]) for name in sorted(by_program)]


def _program(case: Case, program: str, members: Sequence[Divergence]) -> Cause:
    """What each side has and the other has not; in use where the program runs."""
    here = [d for d in members if d.kind == "extra"]
    there = [d for d in members if d.kind == "missing"]
    told = [
        f"{loaded.some([_name(d) for d in some])} on {side.label} only"
        for side, some in ((case.subject, here), (case.reference, there))
        if some
    ]
    names = [d.key.rpartition("/")[2] for d in there]
    lines = [case.line_with(case.reference, name) for name in names]
    return Cause(
        type="capability",
        subject=program,
        text=f"{program} has {' and '.join(told)}",
        confidence="recorded",
        level="in-use" if _runs(case, program) else "installed",
        claims=[d.id for d in members],
        evidence=[*_switched(case.subject, here, case), *_switched(case.reference, there, case)],
        image_record=next((line for line in lines if line), None),
    )


def _name(divergence: Divergence) -> str:
    return divergence.key.rpartition("/")[2]


def _switched(side: Side, members: Sequence[Divergence], case: Case) -> list[Evidence]:
    if not members:
        return []
    text = f"{', '.join(_name(d) for d in members)} switched on in /etc of {side.label}"
    cites = case.cite(side, SECTION, *(d.key for d in members))
    return [Evidence(text=text, confidence="recorded", cites=cites)]


def _runs(case: Case, program: str) -> bool:
    """`php/8.2/fpm` -> whether a program of its package runs; for a server the server itself."""
    kind, _, rest = program.partition("/")
    version, _, sapi = rest.partition("/")
    packages = [f"php{version}-{sapi}", f"libapache2-mod-php{version}"] if rest else []
    packages += [] if rest else [kind, f"{kind}-bin", f"{kind}-common"]
    return bool(impact.uses(case, packages))
