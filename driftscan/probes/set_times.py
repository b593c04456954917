"""When files that set something for the whole machine were last changed, and whose they are.

No log has what an editor does: the file's own time is the only record of a pin, of a repository
that was added, of a drop-in of a unit. It can be set, so it is weak.
"""

from collections.abc import Mapping
from stat import S_ISREG

from driftscan.model import Collected, Items, Partial, Raw, Section, Stats
from driftscan.probes import reading
from driftscan.probes.contract import About

NAME = "set-times"
ASK = (
    Stats(
        "changed",
        (
            *("/etc/apt", "/etc/apt/sources.list.d", "/etc/apt/preferences.d"),
            *("/etc/yum.repos.d", "/etc/systemd/system", "/etc/systemd/system/*.service.d"),
        ),
    ),
)
GIVES = (
    About(
        "set-times",
        "evidence",
        "path of a file of repositories, of pins, of a unit or its drop-in, below /etc",
        "changed (seconds since 1970), uid",
        cost="3 ms",
    ),
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The one section; links and folders have no time of their own that would tell anything."""
    told = raw.outputs["changed"]
    items: Items = {
        row.path: {"changed": row.mtime, "uid": row.uid}
        for row in reading.stats(told)
        if S_ISREG(row.mode)
    }
    gaps = [f"{path}: denied" for path in reading.denied(raw)]
    gaps += ["there is more than fits"] if told.cut else []
    section: Section = Partial(items=items, gaps=gaps) if gaps else Collected(items=items)
    return {"set-times": section}
