"""A file system that is read and not run: a root directory, or the layers of an image."""

from typing import Protocol

from msgspec import Struct


class Node(Struct, frozen=True):
    """What lstat(2) tells of one path; `mode` holds the type (inode(7)), `target` is a link's.

    `mtime` is in whole seconds since 1970, `size` in bytes.
    """

    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    target: str = ""


class Tree(Protocol):
    """Paths are absolute and of that root, links resolved inside it; bytes are surrogateescape.

    Nothing but regular files is ever opened, and nothing outside the root is ever looked at.
    """

    @property
    def search(self) -> str:
        """The PATH that an image's configuration sets; empty where nothing does."""
        ...

    @property
    def machine(self) -> str:
        """The architecture that an image's configuration tells, as `uname -m` names it."""
        ...

    def lstat(self, path: str) -> Node | None:
        """The path itself; None where there is none, or where this account may not look."""
        ...

    def stat(self, path: str) -> Node | None:
        """What the path leads to; None also for a link that leads nowhere."""
        ...

    def names(self, directory: str) -> list[str]:
        """The names in a directory, in byte order; none where there is none or it is closed."""
        ...

    def real(self, path: str) -> str:
        """As `readlink -f`: the path without links, of which the last part may be missing.

        Empty where a directory of it is missing.
        """
        ...

    def read(self, path: str, limit: int) -> bytes:
        """The first bytes of a regular file; none where there is none or it is closed."""
        ...

    def readable(self, path: str) -> bool:
        """Whether this account may read the file, or list the directory."""
        ...

    def enterable(self, path: str) -> bool:
        """Whether this account may look at what is in the directory (`[ -x DIRECTORY ]`)."""
        ...
