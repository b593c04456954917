"""What plain accounts were not told, once a report, with the rule of sudo that cures it."""

from msgspec.structs import replace

from driftscan import privileges
from driftscan.model import Gap, HostReport, Report
from driftscan.report.page import Page


def told(page: Page, report: Report) -> None:
    """The block at the end of a report; nothing where root saw all or none would see more."""
    lost = report.without_root
    if lost is None:
        return
    page.line()
    page.item("No root", privileges.sentence(lost))
    page.item("", f"cure: {privileges.cure(lost)}")
    for line in lost.sudoers:
        page.raw(f"    {line}")


def folded(host: HostReport, *, everything: bool) -> list[Gap]:
    """What is unknown; what one account was refused is one of them, as the block tells the rest."""
    sides = {side.target: side for side in (host.subject, host.reference) if side is not None}
    refused: dict[str, list[Gap]] = {}
    for gap in host.unknown if not everything else ():
        if gap.side in sides and privileges.is_for_root(sides[gap.side], gap.why):
            refused.setdefault(gap.side, []).append(gap)
    alone = [gap for gap in host.unknown if gap not in refused.get(gap.side, ())]
    for gaps in refused.values():
        names = list(dict.fromkeys(gap.what for gap in gaps))
        what = names[0] if len(names) == 1 else f"{len(names)} sections"
        blocks = any(gap.blocks for gap in gaps)
        alone.append(replace(gaps[0], what=what, why=privileges.FOR_ROOT, cure="", blocks=blocks))
    return alone
