"""The bytes of a regular file: never waited for, never more than they may be."""

import errno
import os
import re
import stat
from pathlib import Path

# What the shell hands over (`<(...)`, `>(...)`, a redirection) is ours, whatever it is.
_HANDED = re.compile(r"/dev/(?:fd/\d+|std(?:in|out|err))|/proc/(?:self|thread-self|\d+)/fd/\d+")


def read(path: Path, most: int, *, ours: bool = False) -> bytes:
    """What a regular file holds, up to `most` bytes; or what comes out of one of our descriptors.

    With `ours` it has to be a file that no other account could have written (root could), and
    no link. Raises OSError with the reason; a FIFO, which might never end, is not opened to wait.
    """
    wait = 0 if is_handed(path) else os.O_NONBLOCK | os.O_NOCTTY
    link = os.O_NOFOLLOW if ours else 0
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | wait | link)
    try:
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if wait and not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if ours and (why := others(found)):
            raise PermissionError(errno.EPERM, why)
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(handle)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB")
    return data


def others(found: os.stat_result) -> str:
    """How another account could have written there, with the cure; nothing if none could.

    Members of its group may: who shares a folder with a group trusts it.
    """
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to another account (uid {found.st_uid})"
    if found.st_mode & stat.S_IWOTH:
        return f"everybody may write there (mode {stat.S_IMODE(found.st_mode):04o}): chmod o-w it"
    return ""


def is_handed(path: Path) -> bool:
    """Whether the path names a descriptor that whoever started us has opened."""
    return _HANDED.fullmatch(str(path)) is not None
