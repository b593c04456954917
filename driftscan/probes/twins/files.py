"""The twin of the question about files below /etc, and its limits."""

import hashlib
import re
import stat
from collections.abc import Iterator, Sequence
from posixpath import basename

from driftscan.model import Node, Tree
from driftscan.probes import etc_paths
from driftscan.probes.twins import apps, rpm, software, tools

MOST = 5000
"""Files."""
LARGEST = 1 << 20
"""Bytes of a file that is summed."""
TOTAL = 20 << 20
"""Bytes that are summed in all."""

_DPKG = "/var/lib/dpkg/info/*.list"
_PAM = ("/etc/pam.d/common-*", "/usr/share/pam-configs/*")
_PACMAN = "/var/lib/pacman/local/*/files"


def read(tree: Tree, roots: Sequence[str] = ()) -> Iterator[str]:
    """The script's lines: `uid`, `gid`, `owned`, `link`, stat lines and `sum`, in its order."""
    if not tools.is_directory(tree, "/etc"):
        return
    for kind, path in (("uid", "/etc/passwd"), ("gid", "/etc/group")):
        for line in tools.lines(tree, path):
            fields = [*line.split(":"), "", ""]
            yield f"{kind} {fields[2]} {fields[0]}"
    owned = sorted(_owned(tree, roots), key=tools.bytes_of)
    yield from owned
    found = list(_walk(tree, "/etc"))
    found = [(path, node) for path, node in found if "\n" not in path]
    links = [f"link {p} -> {n.target}" for p, n in found if _is_told_link(p, n)]
    yield from sorted(links, key=tools.bytes_of)
    below = list(apps.walk(tree, roots, etc_paths.WRITTEN))
    yield from dict.fromkeys(path for path, node in below if node is None)
    nodes = {path: node for path, node in below if node is not None and "\n" not in path}
    links = [f"link {p} -> {n.target}" for p, n in nodes.items() if stat.S_ISLNK(n.mode)]
    yield from sorted(links, key=tools.bytes_of)
    files = [(path, node) for path, node in found if stat.S_ISREG(node.mode) and "\n" not in path]
    files = sorted(files, key=lambda one: tools.bytes_of(one[0]))[: MOST + 1]
    more = [(path, node) for path, node in nodes.items() if _is_configuration(path, node)]
    files += sorted(more, key=lambda one: tools.bytes_of(one[0]))[: MOST + 1]
    if found:
        yield from _pam(tree)
    yield from (tools.stat_line(node, path) for path, node in files)
    yield from _sums(tree, files, {line[line.index(":/") + 1 :] for line in owned})


def _is_told_link(path: str, node: Node) -> bool:
    return stat.S_ISLNK(node.mode) and not etc_paths.told_elsewhere(path)


def _pam(tree: Tree) -> Iterator[str]:
    """The rules of PAM's common files, and the profiles that bring them."""
    for line in tools.grep(tree, "^[^#]", tools.expand(tree, *_PAM)):
        yield f"pam {line}"


def _is_configuration(path: str, node: Node) -> bool:
    """What `software` does not tell, and is not large."""
    regular = stat.S_ISREG(node.mode) and node.size <= LARGEST
    return regular and not software.is_software(basename(path), node)


def _walk(tree: Tree, place: str) -> Iterator[tuple[str, Node]]:
    for name in tree.names(place):
        path = f"{place}/{name}"
        node = tree.lstat(path)
        if node is None or etc_paths.pruned(path):
            continue
        yield path, node
        if stat.S_ISDIR(node.mode):
            yield from _walk(tree, path)


def _sums(tree: Tree, files: list[tuple[str, Node]], owned: set[str]) -> Iterator[str]:
    total = 0
    for path, node in files:
        if path in owned or node.size > LARGEST:
            continue
        total += node.size
        hidden = etc_paths.secret(path) or etc_paths.told(path)
        if total <= TOTAL and not hidden and tree.readable(path):
            yield f"sum {hashlib.sha256(tree.read(path, LARGEST)).hexdigest()}  {path}"


def _owned(tree: Tree, roots: Sequence[str]) -> Iterator[str]:
    for owned in (_dpkg, _apk, _pacman, _rpm):
        yield from owned(tree, roots)


def _rpm(tree: Tree, roots: Sequence[str]) -> Iterator[str]:
    """What a package only names somebody else has written."""
    if not tools.is_directory(tree, "/var/lib/dpkg/info"):
        for name, path in rpm.listed(tree, ghosts=False):
            if etc_paths.within(path, roots):
                yield f"owned {name}.list:{path}"


def _dpkg(tree: Tree, roots: Sequence[str]) -> Iterator[str]:
    places = "|".join(re.escape(root) for root in ("/etc", *roots))
    for line in tools.grep(tree, f"^({places})/", tools.expand(tree, _DPKG)):
        yield f"owned {line.removeprefix('/var/lib/dpkg/info/')}"


def _apk(tree: Tree, roots: Sequence[str]) -> Iterator[str]:
    package = directory = ""
    for line in tools.lines(tree, "/lib/apk/db/installed"):
        kind, value = line[:2], line[2:]
        if kind == "P:":
            package = value
        elif kind == "F:":
            directory = value
        elif kind == "R:" and etc_paths.within(f"/{directory}/", roots):
            yield f"owned {package}.list:/{directory}/{value}"


def _pacman(tree: Tree, roots: Sequence[str]) -> Iterator[str]:
    for path in tools.expand(tree, _PACMAN):
        package = path.split("/")[-2].rsplit("-", 2)[0]
        for line in tools.lines(tree, path):
            if etc_paths.within(f"/{line}", roots) and not line.endswith("/"):
                yield f"owned {package}.list:/{line}"
