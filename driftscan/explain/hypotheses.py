"""The four questions about the worst finding: a new feature, its version, a dependency, or not it?

Nothing is replayed here, so what is only likely is said to be only likely.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from driftscan import versions
from driftscan.explain import beside, changes, impact, loaded
from driftscan.explain.beside import Answer, told
from driftscan.explain.case import Case
from driftscan.explain.loaded import some
from driftscan.model import Cause, Confidence, Evidence, Finding, Hypothesis, Side, Symbols
from driftscan.model.managers import MANAGERS, is_package

_LIBRARIES = ("libraries", "linker-path", "processes", "vendored", "python")
_SILENT = "no changelog tells what this copy can do"
_WHICH = "a library a program uses?"


def hypotheses(
    case: Case, findings: Sequence[Finding], causes: Sequence[Cause]
) -> list[Hypothesis]:
    """The answers for the first finding that is software, each with what they rest on.

    Where nothing is proven to break each is `unknown`, with the reason.
    """
    asked = [f for f in findings if f.section in MANAGERS or f.proof]
    if not asked:
        return []
    worst = asked[0]
    if not worst.proof:
        return _unproven(case, worst)
    cause = next((cause for cause in causes if cause.id == worst.cause), None)
    carried = [cite for evidence in worst.proof for cite in evidence.cites]
    return [
        replace(answer, because=[_carried(evidence, carried) for evidence in answer.because])
        for answer in _answers(case, worst, cause)
    ]


def _answers(case: Case, worst: Finding, cause: Cause | None) -> list[Hypothesis]:
    found: list[Hypothesis] = []
    if cause and cause.type == "stale-process":
        found = beside.of_stale(case, worst, cause)
    if cause and cause.type == "library-shadowed":
        found = beside.of_hidden(case, worst, cause)
    changed = _members(worst) and not _is_gone(worst)
    return found or (_of_a_version(case, worst) if changed else _of_no_version(worst))


def _unproven(case: Case, finding: Finding) -> list[Hypothesis]:
    """Nothing shows that it breaks: why nobody can tell more."""
    why = ["nothing shows that it breaks"]
    if not impact.known(case) and not case.subject.is_image:
        why.append("the processes could not all be looked at")
    if finding.changes is None and _members(finding):
        why.append("no changelog was read")
    elif case.symptom and finding.match is None:
        why.append("no changelog that was read speaks of the symptom")
    because = [Evidence(text="; ".join(why), confidence="unknown")]
    name = _called(finding) if finding.section not in MANAGERS else finding.key
    questions = _questions(name)
    return [told(q, questions[q], "unknown", "unknown", because) for q in _NAMES]


_NAMES: tuple[beside.Name, ...] = ("new-feature", "version", "dependency", "service")


def _questions(name: str) -> dict[beside.Name, str]:
    return {
        "new-feature": f"a feature new in {name}?",
        "version": f"{name}'s version?",
        "dependency": f"a library {name} uses?",
        "service": "a bug in the service?",
    }


def _is_gone(finding: Finding) -> bool:
    return finding.kind == "missing" or finding.cause.startswith("removed:")


def _carried(evidence: Evidence, more: Sequence[str]) -> Evidence:
    if evidence.confidence == "unknown":
        return evidence
    return replace(evidence, cites=list(dict.fromkeys([*evidence.cites, *more])))


def _of_a_version(case: Case, worst: Finding) -> list[Hypothesis]:
    faults = [e for e in worst.proof if any("changelogs:" in cite for cite in e.cites)]
    other = bool(faults and case.symptom and worst.match is None)
    sure = [] if other else faults
    return [
        _new_feature(case, worst, sure),
        _other_fault(case, worst, faults) if other else _version(case, worst, sure),
        _dependency(case, worst, sure),
        _service(case, worst, sure),
    ]


def _other_fault(case: Case, finding: Finding, faults: Sequence[Evidence]) -> Hypothesis:
    """A fault is told, and not the one that was searched for."""
    text = f"not what you searched for: its changelog does not speak of '{case.symptom}'"
    cites = changes.cites(case, finding.key)
    because = [Evidence(text=text, confidence="recorded", cites=cites), *faults]
    return told("version", f"{finding.key}'s version?", "possible", "inferred", because)


def _of_no_version(finding: Finding) -> list[Hypothesis]:
    """Something is gone, stale, or stands beside the packages: what it can do is not recorded."""
    name = _called(finding)
    gone = _is_gone(finding)
    silent = finding.proof if gone else [Evidence(text=_SILENT, confidence="unknown")]
    rest: Answer = "not needed" if gone else "unknown"
    sure: Confidence = "inferred" if gone else "unknown"
    library = finding.section in _LIBRARIES
    return [
        told("new-feature", f"a feature new in {name}?", rest, sure, silent),
        told("version", f"{name}'s version?", rest, sure, silent)
        if gone or library
        else told("version", f"{name}'s version?", "possible", "inferred", finding.proof),
        told("dependency", _WHICH, "possible", "inferred", finding.proof)
        if library
        else told("dependency", f"a library {name} uses?", rest, sure, silent),
        told("service", "a bug in the service?", rest, sure, silent),
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


def _new_feature(case: Case, finding: Finding, faults: Sequence[Evidence]) -> Hypothesis:
    question = f"a feature new in {finding.key}?"
    ecosystem = MANAGERS[finding.section].ecosystem
    ours = versions.upstream(ecosystem, finding.subject_version)
    theirs = versions.upstream(ecosystem, finding.reference_version)
    cites = _both(case, finding)
    if ours != theirs:
        text = f"upstream {ours} on {case.subject.label}, {theirs} on {case.reference.label}"
        because = [Evidence(text=text, confidence="recorded", cites=cites)]
        return told("new-feature", question, "possible", "inferred", because)
    because = [Evidence(text=f"upstream {ours} on both", confidence="recorded", cites=cites)]
    because += _new_symbols(case, finding)
    if finding.symbols and finding.symbols.missing:
        return told("new-feature", question, "yes", "recorded", because)
    if faults:
        return told("new-feature", question, "no", "recorded", because)
    return told("new-feature", question, "unlikely", "inferred", because)


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


def _version(case: Case, finding: Finding, faults: Sequence[Evidence]) -> Hypothesis:
    question = f"{finding.key}'s version?"
    if faults:
        return told("version", question, "yes", faults[0].confidence, faults)
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
    return told("version", question, "possible", "inferred", because)


def _dependency(case: Case, finding: Finding, faults: Sequence[Evidence]) -> Hypothesis:
    """At best unlikely: that each of them works would have to be tried."""
    question = f"a library {finding.key} uses?"
    side, needed = case.needed(_members(finding))
    if not needed:
        text = f"what {finding.key} needs was not read"
        because = [Evidence(text=text, confidence="unknown")]
        return told("dependency", question, "unknown", "unknown", because)
    differing = finding.dependencies
    which = f" ({some(differing)})" if differing else ""
    because = [
        Evidence(
            text=f"{len(differing)} of {len(needed)} packages it needs differ{which}",
            confidence="recorded",
            cites=_needed_cites(case, side, finding, needed),
        )
    ]
    likely = differing and not faults
    return told("dependency", question, "possible" if likely else "unlikely", "inferred", because)


def _needed_cites(case: Case, side: Side, finding: Finding, needed: set[str]) -> list[str]:
    names = sorted(needed | {*_members(finding)})
    return [
        *case.cite_needs(side, *names),
        *case.cite_packages(case.subject, *finding.dependencies),
        *case.cite_packages(case.reference, *finding.dependencies),
    ]


def _service(case: Case, finding: Finding, faults: Sequence[Evidence]) -> Hypothesis:
    question = "a bug in the service?"
    if faults:
        text = f"the changelog tells of a fault of {finding.key} itself, whoever calls it"
        because = [
            Evidence(text=text, confidence="inferred", cites=changes.cites(case, finding.key))
        ]
        return told("service", question, "not needed", "inferred", because)
    if not finding.uses:
        seen = "no running program loads it" if finding.uses_known else "the processes are unknown"
        because = [Evidence(text=seen, confidence="unknown")]
        return told("service", question, "unknown", "unknown", because)
    names = sorted({impact.name(use) for use in finding.uses})
    text = f"{some(names)} {'loads' if len(names) == 1 else 'load'} it"
    cites = impact.cites(case, finding.uses)
    because = [Evidence(text=text, confidence="recorded", cites=cites)]
    return told("service", question, "possible", "inferred", because)
