"""One finding on the page: what changed, since when, by whom on both sides, what it breaks."""

import re
from collections.abc import Iterable, Sequence

from driftscan.model import (
    NO_LOGS,
    Changes,
    Confidence,
    Finding,
    HostRecord,
    HostReport,
    Level,
    Match,
    Place,
    Symbols,
    Use,
    Window,
    managers,
)
from driftscan.model.managers import MANAGERS
from driftscan.report.amount import Amount, plural, some
from driftscan.report.page import INDENT, Page

_LABEL = {"breaks": "BREAKS", "in-use": "IN USE", "installed": "INSTALLED"}
_SHOWN = 3


def label(level: Level) -> str:
    """How a level is printed."""
    return _LABEL.get(level, level.upper())


def detail(page: Page, host: HostReport, finding: Finding, amount: Amount) -> None:
    """Everything that is known of one finding, a line each; what is not known is left out."""
    subject = host.subject.target if host.subject else "subject"
    page.item(label(finding.level), _headline(finding), name=finding.id)
    _why_it_breaks(page, finding, amount)
    _changes(page, finding, subject, amount)
    if finding.section in MANAGERS:
        page.item(
            "  used by", used(finding.uses, amount, known=finding.uses_known) + _asked(finding)
        )
        if finding.tools:
            names = [path.rpartition("/")[2] for path in finding.tools]
            page.item("  tools", some(names, amount.names if amount.all else _SHOWN))
    _records(page, host, finding, subject, amount)
    if finding.dependency_count and not _asked_below(host, finding):
        page.item("  needs", _needs(finding, amount))
    if host.causes and (finding.cause != host.causes[0].id or finding.also):
        also = f"; also {', '.join(finding.also)}" if finding.also else ""
        page.item("  because", f"{finding.cause}{also}")


def _asked_below(host: HostReport, finding: Finding) -> bool:
    """Whether the questions about the worst finding tell how many of its packages differ."""
    told = [e.text for h in host.hypotheses if h.id == "dependency" for e in h.because]
    count = f"{len(finding.dependencies)} of {finding.dependency_count} "
    worst = bool(host.findings) and finding is host.findings[0]
    return worst and any(text.startswith(count) for text in told)


def _asked(finding: Finding) -> str:
    """Why it is in use all the same where no process runs it."""
    if finding.level != "in-use" or finding.uses:
        return ""
    return "; asked for by its name" if finding.requested else f"; in use by {finding.cause}"


def _why_it_breaks(page: Page, finding: Finding, amount: Amount) -> None:
    # what the lines `change` and `window` tell better is not told twice
    told = [] if finding.windows or finding.match else finding.proof
    for one in finding.proof if amount.all else told[:_SHOWN]:
        page.item("  proof", sure(one.text, one.confidence))


def _changes(page: Page, finding: Finding, subject: str, amount: Amount) -> None:
    if finding.match is not None:
        page.item("  change", _match(finding, finding.match))
    elif finding.changes is not None:
        page.item("  change", _changed(finding, finding.changes, amount))
    for news in finding.changes.news if finding.changes and amount.all else ():
        page.item("  news", news)
    for window in finding.windows if amount.all else finding.windows[:1]:
        page.item("  window", _window(finding, window, subject))
    if finding.symbols is not None and (text := _symbols(finding.symbols, amount)):
        page.item("  symbols", text)


def _records(page: Page, host: HostReport, finding: Finding, subject: str, amount: Amount) -> None:
    ours = _side(finding, finding.subject_version, finding.host_record, None, amount)
    silent = any(gap.what == NO_LOGS and gap.side == subject for gap in host.unknown)
    if silent and finding.section in MANAGERS and finding.host_record is None:
        ours = f"{ours}  no record (no package logs)".lstrip()
    if ours:
        page.item("  " + fit(subject), ours)
    told, where = finding.reference_record, finding.image_record
    theirs = _side(finding, finding.reference_version, told, where, amount)
    if theirs:
        name = "image" if host.reference_image else host.reference.target if host.reference else ""
        page.item("  " + fit(name), theirs)


def fit(name: str) -> str:
    """A name as it fits the margin."""
    return name if len(name) <= INDENT - 3 else name[: INDENT - 4] + "~"


