"""The report for people: the answer first, then its proof, in at most the width given."""

from collections.abc import Iterable, Sequence

from driftscan.model import (
    LEVELS,
    Cause,
    Finding,
    HostRecord,
    HostReport,
    Level,
    Report,
    managers,
)
from driftscan.model.managers import MANAGERS
from driftscan.report import answer, coverage, rootless, settled, words
from driftscan.report.about import about
from driftscan.report.amount import ALL, LINES, SIZES, Amount, plural, some
from driftscan.report.finding import detail, fit, label, record, sure
from driftscan.report.findings import listed
from driftscan.report.page import Page
from driftscan.report.remedy import remedies

# The rule for what follows from the others: no kind of its own.
_NEEDED = "needed-by-those"
_IDS = 8


def render(
    report: Report,
    *,
    width: int = 100,
    color: bool = False,
    brief: bool = False,
    everything: bool = False,
) -> str:
    """The whole report; `brief` is one line a cause, `everything` every item and all evidence.

    Every value of a host was made printable when it was collected. One host fits a screen of 60
    lines: lists are cut as far as that needs, and say how many more there are.
    """
    page = Page(width, color)
    if len(report.hosts) != 1:
        page.line(words.summary(report))
    for note in report.notes:
        page.item("Note", note)
    if len(report.hosts) != 1 or report.notes:
        page.line()
    for index, (name, host) in enumerate(sorted(report.hosts.items())):
        if index:
            page.line()
        page.add(_fitting(Page(width, color), name, host, brief, (ALL,) if everything else SIZES))
    rootless.told(page, report)
    return page.text()


def _fitting(
    empty: Page, name: str, host: HostReport, brief: bool, sizes: Sequence[Amount]
) -> Page:
    """The first amount that fits a screen, else the least."""
    page = empty
    for amount in sizes:
        page = empty.another()
        _host(page, name, host, amount, brief=brief)
        if len(page) <= LINES:
            break
    return page


def _host(page: Page, name: str, host: HostReport, amount: Amount, *, brief: bool) -> None:
    if host.unreached is not None:
        lost = host.unreached
        page.line(f"{name} was not compared: {lost.state} at {lost.stage}: {lost.cause}")
        if lost.cure:
            page.item("", f"cure: {lost.cure}", indent=2)
        return
    page.line(_title(host))
    page.line()
    if brief:
        answer.brief(page, host)
        _accepted(page, host, amount)
        return
    answer.answer(page, host, amount)
    about(page, host)
    _accepted(page, host, amount)
    _levels(page, host, amount)
    _expected(page, host, amount)
    page.line()
    _questions(page, host, amount)
    _coverage(page, host, amount)
    remedies(page, host, amount)


def _title(host: HostReport) -> str:
    subject, reference, image = host.subject, host.reference, host.reference_image
    if subject is None or reference is None:
        return ""
    against = reference.target
    if image is not None:
        against = f"image {image.text} ({image.file}, built {_utc(image.built)})"
    account = f"as {subject.privilege}" if subject.privilege else ""
    trips = f"{host.trips} trips" if host.trips > 1 else ""
    how = ", ".join(part for part in (trips, account) if part)
    return f"{subject.target}  vs  {against}  {how}".rstrip()


def _utc(stamp: str) -> str:
    return f"{stamp[:10]} {stamp[11:16]} UTC" if len(stamp) > 15 else stamp


def _accepted(page: Page, host: HostReport, amount: Amount) -> None:
    told = list(settled.lines(host, everything=amount.all))
    for name, text in told:
        page.item(name, text)
    if told:
        page.line()


# --- what differs, by level --------------------------------------------------------------------


def _levels(page: Page, host: HostReport, amount: Amount) -> None:
    """Of each level: findings in full, causes that no such finding tells, the rest in a line."""
    full = _worth_detail(host, amount)
    for level in LEVELS:
        for finding in (f for f in full if f.level == level):
            detail(page, host, finding, amount)
        _causes(page, host, level, amount)
        rest = [f for f in host.findings if f.level == level and f not in full and _listed(host, f)]
        if rest:
            more = any(f.level == level for f in full)
            page.item(label(level), listed(rest, amount, more=more))


def _worth_detail(host: HostReport, amount: Amount) -> list[Finding]:
    """What breaks; if nothing does, the first of what the answer is about and somebody uses."""
    if amount.all:
        return host.findings
    packages = [f for f in host.findings if f.section in MANAGERS]
    worst = [f for f in packages if f.level == "breaks"]
    if worst or not host.causes:
        return [f for f in worst if not _is_told(host, f)][: amount.findings]
    lead = [f for f in packages if f.cause == host.causes[0].id and f.kind in ("changed", "mixed")]
    return [f for f in lead[:1] if f.level == "in-use" and amount.findings > 1]


def _is_told(host: HostReport, finding: Finding) -> bool:
    """Whether the cause's own line says it all: a package that is not there has no more to tell."""
    cause = next((c for c in host.causes if c.id == finding.cause), None)
    gone = cause is not None and cause.type in ("removed", "image-only")
    return gone and finding.changes is None and not finding.windows


