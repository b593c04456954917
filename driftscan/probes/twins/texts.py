"""The twin of `probes/texts.py`: the lines of text files, from files that are only read."""

import re
from collections.abc import Callable, Iterable, Iterator

from driftscan.model import Tree
from driftscan.probes.twins import tools

_COMMENT = re.compile(r"[ \t]*#(?!include|clear|[0-9]).*(?<!\\)", re.DOTALL)


def without_comments(lines: Iterable[str]) -> Iterator[str]:
    """The lines, those that only say something to people empty."""
    return ("" if _COMMENT.fullmatch(line) else line for line in lines)


def reader(globs: tuple[str, ...], places: tuple[str, ...]) -> Callable[[Tree], Iterable[str]]:
    """What gives the lines of the script's answer."""

    def read(tree: Tree) -> Iterator[str]:
        found = [path for path in tools.expand(tree, *globs) if tools.is_file(tree, path)]
        files = [path for path in found if "\n" not in path]
        yield from (f"closed {path}" for path in files if not tree.readable(path))
        for path in tools.expand(tree, *places):
            closed = not (tree.readable(path) and tree.enterable(path))
            if tools.is_directory(tree, path) and closed:
                yield f"closed {path}"
        for path in filter(tree.readable, files):
            lines = tools.lines(tree, path)
            yield from [f"file {path}"] if lines else []
            yield from (f" {line}" for line in without_comments(lines))

    return read
