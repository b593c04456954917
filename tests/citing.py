"""What a report states and cites, and the same report without some of what was cited."""

import random
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import fields, replace

from driftscan import diff
from driftscan.explain import engine
from driftscan.model import HostReport, Side

ORDER = ("unknown", "inferred", "recorded", "proven")
CHUNKS = 8
MOST = 8
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


def still_standing(subject: Side, reference: Side, seed: str) -> list[str]:
    """The statements that stand as firm without all that they cite: there may be none.

    Of each kind `MOST` are tried, on each host others: one package after another is found the same.
    """
    before = said(of(subject, reference))
    standing = []
    for cited in _tried(before, seed):
        bare = without(subject, "subject", cited), without(reference, "reference", cited)
        after = said(of(*bare))
        standing += [
            text
            for text, (confidence, cites) in before.items()
            if set(cites) == cited
            and text in after
            and ORDER.index(after[text][0]) >= ORDER.index(confidence)
        ]
    return standing


def _tried(before: dict[str, tuple[str, list[str]]], seed: str) -> set[frozenset[str]]:
    kinds: dict[str, set[tuple[str, ...]]] = {}
    for text, (_, cites) in before.items():
        if cites:
            kind = text.partition(" ")[0].partition(":")[0]
            kinds.setdefault(kind, set()).add(tuple(sorted(cites)))
    chance = random.Random(seed)  # the same in every run
    picked = (chance.sample(sorted(of), min(MOST, len(of))) for of in kinds.values())
    return {frozenset(cites) for some in picked for cites in some}


def changed_by_others(subject: Side, reference: Side, seed: str) -> list[str]:
    """The statements that change without evidence that they do not cite: there may be none."""
    before = said(of(subject, reference))
    everything = evidence(subject, "subject") + evidence(reference, "reference")
    random.Random(seed).shuffle(everything)  # the same chunks in every run
    changed = []
    for chunk in (set(everything[n::CHUNKS]) for n in range(CHUNKS)):
        after = said(of(without(subject, "subject", chunk), without(reference, "reference", chunk)))
        changed += [
            text
            for text, (confidence, cites) in before.items()
            if cites and not chunk & set(cites) and after.get(text, ("",))[0] != confidence
        ]
    return changed


def uncited(subject: Side, reference: Side) -> list[str]:
    """The statements that are more than unknown and cite nothing."""
    told = said(of(subject, reference))
    return [text for text, (sure, cites) in told.items() if sure != "unknown" and not cites]
