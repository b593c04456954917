"""The report as JUnit XML, as Ant and Jenkins understand it: a suite a host, a test a finding."""

import re
from collections.abc import Iterable, Mapping

from driftscan.model import Accepted, Finding, HostReport, Report
from driftscan.report import coverage, words

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)


def render(report: Report) -> str:
    """A failure is drift, an error could not be judged, skipped is accepted; the rest passes."""
    suites = [
        _suite(number, name, host, report)
        for number, (name, host) in enumerate(sorted(report.hosts.items()))
    ]
    body = "".join(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{body}</testsuites>\n'


def _suite(number: int, name: str, host: HostReport, report: Report) -> str:
    cases = list(_cases(name, host, report))
    kinds = [case.partition("\n")[2].strip().partition(" ")[0] for case in cases]
    head = {
        "name": name,
        "package": "driftscan",
        "id": str(number),
        "hostname": name,
        "timestamp": _time(host),
        "tests": str(len(cases)),
        "failures": str(kinds.count("<failure")),
        "errors": str(kinds.count("<error")),
        "skipped": str(kinds.count("<skipped")),
        "time": "0",
    }
    below = [one for one in host.open_findings if one.level not in report.drift_levels]
    passing = [f"{one.id} ({one.level}): {words.finding(one)}" for one in below]
    notes = "\n".join([words.summary(report), *report.notes, *passing, *coverage.lines(host)])
    parts = [
        f" <testsuite{_attributes(head)}>\n  <properties/>\n",
        *cases,
        f"  <system-out>{_escape(notes)}</system-out>\n  <system-err/>\n </testsuite>\n",
    ]
    return "".join(parts)


def _time(host: HostReport) -> str:
    """When the host was asked, in the form of the schema: UTC without saying so."""
    found = _TIME.match(host.subject.taken) if host.subject else None
    return found[0] if found else "1970-01-01T00:00:00"


def _cases(name: str, host: HostReport, report: Report) -> Iterable[str]:
    if host.unreached is not None:
        result = "skipped" if report.excuses_unreached else "error"
        yield _case(name, "compared", result, "unreached", words.unreached(host))
        return
    blind = [gap for gap in host.unknown if gap.blocks]
    for gap in blind:
        cure = f" (cure: {gap.cure})" if gap.cure else ""
        yield _case(name, f"{gap.what} of {gap.side}", "error", "unknown", gap.why + cure)
    rules = {
        member: rule for rule in host.accepted if rule.state == "active" for member in rule.members
    }
    for one in host.findings:
        yield _finding(name, one, host, report, rules.get(one.id))
    if not host.findings and not blind:
        yield _case(name, "in sync")


def _finding(
    name: str, one: Finding, host: HostReport, report: Report, rule: Accepted | None
) -> str:
    """Named by the id alone, so that servers keep the history of a test."""
    if rule is not None:
        told = f"{words.accepted(rule)}. {words.finding(one)}"
        return _case(name, one.id, "skipped", "accepted", told)
    if one.level not in report.drift_levels:
        return _case(name, one.id)
    proof = [words.cause_of(one, host), *words.details(one, host)]
    return _case(name, one.id, "failure", one.level, words.finding(one), proof)


def _case(
    host: str,
    name: str,
    result: str = "",
    kind: str = "",
    message: str = "",
    lines: Iterable[str] = (),
) -> str:
    head = f"  <testcase{_attributes({'classname': host, 'name': name, 'time': '0'})}"
    if not result:
        return head + "/>\n"
    body = _escape("\n".join(lines))
    told = _attributes({"type": kind, "message": message})
    return f"{head}>\n   <{result}{told}>{body}</{result}>\n  </testcase>\n"


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f' {name}="{_escape(value)}"' for name, value in values.items())


_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})


def _escape(text: str) -> str:
    """XML text or attribute; what XML 1.0 cannot hold was made printable before."""
    return text.translate(_ESCAPES)
