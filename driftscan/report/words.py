"""What the reports for machines say in one line: of a finding, of a rule, of a whole run."""

import re

from driftscan.model import Accepted, Cause, Finding, HostReport, Place, Report
from driftscan.report.amount import SIZES
from driftscan.report.finding import detail
from driftscan.report.page import Page

_ONE_LINE = 1 << 20


def finding(one: Finding) -> str:
    """What differs and how, both versions named."""
    count = f" ({len(one.members)} items)" if len(one.members) > 1 else ""
    ours, theirs = one.subject_version, one.reference_version
    match one.kind:
        case "missing":
            return f"{one.key} is missing{count}{_of(theirs, ', the reference has ')}"
        case "extra":
            return f"{one.key} is only here{count}{_of(ours, ', version ')}"
        case "changed" if ours != theirs:
            way = {"older": "is behind", "newer": "is ahead"}.get(one.direction, "differs")
            return f"{one.key} {way}{count}: {ours} instead of {theirs}"
        case _:
            return f"{one.key} differs{count}"


def _of(version: str, before: str) -> str:
    return before + version if version else ""


def cause(one: Cause) -> str:
    """Why, with the id; what is only inferred says so."""
    probably = "probably: " if one.confidence == "inferred" else ""
    return f"{probably}{one.text} [{one.id}]"


def cause_of(one: Finding, host: HostReport) -> str:
    """Why a finding is there, in its cause's words."""
    return next((cause(c) for c in host.causes if c.id == one.cause), one.cause)


def line_of(one: Finding, host: HostReport) -> Place | None:
    """The line of the Dockerfile a finding goes back to: its own, else its cause's."""
    places = [one.image_record, *(c.image_record for c in host.causes if c.id == one.cause)]
    return next((place for place in places if place and place.kind == "line"), None)


def details(one: Finding, host: HostReport) -> list[str]:
    """What the text report tells of a finding below its headline: proof, reach, both records."""
    page = Page(_ONE_LINE, color=False)
    detail(page, host, one, SIZES[0])
    return [" ".join(line.split()) for line in page.text().split("\n")[1:] if line]


def mirror(host: HostReport) -> str:
    """What the other order tells, and the command for it."""
    told = host.mirror
    if told is None:
        return ""
    worse = " and it breaks" if told.level == "breaks" else ""
    return f"{told.text} [{told.cause}]{worse}: {told.command}"


def since(host: HostReport) -> str:
    """Until when the host is known to have been as it should, if that is known."""
    told = host.since
    if told is None:
        return ""
    return f"probably {told.text}" if told.confidence == "inferred" else told.text


def nameless(text: str, host: HostReport) -> str:
    """A text in the words that fit any host: its own name stands before it."""
    if host.subject is None or not host.subject.target:
        return text
    name = re.escape(host.subject.target)
    return re.sub(rf"(?<![\w.-]){name}(?![\w-])", "the host", text)


def accepted(rule: Accepted) -> str:
    """Until when, by whom and why something is accepted."""
    ticket = f" ({rule.ticket})" if rule.ticket else ""
    return f"accepted until {rule.until} by {rule.owner}{ticket}: {rule.reason}"


def unreached(host: HostReport) -> str:
    """Why a host was not compared, and the cure."""
    lost = host.unreached
    if lost is None:
        return ""
    cure = f" (cure: {lost.cure})" if lost.cure else ""
    return f"{lost.state} at {lost.stage}: {lost.cause}{cure}"


def summary(report: Report) -> str:
    """`47/50 hosts complete, 2 unreachable, 1 partial; 5 drifted`: how much was seen, then what."""
    counts = report.counts
    hosts, partial = counts.get("hosts", 0), counts.get("incomplete", 0)
    complete = counts.get("compared", 0) - partial
    seen = [f"{complete}/{hosts} {'host' if hosts == 1 else 'hosts'} complete"]
    lost = [host.unreached.state for host in report.hosts.values() if host.unreached]
    stopped = lost.count("interrupted")
    unreachable = counts.get("unreached", 0) - stopped
    seen += [f"{unreachable} unreachable"] if unreachable else []
    seen += [f"{stopped} interrupted"] if stopped else []
    seen += [f"{partial} partial"] if partial else []
    found = [f"{counts.get('drifted', 0)} drifted"]
    found += [f"{counts['accepted']} accepted"] if counts.get("accepted") else []
    return f"{', '.join(seen)}; {', '.join(found)}"
