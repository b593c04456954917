"""Files that were changed by hand: alternatives, configuration files, and a package's own."""

from collections.abc import Sequence

from driftscan.explain import filetimes, impact, java, loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, HostRecord, Item, Place, Side, Want


def wants(case: Case) -> list[Want]:
    """Which Java the applications need, where an older one wins."""
    return java.wants(case)


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`alternative`: a link group in manual mode, with the programs that win because of it;
    `conffile-edited` and `package-file-changed`: one cause a package, by the sums of what it
    shipped."""
    chosen = [d for d in open_ if d.section == "alternatives"]
    edited: dict[str, list[Divergence]] = {}
    changed: dict[str, list[Divergence]] = {}
    for divergence in open_:
        kind = {"conffiles": edited, "verified": changed}.get(divergence.section)
        if kind is not None:
            kind.setdefault(_package(divergence), []).append(divergence)
    return [
        *(_alternative(case, divergence, open_) for divergence in chosen),
        *(_edited(case, package, edited[package]) for package in sorted(edited)),
        *(_changed(case, package, changed[package]) for package in sorted(changed)),
    ]


# --- alternatives ------------------------------------------------------------------------------


def _alternative(case: Case, divergence: Divergence, open_: Sequence[Divergence]) -> Cause:
    name = divergence.key
    winners = [d for d in open_ if d.section == "winners" and d.key.startswith(f"{name}@")]
    copies = {f"runtimes:{name}|{(d.subject or {}).get('real', '')}" for d in winners}
    claims = [divergence.id, *(d.id for d in winners)]
    claims += [d.id for d in open_ if d.id in copies]
    claims += java.beside(winners[0].subject, open_) if winners else []
    evidence: list[Evidence] = []
    for side, item in ((case.subject, divergence.subject), (case.reference, divergence.reference)):
        if item is not None:
            text = f"update-alternatives has {name} as manual on {side.label}: {item['target']}"
            cites = case.cite(side, "alternatives", name)
            evidence.append(Evidence(text=text, confidence="recorded", cites=cites))
    fails = java.too_old(case, winners[0].subject) if name == "java" and winners else []
    return Cause(
        type="alternative",
        subject=name,
        text=_text(case, divergence) + _wins(case, winners),
        confidence="recorded",
        level="breaks" if fails else "installed",
        claims=claims,
        evidence=[*fails, *evidence],
        host_record=_logged(case, name) if divergence.subject is not None else None,
    )


def _wins(case: Case, winners: Sequence[Divergence]) -> str:
    """The versions of what wins because of it."""
    versions = [_version(item) for d in winners[:1] for item in (d.subject, d.reference)]
    if not all(versions) or len(set(versions)) < 2:
        return ""
    subject, reference = case.subject.label, case.reference.label
    return f": {versions[0]} wins on {subject}, {versions[1]} on {reference}"


def _version(item: Item | None) -> str:
    return str((item or {}).get("version", ""))


def _logged(case: Case, name: str) -> HostRecord | None:
    """The command that set it last, by update-alternatives' own log, which names no user."""
    item = case.evidence(case.subject, "alternatives-log").get(name)
    if item is None:
        return None
    return HostRecord(
        time=str(item.get("time", ""))[:16],
        zone=case.records.zone,
        user="root or unknown",
        command=str(item.get("command", "")),
        source="alternatives log",
        cites=case.records.cites("alternatives-log", name),
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


# --- configuration files -----------------------------------------------------------------------


def _package(divergence: Divergence) -> str:
    item = divergence.subject or divergence.reference or {}
    return str(item.get("package", ""))


def _edited(case: Case, package: str, members: Sequence[Divergence]) -> Cause:
    here = [d.key for d in members if d.subject is not None]
    there = [d.key for d in members if d.reference is not None]
    used = bool(impact.uses(case, [package])) or case.requested(package)
    return Cause(
        type="conffile-edited",
        subject=package or members[0].key,
        text=loaded.some([_told(case, d) for d in members]),
        confidence="recorded",
        level="in-use" if used else "installed",
        claims=[d.id for d in members],
        evidence=[
            *(_sum(case, side, d.key, item) for d in members for side, item in _sides(case, d)),
            *_left(case, here),
        ],
        host_record=filetimes.record(case, "conffile-times", here),
        image_record=_line(case, there),
    )


def _changed(case: Case, package: str, members: Sequence[Divergence]) -> Cause:
    """Files of a package that are no configuration: nobody edits those, something broke them."""
    here = [d.key for d in members if d.subject is not None]
    there = [d.key for d in members if d.reference is not None]
    users = [told for path in here for told in loaded.runs(case, path)]
    users += loaded.maps(case, lambda path: path in here)
    used = bool(users or impact.uses(case, [package]))
    return Cause(
        type="package-file-changed",
        subject=package or members[0].key,
        text=loaded.some([_told(case, d) for d in members]),
        confidence="recorded",
        level="in-use" if used else "installed",
        claims=[d.id for d in members],
        evidence=[
            *(
                _sum(case, side, d.key, item, "verified")
                for d in members
                for side, item in _sides(case, d)
            ),
            *users,
        ],
        host_record=filetimes.record(case, "verified-times", here),
        image_record=_line(case, there),
    )


def _sides(case: Case, divergence: Divergence) -> list[tuple[Side, Item]]:
    pairs = ((case.subject, divergence.subject), (case.reference, divergence.reference))
    return [(side, item) for side, item in pairs if item is not None]


def _told(case: Case, divergence: Divergence) -> str:
    states = [(side.label, str(item.get("state", ""))) for side, item in _sides(case, divergence)]
    if len(states) == 1:
        ((label, state),) = states
        other = case.reference if divergence.subject is not None else case.subject
        return f"{divergence.key} is {state} on {label}, as shipped on {other.label}"
    if states[0][1] == states[1][1]:
        return f"{divergence.key} is {states[0][1]} on both, in different ways"
    return f"{divergence.key} is {' and '.join(f'{state} on {label}' for label, state in states)}"


def _sum(case: Case, side: Side, path: str, item: Item, section: str = "conffiles") -> Evidence:
    text = f"{path} is missing on {side.label}, and its package ships it"
    if item.get("state") != "missing":
        text = f"the sum of {path} on {side.label} is not that of what its package shipped"
    cites = case.cite(side, section, path)
    return Evidence(text=text, confidence="recorded", cites=cites)


def _left(case: Case, paths: Sequence[str]) -> list[Evidence]:
    """What an upgrade left beside: a newer version that was not taken, or the older one."""
    found: list[Evidence] = []
    times = case.evidence(case.subject, "conffile-times")
    for path in paths:
        beside = times.get(path, {}).get("beside")
        if isinstance(beside, list) and beside:
            names = ", ".join(f"{path.rpartition('/')[2]}.{suffix}" for suffix in beside)
            text = f"an upgrade left {names} beside {path}"
            cites = case.cite(case.subject, "conffile-times", path)
            found.append(Evidence(text=text, confidence="recorded", cites=cites))
    return found


def _line(case: Case, paths: Sequence[str]) -> Place | None:
    """The line of the Dockerfile that names the first of them."""
    lines = (case.line_with(case.reference, path) for path in paths)
    return next((place for place in lines if place), None)
