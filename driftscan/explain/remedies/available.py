"""Whether the subject's own package lists have the versions that its remedy asks for."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from driftscan import versions
from driftscan.explain import expectations
from driftscan.explain.case import Case
from driftscan.explain.remedies import packages, words
from driftscan.model import Cause, Failed, Partial, Want
from driftscan.model.managers import DPKG, is_package

KIND = "available"


def _debian(suite: str) -> str:
    """Security updates are an archive of their own (snapshot.debian.org)."""
    security = suite.endswith(("-security", "/updates"))
    return f"http://snapshot.debian.org/archive/debian{'-security' if security else ''}"


def _ubuntu(_suite: str) -> str:
    return "http://snapshot.ubuntu.com/ubuntu"


_SNAPSHOTS = {"debian": _debian, "ubuntu": _ubuntu}


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
    number = f"{whose} {_have(has, len(known))}{rest}"
    if any(cause.type == "repository-missing" for cause in causes):
        others = f"the other {len(lacking)}" if has else "them" if len(known) > 1 else "it"
        return [f"{number}: the added repository has to bring {others}"]
    first = lacking[0]
    offers = ", ".join(known[first][-3:]) or "none"
    told = f"{number}; not {_some(lacking)} (they offer {offers})"
    where = _elsewhere(case, [pin.partition("=")[0] for pin in lacking])
    if all(_gone(pin, known[pin]) for pin in lacking):
        return [f"{told}: its repositories have newer ones by now", f"take {where}"]
    return [f"{told}: newer lists may, after apt-get update", f"else: {where}"]


def _gone(pin: str, offered: Sequence[str]) -> bool:
    """A repository has one version of a package, and never goes back."""
    wanted = pin.partition("=")[2]
    return any(versions.compare(DPKG.ecosystem, wanted, other) == -1 for other in offered)


def _have(has: int, of: int) -> str:
    if of == 1:
        return "do not have this version"
    return f"have {has or 'none'} of these {of} versions"


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


def _elsewhere(case: Case, names: Sequence[str]) -> str:
    """Where versions can come from that no repository carries any more."""
    lines = _snapshots(case, names)
    ways = [f"the archive as it was then, {' and '.join(lines)}"] if lines else []
    ways.append("the .deb in /var/cache/apt/archives of a host that has it")
    image = case.reference.is_image
    ways.append(f"set {case.subject.label} up again from {case.reference.label}" if image else "")
    return ", or ".join(way for way in ways if way)


def _snapshots(case: Case, names: Sequence[str]) -> list[str]:
    """Lines of sources.list(5) for the distribution's own suites that had these packages.

    Those that the changelogs name, else all that the reference uses.
    """
    release = case.facts(case.reference, "os").get("release", {})
    system, moment = str(release.get("id")), _moment(case)
    if system not in _SNAPSHOTS or not moment:
        return []
    own = {
        (suite, component)
        for key in case.facts(case.reference, "repositories")
        for origin, _, rest in [key.partition("/")]
        for suite, _, component in [rest.rpartition("/")]
        if origin.lower() == system and words.fits(words.SUITE, suite, component)
    }
    named = {suite for name in names for suite in _suites(case, name)}
    chosen = {pair for pair in own if pair[0] in named} or own
    return [
        f"`deb [check-valid-until=no] {_SNAPSHOTS[system](suite)}/{moment}/ {suite} {component}`"
        for suite, component in sorted(chosen)
    ]


def _suites(case: Case, name: str) -> list[str]:
    """Where the reference's version of the package was uploaded to, by its changelog."""
    package = case.package(name)
    delta = case.pairs.deltas.get(package.group) if package else None
    return [*delta.entries[0].distributions] if delta and delta.entries else []


def _moment(case: Case) -> str:
    """When the reference had the version: the image's build, else when the host was asked."""
    baseline = case.reference.baseline
    stamp = baseline.built if baseline else case.reference.fingerprint.meta.taken
    digits = "".join(char for char in stamp if char.isdecimal())
    return f"{digits[:8]}T{digits[8:14]}Z" if len(digits) >= 14 else ""
