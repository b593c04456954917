"""One name in full: what it is on both sides, how it came, why it is there, who needs it."""

from collections.abc import Sequence

from driftscan.model import About, Called, HostReport, Item, Known, Place, Standing
from driftscan.report.amount import SIZES, some
from driftscan.report.finding import fit, place, record, used
from driftscan.report.page import Page

_MOST = 8


def about(page: Page, host: HostReport) -> None:
    """The first package that answers to the name, then the names of the others, then the rest."""
    told = host.about
    if told is None:
        return
    packages = list(dict.fromkeys(standing.package for standing in told.standings))
    for package in packages[:1]:
        _package(page, host, [s for s in told.standings if s.package == package])
    if packages[1:]:
        page.item("  also", some(packages[1:], _MOST))
    for program in told.called[:_MOST]:
        page.item("  program", _program(told.name, program))
    for item in told.items[:_MOST]:
        page.item("  " + fit(item.section), _item(host, item))
    if len(told.items) > _MOST:
        page.item("", f"and {len(told.items) - _MOST} more (-f json)")
    for line in told.difference:
        page.raw(f"  {line}")
    page.line()


def equal(host: HostReport, told: About) -> str:
    """What a report says of a name that is no drift."""
    if host.expected:
        return f"{told.name} differs as it should: {host.expected[0].reason}."
    packages = {standing.package for standing in told.standings}
    count = len(packages) + len(told.items)
    both = "it is the same" if count == 1 else f"all {count} items are the same"
    return f"{told.name} does not differ: {both} on both sides."


def _program(name: str, program: Called) -> str:
    whose = f"{program.path} of {program.package}"
    if not program.link:
        return whose
    return f"{name} is an alternative{'' if program.sure else ', probably'}: {whose}"


def _package(page: Page, host: HostReport, standings: Sequence[Standing]) -> None:
    first = standings[0]
    source = f" (source {first.source})" if first.source not in ("", first.package) else ""
    versions = {standing.version for standing in standings}
    if len(standings) == 2 and len(versions) == 1:
        there = f"{first.version} on both sides"
    else:
        there = ", ".join(f"{s.version} on {_name(host, s.side)}" for s in standings)
    page.item("ABOUT", f"{first.package}{source}: {there}", name=f"{first.section}:{first.package}")
    # the finding below tells these
    told = any(d.id == f"{first.section}:{first.package}" for f in host.findings for d in f.members)
    for standing in () if told else standings:
        came = _came(standing)
        if came:
            page.item("  " + fit(_name(host, standing.side)), came)
    for text in _by_side(host, [(s, _why(s)) for s in standings]):
        page.item("  why here", text)
    needed = [(s, some(s.dependents, _MOST) or "nothing") for s in standings]
    for text in _by_side(host, needed):
        page.item("  needed by", text)
    if first.side == "subject" and not told:
        page.item("  used by", used(first.uses, SIZES[0], known=first.uses_known))


def _name(host: HostReport, side: str) -> str:
    meta = host.subject if side == "subject" else host.reference
    if side == "reference" and host.reference_image is not None:
        return "image"
    return meta.target if meta else side


def _came(standing: Standing) -> str:
    parts = [record(standing.host_record)] if standing.host_record else []
    brought, changed = standing.brought_by, standing.changed_by
    parts += [_line("brought by", brought)] if brought else []
    if changed and changed != brought:
        parts.append(_line("last changed by", changed))
    return "; ".join(parts)


def _line(how: str, where: Place) -> str:
    if where.kind == "line":
        return f"{how} {place(where)}  {where.text}"
    return f"{how} the base image" if where.kind == "base" else f"{how} a line that is not known"


def _why(standing: Standing) -> str:
    if len(standing.chain) == 1:
        return "asked for by its name"
    return " needs ".join(standing.chain) or "nothing that was asked for needs it"


def _by_side(host: HostReport, told: Sequence[tuple[Standing, str]]) -> list[str]:
    """One text where both sides say the same."""
    if len({text for _, text in told}) == 1:
        return [told[0][1]]
    return [f"{text}  (on {_name(host, standing.side)})" for standing, text in told]


def _item(host: HostReport, item: Known) -> str:
    if item.subject == item.reference:
        return f"{item.key}: {_fields(item.subject)} on both sides"
    sides = (("subject", item.subject), ("reference", item.reference))
    told = (f"{_fields(there)} on {_name(host, side)}" for side, there in sides)
    return f"{item.key}: {', '.join(told)}"


def _fields(item: Item | None) -> str:
    if item is None:
        return "not there"
    told = [
        f"{name} {_value(value)}" for name, value in sorted(item.items()) if value not in ("", [])
    ]
    return " ".join(told) or "there"


def _value(value: object) -> str:
    if isinstance(value, list):
        return some([str(one) for one in value], 3)
    return str(value)
