"""Whether an inventory can be believed: no package database is empty, or a tenth of what it was."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from driftscan.model import Collected, Failed, Fingerprint, Gap, Items, Meta, Partial, Section

PACKAGES = ("apk", "dpkg", "pacman", "rpm")
"""The sections that are a package database."""

SUSPECT = "suspect"
_USUAL = 50
_FALL = 10
_MOST_SKEW = 30


def facts(facts: Mapping[str, Section]) -> dict[str, Section]:
    """The facts, an empty package database Failed unless another manager has packages.

    A machine without one package cannot run a shell: the answer is wrong, not the machine.
    """
    known = {name: s.items for name in PACKAGES if isinstance(s := facts.get(name), Collected)}
    if any(known.values()):
        return dict(facts)
    why = Failed(reason=f"{SUSPECT}: the package database lists no package")
    return {**facts, **dict.fromkeys(known, why)}


def fell(section: str, few: Items, many: Items) -> bool:
    """Whether `few` packages are a tenth or less of so many that this is no usual change."""
    return section in PACKAGES and len(many) > _USUAL and len(few) * _FALL <= len(many)


def doubt(section: str, sides: tuple[Items, Items], metas: tuple[Meta, Meta]) -> Gap | None:
    """Why one side's packages are not believed beside the other's, if they are not.

    A container or an image may well have a tenth of a host's packages, a host not of an image's.
    """
    pairs = list(zip(sides, metas, strict=True))
    for (few, small), (many, large) in (pairs, pairs[::-1]):
        if fell(section, few, many) and _RANK[small.kind] >= max(_RANK[large.kind], 1):
            return Gap(
                what=section,
                side=small.target,
                why=f"{SUSPECT}: {_count(few)}, where {large.target} has {len(many)}",
                cure="look at its package database, then ask it again",
            )
    return None


_RANK = {"image": 0, "container": 1, "host": 2}


def beside(fingerprint: Fingerprint, last: Fingerprint) -> dict[str, Section]:
    """The facts; of packages that fell since the last fingerprint none is called missing."""
    found = dict(fingerprint.facts)
    for name in PACKAGES:
        now, before = found.get(name), last.facts.get(name)
        if not (isinstance(now, Collected) and isinstance(before, Collected)):
            continue
        if fell(name, now.items, before.items):
            had = f"{len(before.items)} on {last.meta.taken}"
            gap = f"{SUSPECT}: {_count(now.items)}, where there were {had}"
            found[name] = Partial(items=now.items, gaps=[gap])
    return found


CLOCK_CURE = "check its NTP service (timedatectl)"


def skew(fingerprint: Fingerprint) -> str:
    """How far the host's clock is from that of the machine that asked it, if that is too far."""
    host = fingerprint.evidence.get("host")
    clock = host.items.get("self", {}).get("clock") if isinstance(host, Collected) else None
    meta = fingerprint.meta
    if meta.kind != "host" or re.fullmatch("[0-9]{1,18}", str(clock or "")) is None:
        return ""
    try:
        ours = datetime.fromisoformat(meta.taken).timestamp()
    except ValueError:  # of a file that somebody wrote
        return ""
    ahead = int(str(clock)) - ours
    if -_MOST_SKEW <= ahead <= _MOST_SKEW + meta.seconds:  # the answer took its seconds
        return ""
    word = "ahead of" if ahead > 0 else "behind"
    return (
        f"it is {abs(ahead):.0f} s {word} that of the machine which asked: the order of events"
        " is unsure"
    )


def twins(metas: Iterable[Meta]) -> list[str]:
    """A sentence for each machine that answered under several names."""
    names: dict[str, set[str]] = {}
    for meta in metas:
        if meta.machine:
            names.setdefault(meta.machine, set()).add(meta.target)
    return [
        f"{' and '.join(sorted(same))} are one machine: look at their addresses in the inventory"
        for same in sorted(names.values(), key=sorted)
        if len(same) > 1
    ]


def is_suspect(gap: Gap) -> bool:
    """Whether this is why something could not be compared."""
    return gap.why.startswith(f"{SUSPECT}: ")


def _count(items: Items) -> str:
    return f"{len(items)} package{'' if len(items) == 1 else 's'}"
