"""What logs of package managers have in common: transactions by start, what was not understood."""

import stat
from collections import Counter
from collections.abc import Iterable

from driftscan.model import Absent, Collected, Denied, Item, Items, Partial, Payload, Raw, Section
from driftscan.probes import reading


def keyed(found: Iterable[Item]) -> Items:
    """Transactions by `START#N` in the order of time; N orders equal starts as the log does."""
    seen: Counter[str] = Counter()
    items: Items = {}
    for item in sorted(found, key=lambda item: str(item["start"])):
        start = str(item["start"])
        items[f"{start}#{seen[start]:02}"] = item
        seen[start] += 1
    return items


def unread(raw: Raw, log: str) -> list[str]:
    """What of a log and its rotations was denied or is larger than the limit."""
    gaps = [
        f"{path}: denied"
        for path in reading.denied(raw)
        if path.startswith(log) or log.startswith(path + "/")
    ]
    for path, payload in raw.files.items():
        if payload.cut or payload.status:
            gaps.append(f"{path}: damaged or larger than the limit, the rest was not read")
    return gaps


def closed(sizes: Payload, answer: Payload) -> bool:
    """Nothing was read of a log that holds something and that not everybody may read."""
    rows = reading.stats(sizes)
    return not answer.lines and any(row.size and not row.mode & stat.S_IROTH for row in rows)


def section(items: Items, gaps: list[str], strange: Counter[str], log: str) -> Section:
    """Evidence in the best state that it can have: a log never fails."""
    gaps = [*gaps, *(f"{count} {what} in {log}" for what, count in sorted(strange.items()))]
    if any(gap.endswith(": denied") for gap in gaps) and not items:
        return Denied(cure=f"read access to {log}, or --become")
    if gaps:
        return Partial(items=items, gaps=gaps)
    return Collected(items=items) if items else Absent()
