"""Whether the subject's own package lists have the versions that its remedy asks for."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from driftscan.explain import expectations
from driftscan.explain.case import Case
from driftscan.explain.remedies import packages, words
from driftscan.model import Cause, Failed, Partial, Want
from driftscan.model.managers import DPKG, is_package

KIND = "available"
_SNAPSHOTS = {
    "debian": "http://snapshot.debian.org/archive/debian",
    "ubuntu": "http://snapshot.ubuntu.com/ubuntu",
}


def wants(case: Case) -> list[Want]:
    """Each package that would be installed, as the subject's lists know it."""
    if case.subject.is_image or case.releases_differ or case.sections != (DPKG.section,):
        return []
    settled = {member for group in expectations.expected(case) for member in group.members}
    back = case.reference.is_image
    moving = [
        d
        for d in case.comparison.divergences
        if is_package(d) and d.id not in settled and not (back and d.direction == "newer")
    ]
    changed = [d for d in moving if d.kind == "changed" and "version" in d.changes]
    missing = [d for d in moving if d.kind == "missing"]
    pins = packages.exact(case, changed, missing)
    return [Want(side="subject", kind=KIND, name=pin.partition("=")[0]) for pin in pins]


def notes(case: Case, pins: Sequence[str], causes: Sequence[Cause]) -> list[str]:
    """What the lists have of `name=version`; nothing when nobody asked."""
    if case.records.manager is not DPKG and pins:
        return [_unread(case)]
    section = case.subject.fingerprint.details.get(KIND)
    if section is None or not pins:
        return []
    items = case.details(case.subject, KIND)
    offered = {pin: items.get(pin.partition("=")[0]) for pin in pins}
    known = {pin: _versions(item.get("versions")) for pin, item in offered.items() if item}
    if not known:
        return [f"unknown whether {case.subject.label} can get these versions: {_why(section)}"]
    age = _age(item.get("fetched") for item in offered.values() if item)
    lacking = [pin for pin, found in known.items() if pin.partition("=")[2] not in found]
    whose = f"the package lists of {case.subject.label} ({age})"
    unasked = len(pins) - len(known)
    rest = f"; of {unasked} it is unknown" if unasked else ""
    if not lacking:
        return [f"{whose} have {_all(len(known))}{rest}"]
    has = len(known) - len(lacking)
    number = f"{whose} have {has or 'none'} of these {len(known)} versions{rest}"
    if any(cause.type == "repository-missing" for cause in causes):
        others = f"the other {len(lacking)}" if has else "them"
        return [f"{number}: the added repository has to bring {others}"]
    first = lacking[0]
    offers = ", ".join(known[first][-3:]) or "none"
    return [
        f"{number}; not {_some(lacking)} (they offer {offers}): "
        "newer lists may, after apt-get update",
        f"else: {_elsewhere(case)}",
    ]


def _unread(case: Case) -> str:
    """Metadata of dnf, apk and pacman are read by their own tools only, and none runs on a host."""
    here, tool = case.subject.label, case.records.manager.tool
    image = case.reference.is_image
    else_ = f": else set {here} up again from {case.reference.label}" if image else ""
    return f"unknown whether {tool} of {here} can still get these versions{else_}"


def _all(count: int) -> str:
    return f"all {count} versions" if count > 1 else "this version"


def _some(pins: Sequence[str]) -> str:
    more = f" and {len(pins) - 2} more" if len(pins) > 2 else ""
    return ", ".join(pins[:2]) + more


def _versions(value: object) -> list[str]:
    return [str(version) for version in value] if isinstance(value, list) else []


def _why(section: object) -> str:
    match section:
        case Failed(reason=reason):
            return reason
        case Partial(gaps=gaps) if gaps:
            return gaps[0]
        case _:
            return "its package lists do not name them"


def _age(times: Iterable[object]) -> str:
    found = [time for time in times if isinstance(time, int)]
    if not found:
        return "of unknown age"
    return f"of {datetime.fromtimestamp(max(found), UTC):%Y-%m-%d}"


def _elsewhere(case: Case) -> str:
    """Where a version can come from that no repository carries any more."""
    ways = ["the .deb in /var/cache/apt/archives of a host that has it"]
    release = case.facts(case.reference, "os").get("release", {})
    base, codename = _SNAPSHOTS.get(str(release.get("id"))), str(release.get("codename", ""))
    moment = _moment(case)
    if base and moment and words.fits(words.NAME, codename):
        line = f"deb [check-valid-until=no] {base}/{moment}/ {codename} main"
        ways.insert(0, f"the archive as it was then, `{line}`")
    image = case.reference.is_image
    ways.append(f"set {case.subject.label} up again from {case.reference.label}" if image else "")
    return ", or ".join(way for way in ways if way)


def _moment(case: Case) -> str:
    """When the reference had the version: the image's build, else when the host was asked."""
    baseline = case.reference.baseline
    stamp = baseline.built if baseline else case.reference.fingerprint.meta.taken
    digits = "".join(char for char in stamp if char.isdecimal())
    return f"{digits[:8]}T{digits[8:14]}Z" if len(digits) >= 14 else ""
