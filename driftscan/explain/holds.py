"""Packages that are not allowed to move: holds and pins."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`hold` and `pin`: each names the package or pattern that is blocked, and where."""
    return [*_holds(case, open_), *_pins(case, open_)]


def _holds(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    held = [d for d in open_ if d.section == "dpkg" and _held(d.subject) and not _held(d.reference)]
    causes: list[Cause] = []
    for group in sorted({d.group for d in held}):
        members = [d for d in held if d.group == group]
        names = ", ".join(d.key for d in members)
        causes.append(
            Cause(
                type="hold",
                subject=group,
                text=f"{names} is on hold on {case.subject.label}: no upgrade moves it",
                confidence="recorded",
                claims=[d.id for d in members],
                evidence=[Evidence(text=f"dpkg selection hold: {names}", confidence="recorded")],
            )
        )
    return causes


def _held(item: Item | None) -> bool:
    return item is not None and item.get("want") == "hold"


def _pins(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    pins = [d for d in open_ if d.section == "apt-pins" and d.kind in ("extra", "changed")]
    patterns = sorted({pin.key.partition("|")[0] for pin in pins})
    return [
        _pin(case, pattern, [p for p in pins if p.key.partition("|")[0] == pattern], open_)
        for pattern in patterns
    ]


def _pin(
    case: Case, pattern: str, pins: Sequence[Divergence], open_: Sequence[Divergence]
) -> Cause:
    blocked = [d for d in open_ if d.section == "dpkg" and _pinned(d, pattern)]
    told = [_told(case, pin) for pin in pins]
    return Cause(
        type="pin",
        subject=pattern,
        text=f"{case.subject.label} pins {pattern} to {'; '.join(told)}",
        confidence="recorded",
        claims=[*(pin.id for pin in pins), *(d.id for d in blocked)],
        evidence=[Evidence(text=f"apt preferences: {one}", confidence="recorded") for one in told],
    )


def _told(case: Case, pin: Divergence) -> str:
    expression = pin.key.partition("|")[2]
    priority = str((pin.subject or {}).get("priority", ""))
    places = case.evidence(case.subject, "apt-pin-files")
    place = str(places.get(pin.key, {}).get("place", ""))
    return f"{expression}, priority {priority}" + (f" ({place})" if place else "")


def _pinned(divergence: Divergence, pattern: str) -> bool:
    if divergence.kind != "changed" or pattern == "*":
        return False
    names = pattern.split(" ")
    return any(fnmatchcase(divergence.key, name) for name in names) or any(
        name.removeprefix("src:") == divergence.group for name in names if name.startswith("src:")
    )
