"""The remedies on the page: commands that can be copied, the reason for each, what is left out."""

from collections.abc import Sequence
from itertools import groupby, takewhile

from driftscan.model import PHASES, HostReport, Phase, Remedy, Step
from driftscan.report import answer
from driftscan.report.amount import Amount, plural
from driftscan.report.page import Page

_BESIDE: tuple[Phase, ...] = ("settings", "restarts")
_CORE: tuple[Phase, ...] = ("repository", "packages", "restarts")
_BESIDE_IT = 94
_WHOLE = "--all or --fix DIR"


def remedies(page: Page, host: HostReport, amount: Amount) -> None:
    """The subject's remedy in full, the other way in a line."""
    subject = host.subject.target if host.subject else ""
    for remedy in host.remedies:
        if remedy.direction == "reference" and not amount.all:
            _other_way(page, remedy, amount)
            continue
        page.line()
        do = f"review, then run on {subject}" if remedy.recommended else "do not run it"
        where = f"{do}; {remedy.simulated}"
        where = where if remedy.direction == "subject" else "the other way"
        page.item("", f"Fix ({where})", indent=0, name=remedy.id)
        _steps(page, host, remedy.steps, amount)
        for note in remedy.notes:
            page.item("", f"note: {note}", indent=2)


def _by_urgency(host: HostReport, phases: Sequence[Phase]) -> list[int]:
    """Which groups of steps to show if not all fit: the first of each phase, then the others.

    Where packages do not explain what breaks, all the steps beside them come before that.
    """
    beside = _BESIDE if host.causes and answer.bare(host.causes[0]) else ()
    rank = {name: place for place, name in enumerate(dict.fromkeys((*beside, *_CORE, *PHASES)))}
    turn = [0 if p in beside else phases[:n].count(p) + 1 for n, p in enumerate(phases)]
    return sorted(range(len(phases)), key=lambda n: (turn[n], rank[phases[n]], n))


def _steps(page: Page, host: HostReport, steps: Sequence[Step], amount: Amount) -> None:
    """In their order, those with one reason under it; the last step is always told."""
    groups = [list(group) for _, group in groupby(steps, key=lambda step: step.why or step.run)]
    by_urgency = _by_urgency(host, [group[0].phase for group in groups[:-1]])
    written = any(step.file for step in steps)  # then the long ones are short
    chosen = {*by_urgency[: None if written else amount.steps], len(groups) - 1}
    left = [step for n, group in enumerate(groups) if n not in chosen for step in group]
    if left:
        phases = list(dict.fromkeys(step.phase for step in left))
        which = f" ({', '.join(phases)})" if len(phases) < len(PHASES) // 2 else ""
        page.command(f"# {len(left)} more step{plural(len(left))}{which}: {_WHOLE}")
    for number in sorted(chosen):
        _together(page, groups[number], amount)


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
    short = f"# {' '.join(head)} ... ({len(parts) - len(head)} names: {_WHOLE})"
    if why and len(short) + len(why) > _BESIDE_IT:
        page.command(f"# {why}")
        why = ""
    page.command(short, why)


def _other_way(page: Page, remedy: Remedy, amount: Amount) -> None:
    """The last command alone: what the others would write is long, and rarely wanted."""
    lines = len(remedy.steps) - 1
    what = f"{lines} line{plural(lines)} for the Dockerfile (--all)"
    last = remedy.steps[-1].run
    told = f"{what}, then {last}" if amount.rules else what
    page.item("", f"Or the other way: {told if lines else last}", indent=0, name=remedy.id)
