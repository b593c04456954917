"""CPU of this process and of others, in milliseconds; the least of several runs is what counts."""

import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Sequence

_MS = 1000


def own() -> float:
    """What this process and all that it has waited for have used so far."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used) * _MS


def of(argv: Sequence[str], *, stdin: bytes = b"", code: int = 0) -> float:
    """What a command and the children it waited for use; raises RuntimeError when it fails."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            argv, stdin=given, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != code:
            said.seek(0)
            last = said.read()[-500:].decode(errors="replace")
            raise RuntimeError(f"{argv[0]} ended with status {process.returncode}: {last}")
    return (used.ru_utime + used.ru_stime) * _MS


def least(runs: int, measure: Callable[[], float]) -> float:
    """The run that other work on this machine disturbed least."""
    return min(measure() for _ in range(runs))