def one(finding: Finding) -> str:
    """A finding in a few words, for the lines that list several."""
    if finding.kind == "changed":
        ours, theirs = finding.subject_version, finding.reference_version
        if ours == theirs:
            return f"{finding.key}{_fields(finding)}"
        old, new = short(ours, theirs)
        return f"{finding.key} {old} -> {new}"
    if finding.kind == "mixed" and (told := _versions(finding)):
        return f"{finding.key} {told.removeprefix(': ')}"
    side = {"missing": "missing", "extra": "only here"}.get(finding.kind, "differs")
    return f"{finding.key} ({side})"


# An upload to a release of the distribution: what stands before it is the package's own version.
_UPLOAD = re.compile(r"(?:deb|bpo)[0-9]+u?[0-9]*(?:\+b[0-9]+)?")


def short(ours: str, theirs: str) -> tuple[str, str]:
    """Two versions by their uploads alone (`deb12u11`), where all before these is the same."""
    stem = max(ours.rfind(mark) for mark in ("+deb", "~deb", "+bpo", "~bpo")) + 1
    left, right = ours[stem:], theirs[stem:]
    same = stem > 0 and theirs.startswith(ours[:stem])
    if same and _UPLOAD.fullmatch(left) and _UPLOAD.fullmatch(right):
        return left, right
    return ours, theirs


def place(where: Place) -> str:
    """`FILE:LINE` of a Dockerfile."""
    return f"{where.file}:{where.line}"


def record(told: HostRecord) -> str:
    """When, who and by which command, on one line."""
    when = f"{told.time} {told.zone}".rstrip()
    what = told.command or f"({told.source})"
    return sure(f"{when}  {told.user}  {what}", told.confidence)


def sure(text: str, confidence: Confidence) -> str:
    """What is only inferred says so."""
    return f"probably {text}" if confidence == "inferred" else text


def _headline(finding: Finding) -> str:
    packages = [d for d in finding.members if d.section == finding.section]
    count = (
        f", {len(packages)} packages"
        if len(packages) > 1 and packages[0].section in MANAGERS
        else ""
    )
    if finding.kind == "changed":
        way = {"older": "is behind", "newer": "is ahead"}.get(finding.direction, "differs")
        return f"{finding.key} {way}{_versions(finding)}{_fields(finding)}{count}"
    if finding.kind == "mixed":
        return f"{finding.key}: {_mixed(finding)}{count}"
    side = {"missing": "is missing", "extra": "is only here"}.get(finding.kind, "differs")
    return f"{finding.key} {side}{count}"


def _mixed(finding: Finding) -> str:
    """What is missing, what is only here, and the versions of what is on both sides."""
    kinds: dict[str, list[str]] = {"missing": [], "extra": []}
    for one_ in finding.members:
        if one_.section == finding.section and one_.kind in kinds:
            kinds[one_.kind].append(one_.key)
    told = [
        f"{some(names, 2)} {'missing' if kind == 'missing' else 'only here'}"
        for kind, names in kinds.items()
        if names
    ]
    ours, theirs = finding.subject_version, finding.reference_version
    if ours and theirs and ours != theirs:
        told.append(f"{ours} -> {short(ours, theirs)[1]}")
    return ", ".join(told) or "differs"


def _fields(finding: Finding) -> str:
    """What differs where it is not the version; short values are told."""
    changes = [d.changes for d in finding.members if d.section == finding.section]
    fields: dict[str, set[str]] = {}
    for name, (ours, theirs) in (pair for one in changes for pair in one.items()):
        fields.setdefault(name, set()).add(f"{ours} -> {theirs}" if ours and theirs else "")
    if "version" in fields or not fields:
        return ""
    return f" ({', '.join(_field(name, values) for name, values in sorted(fields.items()))})"


_SHORT = 24


def _field(name: str, values: set[str]) -> str:
    (first, *others) = values
    return f"{name}: {first}" if first and not others and len(first) <= _SHORT else name


def _versions(finding: Finding) -> str:
    ours, theirs = finding.subject_version, finding.reference_version
    if not ours or not theirs or ours == theirs:
        return ""
    return f": {ours} -> {short(ours, theirs)[1]}"


def _match(finding: Finding, match: Match) -> str:
    of = "only match" if match.hits == 1 else f"one of {match.hits} matches"
    return (
        f'{_brief(finding, match.version)}  "{match.text}"  your symptom: {of} in '
        f"{match.searched} changelog{plural(match.searched)}"
    )


