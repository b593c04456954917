"""Preferences that keep apt from the version the other side has (apt_preferences(5))."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from driftscan.explain import filetimes, suites
from driftscan.explain.case import Case
from driftscan.explain.records import newest
from driftscan.explain.wording import kept, some
from driftscan.model import (
    Cause,
    Confidence,
    Divergence,
    Evidence,
    HostRecord,
    Item,
    Side,
    Want,
    managers,
)
from driftscan.model.managers import is_package


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`pin`: one cause a pattern of package names, with the file that sets it."""
    pins = [d for d in open_ if d.section == "apt-pins"]
    causes = [_wish(case, d, open_) for d in open_ if d.section == _WISHES]
    causes += [_ignored(case, d, open_) for d in open_ if d.section == _IGNORED]
    causes += [_excluded(case, d, open_) for d in open_ if d.section == _EXCLUDED]
    taken: set[str] = set()
    for mine in _stanzas(case, pins):
        causes.append(_pin(case, mine, [d for d in open_ if d.id not in taken]))
        taken.update(causes[-1].claims)
    return causes


_WISHES = "apk-pins"
_IGNORED = "pacman-pins"


def _ignored(case: Case, pin: Divergence, open_: Sequence[Divergence]) -> Cause:
    """A pattern of IgnorePkg or IgnoreGroup of pacman.conf(5); who is in a group is not known."""
    side = case.reference if pin.kind == "missing" else case.subject
    other = case.subject if pin.kind == "missing" else case.reference
    rule = str((pin.subject or pin.reference or {}).get("rule", ""))
    text = f"{rule} = {pin.key} in /etc/pacman.conf of {side.label}"
    told = Evidence(text=text, confidence="recorded", cites=case.cite(side, _IGNORED, pin.key))
    blocked = [
        d.id
        for d in open_
        if rule == "IgnorePkg"
        and is_package(d)
        and d.kind == "changed"
        and fnmatchcase(d.key, pin.key)
    ]
    return Cause(
        type="pin",
        subject=pin.key,
        text=f"pacman of {side.label} leaves out {pin.key} ({rule})"
        + ("" if pin.kind == "changed" else f", that of {other.label} does not"),
        confidence="recorded",
        claims=[pin.id, *blocked],
        evidence=[told],
    )


def _wish(case: Case, pin: Divergence, open_: Sequence[Divergence]) -> Cause:
    """`!name` and `name@tag` of apk-world(5): a package that may not come, or from one place only.

    That it is why the package differs is inferred: nothing tells what apk would do without.
    """
    side = case.reference if pin.kind == "missing" else case.subject
    other = case.subject if pin.kind == "missing" else case.reference
    rule = str((pin.subject or pin.reference or {}).get("rule", ""))
    word = f"!{pin.key}{rule.removeprefix('!')}" if rule.startswith("!") else f"{pin.key}{rule}"
    told = Evidence(
        text=f"/etc/apk/world of {side.label} says {word}",
        confidence="recorded",
        cites=case.cite(side, _WISHES, pin.key),
    )
    blocked = [d.id for d in open_ if is_package(d) and d.key == pin.key]
    return Cause(
        type="pin",
        subject=pin.key,
        text=f"{side.label} has {word} in /etc/apk/world"
        + ("" if pin.kind == "changed" else f", {other.label} has not"),
        confidence="inferred" if blocked else "recorded",
        claims=[pin.id, *blocked],
        evidence=[told],
    )


_EXCLUDED = "rpm-pins"


def _excluded(case: Case, pin: Divergence, open_: Sequence[Divergence]) -> Cause:
    """`exclude=` of dnf.conf(5), or an entry of dnf-versionlock(8) that is no single package."""
    side = case.reference if pin.kind == "missing" else case.subject
    other = case.subject if pin.kind == "missing" else case.reference
    kind, pattern, where = [*pin.key.split("|"), "", ""][:3]
    place = case.evidence(side, "rpm-pin-files").get(pin.key, {}).get("place")
    cites = case.cite(side, _EXCLUDED, pin.key)
    cites += case.cite(side, "rpm-pin-files", pin.key) if place else []
    text = (
        f"{kind} {pattern}" + (f" of {where}" if where else "") + (f" ({place})" if place else "")
    )
    blocked = [d.id for d in open_ if is_package(d) and d.kind != "extra" and _fits(pattern, d)]
    return Cause(
        type="pin",
        subject=pattern,
        text=f"dnf of {side.label} keeps to {text}"
        + ("" if pin.kind == "changed" else f", that of {other.label} does not"),
        confidence="inferred" if kind != "exclude" and blocked else "recorded",
        claims=[pin.id, *blocked],
        evidence=[Evidence(text=text, confidence="recorded", cites=cites)],
    )


def _fits(pattern: str, package: Divergence) -> bool:
    """By name, name and architecture, or those with a version of either side (dnf(8))."""
    name = managers.bare(package.key)
    arch = package.key.removeprefix(name)
    versions = {str((i or {}).get("version", "")) for i in (package.subject, package.reference)}
    full = {f"{name}-{version}{end}" for version in versions for end in ("", arch)}
    return any(fnmatchcase(text, pattern) for text in {name, package.key, *full})


