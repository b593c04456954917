"""The report for people: the answer first, then its proof, in at most the width given."""

import textwrap
from collections.abc import Iterable, Sequence

from driftscan.model import (
    LEVELS,
    Cause,
    Confidence,
    Explains,
    Finding,
    HostRecord,
    HostReport,
    Level,
    Place,
    Remedy,
    Report,
    Use,
)
from driftscan.report import settled

_LABEL = {"breaks": "BREAKS", "in-use": "IN USE", "installed": "INSTALLED"}
_COLOR = {"BREAKS": "31;1", "IN USE": "33;1", "INSTALLED": "1"}
_INDENT = 12
_DETAILED = 4


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
    page = _Page(width, color)
    if len(report.hosts) != 1:
        page.line(summary(report))
    for note in report.notes:
        page.item("Note", note)
    if len(report.hosts) != 1 or report.notes:
        page.line()
    for index, (name, host) in enumerate(sorted(report.hosts.items())):
        if index:
            page.line()
        _host(page, name, host, brief=brief, everything=everything)
    return page.text()


def summary(report: Report) -> str:
    """One line: how many hosts were compared, how many drifted, how many could not be judged."""
    counts = report.counts
    parts = [f"{counts.get('compared', 0)} of {counts.get('hosts', 0)} hosts compared"]
    shown = ("drifted", "unreached", "accepted")
    parts += [f"{counts[name]} {name}" for name in shown if counts.get(name)]
    if not report.complete:
        parts.append("incomplete")
    return ", ".join(parts)


