"""The paths of a root file system: links are resolved inside it, whatever it is kept in."""

import stat
from collections.abc import Callable
from posixpath import dirname, join
from typing import Protocol

from driftscan.model import Node
from driftscan.probes.twins.tools import bytes_of

_LINKS = 40  # path_resolution(7)


class Store(Protocol):
    """What keeps the files. Paths are absolute, `/` the root; no part but the last is a link."""

    @property
    def search(self) -> str:
        """The PATH that an image's configuration sets; empty where nothing does."""
        ...

    @property
    def machine(self) -> str:
        """The architecture that it tells, as `uname -m` names it; empty where nothing does."""
        ...

    @property
    def environment(self) -> tuple[str, ...] | None:
        """The `NAME=value` that it sets for every process; None where there is none."""
        ...

    def node(self, path: str) -> Node | None:
        """The path itself; None where there is none or this account may not look."""
        ...

    def names(self, path: str) -> list[str]:
        """The names in a directory, in any order; none where it is closed."""
        ...

    def read(self, path: str, limit: int) -> bytes:
        """The first bytes of a regular file; none where it is closed."""
        ...

    def may(self, path: str, *, enter: bool) -> bool:
        """Whether this account may enter the directory; else, list it or read the file."""
        ...


class Root:
    """A `Tree` over a store; `check` is called before each thing that takes time, and may raise."""

    def __init__(self, store: Store, check: Callable[[], None] = lambda: None) -> None:
        self.search = store.search
        self.machine = store.machine
        self._store = store
        self._check = check
        self._parents: dict[str, tuple[str, Node | None]] = {}

    def lstat(self, path: str) -> Node | None:
        return self._walk(path, follow=False)[1]

    def stat(self, path: str) -> Node | None:
        return self._walk(path)[1]

    def names(self, directory: str) -> list[str]:
        place, node = self._walk(directory)
        if node is None or not stat.S_ISDIR(node.mode):
            return []
        self._check()
        return sorted(self._store.names(place), key=bytes_of)

    def real(self, path: str) -> str:
        return self._walk(path)[0]

    def read(self, path: str, limit: int) -> bytes:
        place, node = self._walk(path)
        if node is None or not stat.S_ISREG(node.mode):
            return b""
        self._check()
        return self._store.read(place, limit)

    def readable(self, path: str) -> bool:
        place, node = self._walk(path)
        return node is not None and self._store.may(place, enter=False)

    def enterable(self, path: str) -> bool:
        place, node = self._walk(path)
        return node is not None and self._store.may(place, enter=True)

    def _walk(self, path: str, *, follow: bool = True) -> tuple[str, Node | None]:
        """Where a path leads (nowhere: empty), and what is there."""
        parent, _, last = path.rpartition("/")
        if parent not in self._parents:
            top = ("/", self._store.node("/"))
            self._parents[parent] = self._steps(*top, parent.split("/"), follow=True)
        return self._steps(*self._parents[parent], [last], follow=follow)

    def _steps(
        self, here: str, node: Node | None, parts: list[str], *, follow: bool
    ) -> tuple[str, Node | None]:
        left, links = parts[::-1], 0
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if node is None or not stat.S_ISDIR(node.mode):
                return "", None
            there = dirname(here) if part == ".." else join(here, part)
            found = self._store.node(there)
            if found is None or not stat.S_ISLNK(found.mode) or not (follow or any(left)):
                here, node = there, found
                continue
            links += 1
            if links > _LINKS:
                return "", None
            if found.target.startswith("/"):
                here, node = "/", self._store.node("/")
            left += found.target.split("/")[::-1]
        return here, node
