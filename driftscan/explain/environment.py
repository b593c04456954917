"""Environment variables that one side sets and the other does not, or sets otherwise."""

from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence

_WHERE = {"system": "/etc/environment", "login": "the login profile"}


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`environment`: one cause a variable, with the Dockerfile's ENV line where there is one."""
    return [_variable(case, d) for d in open_ if d.section == "environment"]


def _variable(case: Case, divergence: Divergence) -> Cause:
    scope, _, name = divergence.key.rpartition("/")
    place = case.line_with(case.reference, f"{name}=", keyword="ENV") or case.line_with(
        case.reference, f"{name} ", keyword="ENV"
    )
    ours, theirs = (
        str((side or {}).get("value", "")) for side in (divergence.subject, divergence.reference)
    )
    subject, reference = case.subject.label, case.reference.label
    if divergence.kind == "missing":
        text = f"{name}={theirs} is set on {reference}, not on {subject}"
    elif divergence.kind == "extra":
        text = f"{name}={ours} is set on {subject}, not on {reference}"
    else:
        text = f"{name} is {ours!r} on {subject}, {theirs!r} on {reference}"
    where = _WHERE.get(scope, scope)
    return Cause(
        type="environment",
        subject=name,
        text=text,
        confidence="recorded",
        claims=[divergence.id],
        evidence=[Evidence(text=f"compared: {where} and the image's ENV", confidence="recorded")],
        image_record=place if divergence.kind != "extra" else None,
    )
