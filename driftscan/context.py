"""What a Dockerfile copies from its folder -> one digest: whether a baseline is still what it says.

Only what COPY and ADD name is read, less what .dockerignore leaves out (the Dockerfile reference of
docker; its patterns are those of Go's filepath.Match, with `**`). Times and owners do not count, of
modes only whether a file is executable: a fresh clone has the same digest.
"""

import hashlib
import json
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from driftscan import regular
from driftscan.dockerfile import Dockerfile, Instruction
from driftscan.errors import InputError

_MOST_FILES = 100_000
_MOST_BYTES = 1 << 30
_CHUNK = 1 << 20
_URL = re.compile(r"[a-z+]+://|git@")
# What driftscan writes there, and what is told of by itself.
_OURS = ("baseline.json",)
_IGNORES = (".dockerignore", ".containerignore")


def digest(path: Path, parsed: Dockerfile) -> str:
    """`sha256:...` of all that is copied; empty where nothing is. `path` is the Dockerfile.

    Raises InputError for what cannot be read, and for more than 100,000 files or 1 GB.
    """
    sources = _sources(parsed)
    if not sources:
        return ""
    found = hashlib.sha256()
    try:
        for entry in files(path, sources):
            found.update(_told(path.parent, entry))
    except OSError as error:
        raise InputError(
            f"{error.filename}: {(error.strerror or 'cannot be read').lower()}"
        ) from error
    return f"sha256:{found.hexdigest()}"


class Entry(Struct, frozen=True):
    """A file, link or special file of the folder, by its path in it."""

    path: str
    mode: int
    size: int


def files(path: Path, sources: list[str]) -> list[Entry]:
    """What the sources name, in the order of their paths; all, where one names nothing."""
    ignored = _Ignored(path)
    whole = list(_walk(path.parent, "", ignored, sources))
    if all(any(_covers(source, entry.path) for entry in whole) for source in sources):
        return whole
    return list(_walk(path.parent, "", ignored, [""]))


# --- what is copied ----------------------------------------------------------------------------


def _sources(parsed: Dockerfile) -> list[str]:
    """The paths that are copied from the folder; `[""]`, all, where they cannot be known."""
    found: set[str] = set()
    for stage in parsed.stages:
        for instruction in stage.instructions:
            found |= _of(instruction)
    return [""] if "" in found else sorted(found)


def _of(instruction: Instruction) -> set[str]:
    if instruction.keyword == "RUN":
        mounts = [flag for flag in instruction.flags if flag.startswith("--mount=")]
        binds = [m for m in mounts if "type=" not in m or "type=bind" in m]
        return {""} if any("from=" not in mount for mount in binds) else set()
    if instruction.keyword not in ("COPY", "ADD"):
        return set()
    if any(flag.startswith("--from=") for flag in instruction.flags):
        return set()
    words = [word for word in _words(instruction.value)[:-1] if not _URL.match(word)]
    plain = [word for word in words if not word.startswith("<<")]
    return {"" if "$" in word else _clean(word) for word in plain}


def _words(value: str) -> list[str]:
    if value.lstrip().startswith("["):
        try:
            return [str(word) for word in json.loads(value)]
        except ValueError:
            pass  # as docker has it: then it is a list of words
    return value.split()


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path).lstrip("/")


def _covers(source: str, path: str) -> bool:
    """Whether the path is what the source names, or in a directory that it names."""
    wanted, parts = source.split("/") if source else [], path.split("/")
    return len(parts) >= len(wanted) and _fit(wanted, parts)


def _leads(source: str, directory: str) -> bool:
    """Whether what the source names may be in the directory."""
    return _fit(source.split("/") if source else [], directory.split("/"))


def _fit(wanted: list[str], parts: list[str]) -> bool:
    # Go negates a class with ^, and so does the shell of fnmatch with !.
    pairs = zip(wanted, parts, strict=False)
    return all(fnmatchcase(part, want.replace("[^", "[!")) for want, part in pairs)


# --- the folder --------------------------------------------------------------------------------


