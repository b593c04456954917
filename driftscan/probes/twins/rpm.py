"""The questions of rpm's database and of what dnf and yum recorded, read from files."""

import hashlib
import stat
from collections.abc import Generator, Iterable, Iterator
from functools import partial
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


FAMILY = "^ID(_LIKE)?=.*(fedora|rhel|centos|suse|amzn|mageia|openEuler|photon|mariner|azurelinux)"
"""What os-release says on a system whose packages are rpm's."""


def _empty(tree: Tree) -> Iterator[str]:
    """Databases of no bytes, and folders without one where rpm has to have one."""
    for place in filter(partial(tools.is_directory, tree), PLACES):
        paths = [f"{place}/{name}" for name in rpmdb.DATABASES]
        yield from (
            f"empty {path}" for path in paths if tools.is_file(tree, path) and not _size(tree, path)
        )
        lost = not any(_size(tree, path) for path in paths) and not tools.is_link(tree, place)
        if lost and tree.enterable(place) and list(tools.grep(tree, FAMILY, ["/etc/os-release"])):
            yield f"empty {place}"


def packages(tree: Tree) -> Iterator[str]:
    """What `rpm -qa` prints; a database that cannot be read comes as bytes, as on the trip."""
    yield from _empty(tree)
    found = yield from _database(tree)
    if found:
        yield f"database {found}"
        yield from _told(tree, found) if tree.readable(found) else [f"denied {found}"]


def _database(tree: Tree) -> Generator[str, None, str]:
    """The path of the database, told before it which folders are closed; nothing without one."""
    found = ""
    for place in PLACES:
        if tools.is_directory(tree, place) and not tree.enterable(place):
            yield f"denied {place}"
        names = (f"{place}/{name}" for name in rpmdb.DATABASES)
        found = found or next((path for path in names if _size(tree, path)), "")
    return found


def _size(tree: Tree, path: str) -> int:
    node = tree.stat(path)
    return node.size if node and tools.is_file(tree, path) else 0


def _files(tree: Tree, path: str) -> dict[str, bytes]:
    return {PurePosixPath(p).name: tree.read(p, tools.LARGEST) for p in (path, f"{path}-wal")}


def _told(tree: Tree, path: str) -> Iterable[str]:
    files = _files(tree, path)
    try:
        return tools.split(rpmdb.answer(files))
    except ParseError:  # which the probe's parser then meets too, and tells
        return carried.lines(path, files[PurePosixPath(path).name])


def conffiles(tree: Tree) -> Iterator[str]:
    """What `rpm -V` finds of the configuration files, and the sums of what was edited."""
    return verified(tree, configuration=True)


def verified(tree: Tree, *, configuration: bool) -> Iterator[str]:
    """The same of the configuration files, or of all others."""
    found = yield from _database(tree)
    if not found:
        return
    if not tree.readable(found):
        yield f"denied {found}"
        return
    try:
        of_packages = rpmdb.shipped(_files(tree, found), configuration=configuration)
        shipped = {one.path: one for one in of_packages}
    except ParseError:
        yield "have no rpm"
        return
    yield "have rpm"
    for path in sorted(shipped, key=tools.bytes_of):
        yield from _compared(tree, shipped[path])


def listed(tree: Tree, *, ghosts: bool = True) -> list[tuple[str, str]]:
    """`name.arch` and path of all files of packages; none where nobody can tell."""
    *_, found = ("", *_database_of(tree))
    if not found or not tree.readable(found):
        return []
    try:
        return list(rpmdb.listed(_files(tree, found), ghosts=ghosts))
    except ParseError:
        return []


def _database_of(tree: Tree) -> list[str]:
    names = [f"{place}/{name}" for place in PLACES for name in rpmdb.DATABASES]
    return [path for path in names if _size(tree, path)][:1]


def _compared(tree: Tree, one: rpmdb.Shipped) -> Iterator[str]:
    """The lines about a file that is not as shipped; what is no regular file has no sum."""
    node = tree.lstat(one.path)
    of = f"of {one.package} {one.digest}  {one.path}"
    if node is None:
        if not one.may_be_missing:
            yield from (f"missing {one.path}", of)
        return
    if not stat.S_ISREG(node.mode):
        return
    if not tree.readable(one.path):
        yield f"closed {one.path}"
        return
    data = tree.read(one.path, tools.LARGEST)
    if hashlib.new(_SUMS.get(len(one.digest), "sha256"), data).hexdigest() == one.digest:
        return
    yield of
    yield f"is {hashlib.md5(data, usedforsecurity=False).hexdigest()}  {one.path}"
    yield f"stat {node.mtime} {node.uid} {one.path}"
    for suffix in ("rpmnew", "rpmsave", "rpmorig"):
        if tools.exists(tree, f"{one.path}.{suffix}"):
            yield f"beside {one.path}.{suffix}"


_SUMS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
"""The algorithm by the length of its sum (FILEDIGESTALGO)."""


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
