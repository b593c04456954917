"""The evidence of one fingerprint is bounded: its oldest log entries go first, and it says so."""

import zlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping

import msgspec

from driftscan.model import Collected, Failed, Item, Items, Partial, Section, Sections
from driftscan.model.managers import DPKG, MANAGERS

LIMIT = 256_000
"""Bytes that the evidence of one fingerprint may have, compressed."""


def capped(evidence: Sections) -> Sections:
    """The evidence, without its oldest log entries if it is over the limit, and saying so."""
    if _fits(evidence):
        return evidence
    times = [*sorted(set(_times(evidence))), "9999"]
    first = bisect_left(times, True, key=lambda time: _fits(_since(evidence, time)))
    evidence = _since(evidence, times[min(first, len(times) - 1)])
    for name in sorted(evidence, key=lambda name: -_size(evidence[name])):
        if _fits(evidence):
            break
        over = Failed(reason=f"left out: evidence may have {LIMIT // 1000} kB compressed")
        evidence = {**evidence, name: over}
    return evidence


_HISTORIES = tuple(manager.history for manager in MANAGERS.values() if manager.history)


def _size(section: Section) -> int:
    return len(msgspec.json.encode(section))


def _fits(evidence: Sections) -> bool:
    plain = msgspec.json.encode(evidence)
    return len(plain) <= LIMIT or len(zlib.compress(plain, 1)) <= LIMIT


def _items(evidence: Mapping[str, Section], name: str) -> Items:
    section = evidence.get(name)
    return section.items if isinstance(section, Collected | Partial) else {}


def _times(evidence: Sections) -> Iterator[str]:
    for history in _HISTORIES:
        for item in _items(evidence, history).values():
            yield str(item.get("start", ""))
    for item in _items(evidence, DPKG.log).values():
        yield from (event[:19] for event in _events(item))


def _events(item: Item) -> list[str]:
    events = item.get("events")
    return events if isinstance(events, list) else []


def _since(evidence: Sections, time: str) -> Sections:
    """The logs from `time` (the host's own clock, as the logs write it) on."""
    kept: dict[str, Items] = {
        name: {k: v for k, v in _items(evidence, name).items() if str(v.get("start", "")) >= time}
        for name in _HISTORIES
    }
    kept[DPKG.log] = {
        key: {**item, "events": list(events)}
        for key, item in _items(evidence, DPKG.log).items()
        if (events := [event for event in _events(item) if event[:19] >= time])
    }
    return {name: _shortened(s, kept.get(name), time) for name, s in evidence.items()}


def _shortened(section: Section, items: Items | None, time: str) -> Section:
    if items is None or not isinstance(section, Collected | Partial) or items == section.items:
        return section
    gaps = section.gaps if isinstance(section, Partial) else []
    when = "all entries" if time == "9999" else f"entries before {time}"
    limit = f"evidence may have {LIMIT // 1000} kB compressed"
    return Partial(items=items, gaps=[*gaps, f"{when} are left out: {limit}"])
