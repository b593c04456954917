"""The twin of the question what starts by itself: links and files of systemd, rc?.d, run-parts."""

import stat
from collections.abc import Iterator

from driftscan.model import Tree
from driftscan.probes.twins import tools

_UNITS = ("/etc/systemd/system", "/usr/local/lib/systemd/system")
_RC = ("/etc/rc[0-6S].d/S*", "/etc/runlevels/*/*")
_JOBS = tuple(f"/etc/cron.{often}/*" for often in ("hourly", "daily", "weekly", "monthly"))


def read(tree: Tree) -> Iterator[str]:
    """`l PATH -> TARGET`, `- PATH`, `rc PATH` and `job PATH`, in the script's order."""
    places = [place for place in _UNITS if tools.is_directory(tree, place)]
    found = [line for place in places for line in _units(tree, place, 2)]
    yield from sorted(found, key=tools.bytes_of)
    for path in tools.expand(tree, *_RC):
        if tools.exists(tree, path):
            yield f"rc {path}"
    for path in tools.expand(tree, *_JOBS, "/etc/periodic/*/*"):
        if tools.is_program(tree, path):
            yield f"job {path}"


def _units(tree: Tree, place: str, depth: int) -> Iterator[str]:
    for name in tree.names(place):
        path = f"{place}/{name}"
        node = tree.lstat(path)
        if node is None:
            continue
        if stat.S_ISLNK(node.mode):
            yield f"l {path} -> {node.target}"
        elif stat.S_ISREG(node.mode):
            yield f"- {path}"
        elif stat.S_ISDIR(node.mode) and depth > 1:
            yield from _units(tree, path, depth - 1)


def nothing(tree: Tree) -> Iterator[str]:
    """What is active only a running machine tells."""
    del tree
    yield from ()
