"""Python distributions that no package owns: pip's beside, before or instead of the packages'."""

import re
from collections.abc import Callable, Sequence

from driftscan.explain import filetimes, loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, HostRecord, Item, Side, Want

SECTION = "python"
_LOCAL = "/usr/local/"


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`pip-over-apt`, one a distribution; what else an installer put there, one cause a place."""
    own = [d for d in open_ if d.section == SECTION and _unowned(d)]
    over = [d for d in own if _hidden(case, d)]
    rest: dict[str, list[Divergence]] = {}
    for divergence in own:
        if divergence not in over and _installer(divergence):
            rest.setdefault(_place(divergence.key), []).append(divergence)
    return [
        *(_over(case, divergence, _hidden(case, divergence)) for divergence in over),
        *(_installed(case, place, rest[place]) for place in sorted(rest)),
    ]


def _unowned(divergence: Divergence) -> bool:
    return not any(
        item and item.get("owner") for item in (divergence.subject, divergence.reference)
    )


def _name(key: str) -> str:
    return key.partition("//")[2].partition("@")[0]


def _place(key: str) -> str:
    return key.partition("@")[2]


def _hidden(case: Case, divergence: Divergence) -> str:
    """The key of the packages' own copy of the same name that the subject has too."""
    if divergence.subject is None or not _place(divergence.key).startswith(_LOCAL):
        return ""
    prefix = f"pypi//{_name(divergence.key)}@/usr/lib/"
    copies = case.facts(case.subject, SECTION)
    found = sorted(key for key in copies if key.startswith(prefix))
    return found[0] if found else ""


def _over(case: Case, divergence: Divergence, hidden: str) -> Cause:
    name, own = _name(divergence.key), divergence.subject or {}
    packaged = case.facts(case.subject, SECTION)[hidden]
    owner = str(packaged.get("owner") or _place(hidden))
    first = Evidence(
        text=f"Python looks into {_place(divergence.key)} before {_place(hidden)}",
        confidence="recorded",
        cites=case.cite(case.subject, SECTION, divergence.key, hidden),
    )
    mixed = _mixed(case, divergence.key)
    asked = _asked(case, [divergence])
    users = loaded.maps(case, _below(f"{_place(divergence.key)}/{name}"))
    return Cause(
        type="pip-over-apt",
        subject=name,
        text=f"{_by(own)} {name} {own.get('version', '')} hides {packaged.get('version', '')} "
        f"of {owner} on {case.subject.label}{_with(case, mixed)}",
        confidence="recorded",
        level="in-use" if users or asked else "installed",
        claims=[divergence.id],
        evidence=[first, *_mix(case, divergence.key, mixed), *users, *asked],
        host_record=_record(case, [divergence]),
    )


def _asked(case: Case, members: Sequence[Divergence]) -> list[Evidence]:
    """Those that somebody asked the installer for by name, by its own mark (PEP 376)."""
    needs = case.evidence(case.subject, "python-needs")
    keys = [d.key for d in members if d.subject and needs.get(d.key, {}).get("requested") is True]
    if not keys:
        return []
    cites = case.cite(case.subject, "python-needs", *keys)
    text = f"{loaded.some([_name(key) for key in keys])} was asked for by name (REQUESTED)"
    return [Evidence(text=text, confidence="recorded", cites=cites)]


def _by(item: Item) -> str:
    installer = item.get("installer")
    return f"{installer}'s" if installer else "an unpackaged"


def _below(prefix: str) -> Callable[[str], bool]:
    """Files of the distribution's own directory, whose name is mostly the distribution's."""
    plain = prefix.lower().replace("-", "_")
    own = (f"{plain}/", f"{plain}.libs/")
    return lambda path: path.lower().replace("-", "_").startswith(own)


def _mixed(case: Case, key: str) -> list[str]:
    """What it needs and only the packages bring."""
    needs = case.evidence(case.subject, "python-needs").get(key, {}).get("needs")
    copies = case.facts(case.subject, SECTION)
    found: list[str] = []
    for name in needs if isinstance(needs, list) else ():
        places = sorted(other for other in copies if other.startswith(f"pypi//{name}@"))
        if places and all(copies[other].get("owner") for other in places):
            found.append(places[0])
    return found


def _with(case: Case, mixed: Sequence[str]) -> str:
    copies = case.facts(case.subject, SECTION)
    names = [f"{_name(key)} {copies[key].get('version', '')}" for key in mixed]
    return f", together with apt's {loaded.some(names)}" if names else ""


def _mix(case: Case, key: str, mixed: Sequence[str]) -> list[Evidence]:
    if not mixed:
        return []
    cites = case.cite(case.subject, "python-needs", key)
    cites += case.cite(case.subject, SECTION, *mixed)
    names = loaded.some([_name(other) for other in mixed])
    text = f"it needs {names}, which packages bring: a mix that neither side tests"
    return [Evidence(text=text, confidence="recorded", cites=cites)]


def _installer(divergence: Divergence) -> str:
    item = divergence.subject or divergence.reference or {}
    return str(item.get("installer") or "")


def _installed(case: Case, place: str, members: Sequence[Divergence]) -> Cause:
    """What INSTALLER says was put there: with the Dockerfile's line where the image has it."""
    here = [d for d in members if d.subject is not None]
    there = [d for d in members if d.reference is not None]
    cites = case.cite(case.subject, SECTION, *(d.key for d in here))
    cites += case.cite(case.reference, SECTION, *(d.key for d in there))
    names = sorted({_installer(d) for d in members})
    evidence = Evidence(
        text=f"INSTALLER of each names {', '.join(names)}", confidence="recorded", cites=cites
    )
    told = [_told(case, d) for d in members]
    asked = _asked(case, members)
    lines = [case.line_with(case.reference, "pip", _name(d.key)) for d in there]
    line = next((place for place in lines if place), None)
    return Cause(
        type="pip",
        subject=place,
        text=f"{', '.join(names)} put into {place}: {loaded.some(told)}",
        confidence="recorded",
        level="in-use" if asked else "installed",
        claims=[d.id for d in members],
        evidence=[evidence, *asked],
        host_record=_record(case, here),
        image_record=line,
    )


def _told(case: Case, divergence: Divergence) -> str:
    name = _name(divergence.key)
    ours, theirs = _version(divergence.subject), _version(divergence.reference)
    if divergence.kind == "changed":
        return f"{name} {ours} on {case.subject.label}, {theirs} on {case.reference.label}"
    side: Side = case.subject if divergence.kind == "extra" else case.reference
    return f"{name} {ours or theirs} on {side.label} only"


def _version(item: Item | None) -> str:
    return str((item or {}).get("version", ""))


_INFO = re.compile(r"(.+?)-[0-9][^/]*-info")


def _record(case: Case, members: Sequence[Divergence]) -> HostRecord | None:
    """The newest time of their directories, whose names are not normalised as the keys are."""
    wanted = {(_place(d.key), _name(d.key)) for d in members}
    paths: list[str] = []
    for path in case.evidence(case.subject, "local-files"):
        place, _, base = path.rpartition("/")
        match = _INFO.fullmatch(base)
        if match and (place, re.sub(r"[-_.]+", "-", match.group(1)).lower()) in wanted:
            paths.append(path)
    return filetimes.record(case, "local-files", paths)
