"""The questions of rpm's database and of what dnf and yum recorded, read from files."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from driftscan import rpmdb
from driftscan.errors import ParseError
from driftscan.model import Tree
from driftscan.probes import carried
from driftscan.probes.twins import tools

PLACES = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
DNF5 = "/usr/lib/sysimage/libdnf5/transaction_history.sqlite"
DNF = "/var/lib/dnf/history.sqlite"
YUM = "/var/lib/yum/history/"


def packages(tree: Tree) -> Iterator[str]:
    """What `rpm -qa` prints; a database that cannot be read comes as bytes, as on the trip."""
    found = ""
    for place in PLACES:
        if tools.is_directory(tree, place) and not tree.enterable(place):
            yield f"denied {place}"
        names = (f"{place}/{name}" for name in rpmdb.DATABASES)
        found = found or next((path for path in names if _size(tree, path)), "")
    if found:
        yield f"database {found}"
        yield from _told(tree, found) if tree.readable(found) else [f"denied {found}"]


def _size(tree: Tree, path: str) -> int:
    node = tree.stat(path)
    return node.size if node and tools.is_file(tree, path) else 0


def _told(tree: Tree, path: str) -> Iterable[str]:
    files = {PurePosixPath(p).name: tree.read(p, tools.LARGEST) for p in (path, f"{path}-wal")}
    try:
        return tools.split(rpmdb.answer(files))
    except ParseError:  # which the probe's parser then meets too, and tells
        return carried.lines(path, files[PurePosixPath(path).name])


def history(tree: Tree) -> Iterator[str]:
    """The databases of dnf5, dnf and yum, as bytes."""
    yum = list(tools.expand(tree, f"{YUM}history-*.sqlite"))[-1:]
    for path in (DNF5, f"{DNF5}-wal", DNF, f"{DNF}-wal", *yum):
        folder = path.rpartition("/")[0]
        if tools.is_directory(tree, folder) and not tree.enterable(folder):
            yield f"denied {folder}"
        elif _size(tree, path) and not tree.readable(path):
            yield f"denied {path}"
        elif _size(tree, path):
            yield from carried.lines(path, tree.read(path, tools.LARGEST))
