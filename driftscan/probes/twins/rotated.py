"""The question of a log's rotations, read from files."""

import re
from collections.abc import Callable, Iterable, Iterator

from driftscan.model import Tree
from driftscan.probes.twins import tools

_OTHERS = (".bz2", ".lz4", ".xz", ".zst")


def reader(log: str, keep: str, limit: int) -> Callable[[Tree], Iterable[str]]:
    """A reader of the rotations of `log`: the lines that match `keep` (empty: all of them)."""
    form = re.compile(keep)

    def read(tree: Tree) -> Iterator[str]:
        packed: list[str] = []
        plain: list[str] = []
        for path in tools.expand(tree, f"{log}.*", f"{log}-*"):
            if not tools.is_file(tree, path) or "\n" in path:
                continue
            if not tree.readable(path):
                yield f"denied {path}"
            elif path.endswith(_OTHERS):
                yield f"packed {path}"
            else:
                (packed if path.endswith(".gz") else plain).append(path)
        if tools.is_file(tree, log) and not tree.readable(log):
            yield f"denied {log}"
        yield from _limited(_lines(tree, log, packed, plain), form, limit)

    return read


def _lines(tree: Tree, log: str, packed: Iterable[str], plain: Iterable[str]) -> Iterator[str]:
    damaged = False
    for path in packed:
        text, whole = tools.unpacked(tree.read(path, tools.LARGEST), tools.LARGEST)
        damaged |= not whole
        yield from tools.split(text)
    if damaged:
        yield f"damaged {log}"
    for path in plain:
        yield from tools.lines(tree, path)


def _limited(found: Iterable[str], form: re.Pattern[str], limit: int) -> Iterator[str]:
    for line in found:
        if not (form.search(line) or line.startswith("damaged ")):
            continue
        limit -= len(line) + 1
        if limit < 0:
            return
        yield line