def _listed(host: HostReport, finding: Finding) -> bool:
    """Whether a list names it: where a cause tells the whole story, its sentence has the names."""
    cause = next((c for c in host.causes if c.id == finding.cause), None)
    return finding.section in MANAGERS and (cause is None or cause.explains is not None)


# What keeps a version whatever else is done: of causes that do not all fit these come first.
_IN_THE_WAY = ("hold", "pin", "pip-over-apt")


def _causes(page: Page, host: HostReport, level: Level, amount: Amount) -> None:
    causes = [cause for cause in host.causes[1:] if cause.level == level]
    groups = answer.alike(causes, records=amount.records)
    most = amount.causes if len(groups) > amount.causes + 1 else len(groups)
    if 0 < most < len(groups):
        first = [group for group in groups if _is_first(host, group)]
        groups = [*first, *(group for group in groups if group not in first)]
        most = max(most, len(first))
    for group in groups[:most]:
        _cause(page, host, group, amount)
    rest = [cause.id for group in groups[most:] for cause in group]
    if rest:
        page.item(label(level), f"{len(rest)} more causes (--all): {some(rest, _IDS)}")


def _is_first(host: HostReport, group: Sequence[Cause]) -> bool:
    """It keeps a version, or a running program has mapped what it brought beside the packages."""
    ids = {cause.id for cause in group if answer.beside(cause)}
    mapped = any(finding.uses for finding in host.findings if finding.cause in ids)
    return group[0].type in _IN_THE_WAY or mapped


def _cause(page: Page, host: HostReport, group: Sequence[Cause], amount: Amount) -> None:
    lead = group[0]
    if amount.all:
        for cause in group:
            page.item(label(cause.level), answer.sentence(host, cause), name=cause.id)
            answer.proofs(page, cause, amount)
        return
    others = [cause.subject for cause in group[1:]]
    like = f" The same kind: {some(others, amount.names)}." if others else ""
    records = amount.records or lead.level == "breaks"
    told = answer.sentence(host, lead, records=records)
    told += "" if records else answer.dated(lead)
    page.item(label(lead.level), told + like, name=lead.id)
    if answer.bare(lead):
        answer.proofs(page, lead, amount)


# --- the questions -----------------------------------------------------------------------------


def _questions(page: Page, host: HostReport, amount: Amount) -> None:
    if not host.hypotheses:
        return
    if not amount.reasons:
        told = " ".join(f"{h.question} {answer.answered(h, amount)}." for h in host.hypotheses)
        page.item("", f"Could it be ... {told}", indent=0)
        page.line()
        return
    lead = host.causes[:1]
    said = {cause.text: "see above" for cause in lead}
    shown = [e for cause in lead if answer.beside(cause) for e in cause.evidence[: amount.proofs]]
    said |= {evidence.text: "see above" for evidence in shown}
    if len({answer.answered(h, amount) for h in host.hypotheses}) == 1 < len(host.hypotheses):
        *most, last = (h.question.rstrip("?") for h in host.hypotheses)
        told = answer.answered(host.hypotheses[0], amount, said)
        page.item("", f"Could it be {', '.join(most)} or {last}? {told}", indent=0)
        page.line()
        return
    page.line("Could it be ...")
    width = max(len(h.question) for h in host.hypotheses) + 4
    for hypothesis in host.hypotheses:
        page.item(
            f"  {hypothesis.question}", answer.answered(hypothesis, amount, said), indent=width
        )
    page.line()


# --- the rest ----------------------------------------------------------------------------------


def _expected(page: Page, host: HostReport, amount: Amount) -> None:
    if host.expected:
        page.item("EXPECTED", _awaited(host, amount))
    if amount.all:
        for told in _distinct(r for group in host.expected for r in group.host_records):
            page.item("", record(told))
        for group in host.expected:
            page.item("  " + fit(group.rule), f"{group.reason}: {', '.join(group.members)}")


def _awaited(host: HostReport, amount: Amount) -> str:
    members = [member for group in host.expected for member in group.members]
    packages = sum(managers.is_id(member) for member in members)
    other = (
        f" and {len(members) - packages} other item{plural(len(members) - packages)}"
        if len(members) > packages
        else ""
    )
    if not amount.rules:
        return f"{packages} package{plural(packages)}{other} that only a host has"
    rules = sorted(host.expected, key=lambda group: (-len(group.members), group.rule))
    named = [group.rule for group in rules if group.rule != _NEEDED]
    names = some(named, amount.names) or "what others need"
    needed = ", and what those need" if named and len(named) < len(rules) else ""
    return f"{packages} package{plural(packages)}{other} that only a host has: {names}{needed}"


def _distinct(records: Iterable[HostRecord]) -> list[HostRecord]:
    unique = {(r.time, r.command, r.user): r for r in records}
    return [unique[key] for key in sorted(unique)][:3]


def _coverage(page: Page, host: HostReport, amount: Amount) -> None:
    """Why the first cause and no other; what was compared and equal; what could not be known."""
    if host.causes and not amount.all and (told := answer.why(host.causes[0], amount)):
        page.item("Why", "; ".join(sure(e.text, e.confidence) for e in told))
    page.item("Equal", coverage.equal(host, amount))
    for number, text in enumerate(coverage.unknown(host, amount) or ["nothing of what was asked"]):
        more = number and text.startswith("and ")
        page.item("" if more else "Unknown", text)
