"""Each statement rests on what it cites: all of that, and nothing else."""

import random
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import pytest
from msgspec import Struct
from msgspec.structs import fields, replace

from driftscan import diff
from driftscan.explain import engine
from driftscan.model import HostReport, Side
from tests import recorded

pytestmark = pytest.mark.long

ORDER = ("unknown", "inferred", "recorded", "proven")
CHUNKS = 8
SYMPTOM = "unable to open image"


def statements(noun: object, path: str = "") -> Iterator[tuple[str, str, list[str]]]:
    """Each noun that cites: where it stands and what it says, its confidence, its citations."""
    if isinstance(noun, Struct):
        name = getattr(noun, "id", "") or ""
        here = f"{path}/{name}" if name else path
        told = {f.name: getattr(noun, f.name) for f in fields(noun)}
        if "cites" in told:
            said = {k: v for k, v in told.items() if k not in ("cites", "confidence")}
            yield f"{here} {said}", told.get("confidence", "recorded"), told["cites"]
        for field, value in told.items():
            yield from statements(value, f"{here}.{field}")
    elif isinstance(noun, list):
        for value in noun:
            yield from statements(value, path)


def of(subject: Side, reference: Side) -> HostReport:
    comparison = diff.compare(subject.fingerprint, reference.fingerprint)
    return engine.explain(subject, reference, comparison, symptom=SYMPTOM)


def said(report: HostReport) -> dict[str, tuple[str, list[str]]]:
    parts = (report.causes, report.findings, report.hypotheses, report.since)
    return {
        text: (confidence, cites) for part in parts for text, confidence, cites in statements(part)
    }


def without(side: Side, name: str, cited: AbstractSet[str]) -> Side:
    """The side without the items that are cited as `NAME/SECTION:KEY`."""
    changed = {}
    for part in ("facts", "evidence", "details"):
        sections = dict(getattr(side.fingerprint, part))
        for section, found in sections.items():
            if items := getattr(found, "items", None):
                left = {k: v for k, v in items.items() if f"{name}/{section}:{k}" not in cited}
                sections[section] = replace(found, items=left)
        changed[part] = sections
    return replace(side, fingerprint=replace(side.fingerprint, **changed))


def evidence(side: Side, name: str) -> list[str]:
    """Everything that can be cited and is not compared."""
    parts = (side.fingerprint.evidence, side.fingerprint.details)
    return [
        f"{name}/{section}:{key}"
        for part in parts
        for section, found in part.items()
        for key in getattr(found, "items", None) or ()
    ]


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_without_what_it_cites_a_statement_falls_or_weakens(name):
    subject, reference, _ = recorded.pair(name)
    before = said(of(subject, reference))
    standing = []
    for cited in {frozenset(cites) for _, cites in before.values() if cites}:
        bare = without(subject, "subject", cited), without(reference, "reference", cited)
        after = said(of(*bare))
        standing += [
            text
            for text, (confidence, cites) in before.items()
            if set(cites) == cited
            and text in after
            and ORDER.index(after[text][0]) >= ORDER.index(confidence)
        ]
    assert standing == []


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_what_a_statement_does_not_cite_changes_nothing_of_it(name):
    subject, reference, _ = recorded.pair(name)
    before = said(of(subject, reference))
    everything = evidence(subject, "subject") + evidence(reference, "reference")
    random.Random(name).shuffle(everything)  # the same chunks in every run
    changed = []
    for chunk in (set(everything[n::CHUNKS]) for n in range(CHUNKS)):
        after = said(of(without(subject, "subject", chunk), without(reference, "reference", chunk)))
        changed += [
            text
            for text, (confidence, cites) in before.items()
            if cites and not chunk & set(cites) and after.get(text, ("",))[0] != confidence
        ]
    assert changed == []


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_every_statement_that_is_more_than_unknown_cites_something(name):
    subject, reference, _ = recorded.pair(name)
    told = said(of(subject, reference))
    assert [text for text, (sure, cites) in told.items() if sure != "unknown" and not cites] == []
