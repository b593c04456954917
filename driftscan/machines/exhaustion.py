"""This machine itself has run out of something: neither a host's fault nor a mistake of ours."""

import errno

from driftscan.errors import MachineError

_FULL = {
    errno.EMFILE: ("it has no file descriptor left", "raise `ulimit -n`, or use fewer --workers"),
    errno.ENFILE: ("it has no file descriptor left", "use fewer --workers"),
    errno.ENOMEM: ("its memory is used up", "use fewer --workers"),
    errno.EAGAIN: ("it allows no more processes", "raise `ulimit -u`, or use fewer --workers"),
    errno.ENOSPC: ("its disk is full", "make room there"),
}


def told(error: BaseException | None, stage: str) -> MachineError | None:
    """The failure as one of this machine's, if an exception or what it came from says so."""
    while error is not None:
        found = _FULL.get(_number(error))
        if found is not None:
            cause, cure = found
            return MachineError(
                "exhausted", stage, f"the machine that driftscan runs on: {cause}", cure
            )
        error = error.__cause__
    return None


def _number(error: BaseException) -> int:
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return errno.EAGAIN
    return (error.errno or 0) if isinstance(error, OSError) else 0
