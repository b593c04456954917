"""Packages that are not allowed to move: holds and pins."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item


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
    causes: list[Cause] = []
    places = case.evidence(case.subject, "apt-pin-files")
    for pin in [d for d in open_ if d.section == "apt-pins" and d.kind in ("extra", "changed")]:
        pattern, _, expression = pin.key.partition("|")
        blocked = [d for d in open_ if d.section == "dpkg" and _pinned(d, pattern)]
        priority = str((pin.subject or {}).get("priority", ""))
        place = str(places.get(pin.key, {}).get("place", ""))
        where = f" ({place})" if place else ""
        causes.append(
            Cause(
                type="pin",
                subject=pattern,
                text=f"{case.subject.label} pins {pattern} to {expression}, "
                f"priority {priority}{where}",
                confidence="recorded",
                claims=[pin.id, *(d.id for d in blocked)],
                evidence=[
                    Evidence(text=f"apt preferences{where}: {pin.key}", confidence="recorded")
                ],
            )
        )
    return causes


def _pinned(divergence: Divergence, pattern: str) -> bool:
    if divergence.kind != "changed" or pattern == "*":
        return False
    names = pattern.split(" ")
    return any(fnmatchcase(divergence.key, name) for name in names) or any(
        name.removeprefix("src:") == divergence.group for name in names if name.startswith("src:")
    )
