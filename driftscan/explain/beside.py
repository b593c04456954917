"""The four questions where packages do not tell what runs: a stale program, a hidden library."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from driftscan import versions
from driftscan.explain import processes, shadowing
from driftscan.explain.case import Case
from driftscan.explain.loaded import some
from driftscan.model import Cause, Confidence, Evidence, Finding, Hypothesis

Name: TypeAlias = Literal["new-feature", "version", "dependency", "service"]
Answer: TypeAlias = Literal["yes", "no", "unlikely", "possible", "not needed", "unknown"]


def told(
    name: Name, question: str, answer: Answer, confidence: Confidence, because: Sequence[Evidence]
) -> Hypothesis:
    """One of the four, answered."""
    return Hypothesis(
        id=name, question=question, answer=answer, confidence=confidence, because=[*because]
    )


def of_stale(case: Case, finding: Finding, cause: Cause) -> list[Hypothesis]:
    """About the software whose older version a program still runs; nothing if that is unknown."""
    ran = processes.ran(case, finding.key)
    if len(ran) != 1 or not ran[0].old:
        return []
    one, name = ran[0], ran[0].source
    faults = [e for e in cause.evidence if any("changelogs:" in cite for cite in e.cites)]
    runs = [e for e in cause.evidence if e not in faults]
    cites = [cite for evidence in runs for cite in evidence.cites]
    ecosystem = case.records.manager.ecosystem
    ours, theirs = (versions.upstream(ecosystem, v) for v in (one.old, one.version))
    same = f"upstream {ours} runs, and is installed"
    text = same if ours == theirs else f"upstream {ours} runs, {theirs} is installed"
    feature = [Evidence(text=text, confidence="recorded", cites=cites)]
    itself = f"the changelog tells of a fault of {name} itself, whoever calls it"
    fault = [
        Evidence(text=itself, confidence="inferred", cites=[c for e in faults for c in e.cites])
    ]
    known = bool(faults)
    return [
        told("new-feature", f"a feature new in {name}?", *_feature(ours == theirs, known), feature),
        told("version", f"{name}'s version?", "yes", "recorded", faults)
        if known
        else told("version", f"{name}'s version?", "possible", "inferred", runs),
        _dependency(case, name, one.owners, sure=known, cites=cites),
        told("service", "a bug in the service?", "not needed", "inferred", fault)
        if known
        else told("service", "a bug in the service?", "possible", "inferred", runs[:1]),
    ]


def _feature(same: bool, known: bool) -> tuple[Answer, Confidence]:
    if not same:
        return "possible", "inferred"
    return ("no", "recorded") if known else ("unlikely", "inferred")


def of_hidden(case: Case, finding: Finding, cause: Cause) -> list[Hypothesis]:
    """About the software of which another copy is loaded than the package's."""
    owners = shadowing.owners(case, finding.members)
    maps = [e for e in cause.evidence if any("/processes:" in cite for cite in e.cites)]
    if not owners or not maps:
        return []
    name = shadowing.source(case, owners[0])
    built = [e for e in cause.evidence if any("/builds:" in cite for cite in e.cites)]
    silent = [Evidence(text="what this copy can do was not read", confidence="unknown")]
    copy = "the fault would be that copy's, whoever loads it"
    blamed = Evidence(text=copy, confidence="inferred", cites=[c for e in maps for c in e.cites])
    question = f"a feature new in {name}?"
    return [
        told("new-feature", question, "unlikely", "inferred", built)
        if built
        else told("new-feature", question, "unknown", "unknown", silent),
        told("version", f"{name}'s version, or copy?", "yes", "proven", maps),
        _dependency(case, name, owners, sure=True, cites=blamed.cites),
        told("service", "a bug in the service?", "not needed", "inferred", [blamed]),
    ]


def _dependency(
    case: Case, name: str, owners: Sequence[str], *, sure: bool, cites: Sequence[str]
) -> Hypothesis:
    """At best unlikely: that each of them works would have to be tried."""
    question = f"a library {name} uses?"
    side, every = case.needed(owners)
    sources = {k: str(item.get("source", k)) for k, item in case.packages(side).items()}
    needed = {other for other in every if sources.get(other) != name}
    if not needed:
        text = f"what {name} needs was not read"
        because = [Evidence(text=text, confidence="unknown")]
        return told("dependency", question, "unknown", "unknown", because)
    differing = sorted(other for other in needed if case.package(other))
    which = f" ({some(differing)})" if differing else ""
    text = f"{len(differing)} of {len(needed)} packages it needs differ{which}"
    carried = [
        *case.cite_needs(side, *sorted({*every, *owners})),
        *case.cite_packages(case.subject, *differing),
    ]
    carried += [*case.cite_packages(case.reference, *differing), *cites]
    because = [Evidence(text=text, confidence="inferred", cites=list(dict.fromkeys(carried)))]
    likely = differing and not sure
    return told("dependency", question, "possible" if likely else "unlikely", "inferred", because)
