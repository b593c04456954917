"""The report as workflow commands of GitHub Actions: annotations at the lines of the Dockerfile."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from driftscan.model import Finding, HostReport, Level, Report
from driftscan.report import coverage, words

CAP = 10
"""GitHub shows that many annotations of each kind in a step, and drops the others unsaid."""

_COMMAND: dict[Level, str] = {"breaks": "error", "in-use": "warning", "installed": "notice"}
_SHOWN = 5
_KINDS = ("error", "warning", "notice")


class _Annotation(Struct, frozen=True):
    kind: str
    title: str
    text: str
    file: str = ""
    line: int = 0

    def written(self) -> str:
        place = {"file": self.file, "line": str(self.line) if self.line else ""}
        named = {**place, "title": self.title}
        properties = ",".join(f"{name}={_property(v)}" for name, v in named.items() if v)
        return f"::{self.kind} {properties}::{_data(self.text)}"


def render(report: Report) -> str:
    """Errors, then warnings, then notices, each worst first; what the cap leaves out is told."""
    found = [*_unseen(report), *_notes(report), *_findings(report)]
    lines: list[str] = []
    for kind in _KINDS:
        here = [annotation for annotation in found if annotation.kind == kind]
        lines += [annotation.written() for annotation in here[:CAP]]
        if len(here) > CAP:
            lines.append(f"driftscan: {len(here) - CAP} more {kind}s than GitHub shows in a step")
    lines += [f"driftscan: {coverage.total(report)}", f"driftscan: {words.summary(report)}"]
    return "\n".join(lines) + "\n"


def _unseen(report: Report) -> Iterator[_Annotation]:
    lost = "warning" if report.excuses_unreached else "error"
    for name, host in sorted(report.hosts.items()):
        if host.unreached is not None:
            yield _Annotation(lost, f"{name} was not compared", words.unreached(host))
        for gap in host.unknown:
            if gap.blocks:
                cure = f" (cure: {gap.cure})" if gap.cure else ""
                yield _Annotation(
                    "error", f"{name}: {gap.what} is not known", f"{gap.side}: {gap.why}{cure}"
                )


def _notes(report: Report) -> Iterator[_Annotation]:
    for note in report.notes:
        yield _Annotation("warning", "driftscan", note)


def _findings(report: Report) -> Iterator[_Annotation]:
    """One a level, cause and line; what several hosts have in common is one that names them."""
    hosts_of: dict[_Annotation, list[str]] = {}
    for name, host in sorted(report.hosts.items()):
        groups: dict[tuple[Level, str, str, int], list[Finding]] = {}
        for finding in host.open_findings:
            place = words.line_of(finding, host) or host.reference_image
            file, line = (place.file, place.line) if place else ("", 0)
            groups.setdefault((finding.level, finding.cause, file, line), []).append(finding)
        for (level, cause, file, line), found in groups.items():
            if level in _COMMAND:
                what = found[0].id if len(found) == 1 else f"{cause}, {len(found)} findings"
                text = _text(found, host)
                made = _Annotation(_COMMAND[level], f"{what} ({level})", text, file, line)
                hosts_of.setdefault(made, []).append(name)
    for made, names in hosts_of.items():
        yield replace(made, text=f"{', '.join(names)}: {made.text}")


def _text(found: Sequence[Finding], host: HostReport) -> str:
    """What differs, why, and of what breaks the proof."""
    told = [words.finding(finding) for finding in found[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    cause = words.cause_of(found[0], host)
    proof = [e.text for f in found[:_SHOWN] if f.level == "breaks" for e in f.proof]
    new = dict.fromkeys(text for text in proof if text not in cause)
    return words.nameless(". ".join(["; ".join([*told, *more]), cause, *new]), host)


def _data(text: str) -> str:
    """As `escapeData` of GitHub's toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As `escapeProperty` of GitHub's toolkit does."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
