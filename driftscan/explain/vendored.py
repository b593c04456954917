"""Libraries that an application or a wheel brings along: no update of a package reaches them."""

import re
from collections.abc import Sequence

from driftscan.explain import filetimes, loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, HostRecord, Want

SECTION = "vendored"


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`vendored`: one cause a directory, with what is packaged too and who maps its files."""
    return [_vendored(case, divergence) for divergence in open_ if divergence.section == SECTION]


def _vendored(case: Case, divergence: Divergence) -> Cause:
    place = divergence.key
    here = divergence.subject is not None
    side, other = (case.subject, case.reference) if here else (case.reference, case.subject)
    item = (divergence.subject if here else divergence.reference) or {}
    listed = item.get("libraries")
    names = listed if isinstance(listed, list) else []
    changed = divergence.kind == "changed"
    sides = [case.subject, case.reference] if changed else [side]
    found = Evidence(
        text=f"{place} has {', '.join(names)}",
        confidence="proven",
        cites=[cite for s in sides for cite in case.cite(s, SECTION, place)],
    )
    users = loaded.maps(case, lambda path: path.rpartition("/")[0] == place) if here else []
    where = f"others than on {other.label}" if changed else f"not there on {other.label}"
    return Cause(
        type="vendored",
        subject=place,
        text=f"{place} on {side.label} carries {_count(names)} of its own ({where}): "
        f"updates of packages do not reach {'it' if len(names) == 1 else 'them'}{_mapped(users)}",
        confidence="proven",
        level="in-use" if users else "installed",
        claims=[divergence.id],
        evidence=[found, *_packaged(case, names), *users],
        host_record=_record(case, place) if here else None,
    )


def _mapped(users: Sequence[Evidence]) -> str:
    return f"; {users[0].text}" if users else ""


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} libraries" if len(names) != 1 else names[0]


# lib<name>[-hash].so.N: a wheel's copies have a piece of their own sum in the name.
_NAME = re.compile(r"(lib.+?)(?:-[0-9a-f]{8})?\.so(?:\.([0-9]+))?(?:\..*)?")


def _packaged(case: Case, names: Sequence[str]) -> list[Evidence]:
    """Which of them a package of the subject brings too, by soname."""
    owned = {
        key.partition("|")[0]: (key, str(item["owner"]))
        for key, item in sorted(case.facts(case.subject, "libraries").items(), reverse=True)
        if item.get("owner")
    }
    both: list[tuple[str, str, str]] = []
    for name in names:
        match = _NAME.fullmatch(name)
        soname = f"{match[1]}.so.{match[2]}" if match and match[2] else name
        if soname in owned:
            both.append((soname, *owned[soname]))
    if not both:
        return []
    told = ", ".join(f"{soname} of {owner}" for soname, _, owner in both)
    cites = case.cite(case.subject, "libraries", *sorted({key for _, key, _ in both}))
    return [Evidence(text=f"packaged here as well: {told}", confidence="recorded", cites=cites)]


def _record(case: Case, place: str) -> HostRecord | None:
    files = [p for p in case.evidence(case.subject, "local-files") if p.rpartition("/")[0] == place]
    return filetimes.record(case, "local-files", files)
