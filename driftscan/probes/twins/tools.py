"""What the scripts do with the shell, find and grep, over files that are only read.

Order and limits are the script's: names in byte order, as a shell with LC_ALL=C expands them.
"""

import re
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from functools import cache

from driftscan.model import FILE_LIMIT, Node, Tree

LARGEST = 512 << 20
"""Bytes that are read of a file which is summed or searched."""

_WILD = re.compile(r"[*?\[]")
_CLASS = re.compile(r"\[:([a-z]+):\]")
_CLASSES = {"space": r" \t\n\r\f\v", "digit": "0-9", "alpha": "A-Za-z", "alnum": "A-Za-z0-9"}


def bytes_of(text: str) -> bytes:
    """A path or a line as the bytes that it stands for."""
    return text.encode("utf-8", "surrogateescape")


def text_of(data: bytes) -> str:
    """Bytes as text that loses nothing; `bytes_of` gives them back."""
    return data.decode("utf-8", "surrogateescape")


def is_wild(pattern: str) -> bool:
    """Whether a shell would expand it."""
    return _WILD.search(pattern) is not None


def matches(name: str, pattern: str) -> bool:
    """`find -name`: a wildcard may match a leading dot."""
    return bool(_form(pattern)(name))


@cache
def _form(pattern: str) -> Callable[[str], object]:
    """Matches names by bytes, as LC_ALL=C does."""
    form = re.compile(translate(_single(pattern)))
    return lambda name: form.match(_single(name))


def _single(text: str) -> str:
    return bytes_of(text).decode("latin-1")


def expand(tree: Tree, *patterns: str) -> Iterator[str]:
    """The paths of some glob patterns, each sorted for itself; a path without wildcard as it is.

    As in sh no wildcard matches a leading dot or a slash; a pattern that matches nothing gives
    nothing.
    """
    for pattern in patterns:
        if not is_wild(pattern):
            yield pattern
            continue
        found = [""]
        for part in pattern.strip("/").split("/"):
            found = [path for before in found for path in _matching(tree, before, part)]
        yield from sorted(found, key=bytes_of)


def _matching(tree: Tree, before: str, part: str) -> Iterator[str]:
    if not is_wild(part):
        if tree.lstat(f"{before}/{part}") is not None:
            yield f"{before}/{part}"
        return
    form = _form(part)
    for name in tree.names(before or "/"):
        if form(name) and (name[0] != "." or part[0] == "."):
            yield f"{before}/{name}"


def named(tree: Tree, directory: str, pattern: str) -> Iterator[str]:
    """What `find -H DIRECTORY -mindepth 1 -maxdepth 1 -name PATTERN` prints, in byte order."""
    form = _form(pattern)
    prefix = directory.rstrip("/")
    return (f"{prefix}/{name}" for name in tree.names(directory) if form(name))


def exists(tree: Tree, path: str) -> bool:
    """`[ -e PATH ]`."""
    return tree.stat(path) is not None


def is_file(tree: Tree, path: str) -> bool:
    """`[ -f PATH ]`."""
    return _is(tree.stat(path), stat.S_IFREG)


def is_directory(tree: Tree, path: str) -> bool:
    """`[ -d PATH ]`."""
    return _is(tree.stat(path), stat.S_IFDIR)


def is_link(tree: Tree, path: str) -> bool:
    """`[ -h PATH ]`."""
    return _is(tree.lstat(path), stat.S_IFLNK)


def is_program(tree: Tree, path: str) -> bool:
    """`[ -f PATH ] && [ -x PATH ]`, as root finds it."""
    node = tree.stat(path)
    return node is not None and stat.S_ISREG(node.mode) and node.mode & 0o111 != 0


def _is(node: Node | None, kind: int) -> bool:
    return node is not None and stat.S_IFMT(node.mode) == kind


def stat_line(node: Node, path: str) -> str:
    """What `stat -c '%Y %f %u %g %s %n'` prints."""
    return f"{node.mtime} {node.mode:x} {node.uid} {node.gid} {node.size} {path}"


def lines(tree: Tree, path: str, limit: int = LARGEST) -> list[str]:
    """The lines of a file, none where there is none or it is closed."""
    return split(tree.read(path, limit))


def grep(tree: Tree, regex: str, paths: Iterable[str], limit: int = LARGEST) -> Iterator[str]:
    """What `grep -HsE REGEX PATHS` prints: `path:line` of the lines that match."""
    form = re.compile(python_regex(regex))
    for path in paths:
        if is_file(tree, path):
            yield from (f"{path}:{line}" for line in lines(tree, path, limit) if form.search(line))


def found(regex: str, line: str) -> bool:
    """Whether `grep -E REGEX` prints the line."""
    return re.search(python_regex(regex), line) is not None


def python_regex(regex: str) -> str:
    """An extended regular expression of regex(7), of the kind that probes use, as Python's."""
    return _CLASS.sub(lambda match: _CLASSES[match[1]], regex)


def unpacked(data: bytes, limit: int = FILE_LIMIT) -> tuple[bytes, bool]:
    """What `gzip -dc | head -c LIMIT` gives of a file, and whether gzip would find it whole.

    Of a damaged file it is the beginning; after the limit nothing is looked at.
    """
    pieces: list[bytes] = []
    while data and limit > 0:
        stream = zlib.decompressobj(wbits=31)
        try:
            piece = stream.decompress(data, limit)
        except zlib.error:
            return b"".join(pieces), False
        pieces.append(piece)
        limit -= len(piece)
        if not stream.eof and limit > 0:
            return b"".join(pieces), False
        data = stream.unused_data
    return b"".join(pieces), True


def split(data: bytes) -> list[str]:
    """The lines of a text."""
    return text_of(data).removesuffix("\n").split("\n") if data else []


def owners(tree: Tree, paths: Iterable[str], pattern: str = "*.list") -> Iterator[str]:
    """What dpkg's lists say of the paths: `package.list:path`, as grep prints it."""
    wanted = set(paths)
    if not wanted:
        return
    for name in expand(tree, f"/var/lib/dpkg/info/{pattern}"):
        base = name.rpartition("/")[2]
        yield from (f"{base}:{line}" for line in lines(tree, name) if line in wanted)


def ways(path: str) -> tuple[str, str]:
    """A path as packages write it before and after /usr was merged (usrmerge(7))."""
    return path, path[4:] if path.startswith("/usr/") else f"/usr{path}"
