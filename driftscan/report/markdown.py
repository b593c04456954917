"""The report as GitHub's Markdown, for comments on pull requests and step summaries."""

import re
from collections.abc import Iterator

from driftscan.model import LEVELS, Cause, Finding, HostReport, Report
from driftscan.report import answer, coverage, words
from driftscan.report.amount import SIZES

LIMIT = 60_000
"""Characters; GitHub takes 65,536 in a comment."""

_HINT = "What may stay for a while: `driftscan accept ID --reason ... --owner ... --until DATE`"
_MARK = {"breaks": "**breaks**", "in-use": "**in use**", "installed": "installed"}
_SHOWN = 20
_MOST_ROWS = 200


def render(report: Report) -> str:
    """The summary, a table of hosts, then each host; whatever came from a host is code."""
    head = [f"### driftscan: {words.summary(report)}", ""]
    head += [f"- {code(note)}" for note in report.notes]
    head += ["", *_table(report)] if report.notes else _table(report)
    text = "\n".join(head) + "\n"
    if report.counts.get("drifted"):
        text += f"\n{_HINT}\n"
    left = sorted(report.hosts.items())
    while left:
        part = "\n".join(_host(*left[0]))
        if len(text) + len(part) > LIMIT:
            break
        text += f"\n{part}\n"
        left.pop(0)
    if left:
        text += f"\nThe rest is too long for here: {len(left)} hosts more in the full report.\n"
    return text


def code(text: str, *, cell: bool = False) -> str:
    """A code span: nothing in it is markup, a mention or a link, whatever it holds.

    In the cell of a table `|` would end the cell, and implementations differ on `\\|`.
    """
    if cell:
        text = text.replace("|", "\\x7c")
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if not text or text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _table(report: Report) -> list[str]:
    rows = ["| host | state | breaks | in use | installed | accepted |"]
    rows.append("|---|---|--:|--:|--:|--:|")
    for name, host in sorted(report.hosts.items())[:_MOST_ROWS]:
        levels = [finding.level for finding in host.open_findings]
        counts = [levels.count(level) for level in LEVELS[:3]]
        counts.append(len(host.findings) - len(levels))
        state = code(host.state, cell=True)
        rows.append(f"| {code(name, cell=True)} | {state} | {' | '.join(map(str, counts))} |")
    if len(report.hosts) > _MOST_ROWS:
        rows += ["", f"and {len(report.hosts) - _MOST_ROWS} hosts more"]
    return rows


def _host(name: str, host: HostReport) -> Iterator[str]:
    yield f"#### {code(name)}"
    yield ""
    if host.unreached is not None:
        yield f"- not compared: {code(words.unreached(host))}"
        return
    blind = [gap for gap in host.unknown if gap.blocks]
    open_ = host.open_findings
    if not open_ and not blind:
        same = f"{sum(host.equal.values())} items are equal"
        yield f"- no difference but what is accepted; {same}" if host.findings else f"- {same}"
    leading = {finding.cause for finding in open_}
    causes = [cause for cause in host.causes if cause.id in leading]
    yield from (f"- because: {code(_cause(host, cause))}" for cause in causes)
    if since := words.since(host):
        yield f"- since: {code(since)}"
    if mirror := words.mirror(host):
        yield f"- seen from the other side: {code(mirror)}"
    for level in LEVELS:
        yield from _level([finding for finding in open_ if finding.level == level], host)
    for rule in host.accepted:
        state = "" if rule.state == "active" else f" ({rule.state}: counted again)"
        yield f"- {code(', '.join(rule.members) or rule.id)} {code(words.accepted(rule))}{state}"
    yield from _questions(host)
    yield from _remedies(host)


def _questions(host: HostReport) -> Iterator[str]:
    """The four questions, then what was equal and what could not be known."""
    for question in host.hypotheses:
        yield f"- could it be {code(f'{question.question} {answer.answered(question, SIZES[0])}')}"
    for kind, _, text in (line.partition(": ") for line in coverage.lines(host)):
        yield f"- {kind}: {code(text)}"


def _cause(host: HostReport, cause: Cause) -> str:
    probably = "probably: " if cause.confidence == "inferred" else ""
    return f"{probably}{answer.sentence(host, cause)} [{cause.id}]"


def _level(found: list[Finding], host: HostReport) -> Iterator[str]:
    for finding in found[:_SHOWN]:
        mark = _MARK.get(finding.level, finding.level)
        yield f"- {mark} {code(finding.id)} {code(words.finding(finding))}"
        if finding.level == "breaks":
            yield from (f"  - {code(line)}" for line in words.details(finding, host))
    if len(found) > _SHOWN:
        yield f"- and {len(found) - _SHOWN} more of this level"


def _remedies(host: HostReport) -> Iterator[str]:
    for remedy in (r for r in host.remedies if r.direction == "subject"):
        lines = [line for step in remedy.steps for line in step.run.split("\n")]
        longest = max((len(run) for run in re.findall("`+", "\n".join(lines))), default=0)
        fence = "`" * max(longest + 1, 3)
        do = "review, then run on the host" if remedy.recommended else "do not run it"
        yield from ("", f"Fix ({code(remedy.simulated)}; {do}):", "")
        yield from (f"{fence}sh", *lines, fence)
