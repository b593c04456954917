"""The report for people: the answer first, then its proof, in at most the width given."""

from collections.abc import Iterable, Sequence

from driftscan.model import (
    LEVELS,
    Cause,
    Confidence,
    Evidence,
    Explains,
    Finding,
    HostRecord,
    HostReport,
    Hypothesis,
    Remedy,
    Report,
)
from driftscan.report import settled, words
from driftscan.report.finding import detail, fit, label, one, place, record
from driftscan.report.page import Page

_MOST_DETAILED = 4
_MOST_CAUSES = 6
_MOST_PROOFS = 3
_MOST_NAMES = 6
_MOST_GAPS = 4


def render(
    report: Report,
    *,
    width: int = 100,
    color: bool = False,
    brief: bool = False,
    everything: bool = False,
) -> str:
    """The whole report; `brief` is one line a cause, `everything` every item and all evidence.

    Every value of a host was made printable when it was collected; nothing is cut but lists
    that say how many more there are.
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
        _host(page, name, host, brief=brief, everything=everything)
    return page.text()


def _host(page: Page, name: str, host: HostReport, *, brief: bool, everything: bool) -> None:
    if host.unreached is not None:
        lost = host.unreached
        page.line(f"{name} was not compared: {lost.state} at {lost.stage}: {lost.cause}")
        if lost.cure:
            page.item("", f"cure: {lost.cure}", indent=2)
        return
    page.line(_title(host))
    page.line()
    _causes(page, host, everything)
    _accepted(page, host, everything)
    if brief:
        return
    _findings(page, host, everything)
    _questions(page, host, everything)
    _expected(page, host, everything)
    _coverage(page, host, everything)
    _remedies(page, host, everything)


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


# --- causes ------------------------------------------------------------------------------------


def _causes(page: Page, host: HostReport, everything: bool) -> None:
    if not host.causes:
        page.line(_nothing(host))
        page.line()
        return
    shown = host.causes if everything else host.causes[:_MOST_CAUSES]
    for cause in shown:
        page.item(label(cause.level), _cause(cause), name=cause.id)
        for evidence in _proofs(cause, everything):
            page.item("  " + evidence.confidence, evidence.text)
    rest = host.causes[len(shown) :]
    if rest:
        page.item("", f"{len(rest)} more causes (see --all): {', '.join(c.id for c in rest)}")
    if host.symptom:
        page.item("Symptom", _symptom(host))
    if host.since is not None:
        page.item("Since", _probably(host.since.text, host.since.confidence))
    page.line()


def _accepted(page: Page, host: HostReport, everything: bool) -> None:
    told = list(settled.lines(host, everything=everything))
    for name, text in told:
        page.item(name, text)
    if told:
        page.line()


def _proofs(cause: Cause, everything: bool) -> Sequence[Evidence]:
    """With what breaks although no package differs its evidence: nothing else would tell it."""
    if everything:
        return cause.evidence
    bare = cause.level == "breaks" and not any(c.startswith("dpkg:") for c in cause.claims)
    return cause.evidence[:_MOST_PROOFS] if bare else ()


def _symptom(host: HostReport) -> str:
    hits = [f for f in host.findings if f.match is not None]
    said = f"'{host.symptom}'"
    if hits:
        return f"{said} is what a changelog of {', '.join(f.key for f in hits)} speaks of"
    return f"{said}: no changelog that was read speaks of it"


def _nothing(host: HostReport) -> str:
    blocked = sorted({gap.what for gap in host.unknown if gap.blocks})
    compared = sum(host.equal.values())
    if blocked:
        return f"No difference in the {compared} items that could be compared; not known: " + (
            ", ".join(blocked)
        )
    but = " but what is accepted" if host.state == "accepted" else ""
    return f"No difference{but}: {compared} items are equal."


def _cause(cause: Cause) -> str:
    text = cause.text
    if cause.image_record is not None and cause.image_record.kind == "line":
        text += f" ({place(cause.image_record)})"
    text += "."
    if cause.explains is not None:
        text += f" {_share(cause.explains, cause.confidence)}"
    if cause.host_record is not None:
        text += f" {record(cause.host_record)}."
    if cause.also:
        text += f" Also: {', '.join(cause.also)}."
    return text


def _share(explains: Explains, confidence: Confidence) -> str:
    probably = "probably " if confidence == "inferred" else ""
    number, of = explains.differences, explains.of
    if of == 1:
        return f"That {probably}explains the one version difference."
    share = f"all {number}" if number == of else f"{number} of {of}"
    sources = f"{explains.sources} source{_s(explains.sources)}"
    return f"That {probably}explains {share} version differences ({sources})."


def _probably(text: str, confidence: Confidence) -> str:
    return f"probably: {text}" if confidence == "inferred" else text


def _s(count: int) -> str:
    return "" if count == 1 else "s"


# --- findings ----------------------------------------------------------------------------------


def _findings(page: Page, host: HostReport, everything: bool) -> None:
    """What the causes have not told in full already: packages, and whatever has a proof."""
    shown = [f for f in host.findings if everything or f.section == "dpkg"]
    detailed = shown if everything else _worth_detail(shown)
    for finding in detailed:
        detail(page, host, finding, everything)
    for level in LEVELS:
        rest = [f for f in shown if f.level == level and f not in detailed]
        if rest:
            names = ", ".join(one(f) for f in rest[:_MOST_NAMES])
            more = f" +{len(rest) - _MOST_NAMES}" if len(rest) > _MOST_NAMES else ""
            page.item(label(level), f"{len(rest)} more: {names}{more}")
    if shown:
        page.line()


def _worth_detail(findings: Sequence[Finding]) -> list[Finding]:
    """What breaks; if nothing does, the first of what is used: the rest fits in a line."""
    worst = [f for f in findings if f.level == "breaks"]
    return worst[:_MOST_DETAILED] or [f for f in findings[:1] if f.level != "installed"]


# --- the questions -----------------------------------------------------------------------------


def _questions(page: Page, host: HostReport, everything: bool) -> None:
    if not host.hypotheses:
        return
    page.line("Could it be ...")
    width = max(len(h.question) for h in host.hypotheses) + 4
    for hypothesis in host.hypotheses:
        page.item(f"  {hypothesis.question}", _answer(hypothesis, everything), indent=width)
    page.line()


def _answer(hypothesis: Hypothesis, everything: bool) -> str:
    because = hypothesis.because if everything else hypothesis.because[:2]
    answer = hypothesis.answer.upper() if hypothesis.answer == "yes" else hypothesis.answer
    if hypothesis.confidence == "inferred":
        answer += " (inferred)"
    return f"{answer}: {'; '.join(e.text for e in because)}" if because else answer


# --- the rest ----------------------------------------------------------------------------------


def _expected(page: Page, host: HostReport, everything: bool) -> None:
    if host.expected:
        page.item("EXPECTED", _awaited(host))
    if everything:
        for told in _distinct(r for group in host.expected for r in group.host_records):
            page.item("", record(told))
        for group in host.expected:
            page.item("  " + fit(group.rule), f"{group.reason}: {', '.join(group.members)}")


def _awaited(host: HostReport) -> str:
    members = [member for group in host.expected for member in group.members]
    packages = sum(member.startswith("dpkg:") for member in members)
    other = f" and {len(members) - packages} other items" if len(members) > packages else ""
    rules = sorted(host.expected, key=lambda group: (-len(group.members), group.rule))
    names = ", ".join(f"{group.rule} {len(group.members)}" for group in rules[:_MOST_GAPS])
    more = f" +{len(rules) - _MOST_GAPS}" if len(rules) > _MOST_GAPS else ""
    return f"{packages} packages{other} that only a host has, by rule: {names}{more}"


def _distinct(records: Iterable[HostRecord]) -> list[HostRecord]:
    unique = {(r.time, r.command, r.user): r for r in records}
    return [unique[key] for key in sorted(unique)][:3]


def _coverage(page: Page, host: HostReport, everything: bool) -> None:
    differing = {d.section for f in host.findings for d in f.members}
    sections = {name: count for name, count in sorted(host.equal.items()) if count}
    whole = [_section(n, c, everything) for n, c in sections.items() if n not in differing]
    partly = [_section(n, c, True) for n, c in sections.items() if n in differing]
    beside = f"; beside the differences: {', '.join(partly)}" if partly else ""
    none = [name for name, count in sorted(host.equal.items()) if not count]
    neither = f"; on neither side: {', '.join(none)}" if none else ""
    page.item("Equal", (", ".join(whole) or "no section whole") + beside + neither)
    natural = "only a running machine has it"
    gaps = [g for g in host.unknown if everything or g.why != natural]
    shown = gaps if everything else sorted(gaps, key=lambda g: not g.blocks)[:_MOST_GAPS]
    for gap in shown:
        cure = f": {gap.cure}" if gap.cure else ""
        page.item("Unknown", f"{gap.what} of {gap.side}: {gap.why}{cure}")
    if len(gaps) > len(shown):
        page.item("", f"and {len(gaps) - len(shown)} more (see --all)")
    if not gaps:
        page.item("Unknown", "nothing of what was asked")


def _section(name: str, count: int, everything: bool) -> str:
    return f"{name} {count}" if everything else name


def _remedies(page: Page, host: HostReport, everything: bool) -> None:
    subject = host.subject.target if host.subject else ""
    for remedy in host.remedies:
        if remedy.direction == "reference" and not everything:
            _other_way(page, remedy)
            continue
        page.line()
        where = f"review, then run on {subject}; {remedy.simulated}"
        where = where if remedy.direction == "subject" else "the other way"
        page.line(f"Fix ({where})  [{remedy.id}]")
        for step in remedy.steps:
            page.command(step.run, step.why)
        for note in remedy.notes:
            page.item("", f"note: {note}", indent=2)


def _other_way(page: Page, remedy: Remedy) -> None:
    """The last command alone: what the others would write is long, and rarely wanted."""
    lines = len(remedy.steps) - 1
    where = f"{lines} line{_s(lines)} for the Dockerfile (--all), then " if lines else ""
    page.line(f"Or the other way: {where}{remedy.steps[-1].run}  [{remedy.id}]")
