"""When a file that no package manager logs was put there: its own time, which can be set."""

from collections.abc import Sequence
from datetime import UTC, datetime

from driftscan.explain.case import Case
from driftscan.model import HostRecord


def record(case: Case, section: str, keys: Sequence[str]) -> HostRecord | None:
    """The newest of the subject's files named, `section` being the evidence that tells times."""
    times = case.evidence(case.subject, section)
    found: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        item = times.get(key, {})
        changed, uid = item.get("changed"), item.get("uid")
        if isinstance(changed, int) and 0 <= changed < 1 << 37:
            time = datetime.fromtimestamp(changed, UTC).strftime("%Y-%m-%d %H:%M")
            user = "root or unknown" if uid in (0, None) else f"uid {uid}"
            found.setdefault((time, user), []).append(key)
    if not found:
        return None
    time, user = max(found)
    return HostRecord(
        time=time,
        zone="UTC",
        user=user,
        source="file time",
        confidence="inferred",
        cites=case.cite(case.subject, section, *found[time, user]),
    )