def _changed(finding: Finding, changes: Changes, amount: Amount) -> str:
    counts = ", ".join(f"{count} {kind}" for kind, count in changes.counts.items())
    uploads = f"{changes.entries} upload{plural(changes.entries)}"
    total = f"{uploads}: {counts}" if counts else uploads
    if not changes.complete:
        total += "; more may have changed, the text does not reach that far"
    head = changes.headline
    if head is None:
        return total
    bugs = f"  {', '.join(head.bugs)}" if head.bugs else ""
    if not amount.reasons and changes.complete:
        total = uploads
    return f'{_brief(finding, head.version)}  "{head.text}"{bugs}  ({total})'


def _window(finding: Finding, window: Window, subject: str) -> str:
    inside = f"{subject} is inside" if window.inside else f"{subject} is outside"
    head = finding.match or (finding.changes and finding.changes.headline)
    of = "" if head and window.of in head.text else f" ({window.of})"
    return (
        f"broken since {_brief(finding, window.introduced)}{_on(window.introduced_date)}, fixed in "
        f"{_brief(finding, window.fixed)}{_on(window.fixed_date)}; {inside}{of}"
    )


def _brief(finding: Finding, version: str) -> str:
    """A version without the beginning that the headline tells; whole where it shares none."""
    return short(version, finding.subject_version)[0]


def _on(date: str) -> str:
    return f" ({date[:10]})" if date else ""


def _symbols(symbols: Symbols, amount: Amount) -> str:
    """What is gone breaks programs; what is new only matters to those built against it."""
    gone = [
        f"{what} {some(names, 4)}"
        for what, names in (
            ("soname gone:", symbols.sonames_lost),
            ("soname new:", symbols.sonames_gained),
            ("gone:", symbols.lost),
        )
        if names
    ]
    new = symbols.gained if gone or amount.records else []
    for path, names in sorted(symbols.missing.items())[: len(symbols.missing) if amount.all else 1]:
        gone.insert(0, f"{path} needs {some(names, 4)}")
    return "; ".join([*gone, *([f"new: {some(new, 4)}"] if new else [])])


def _side(
    finding: Finding,
    version: str,
    told: HostRecord | None,
    where: Place | None,
    amount: Amount,
) -> str:
    # the headline has both versions of what changed
    parts = [version] if version and (amount.all or finding.kind != "changed") else []
    if told is not None:
        parts.append(record(told))
    if where is not None and where.kind == "line":
        names = {d.key for d in finding.members} | {finding.key}
        parts.append(f"{place(where)}  {where.text if amount.all else command(where, names)}")
    elif where is not None:
        parts.append("from the base image" if where.kind == "base" else "line unknown")
    return "  ".join(parts)


# What of a RUN brings packages that it does not name.
_BRINGS = re.compile(r"\b(?:install|add)\b")


def command(where: Place, names: Iterable[str]) -> str:
    """Of a long RUN the command that names one of these packages, else its only one that installs;
    where that is not known its beginning."""
    words = sorted({managers.bare(name) for name in names})
    parts = [part.strip() for part in where.text.removeprefix("RUN ").split("&&")]
    named = next((p for p in parts if any(managers.names(p, name) for name in words)), "")
    bring = [part for part in parts if _BRINGS.search(part)]
    if named or len(bring) == 1:
        return named or bring[0]
    return where.text if len(where.text) <= 60 else where.text[:57] + "..."


def used(uses: Sequence[Use], amount: Amount, *, known: bool) -> str:
    """Who runs it; that nobody does is only known where every process could be looked at."""
    limit = len(uses) if amount.all else _SHOWN
    if uses:
        more = f" and {len(uses) - limit} more" if len(uses) > limit else ""
        return "; ".join(_use(use, amount) for use in uses[:limit]) + more
    return "no running process" if known else "unknown: not every process is readable"


def _use(use: Use, amount: Amount) -> str:
    limit = len(use.files) + len(use.via) + len(use.ports) if amount.all else _SHOWN
    parts = [f"{use.processes} process{'es' if use.processes != 1 else ''}"]
    if use.via:
        parts.append(f"through {some(use.via, limit)}")
    else:
        parts.append(some(sorted({path.rpartition("/")[2] for path in use.files}), limit))
    if use.ports:
        parts.append(f"listens on {some(use.ports, limit)}")
    if use.stale:
        parts.append("still runs the old file")
    return f"{user(use)} ({', '.join(parts)})"


def user(use: Use) -> str:
    return use.service.removesuffix(".service") or use.program.rpartition("/")[2]


def _needs(finding: Finding, amount: Amount) -> str:
    names = finding.dependencies
    if not names:
        return f"{finding.dependency_count} packages, none of which differs"
    shown = some(names, amount.names)
    return f"{len(names)} of {finding.dependency_count} packages differ too: {shown}"
