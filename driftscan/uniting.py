"""Sections of one name that several probes give, as one: repositories of apt, dnf, apk, pacman."""

from collections.abc import Iterable

from driftscan.model import Absent, Collected, Denied, Failed, Items, Partial, Section


def united(sections: Iterable[Section]) -> Section:
    """One section of several: their items together, in the worst of their states.

    Absent says nothing: a machine has one manager, and the others' probes find none there. What
    failed or was denied makes the whole so, with every reason of that state; a Partial keeps all
    gaps. A key that two of them give is a fault of ours: which of them is right, nobody can say.
    """
    found = [section for section in sections if not isinstance(section, Absent)]
    if len(found) < 2:
        return found[0] if found else Absent()
    failed = [section.reason for section in found if isinstance(section, Failed)]
    if failed:
        return Failed(reason="; ".join(dict.fromkeys(failed)))
    cures = [section.cure for section in found if isinstance(section, Denied)]
    if cures:
        return Denied(cure="; ".join(dict.fromkeys(cures)))
    return _together([section for section in found if isinstance(section, Collected | Partial)])


def _together(sections: list[Collected | Partial]) -> Section:
    items: Items = {}
    for section in sections:
        both = sorted(items.keys() & section.items.keys())
        if both:
            return Failed(reason=f"two probes tell of {', '.join(both[:3])}")
        items.update(section.items)
    gaps = [gap for section in sections if isinstance(section, Partial) for gap in section.gaps]
    return Partial(items=items, gaps=list(dict.fromkeys(gaps))) if gaps else Collected(items=items)