def _stanzas(case: Case, pins: Sequence[Divergence]) -> list[list[Divergence]]:
    """The pins of one stanza together, which names several packages; then those of one name."""
    stanzas: dict[tuple[str, str, str], list[Divergence]] = {}
    for pin in pins:
        side = case.reference if pin.kind == "missing" else case.subject
        place = _place(case, side, pin)
        said = (place, pin.key.partition("|")[2], _priority(pin)) if place else (pin.key, "", "")
        stanzas.setdefault(said, []).append(pin)
    merged: dict[str, list[Divergence]] = {}
    for mine in stanzas.values():
        merged.setdefault(min(_pattern(pin) for pin in mine), []).extend(mine)
    return [merged[name] for name in sorted(merged)]


def _place(case: Case, side: Side, pin: Divergence) -> str:
    return str(case.evidence(side, "apt-pin-files").get(pin.key, {}).get("place", ""))


def _pattern(pin: Divergence) -> str:
    return pin.key.partition("|")[0]


def _pin(case: Case, pins: Sequence[Divergence], open_: Sequence[Divergence]) -> Cause:
    ours = [pin for pin in pins if pin.kind != "missing"]
    side = case.subject if ours else case.reference
    told = [_told(case, side, pin, pins) for pin in ours or pins]
    sure = {d.id: how for d in open_ for pin in pins if (how := _blocked(case, pin, d))}
    blocked = [d for d in open_ if d.id in sure]
    record = newest(case.records.record(d.key) for d in blocked)
    other = f", {case.subject.label} does not" if not ours else ""
    weak = any(how == "inferred" for how in sure.values())
    names = sorted({_pattern(pin) for pin in pins})
    said = sorted({_said(case, side, pin) for pin in ours or pins})
    return Cause(
        type="pin",
        subject=names[0],
        text=f"{side.label} pins {some(names)} to {'; '.join(said)}{other}",
        confidence="inferred" if weak else "recorded",
        claims=[*(pin.id for pin in pins), *(d.id for d in blocked)],
        evidence=[*told, *([kept(record)] if record else [])],
        host_record=_written(case, ours),
        image_record=case.changed_by(case.reference, blocked[0].key) if blocked else None,
        also=sorted({name for d in blocked for name in suites.would_bring(case, d)}),
    )


def _written(case: Case, ours: Sequence[Divergence]) -> HostRecord | None:
    """When the files of the subject's own pins were last changed."""
    places = {pin.key: _place(case, case.subject, pin).rpartition(":")[0] for pin in ours}
    placed = [key for key, place in places.items() if place]
    return filetimes.record(
        case,
        filetimes.SET,
        sorted({places[key] for key in placed}),
        named_by=case.cite(case.subject, "apt-pin-files", *placed),
    )


def _said(case: Case, side: Side, pin: Divergence) -> str:
    place = _place(case, side, pin)
    where = f" ({place})" if place else ""
    return f"{pin.key.partition('|')[2]}, priority {_priority(pin)}{where}"


def _told(case: Case, side: Side, pin: Divergence, stanza: Sequence[Divergence]) -> Evidence:
    """What the pin says, and where it stands; which pins stand together is told by their places."""
    text = f"{_pattern(pin)}: {_said(case, side, pin)}"
    cites = case.cite(side, "apt-pins", pin.key)
    placed = [other.key for other in stanza if _place(case, side, other)]
    cites += case.cite(side, "apt-pin-files", *placed)
    return Evidence(text=text, confidence="recorded", cites=cites)


def _priority(pin: Divergence) -> str:
    return str((pin.subject or pin.reference or {}).get("priority", ""))


_INSTALLED = 100
_DEFAULT = 500
"""Priorities of the installed version and of any other one (apt_preferences(5))."""


def _blocked(case: Case, pin: Divergence, package: Divergence) -> Confidence | Literal[""]:
    """How sure it is that the pin keeps the package from the other side's version."""
    if not is_package(package) or package.kind != "changed":
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
    if kind == "release" and priority > _DEFAULT and _covers(pattern, package, every=True):
        return "inferred" if pin.kind != "missing" and _beats(case, argument, package) else ""
    return ""


_BESIDE = ("-security", "-updates", "-backports")


def _beats(case: Case, argument: str, package: Divergence) -> bool:
    """Whether the suite that is preferred keeps apt from the one that has the newer version.

    That is what its changelog names. One that the subject does not have is a cause of its own.
    """
    match = _CODENAME.search(argument)
    delta = case.pairs.deltas.get(package.group)
    if match is None or not suites.is_older(package) or not (delta and delta.entries):
        return False
    theirs = delta.entries[0].distributions
    other = any(suite.endswith(_BESIDE) for suite in theirs) and match[1] not in theirs
    return other and not suites.would_bring(case, package)


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
