"""A root file system in a directory of this machine, read without ever leaving it.

Every step to a file opens one directory below the one before and follows no link, so nothing that
is changed meanwhile can lead out. Mounted disks belong to it; /proc, network and memory file
systems are closed: they may hang, and are no machine's own.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from driftscan.errors import MachineError
from driftscan.model import Node

_MOST_OPEN = 32
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@contextmanager
def at(path: str, _check: Callable[[], None] = lambda: None) -> Iterator["Directory"]:
    """The directory that is a machine's `/`, for as long as it is read."""
    directory = Directory(path)
    try:
        yield directory
    finally:
        directory.close()


class Directory:
    """A `Store` (machines/root.py). Raises MachineError where the directory cannot be opened."""

    search = ""
    machine = ""
    environment = None

    def __init__(self, path: str) -> None:
        try:
            root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise MachineError(
                "unreachable", "open", f"{path}: {(error.strerror or 'cannot').lower()}", _WHICH
            ) from error
        self._device = os.fstat(root).st_dev
        self._open = {"": root}

    def close(self) -> None:
        """What was opened is closed; nothing can be read any more."""
        while self._open:
            os.close(self._open.popitem()[1])

    def node(self, path: str) -> Node | None:
        with suppress(OSError), self._parent(path) as (parent, name):
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            target = os.readlink(name, dir_fd=parent) if stat.S_ISLNK(found.st_mode) else ""
            return Node(
                found.st_mode,
                found.st_uid,
                found.st_gid,
                found.st_size,
                found.st_mtime_ns // 1_000_000_000,
                target,
            )
        return None

    def names(self, path: str) -> list[str]:
        with suppress(OSError), self._directory(path) as opened:
            return os.listdir(opened)  # noqa: PTH208 - a descriptor is no path
        return []

    def read(self, path: str, limit: int) -> bytes:
        with suppress(OSError), self._file(path) as opened:
            return _read(opened, limit)
        return b""

    def may(self, path: str, *, enter: bool) -> bool:
        with suppress(OSError), self._parent(path) as (parent, name):
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode) and not self._belongs(found.st_dev):
                return False
            mode = os.X_OK if enter else os.R_OK
            return os.access(name, mode, dir_fd=parent, effective_ids=_EFFECTIVE)
        return False

    def _belongs(self, device: int) -> bool:
        # A disk has a major number; /proc, NFS, FUSE, tmpfs and their like have none.
        return device == self._device or os.major(device) != 0

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """The directory that a path is in, opened, and its name there."""
        parent, _, name = path.rpartition("/")
        with self._directory(parent) as opened:
            yield opened, name or "."

    @contextmanager
    def _directory(self, path: str) -> Iterator[int]:
        path = path.rstrip("/")
        opened = self._open.get(path)
        if opened is None:
            above, _, name = path.rpartition("/")
            with self._directory(above) as parent:
                opened = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=parent)
            if not self._belongs(os.fstat(opened).st_dev):
                os.close(opened)
                raise PermissionError(path)
            self._keep(path, opened)
        yield opened

    def _keep(self, path: str, opened: int) -> None:
        """The directories opened last stay so: most questions are about one after the other."""
        if len(self._open) > _MOST_OPEN:
            oldest = next(name for name in self._open if name)
            os.close(self._open.pop(oldest))
        self._open[path] = opened

    @contextmanager
    def _file(self, path: str) -> Iterator[int]:
        with self._parent(path) as (parent, name):
            opened = os.open(name, _OPEN, dir_fd=parent)
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise PermissionError(path)
            yield opened
        finally:
            os.close(opened)


_WHICH = "name the directory that is the machine's /, as an account that may read it"
_EFFECTIVE = os.access in os.supports_effective_ids


def _read(opened: int, limit: int) -> bytes:
    pieces: list[bytes] = []
    while limit > 0 and (piece := os.read(opened, min(limit, 1 << 20))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)
