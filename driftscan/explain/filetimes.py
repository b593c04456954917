"""When a file that no package manager logs was put there: its own time, which can be set."""

from collections.abc import Sequence
from datetime import UTC, datetime

from driftscan.explain.case import Case
from driftscan.model import HostRecord


def record(case: Case, section: str, keys: Sequence[str]) -> HostRecord | None:
    """The newest of the subject's files named, `section` being the evidence that tells times."""
    times = case.evidence(case.subject, section)
    found = [
        (changed, key)
        for key in keys
        if isinstance(changed := times.get(key, {}).get("changed"), int) and 0 <= changed < 1 << 40
    ]
    if not found:
        return None
    changed, key = max(found)
    uid = times[key].get("uid")
    return HostRecord(
        time=datetime.fromtimestamp(changed, UTC).strftime("%Y-%m-%d %H:%M"),
        zone="UTC",
        user="root or unknown" if uid in (0, None) else f"uid {uid}",
        source="file time",
        confidence="inferred",
        cites=case.cite(case.subject, section, key),
    )
