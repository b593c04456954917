"""The four questions about the worst finding: a new feature, its version, a dependency, or not it?

Nothing is replayed here, so what is only likely is said to be only likely.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec.structs import replace

from driftscan import versions
from driftscan.explain import changes, impact, loaded
from driftscan.explain.case import Case
from driftscan.explain.loaded import some
from driftscan.model import Confidence, Evidence, Finding, Hypothesis, Side, Symbols
from driftscan.model.managers import MANAGERS, is_package

_Name: TypeAlias = Literal["new-feature", "version", "dependency", "service"]
_Answer: TypeAlias = Literal["yes", "no", "unlikely", "possible", "not needed", "unknown"]


_LIBRARIES = ("libraries", "linker-path", "processes", "vendored", "python")
_SILENT = "no changelog tells what this copy can do"
_WHICH = "a library a program uses?"


def hypotheses(case: Case, findings: Sequence[Finding]) -> list[Hypothesis]:
    """The answers for the first finding; none where nothing is proven to break.

    Each rests also on what makes that finding the worst.
    """
    worst = findings[0] if findings else None
    if worst is None or not worst.proof:
        return []
    changed = _members(worst) and not _is_gone(worst)
    carried = [cite for evidence in worst.proof for cite in evidence.cites]
    return [
        replace(answer, because=[_carried(evidence, carried) for evidence in answer.because])
        for answer in (_of_a_version(case, worst) if changed else _of_no_version(worst))
    ]


def _is_gone(finding: Finding) -> bool:
    return finding.kind == "missing" or finding.cause.startswith("removed:")


def _carried(evidence: Evidence, more: Sequence[str]) -> Evidence:
    if evidence.confidence == "unknown":
        return evidence
    return replace(evidence, cites=list(dict.fromkeys([*evidence.cites, *more])))


def _of_a_version(case: Case, worst: Finding) -> list[Hypothesis]:
    told = [e for e in worst.proof if any("changelogs:" in cite for cite in e.cites)]
    return [
        _new_feature(case, worst, told),
        _version(case, worst, told),
        _dependency(case, worst, told),
        _service(case, worst, told),
    ]


def _of_no_version(finding: Finding) -> list[Hypothesis]:
    """Something is gone, stale, or stands beside the packages: what it can do is not recorded."""
    name = _called(finding)
    gone = _is_gone(finding)
    silent = finding.proof if gone else [Evidence(text=_SILENT, confidence="unknown")]
    rest: _Answer = "not needed" if gone else "unknown"
    sure: Confidence = "inferred" if gone else "unknown"
    library = finding.section in _LIBRARIES
    return [
        _told("new-feature", f"a feature new in {name}?", rest, sure, silent),
        _told("version", f"{name}'s version?", rest, sure, silent)
        if gone or library
        else _told("version", f"{name}'s version?", "possible", "inferred", finding.proof),
        _told("dependency", _WHICH, "possible", "inferred", finding.proof)
        if library
        else _told("dependency", f"a library {name} uses?", rest, sure, silent),
        _told("service", "a bug in the service?", rest, sure, silent),
    ]


def _called(finding: Finding) -> str:
    """What a person calls it: the soname, the distribution, the folder, else the program."""
    if finding.section == "libraries":
        return finding.key.partition("|")[0]
    if finding.section == "python":
        return finding.key.partition("//")[2].partition("@")[0]
    return finding.key if finding.section == "vendored" else loaded.program(finding.key)


def _members(finding: Finding) -> list[str]:
    """The packages of the finding that differ in version."""
    return [d.key for d in finding.members if is_package(d) and d.kind == "changed"]


def _both(case: Case, finding: Finding) -> list[str]:
    names = _members(finding)
    sides = (case.subject, case.reference)
    return [cite for side in sides for cite in case.cite_packages(side, *names)]


def _new_feature(case: Case, finding: Finding, told: Sequence[Evidence]) -> Hypothesis:
    question = f"a feature new in {finding.key}?"
    ecosystem = MANAGERS[finding.section].ecosystem
    ours = versions.upstream(ecosystem, finding.subject_version)
    theirs = versions.upstream(ecosystem, finding.reference_version)
    cites = _both(case, finding)
    if ours != theirs:
        text = f"upstream {ours} on {case.subject.label}, {theirs} on {case.reference.label}"
        because = [Evidence(text=text, confidence="recorded", cites=cites)]
        return _told("new-feature", question, "possible", "inferred", because)
    because = [Evidence(text=f"upstream {ours} on both", confidence="recorded", cites=cites)]
    because += _new_symbols(case, finding)
    if finding.symbols and finding.symbols.missing:
        return _told("new-feature", question, "yes", "recorded", because)
    if told:
        return _told("new-feature", question, "no", "recorded", because)
    return _told("new-feature", question, "unlikely", "inferred", because)


def _new_symbols(case: Case, finding: Finding) -> list[Evidence]:
    """What was added to a library, and whether a program of no package wants it already."""
    symbols = finding.symbols
    if symbols is None:
        return []
    count = len(symbols.gained) + len(symbols.sonames_gained)
    text = "no symbol added"
    if count:
        things = "symbol" if count == 1 else "symbols"
        text = f"{count} {things} added; {_importers(case, symbols)}"
    return [Evidence(text=text, confidence="recorded", cites=symbols.cites)]


def _importers(case: Case, symbols: Symbols) -> str:
    if symbols.missing:
        return f"{some(sorted(symbols.missing))} of {case.subject.label} want what is not there"
    if symbols.read is None:
        return "whether anything imports them was not read"
    if not symbols.read:
        return f"{case.subject.label} has no program outside its packages to import them"
    return f"none of the {symbols.read} programs and libraries outside its packages imports them"


def _version(case: Case, finding: Finding, told: Sequence[Evidence]) -> Hypothesis:
    question = f"{finding.key}'s version?"
    if told:
        return _told("version", question, "yes", told[0].confidence, told)
    because = [
        Evidence(
            text=f"{finding.subject_version} on {case.subject.label}, "
            f"{finding.reference_version} on {case.reference.label}",
            confidence="recorded",
            cites=_both(case, finding),
        )
    ]
    if finding.changes and case.symptom and finding.match is None:
        text = "its changelog does not speak of the symptom"
        cites = changes.cites(case, finding.key)
        because.append(Evidence(text=text, confidence="recorded", cites=cites))
    return _told("version", question, "possible", "inferred", because)


def _dependency(case: Case, finding: Finding, told: Sequence[Evidence]) -> Hypothesis:
    """At best unlikely: that each of them works would have to be tried."""
    question = f"a library {finding.key} uses?"
    side, needed = case.needed(_members(finding))
    if not needed:
        text = f"what {finding.key} needs was not read"
        because = [Evidence(text=text, confidence="unknown")]
        return _told("dependency", question, "unknown", "unknown", because)
    differing = finding.dependencies
    which = f" ({some(differing)})" if differing else ""
    because = [
        Evidence(
            text=f"{len(differing)} of {len(needed)} packages it needs differ{which}",
            confidence="recorded",
            cites=_needed_cites(case, side, finding, needed),
        )
    ]
    likely = differing and not told
    return _told("dependency", question, "possible" if likely else "unlikely", "inferred", because)


def _needed_cites(case: Case, side: Side, finding: Finding, needed: set[str]) -> list[str]:
    names = sorted(needed | {*_members(finding)})
    return [
        *case.cite_needs(side, *names),
        *case.cite_packages(case.subject, *finding.dependencies),
        *case.cite_packages(case.reference, *finding.dependencies),
    ]


def _service(case: Case, finding: Finding, told: Sequence[Evidence]) -> Hypothesis:
    question = "a bug in the service?"
    if told:
        text = f"the changelog tells of a fault of {finding.key} itself, whoever calls it"
        because = [
            Evidence(text=text, confidence="inferred", cites=changes.cites(case, finding.key))
        ]
        return _told("service", question, "not needed", "inferred", because)
    if not finding.uses:
        seen = "no running program loads it" if finding.uses_known else "the processes are unknown"
        because = [Evidence(text=seen, confidence="unknown")]
        return _told("service", question, "unknown", "unknown", because)
    names = sorted({impact.name(use) for use in finding.uses})
    text = f"{some(names)} {'loads' if len(names) == 1 else 'load'} it"
    cites = impact.cites(case, finding.uses)
    because = [Evidence(text=text, confidence="recorded", cites=cites)]
    return _told("service", question, "possible", "inferred", because)


def _told(
    name: _Name, question: str, answer: _Answer, confidence: Confidence, because: Sequence[Evidence]
) -> Hypothesis:
    return Hypothesis(
        id=name, question=question, answer=answer, confidence=confidence, because=[*because]
    )
