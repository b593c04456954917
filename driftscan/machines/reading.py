"""Machines that are read and not run: the same questions, answered as the script would.

The answer has the script's form (driftscan/script.py), so everything after it is the same.
"""

import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from driftscan.errors import MachineError
from driftscan.machines.root import Root, Store
from driftscan.model import (
    FILE_LIMIT,
    FORMAT,
    OUTPUT_LIMIT,
    Answer,
    Files,
    Limits,
    Lines,
    Question,
    Questions,
    Shell,
    Stats,
    Tree,
)
from driftscan.probes.twins import tools
from driftscan.probes.twins.tools import bytes_of


class Reader:
    """Answers from the store that `opened` gives for one trip; it may `check` if it may go on."""

    def __init__(
        self, opened: Callable[[Callable[[], None]], AbstractContextManager[Store]]
    ) -> None:
        self._opened = opened
        self._stopped = threading.Event()

    def close(self) -> None:
        """End what is under way, from another thread: `ask` then raises `interrupted`."""
        self._stopped.set()

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """The framed answer (machines/contract.py); a question that only runs has an empty one."""
        began = time.monotonic()

        def check() -> None:
            if self._stopped.is_set():
                raise MachineError("interrupted", "answer", "the run was interrupted")
            if time.monotonic() - began > limits.deadline:
                cause = f"not read within {limits.deadline:g} s"
                raise MachineError("timeout", "answer", cause, "allow it more with --deadline")

        with self._opened(check) as store:
            output = _within(limits, answer(questions, Root(store, check)))
            environment = store.environment
        return Answer(output, b"", 0, time.monotonic() - began, environment)


def _within(limits: Limits, pieces: Iterable[bytes]) -> bytes:
    kept = bytearray()
    for piece in pieces:
        kept += piece
        if len(kept) > limits.output:
            cause = f"it answered more than {limits.output >> 20} MB"
            raise MachineError("output_limit", "answer", cause)
    return bytes(kept)


def answer(questions: Questions, tree: Tree) -> Iterator[bytes]:
    """What the script would print where these files are the machine's."""
    said = _Said(questions.nonce)
    yield said.control(f"BEGIN {FORMAT}")
    probe = ""
    for name, question in questions.asked:
        if name != probe:
            yield said.control(f"S {name}")
            probe = name
        yield from _asked(said, question, tree)
    yield said.control("END")


class _Said:
    """Control lines and payloads in the script's form."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce.encode()

    def control(self, text: str) -> bytes:
        return self._nonce + b" " + bytes_of(text) + b"\n"

    def payload(self, head: str, data: bytes, limit: int) -> bytes:
        data = data[:limit]
        body = b" " + data[:-1].replace(b"\n", b"\n ") + data[-1:] if data else b""
        return self.control(head) + body + b"\n" + self.control(". 0")

    def gap(self, reason: str, path: str) -> Iterator[bytes]:
        if "\n" not in path:
            yield self.control(f"! {reason} {path}")


def _asked(said: _Said, question: Question, tree: Tree) -> Iterator[bytes]:
    match question:
        case Files(globs=globs):
            yield from _closed(said, tree, (glob.rsplit("/", 1) for glob in globs))
            yield from _files(said, tree, globs)
        case Lines(name=name, directories=places):
            yield from _closed(said, tree, ([place, "*"] for place in places))
            yield said.payload(f"C {name}", _joined(_lines(tree, question)), OUTPUT_LIMIT)
        case Stats(name=name, directories=places):
            yield from _closed(said, tree, ([place, "*"] for place in places))
            yield said.payload(f"C {name}", _joined(_stats(tree, question)), OUTPUT_LIMIT)
        case Shell(name=name, read=read):
            told = map(bytes_of, read(tree)) if read else ()
            yield said.payload(f"C {name}", _joined(told), OUTPUT_LIMIT + 1)


def _joined(found: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in found)


def _closed(said: _Said, tree: Tree, parts: Iterable[list[str]]) -> Iterator[bytes]:
    """The directories that hide what is asked for; those behind a wildcard cannot be named."""
    lists: dict[str, bool] = {}
    for directory, pattern in parts:
        if directory and not tools.is_wild(directory):
            lists[directory] = tools.is_wild(pattern) or lists.get(directory, False)
    for directory, listed in lists.items():
        if tools.is_directory(tree, directory) and not (
            tree.enterable(directory) and (tree.readable(directory) or not listed)
        ):
            yield from said.gap("denied", directory)


def _files(said: _Said, tree: Tree, globs: Iterable[str]) -> Iterator[bytes]:
    for path in tools.expand(tree, *globs):
        node = tree.stat(path)
        if node is None or "\n" in path or stat.S_ISDIR(node.mode):
            continue
        if not stat.S_ISREG(node.mode):
            yield from said.gap("special", path)
        elif not tree.readable(path):
            yield from said.gap("denied", path)
        elif path.endswith(".gz"):
            data, _ = tools.unpacked(tree.read(path, tools.LARGEST))
            yield said.payload(f"F {path}", data, FILE_LIMIT)
        else:
            yield said.payload(f"F {path}", tree.read(path, FILE_LIMIT), FILE_LIMIT)


def _lines(tree: Tree, question: Lines) -> Iterator[bytes]:
    for path in _found(tree, question.directories, question.pattern):
        node = tree.lstat(path)
        if node is not None and stat.S_ISREG(node.mode):
            for line in tools.grep(tree, question.regex, [path]):
                yield bytes_of(line if question.path else line[len(path) + 1 :])


def _stats(tree: Tree, question: Stats) -> Iterator[bytes]:
    for path in _found(tree, question.directories, question.pattern):
        node = tree.lstat(path)
        if node is not None:
            yield bytes_of(tools.stat_line(node, path))


def _found(tree: Tree, places: Iterable[str], pattern: str) -> Iterator[str]:
    """As `find -H PLACE -maxdepth 1 -name PATTERN`, which looks at the place itself too."""
    for place in tools.expand(tree, *places):
        if tools.is_directory(tree, place):
            if tools.matches(place.rpartition("/")[2], pattern):
                yield place
            yield from tools.named(tree, place, pattern)
