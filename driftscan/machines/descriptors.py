"""How many machines may be asked at once: what the file descriptors of this process allow."""

import resource
from contextlib import suppress
from pathlib import Path

EACH = 8
"""Descriptors that one machine needs at most, on every road: to start a child takes eight for a
moment (both ends of three pipes, and of the one that tells whether it started). A connection of
paramiko stays at one, and one more while an agent signs; `ssh -G` before it takes seven."""

OWN = 8
"""What stays free beside them: for modules that are loaded late, and the files that are written."""


def room(wanted: int) -> int:
    """How many machines can be asked at once, at most `wanted`; 0 if not even one.

    The soft limit (`ulimit -Sn`) is raised as far as that needs and the hard one allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = used() + OWN + wanted * EACH
    if _below(soft, need):
        raised = hard if _below(hard, need) else need
        with suppress(OSError, ValueError):  # some systems have a lower limit of their own
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if not _below(soft, need):
        return wanted
    return max(0, (soft - used() - OWN) // EACH)


def needed() -> int:
    """The lowest limit at which one machine could be asked now."""
    return used() + OWN + EACH


def used() -> int:
    """How many are open."""
    return sum(1 for _ in Path("/dev/fd").iterdir()) - 1  # without the one that lists them


def _below(limit: int, need: int) -> bool:
    return limit != resource.RLIM_INFINITY and limit < need
