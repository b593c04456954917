"""When a file that no package manager logs was put there: its own time, which can be set."""

from collections.abc import Sequence
from datetime import UTC, datetime

from driftscan.explain.case import Case
from driftscan.model import HostRecord

SET = "set-times"
"""Of files that set something for the whole machine: repositories, pins, units."""


def record(
    case: Case, section: str, keys: Sequence[str], *, named_by: Sequence[str] = ()
) -> HostRecord | None:
    """The newest of the subject's files named, `section` being the evidence that tells times.

    `named_by` are the citations of what told which files these are.
    """
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
        cites=[*named_by, *case.cite(case.subject, section, *found[time, user])],
    )


_UNITS = "/etc/systemd/system"


def of_units(case: Case, variables: Sequence[str]) -> HostRecord | None:
    """The newest file of the units that set these variables, `unit:NAME.service/VARIABLE` each."""
    units = {key.rpartition("/")[0].removeprefix("unit:") for key in variables if "unit:" in key}
    times = case.evidence(case.subject, SET)
    own = [
        path
        for path in times
        for unit in units
        if path == f"{_UNITS}/{unit}" or path.rpartition("/")[0] == f"{_UNITS}/{unit}.d"
    ]
    return record(case, SET, sorted(own))
