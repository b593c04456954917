"""Packages that are on hold: no upgrade moves them."""

from collections.abc import Sequence

from driftscan.explain import suites
from driftscan.explain.case import Case
from driftscan.explain.records import newest
from driftscan.explain.wording import kept
from driftscan.model import Cause, Divergence, Evidence, Item, Want
from driftscan.model.managers import MANAGERS, is_package


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`hold`: one cause a source package; what would have to be lifted before anything else."""
    changed = [d for d in open_ if is_package(d) and d.kind == "changed"]
    held = [d for d in changed if _held(d.subject) and not _held(d.reference)]
    groups = sorted({d.group for d in held})
    return [_hold(case, group, [d for d in held if d.group == group]) for group in groups]


def _held(item: Item | None) -> bool:
    return item is not None and item.get("want") == "hold"


def _hold(case: Case, group: str, members: Sequence[Divergence]) -> Cause:
    keys = [d.key for d in members]
    names = ", ".join(keys)
    record = newest(case.records.record(key) for key in keys)
    cites = case.cite_packages(case.subject, *keys)
    text = f"{MANAGERS[members[0].section].hold}: {names}"
    return Cause(
        type="hold",
        subject=group,
        text=f"{names} {'is' if len(keys) == 1 else 'are'} on hold on {case.subject.label}: "
        "no upgrade moves it; nothing logs when that was set",
        confidence="recorded",
        claims=[d.id for d in members],
        evidence=[
            Evidence(text=text, confidence="recorded", cites=cites),
            *([kept(record)] if record else []),
        ],
        image_record=case.changed_by(case.reference, keys[0]),
        also=sorted({name for d in members for name in suites.would_bring(case, d)}),
    )
