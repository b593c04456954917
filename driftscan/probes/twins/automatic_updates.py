"""The question whether the machine updates itself, read from files."""

import re
from collections.abc import Iterator

from driftscan.model import Tree
from driftscan.probes.twins import tools

_LOGS = "/var/log/unattended-upgrades"
_KEPT = 40
_COMMENT = re.compile(r"[ \t]*//[^*]*")


def read(tree: Tree) -> Iterator[str]:
    """The files of apt's settings, when its daily run was, and the end of its log."""
    if not tools.is_directory(tree, "/etc/apt"):
        return
    yield "have apt"
    paths = tools.expand(tree, "/etc/apt/apt.conf.d/*", "/etc/apt/apt.conf")
    files = [path for path in paths if tools.is_file(tree, path) and "\n" not in path]
    yield from (f"denied {path}" for path in files if not tree.readable(path))
    for path in files:
        if text := tools.lines(tree, path):
            yield f"file {path}"
            yield from (" " if _COMMENT.fullmatch(line) else f" {line}" for line in text)
    for path in tools.named(tree, "/var/lib/apt/periodic", "*-stamp"):
        if node := tree.lstat(path):
            yield f"stamp {node.mtime} {path}"
    yield from _log(tree)


def _log(tree: Tree) -> Iterator[str]:
    log = f"{_LOGS}/unattended-upgrades.log"
    if tree.readable(log):
        yield from (f"log {line}" for line in tools.lines(tree, log)[-_KEPT:])
    elif tools.is_directory(tree, _LOGS) and (not tree.enterable(_LOGS) or tools.exists(tree, log)):
        yield f"denied {_LOGS}"
