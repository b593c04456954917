"""The question where variables are set, read from files."""

import stat
from collections.abc import Iterable, Iterator

from driftscan.model import Node, Tree
from driftscan.probes.twins import tools

_PROFILES = ("/etc/environment", "/etc/profile", "/etc/profile.d/*.sh")
_LOGIN = r"^[[:space:]]*ENV_(SU)?PATH[[:space:]]"
_UNITS = (
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/usr/local/lib/systemd/system",
    "/etc/systemd/system",
)
_SETS = r"^[[:space:]]*(Unset)?Environment(File)?[[:space:]]*=|\\$|^[[:space:]\"']"
_OWN = ("/etc/", "/usr/local/")


def read(tree: Tree) -> Iterator[str]:
    """What grep and find print of the files that set variables; their complaints too."""
    yield from _grep(tree, "^", tools.expand(tree, *_PROFILES))
    yield from _grep(tree, _LOGIN, ["/etc/login.defs"])
    places = [
        place
        for place in _UNITS
        if tools.is_directory(tree, place)
        and not (place.startswith("/lib/") and tools.is_link(tree, "/lib"))
    ]
    units = [unit for place in places for unit in _units(tree, place)]
    yield from _grep(tree, _SETS, (path for path, _ in units))
    for path, node in units:
        if path.startswith(_OWN):
            # As `ls -lnd` prints it.
            kind, target = ("l", f" -> {node.target}") if node.target else ("-", "")
            yield f"{kind}rw-r--r-- 1 {node.uid} {node.gid} {node.size} - {path}{target}"
    for place in places:
        inner = (path for path in tools.named(tree, place, "*") if not _is_pruned(path))
        for path in [place, *inner]:
            found = tree.lstat(path)
            closed = not (tree.readable(path) and tree.enterable(path))
            if found is not None and stat.S_ISDIR(found.mode) and closed:
                yield f"find: '{path}': Permission denied"


def _grep(tree: Tree, regex: str, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        node = tree.stat(path)
        if node is not None and stat.S_ISDIR(node.mode):
            yield f"grep: {path}: Is a directory"
        elif node is not None and not tree.readable(path):
            yield f"grep: {path}: Permission denied"
        else:
            yield from tools.grep(tree, regex, [path])


def _units(tree: Tree, place: str) -> Iterator[tuple[str, Node]]:
    """Unit files and drop-ins: plain ones, and the administrator's links."""
    for path in tools.named(tree, place, "*"):
        if _is_pruned(path):
            continue
        if path.endswith(".service"):
            yield from _unit(tree, path)
        node = tree.lstat(path)
        if node is not None and stat.S_ISDIR(node.mode):
            pattern = "*.conf" if path.endswith(".service.d") else "*.service"
            for inner in tools.named(tree, path, pattern):
                yield from _unit(tree, inner)


def _is_pruned(path: str) -> bool:
    return path.endswith((".wants", ".requires"))


def _unit(tree: Tree, path: str) -> Iterator[tuple[str, Node]]:
    node = tree.lstat(path)
    if node is None:
        return
    if stat.S_ISREG(node.mode) or (stat.S_ISLNK(node.mode) and path.startswith(_OWN)):
        yield path, node
