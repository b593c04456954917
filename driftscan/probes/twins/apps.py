"""The twin of the questions about further roots of applications, and the walk below them."""

import stat
from collections.abc import Iterator, Sequence

from driftscan.model import Node, Tree
from driftscan.probes.twins import tools

SECONDS = 10
"""Of one walk on a running machine."""
_DEEPEST = 12


def read(roots: Sequence[str], tree: Tree) -> Iterator[str]:
    """The script's lines: the state of each root."""
    for root in roots:
        yield f"{_state(tree, root)} {root}"


def _state(tree: Tree, root: str) -> str:
    if tools.is_directory(tree, root):
        return "directory" if tree.readable(root) and tree.enterable(root) else "closed"
    parent = root.rpartition("/")[0]
    while parent and not tools.is_directory(tree, parent):
        parent = parent.rpartition("/")[0]
    if not tree.enterable(parent or "/"):
        return "closed"
    return "other" if tree.lstat(root) is not None else "missing"


def walk(
    tree: Tree, roots: Sequence[str], pruned: Sequence[str]
) -> Iterator[tuple[str, Node | None]]:
    """What is below the roots: paths and nodes; a line that tells what was not looked at, and None.

    No directory is among them.
    """
    for root in roots:
        if tools.is_directory(tree, root):
            yield from _walk(tree, root, pruned)


def _walk(tree: Tree, place: str, pruned: Sequence[str]) -> Iterator[tuple[str, Node | None]]:
    if any(tools.matches(place, pattern) for pattern in pruned):
        return
    if not (tree.readable(place) and tree.enterable(place)):
        yield f"closed {place}", None
        return
    if place.count("/") >= _DEEPEST:
        yield f"deep {place}", None
        return
    for path in tools.named(tree, place, "*"):
        node = tree.lstat(path)
        if node is None:
            continue
        if "\n" in path:
            yield "odd", None
            continue
        if stat.S_ISDIR(node.mode):
            yield from _walk(tree, path, pruned)
        else:
            yield path, node
