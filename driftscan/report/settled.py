"""What was accepted, in a report for people: left out until it is asked for, but always counted."""

from collections.abc import Iterator

from msgspec.structs import replace

from driftscan.model import HostReport, Report
from driftscan.report import words


def open_only(report: Report) -> Report:
    """The report without findings that are accepted, and without what only explains those."""
    if not any(host.accepted for host in report.hosts.values()):
        return report
    return replace(report, hosts={name: _open(host) for name, host in report.hosts.items()})


def _open(host: HostReport) -> HostReport:
    open_ = host.open_findings
    wanted = {name for finding in open_ for name in (finding.cause, *finding.also)}
    done = {finding.cause for finding in host.findings} - wanted
    return replace(
        host,
        findings=open_,
        causes=[cause for cause in host.causes if cause.id not in done],
        remedies=[
            replace(r, notes=[*r.notes, "what is accepted is in it too"] if done else r.notes)
            for r in host.remedies
            if not r.causes or set(r.causes) - done
        ],
    )


def lines(host: HostReport, *, everything: bool) -> Iterator[tuple[str, str]]:
    """Label and text: what is accepted, and which rules do not hold any more."""
    active = [rule for rule in host.accepted if rule.state == "active"]
    if active and not everything:
        count = len({name for rule in active for name in rule.members})
        by = "one rule" if len(active) == 1 else f"{len(active)} rules"
        first = min(rule.until for rule in active)
        ends = f"until {first}" if len(active) == 1 else f"the first ends on {first}"
        yield "ACCEPTED", f"{count} finding{'s' if count > 1 else ''} by {by}, {ends} (--all)"
    for rule in host.accepted:
        names = ", ".join(rule.members)
        if rule.state == "changed":
            yield "REOPENED", f"{names}: not the value any more that was {words.accepted(rule)}"
        elif rule.state == "expired":
            yield "EXPIRED", f"{names}: {words.accepted(rule)}"
        elif everything:
            yield "ACCEPTED", f"{names}: {words.accepted(rule)}"
