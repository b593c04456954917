"""Files that an administrator set by hand: alternatives."""

from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`alternative`: a link group in manual mode, with the programs that win because of it."""
    chosen = [d for d in open_ if d.section == "alternatives"]
    return [_alternative(case, divergence, open_) for divergence in chosen]


def _alternative(case: Case, divergence: Divergence, open_: Sequence[Divergence]) -> Cause:
    name = divergence.key
    winners = [d for d in open_ if d.section == "winners" and d.key.startswith(f"{name}@")]
    copies = {f"runtimes:{name}|{(d.subject or {}).get('real', '')}" for d in winners}
    claims = [divergence.id, *(d.id for d in winners)]
    claims += [d.id for d in open_ if d.id in copies]
    evidence: list[Evidence] = []
    for side, item in ((case.subject, divergence.subject), (case.reference, divergence.reference)):
        if item is not None:
            text = f"update-alternatives has {name} as manual on {side.label}: {item['target']}"
            cites = case.cite(side, "alternatives", name)
            evidence.append(Evidence(text=text, confidence="recorded", cites=cites))
    return Cause(
        type="alternative",
        subject=name,
        text=_text(case, divergence),
        confidence="recorded",
        claims=claims,
        evidence=evidence,
    )


def _text(case: Case, divergence: Divergence) -> str:
    name, subject, reference = divergence.key, case.subject.label, case.reference.label
    ours, theirs = divergence.subject, divergence.reference
    if ours is None:
        return (
            f"{name} is set by hand to {(theirs or {})['target']} on {reference}, not on {subject}"
        )
    text = f"{name} is set by hand to {ours['target']} on {subject}"
    return text if theirs is None else f"{text}, to {theirs['target']} on {reference}"
