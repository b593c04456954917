"""The remedies on the page: commands that can be copied, the reason for each, what is left out."""

from collections.abc import Sequence
from itertools import groupby, takewhile

from driftscan.model import PHASES, HostReport, Phase, Remedy, Step
from driftscan.report import answer
from driftscan.report.amount import Amount
from driftscan.report.page import Page

_BESIDE: tuple[Phase, ...] = ("settings", "restarts")
_WHOLE = "--all or --fix DIR"


def remedies(page: Page, host: HostReport, amount: Amount) -> None:
    """The subject's remedy in full, the other way in a line."""
    subject = host.subject.target if host.subject else ""
    for remedy in host.remedies:
        if remedy.direction == "reference" and not amount.all:
            _other_way(page, remedy)
            continue
        page.line()
        do = f"review, then run on {subject}" if remedy.recommended else "do not run it"
        where = f"{do}; {remedy.simulated}"
        where = where if remedy.direction == "subject" else "the other way"
        page.item("", f"Fix ({where})", indent=0, name=remedy.id)
        _steps(page, remedy.steps, _urgent(host), amount)
        for note in remedy.notes:
            page.item("", f"note: {note}", indent=2)


def _urgent(host: HostReport) -> tuple[Phase, ...]:
    """What to show first: where packages do not explain what breaks, the steps beside them."""
    return _BESIDE if host.causes and answer.bare(host.causes[0]) else PHASES


def _steps(page: Page, steps: Sequence[Step], urgent: Sequence[Phase], amount: Amount) -> None:
    """In their order, those with one reason under it; the last step is always told."""
    groups = [list(group) for _, group in groupby(steps, key=lambda step: step.why or step.run)]
    by_urgency = sorted(range(len(groups) - 1), key=lambda n: groups[n][0].phase not in urgent)
    written = any(step.file for step in steps)  # then the long ones are short
    chosen = {*by_urgency[: None if written else amount.steps], len(groups) - 1}
    left = sum(len(group) for n, group in enumerate(groups) if n not in chosen)
    for number, group in enumerate(groups):
        if number == len(groups) - 1 and left:
            page.command(f"# {left} more steps ({_WHOLE})")
        if number in chosen:
            _together(page, group, amount)


def _together(page: Page, group: Sequence[Step], amount: Amount) -> None:
    why = group[0].why
    most = len(group) if len(group) <= amount.names else 1
    if len(group) > 1:
        page.command(f"# {why}")
    for step in group[:most]:
        _command(page, step, "" if len(group) > 1 else why, amount)
    if len(group) > most:
        page.command(f"# {len(group) - most} more like it ({_WHOLE})")


def _command(page: Page, step: Step, why: str, amount: Amount) -> None:
    """One of many words becomes a comment: half a command must not be run."""
    parts = step.run.split()
    if len(parts) <= amount.words + 4 or step.file or step.run.startswith("#"):
        page.command(step.run, why)
        return
    head = [*takewhile(lambda word: word not in step.words, parts)] if step.words else parts[:2]
    if why:
        page.command(f"# {why}")
    page.command(f"# {' '.join(head)} ... ({len(parts) - len(head)} names: {_WHOLE})")


def _other_way(page: Page, remedy: Remedy) -> None:
    """The last command alone: what the others would write is long, and rarely wanted."""
    lines = len(remedy.steps) - 1
    what = f"{lines} line{'' if lines == 1 else 's'} for the Dockerfile (--all), then "
    told = f"Or the other way: {what if lines else ''}{remedy.steps[-1].run}"
    page.item("", told, indent=0, name=remedy.id)
