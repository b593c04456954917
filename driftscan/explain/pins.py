"""Preferences that keep apt from the version the other side has (apt_preferences(5))."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from driftscan.explain import suites
from driftscan.explain.case import Case
from driftscan.explain.records import newest
from driftscan.explain.wording import logged
from driftscan.model import Cause, Confidence, Divergence, Evidence, Item, Side, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`pin`: one cause a pattern of package names, with the file that sets it."""
    pins = [d for d in open_ if d.section == "apt-pins"]
    patterns = sorted({_pattern(pin) for pin in pins})
    causes: list[Cause] = []
    taken: set[str] = set()
    for pattern in patterns:
        mine = [pin for pin in pins if _pattern(pin) == pattern]
        causes.append(_pin(case, pattern, mine, [d for d in open_ if d.id not in taken]))
        taken.update(causes[-1].claims)
    return causes


def _pattern(pin: Divergence) -> str:
    return pin.key.partition("|")[0]


def _pin(
    case: Case, pattern: str, pins: Sequence[Divergence], open_: Sequence[Divergence]
) -> Cause:
    ours = [pin for pin in pins if pin.kind != "missing"]
    side = case.subject if ours else case.reference
    told = [_told(case, side, pin) for pin in ours or pins]
    sure = {d.id: how for d in open_ for pin in pins if (how := _blocked(case, pin, d))}
    blocked = [d for d in open_ if d.id in sure]
    record = newest(case.records.record(d.key) for d in blocked)
    other = f", {case.subject.label} does not" if not ours else ""
    weak = any(how == "inferred" for how in sure.values())
    return Cause(
        type="pin",
        subject=pattern,
        text=f"{side.label} pins {pattern} to {'; '.join(e.text for e in told)}{other}",
        confidence="inferred" if weak else "recorded",
        claims=[*(pin.id for pin in pins), *(d.id for d in blocked)],
        evidence=[*told, *([logged(record)] if record else [])],
        host_record=record,
        image_record=case.changed_by(case.reference, blocked[0].key) if blocked else None,
        also=sorted({name for d in blocked for name in suites.would_bring(case, d)}),
    )


def _told(case: Case, side: Side, pin: Divergence) -> Evidence:
    """What the pin says, and where it stands."""
    expression = pin.key.partition("|")[2]
    place = str(case.evidence(side, "apt-pin-files").get(pin.key, {}).get("place", ""))
    text = f"{expression}, priority {_priority(pin)}" + (f" ({place})" if place else "")
    cites = case.cite(side, "apt-pins", pin.key)
    cites += case.cite(side, "apt-pin-files", pin.key) if place else []
    return Evidence(text=text, confidence="recorded", cites=cites)


def _priority(pin: Divergence) -> str:
    return str((pin.subject or pin.reference or {}).get("priority", ""))


_INSTALLED = 100
_DEFAULT = 500
"""Priorities of the installed version and of any other one (apt_preferences(5))."""


def _blocked(case: Case, pin: Divergence, package: Divergence) -> Confidence | Literal[""]:
    """How sure it is that the pin keeps the package from the other side's version."""
    if package.section != "dpkg" or package.kind != "changed":
        return ""
    pattern, _, expression = pin.key.partition("|")
    kind, _, argument = expression.partition(" ")
    try:
        priority = int(_priority(pin))
    except ValueError:
        return ""
    here, there = package.subject or {}, package.reference or {}
    mine, other = (there, here) if pin.kind == "missing" else (here, there)
    if kind == "version" and _covers(pattern, package):
        kept = priority > _DEFAULT and _version_fits(argument, mine)
        barred = priority <= _INSTALLED and _version_fits(argument, other)
        return "recorded" if kept or barred else ""
    if kind == "release" and priority <= _INSTALLED and _covers(pattern, package, every=True):
        return "inferred" if _from_release(case, argument, package, other) else ""
    if kind in ("release", "origin") and priority > _DEFAULT and _covers(pattern, package):
        return "inferred"
    return ""


def _covers(pattern: str, package: Divergence, *, every: bool = False) -> bool:
    """Whether one of the names, shell patterns or `src:` names is the package's."""
    if pattern == "*":
        return every
    names = pattern.split()
    return any(
        package.group == name.removeprefix("src:")
        if name.startswith("src:")
        else fnmatchcase(package.key, name)
        for name in names
    )


def _version_fits(argument: str, item: Item) -> bool:
    return fnmatchcase(str(item.get("version", "")), argument.strip())


_CODENAME = re.compile(r"(?:^|[,\s])[na]=([^,\s]+)")


def _from_release(case: Case, argument: str, package: Divergence, other: Item) -> bool:
    """Whether the other version comes from the suite that the pin bars, as far as is known."""
    match = _CODENAME.search(argument)
    delta = case.pairs.deltas.get(package.group)
    if match is None or not suites.is_older(package):
        return False
    if delta and delta.entries:
        return match[1] in delta.entries[0].distributions
    update = match[1].endswith(("-security", "-updates"))
    return update and suites.STABLE_UPDATE.search(str(other.get("version", ""))) is not None