def _walk(folder: Path, below: str, ignored: "_Ignored", sources: list[str]) -> Iterator[Entry]:
    """Iteratively, in the order of the paths' bytes; no link is followed."""
    left, count, size = [below], 0, 0
    found: list[Entry] = []
    while left:
        directory = left.pop()
        with os.scandir(folder / directory) as entries:
            for entry in entries:
                path = posixpath.join(directory, entry.name)
                at = entry.stat(follow_symlinks=False)
                count += 1
                if count > _MOST_FILES:
                    raise InputError(f"{folder}: more than {_MOST_FILES:,} files")
                if stat.S_ISDIR(at.st_mode):
                    leads = any(_leads(source, path) for source in sources)
                    left += [path] if leads and not ignored.whole(path) else []
                elif any(_covers(source, path) for source in sources) and not ignored.leaves(path):
                    found.append(Entry(path, at.st_mode, at.st_size))
                    size += at.st_size if stat.S_ISREG(at.st_mode) else 0
        if size > _MOST_BYTES:
            raise InputError(f"{folder}: more than {_MOST_BYTES >> 30} GB are copied")
    return iter(sorted(found, key=lambda entry: os.fsencode(entry.path)))


def _told(folder: Path, entry: Entry) -> bytes:
    """What counts of an entry; a special file is not opened."""
    name = os.fsencode(entry.path) + b"\0"
    if stat.S_ISLNK(entry.mode):
        return b"link " + name + os.fsencode(Path(folder, entry.path).readlink()) + b"\0"
    if not stat.S_ISREG(entry.mode):
        return b"special " + name
    data = hashlib.sha256(regular.read(folder / entry.path, _MOST_BYTES)).digest()
    return (b"program " if entry.mode & 0o111 else b"file ") + name + data


class _Ignored:
    """The patterns of .dockerignore: the last that matches a path, or one above it, counts."""

    def __init__(self, dockerfile: Path) -> None:
        folder, name = dockerfile.parent, dockerfile.name
        places = [folder / f"{name}.dockerignore", *(folder / one for one in _IGNORES)]
        self._always = {name, *_OURS, *(place.name for place in places)}
        there = next((place for place in places if place.is_file()), None)
        text = there.read_text("utf-8-sig", "surrogateescape") if there else ""
        self._patterns = [one for line in text.split("\n") if (one := _pattern(line, there))]
        self._plain = not any(kept for kept, _ in self._patterns)

    def leaves(self, path: str) -> bool:
        """Whether the path is left out."""
        if path in self._always:
            return True
        parts = path.split("/")
        paths = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        ignored = False
        for kept, pattern in self._patterns:
            if ignored == kept and any(map(pattern.fullmatch, paths)):
                ignored = not kept
        return ignored

    def whole(self, directory: str) -> bool:
        """Whether nothing in the directory can be taken in again."""
        return self._plain and self.leaves(directory)


def _pattern(line: str, place: Path | None) -> tuple[bool, re.Pattern[str]] | None:
    """Whether it takes in again, and what it matches; None for a comment or nothing."""
    if line.startswith("#") or not line.strip():
        return None
    text = line.strip()
    kept = text.startswith("!")
    text = _clean(text.removeprefix("!").strip())
    try:
        return kept, re.compile(_regex(text), re.DOTALL)
    except re.error as error:
        raise InputError(f"{place}: {line.strip()[:60]!r} is no pattern: {error}") from error


_TOKEN = re.compile(r"\*\*/?|\*|\?|\\.|\[[^\]]*\]|.", re.DOTALL)


def _regex(text: str) -> str:
    """A pattern as a regular expression: `*` and `?` stay in a directory, `**` does not."""
    return "".join(_token(one[0], at_end=one.end() == len(text)) for one in _TOKEN.finditer(text))


def _token(word: str, *, at_end: bool) -> str:
    if word.startswith("**"):
        return ".*" if at_end else "(?:.*/)?"
    if word == "*":
        return "[^/]*"
    if word == "?":
        return "[^/]"
    if len(word) > 1 and word[0] == "\\":
        return re.escape(word[1])
    if len(word) > 2 and word[0] == "[":
        return "[" + re.sub(r"([\[&~|])", r"\\\1", word[1:-1]) + "]"
    return re.escape(word)
