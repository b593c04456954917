"""The question of the configuration files that are not as shipped, read from files."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from posixpath import dirname

from msgspec import Struct

from driftscan.model import Tree
from driftscan.probes.twins import tools

_STATUS = "/var/lib/dpkg/status"
_REGISTRY = "/var/lib/ucf/registry"
_HASHES = "/var/lib/ucf/hashfile"
_SUFFIXES = ("dpkg-dist", "dpkg-new", "dpkg-old", "ucf-dist", "ucf-new", "ucf-old")
_SUM = re.compile(r"(\S{32})  (.*)")


class _Listed(Struct, frozen=True):
    """One configuration file: whose it is, and the sum that it was shipped with."""

    package: str
    md5: str
    path: str


def read(tree: Tree) -> Iterator[str]:
    """The files whose sum is another one, or that are missing, and what stands beside them."""
    if not tree.enterable("/var/lib/dpkg"):
        return
    if not tools.exists(tree, _STATUS) and tools.is_directory(tree, f"{_STATUS}.d"):
        return
    yield "have dpkg"
    if not tree.readable(_STATUS):
        yield f"denied {_STATUS}"
        return
    listed = list(_listed(tree))
    told: list[str] = []
    edited: list[str] = []
    for row in listed:
        if _sum(tree, row.path) != row.md5:
            yield from _state(tree, row.path, told, edited)
    yield from _owners(listed, told)
    yield from _edited(tree, edited)


def _owners(listed: Iterable[_Listed], told: Iterable[str]) -> Iterator[str]:
    """As `grep -F`, which also finds those that only begin so."""
    begins = tuple(told)
    for row in listed:
        if row.path.startswith(begins):
            yield f"of {row.package} {row.md5}  {row.path}"


def _edited(tree: Tree, paths: list[str]) -> Iterator[str]:
    for path in paths:
        if md5 := _sum(tree, path):
            yield f"is {md5}  {path}"
    for path in paths:
        if node := tree.stat(path):
            yield f"stat {node.mtime} {node.uid} {path}"


def _state(tree: Tree, path: str, told: list[str], edited: list[str]) -> Iterator[str]:
    above = dirname(path)
    while above != "/" and not tools.is_directory(tree, above):
        above = dirname(above)
    there = tools.exists(tree, path)
    if not tree.enterable(above) or (there and not tree.readable(path)):
        yield f"closed {path}"
        return
    told.append(path)
    if there:
        edited.append(path)
    else:
        yield f"missing {path}"
    for suffix in _SUFFIXES:
        if tools.exists(tree, f"{path}.{suffix}"):
            yield f"beside {path}.{suffix}"


def _sum(tree: Tree, path: str) -> str:
    if not tools.is_file(tree, path) or not tree.readable(path):
        return ""
    return hashlib.md5(tree.read(path, tools.LARGEST), usedforsecurity=False).hexdigest()


def _listed(tree: Tree) -> Iterator[_Listed]:
    """Of dpkg those that the package still ships, of ucf the maintainer's."""
    here: set[str] = set()
    yield from _of_dpkg(tools.lines(tree, _STATUS), here)
    if tree.readable(_REGISTRY) and tree.readable(_HASHES):
        rows = (line.split() for line in tools.lines(tree, _REGISTRY))
        owners = {row[1]: row[0] for row in rows if len(row) > 1 and row[0] in here}
        for match in filter(None, map(_SUM.fullmatch, tools.lines(tree, _HASHES))):
            if match[2] in owners:
                yield _Listed(owners[match[2]], match[1], match[2])


def _of_dpkg(lines: Iterable[str], here: set[str]) -> Iterator[_Listed]:
    package, on, inside = "", False, False
    for line in lines:
        if not line.startswith(" "):
            name, _, value = line.partition(": ")
            if name == "Package":
                package = value
            elif name == "Status":
                on = value.split(" ")[2:] == ["installed"]
                here.update([package] if on else [])
            inside = on and line.startswith("Conffiles:")
        elif inside:
            path, _, md5 = line[1:].rpartition(" ")
            if len(md5) == 32:
                yield _Listed(package, md5, path)