class _Page:
    """Lines of at most `width` columns, continued under their own text."""

    def __init__(self, width: int, color: bool) -> None:
        self._width = max(width, 40)
        self._color = color
        self._lines: list[str] = []

    def line(self, text: str = "") -> None:
        self.item("", text, indent=0)

    def item(self, label: str, text: str, *, indent: int = _INDENT, name: str = "") -> None:
        """A label in the margin, its text wrapped beside it, an id at the end of the text."""
        text = f"{text}  [{name}]" if name else text
        lines = textwrap.wrap(
            text,
            self._width - indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
        for number, part in enumerate(lines):
            margin = label if number == 0 else ""
            padded = margin.ljust(indent)
            if self._color and margin in _COLOR:
                padded = f"\x1b[{_COLOR[margin]}m{margin}\x1b[0m" + " " * (indent - len(margin))
            self._lines.append((padded + part).rstrip())

    def command(self, text: str) -> None:
        """A command, continued with backslashes so that it can be copied whole."""
        lines = textwrap.wrap(text, self._width - 6, break_long_words=False, break_on_hyphens=False)
        if "'" in text or '"' in text or text.startswith("#"):
            lines = [text]
        for number, part in enumerate(lines):
            end = " \\" if number < len(lines) - 1 else ""
            self._lines.append(("  " if number == 0 else "    ") + part + end)

    def text(self) -> str:
        return "\n".join(self._lines).rstrip("\n") + "\n"


def _host(page: _Page, name: str, host: HostReport, *, brief: bool, everything: bool) -> None:
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
    return f"{subject.target}  vs  {against}  {account}".rstrip()


def _utc(stamp: str) -> str:
    return f"{stamp[:10]} {stamp[11:16]} UTC" if len(stamp) > 15 else stamp


# --- causes ------------------------------------------------------------------------------------


def _causes(page: _Page, host: HostReport, everything: bool) -> None:
    if not host.causes:
        page.line(_nothing(host))
        page.line()
        return
    for cause in host.causes:
        page.item(_label(cause.level), _cause(cause), name=cause.id)
        for evidence in cause.evidence if everything else ():
            page.item("  " + evidence.confidence, evidence.text)
    page.line()


def _accepted(page: _Page, host: HostReport, everything: bool) -> None:
    told = list(settled.lines(host, everything=everything))
    for label, text in told:
        page.item(label, text)
    if told:
        page.line()


def _label(level: Level) -> str:
    return _LABEL.get(level, level.upper())


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
        text += f" ({_place(cause.image_record)})"
    text += "."
    if cause.explains is not None:
        text += f" {_share(cause.explains, cause.confidence)}"
    if cause.host_record is not None:
        text += f" {_record(cause.host_record)}."
    return text


def _share(explains: Explains, confidence: Confidence) -> str:
    probably = "probably " if confidence == "inferred" else ""
    number, of = explains.differences, explains.of
    if of == 1:
        return f"That {probably}explains the one version difference."
    share = f"all {number}" if number == of else f"{number} of {of}"
    return (
        f"That {probably}explains {share} version differences "
        f"({explains.sources} source{_s(explains.sources)})."
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _place(place: Place) -> str:
    return f"{place.file}:{place.line}"


def _record(record: HostRecord) -> str:
    when = f"{record.time} {record.zone}".rstrip()
    what = record.command or f"({record.source})"
    sure = "probably " if record.confidence == "inferred" else ""
    return f"{sure}{when}  {record.user}  {what}"


# --- findings ----------------------------------------------------------------------------------


def _findings(page: _Page, host: HostReport, everything: bool) -> None:
    shown = [f for f in host.findings if everything or f.section == "dpkg"]
    causes = {cause.id: cause for cause in host.causes}
    for level in LEVELS:
        here = [f for f in shown if f.level == level]
        detailed = here if everything or level == "breaks" else _worth_detail(here)
        for finding in detailed:
            detail(page, host, finding, causes)
        rest = [f for f in here if f not in detailed]
        if rest:
            names = ", ".join(_one(f) for f in rest)
            page.item(_label(level), f"{len(rest)} more: {names}")
    if shown:
        page.line()


def _worth_detail(findings: Sequence[Finding]) -> list[Finding]:
    """What somebody asked for by name and something runs: the rest fits in a line."""
    asked = [f for f in findings if f.requested and f.level != "installed"]
    return asked[:_DETAILED]


def _one(finding: Finding) -> str:
    if finding.kind == "changed":
        old, new = _short(finding.subject_version, finding.reference_version)
        return f"{finding.key} {old} -> {new}"
    side = {"missing": "missing", "extra": "only here"}.get(finding.kind, "differs")
    return f"{finding.key} ({side})"


def _short(ours: str, theirs: str) -> tuple[str, str]:
    """Two versions without the beginning that they share, cut at a boundary between parts."""
    size = 0
    for index, (left, right) in enumerate(zip(ours, theirs, strict=False)):
        if left != right:
            break
        if left in "+~-":
            size = index + 1
    return ours[size:] or ours, theirs[size:] or theirs


def detail(page: _Page, host: HostReport, finding: Finding, causes: dict[str, Cause]) -> None:
    """One finding with both records, its reach and what it needs."""
    subject = host.subject.target if host.subject else "subject"
    page.item(_label(finding.level), _headline(finding), name=finding.id)
    ours = _side(finding.subject_version, finding.host_record)
    if ours:
        page.item("  " + _fit(subject), ours)
    theirs = _side(finding.reference_version, finding.reference_record, finding.image_record, host)
    if theirs:
        name = "image" if host.reference_image else host.reference.target if host.reference else ""
        page.item("  " + _fit(name), theirs)
    if finding.section == "dpkg":
        page.item("  used by", _used(finding))
    if finding.dependency_count:
        page.item("  needs", _needs(finding))
    cause = causes.get(finding.cause)
    if cause is not None and (cause is not host.causes[0] or finding.also):
        also = f"; also {', '.join(finding.also)}" if finding.also else ""
        page.item("  because", f"{cause.id}{also}")


def _fit(name: str) -> str:
    return name if len(name) <= _INDENT - 3 else name[: _INDENT - 4] + "~"


def _headline(finding: Finding) -> str:
    packages = [d for d in finding.members if d.section == finding.section]
    count = f", {len(packages)} packages" if len(packages) > 1 else ""
    if finding.kind == "changed":
        way = {"older": "is behind", "newer": "is ahead"}.get(finding.direction, "differs")
        fields = sorted({name for d in packages for name in d.changes})
        inside = "" if "version" in fields else f" ({', '.join(fields)})"
        return f"{finding.key} {way}{inside}{count}"
    side = {"missing": "is missing", "extra": "is only here"}.get(finding.kind, "differs")
    return f"{finding.key} {side}{count}"


def _side(
    version: str,
    record: HostRecord | None,
    place: Place | None = None,
    host: HostReport | None = None,
) -> str:
    parts = [version] if version else []
    if record is not None:
        parts.append(_record(record))
    if place is not None and place.kind == "line":
        built = host.reference_image.built if host and host.reference_image else place.built
        parts.append(f"{_place(place)} (built {_utc(built)})  {place.text}")
    elif place is not None:
        parts.append("from the base image" if place.kind == "base" else "line unknown")
    return "  ".join(parts)


def _used(finding: Finding) -> str:
    if finding.uses:
        return "; ".join(_use(use) for use in finding.uses)
    return "no running process" if finding.uses_known else "unknown: not every process is readable"


def _use(use: Use) -> str:
    name = use.service.removesuffix(".service") or use.program.rpartition("/")[2]
    files = ", ".join(sorted({path.rpartition("/")[2] for path in use.files})[:3])
    return f"{name} ({use.processes} process{'es' if use.processes != 1 else ''}, {files})"


def _needs(finding: Finding) -> str:
    names = finding.dependencies
    if not names:
        return f"{finding.dependency_count} packages, none of which differs"
    shown = ", ".join(names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{len(names)} of {finding.dependency_count} packages differ too: {shown}{more}"


# --- the rest ----------------------------------------------------------------------------------


def _expected(page: _Page, host: HostReport, everything: bool) -> None:
    if not host.expected:
        return
    members = [member for group in host.expected for member in group.members]
    packages = sum(member.startswith("dpkg:") for member in members)
    rules = ", ".join(f"{group.rule} {len(group.members)}" for group in host.expected)
    other = f" and {len(members) - packages} other items" if len(members) > packages else ""
    page.item("EXPECTED", f"{packages} packages{other} that only a host has, by rule: {rules}")
    for record in _distinct(r for group in host.expected for r in group.host_records):
        page.item("", _record(record))
    if everything:
        for group in host.expected:
            page.item("  " + _fit(group.rule), f"{group.reason}: {', '.join(group.members)}")
    page.line()


def _distinct(records: Iterable[HostRecord]) -> list[HostRecord]:
    unique = {(r.time, r.command, r.user): r for r in records}
    return [unique[key] for key in sorted(unique)][:3]


def _coverage(page: _Page, host: HostReport, everything: bool) -> None:
    differing = {d.section for f in host.findings for d in f.members}
    equal = [f"{name} {count}" for name, count in sorted(host.equal.items()) if count]
    whole = [entry for entry in equal if entry.rpartition(" ")[0] not in differing]
    partly = [entry for entry in equal if entry.rpartition(" ")[0] in differing]
    page.item("Equal", ", ".join(whole) or "nothing")
    if partly:
        page.item("", f"and beside the differences: {', '.join(partly)}")
    natural = "only a running machine has it"
    shown = [g for g in host.unknown if everything or g.why != natural]
    for gap in shown:
        cure = f": {gap.cure}" if gap.cure else ""
        page.item("Unknown", f"{gap.what} of {gap.side}: {gap.why}{cure}")
    if not shown:
        page.item("Unknown", "nothing of what was asked")


def _remedies(page: _Page, host: HostReport, everything: bool) -> None:
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
            if step.why:
                page.item("", f"# {step.why}", indent=2)
            page.command(step.run)
        for note in remedy.notes:
            page.item("", f"note: {note}", indent=2)


def _other_way(page: _Page, remedy: Remedy) -> None:
    """The last command alone: what the others would write is long, and rarely wanted."""
    lines = len(remedy.steps) - 1
    page.line()
    where = f"{lines} line{_s(lines)} for the Dockerfile (see --all), then" if lines else ""
    page.item("", f"Or the other way: {where}".rstrip() + f"  [{remedy.id}]", indent=0)
    page.command(remedy.steps[-1].run)
