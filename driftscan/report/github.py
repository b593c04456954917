"""The report as workflow commands of GitHub Actions: annotations at the lines of the Dockerfile."""

from collections.abc import Iterator

from msgspec import Struct

from driftscan.model import Level, Report
from driftscan.report import words

CAP = 10
"""GitHub shows that many annotations of each kind in a step, and drops the others unsaid."""

_COMMAND: dict[Level, str] = {"breaks": "error", "in-use": "warning", "installed": "notice"}
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
    lines.append(f"driftscan: {words.summary(report)}")
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
    """What several hosts have in common is one annotation that names them."""
    hosts_of: dict[tuple[str, str, str, str, str, int], list[str]] = {}
    for name, host in sorted(report.hosts.items()):
        for finding in host.open_findings:
            kind = _COMMAND.get(finding.level)
            if kind is None:
                continue
            place = words.line_of(finding, host) or host.reference_image
            proof = [words.finding(finding), words.cause_of(finding, host)]
            proof += [e.text for e in finding.proof if finding.level == "breaks"]
            text = ". ".join(proof)
            file, line = (place.file, place.line) if place else ("", 0)
            key = (finding.level, finding.id, kind, text, file, line)
            hosts_of.setdefault(key, []).append(name)
    for (level, id_, kind, text, file, line), names in hosts_of.items():
        title = f"{id_} ({level})"
        yield _Annotation(kind, title, f"{', '.join(names)}: {text}", file, line)


def _data(text: str) -> str:
    """As `escapeData` of GitHub's toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As `escapeProperty` of GitHub's toolkit does."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
