"""What was compared and equal, and what could not be known and why: part of every report."""

from msgspec.structs import replace

from driftscan.model import HostReport, Report
from driftscan.model.managers import MANAGERS
from driftscan.report import rootless
from driftscan.report.amount import SIZES, Amount

MANY = replace(SIZES[0], gaps=20)
"""How much of it forms tell that have no screen to fit."""
_NATURAL = "only a running machine has it"


def equal(host: HostReport, amount: Amount) -> str:
    """The sections that are equal, whole or in part, and those that neither side has."""
    differing = {d.section for f in host.findings for d in f.members}
    sections = {name: count for name, count in sorted(host.equal.items()) if count}
    whole = [f"{n} {c}" if amount.all else n for n, c in sections.items() if n not in differing]
    partly = [f"{n} {c}" for n, c in sections.items() if n in differing]
    one_sided = differing | {m.partition(":")[0] for group in host.expected for m in group.members}
    none = [n for n, c in sorted(host.equal.items()) if not c and n not in one_sided]
    # A manager that is on neither side has no keys and no pins there either.
    none = [n for n in none if "-" not in n or n.partition("-")[0] not in none]
    beside = f"; beside the differences: {', '.join(partly)}" if partly else ""
    neither = f"; on neither side: {_names(none, amount)}" if none else ""
    if amount.sections < SIZES[0].sections:
        beside = "; and more beside the differences" if partly else ""
    return (_names(whole, amount) or "no section whole") + beside + neither


def _names(names: list[str], amount: Amount) -> str:
    """All of them, or where it is many the first ones and how many more."""
    if amount.all or len(names) <= amount.sections + 3:
        return ", ".join(names)
    return f"{', '.join(names[: amount.sections])} and {len(names) - amount.sections} more"


def unknown(host: HostReport, amount: Amount) -> list[str]:
    """What could not be known, a line each, what most depends on first; empty if nothing."""
    gaps = [g for g in rootless.folded(host, everything=amount.all) if g.why != _NATURAL]
    told: list[str] = []
    for gap in sorted(gaps, key=lambda g: (not g.blocks, g.what not in MANAGERS))[: amount.gaps]:
        cure = f": {gap.cure}" if gap.cure else ""
        told.append(f"{gap.what} of {gap.side}: {gap.why}{cure}")
    if len(gaps) > amount.gaps:
        told.append(f"and {len(gaps) - amount.gaps} more (--all)")
    live = sorted({g.what for g in host.unknown if g.why == _NATURAL}) if amount.all else []
    if live:
        image = next(g.side for g in host.unknown if g.why == _NATURAL)
        told.append(f"{', '.join(live)} of {image}: {_NATURAL}")
    unread = _unread(host)
    return [*told, unread] if unread else told


def _unread(host: HostReport) -> str:
    """Of how many sources nobody read what changed between the two versions."""
    moved = [f for f in host.findings if f.section in MANAGERS and f.kind in ("changed", "mixed")]
    moved = [f for f in moved if f.subject_version != f.reference_version]
    count = sum(finding.changes is None for finding in moved)
    if not count:
        return ""
    which = f"{count} of {len(moved)} sources" if len(moved) > 1 else "one source"
    return f"what changed in {which}: no changelog of {'it' if count == 1 else 'them'} was read"


def lines(host: HostReport) -> list[str]:
    """Both for the reports that machines read; none of a host that was not compared."""
    if host.unreached is not None:
        return []
    blind = unknown(host, MANY) or ["nothing of what was asked"]
    return [f"equal: {equal(host, MANY)}", *(f"unknown: {text}" for text in blind)]


def total(report: Report) -> str:
    """How much was equal and how much could not be known, of all hosts: numbers alone."""
    same = sum(sum(host.equal.values()) for host in report.hosts.values())
    gaps = sum(g.why != _NATURAL for host in report.hosts.values() for g in host.unknown)
    unread = sum(bool(_unread(host)) for host in report.hosts.values())
    where = f"; of {unread} host{'' if unread == 1 else 's'} changelogs were not read"
    return (
        f"{same} items are equal, {gaps} could not be known{where if unread else ''}: "
        "-f text tells which"
    )
