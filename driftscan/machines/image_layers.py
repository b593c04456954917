"""A saved image: its history, and what each layer does to a few paths.

Nothing is unpacked to disk or followed out of a layer; memory holds the metadata and the wanted
files only.
"""

import posixpath
import tarfile
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any, NamedTuple

from msgspec import Struct, field

from driftscan import sanitize
from driftscan.machines import image_archive, tars

_FILE_LIMIT = 64 << 20
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class Entry(Struct, frozen=True):
    """One entry of an image's history: its text, when it was made (as written), its layer."""

    text: str
    created: str
    layer: int | None
    comment: str = ""


class Layer(Struct, frozen=True):
    """What one layer does to the wanted paths: files it brings, paths it removes with all below.

    `unreadable` says why the layer, or a wanted file of it, could not be read.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    unreadable: str = ""


class SavedImage(Struct, frozen=True):
    """An image's creation time, environment, history and layers, lowest first."""

    created: str
    environment: tuple[str, ...]
    history: tuple[Entry, ...]
    layers: tuple[Layer, ...]


def read(archive: IO[bytes], wanted: Collection[str], folders: Collection[str] = ()) -> SavedImage:
    """The one image of an archive; `wanted` are file paths without the leading slash.

    Of the `folders` each `FOLDER/ENTRY/desc` is wanted by its name alone.

    Raises EngineError for an archive that holds no image or more than one, or that ends early.
    """
    budget, paths = image_archive.Budget(), _Wanted(wanted, folders)

    def layer(stream: IO[bytes], _place: int | None) -> Layer:
        found = _layer(stream, paths)
        budget.spend(sum(map(len, found.files.values())))
        return found

    config, layers = image_archive.parts(archive, layer, budget)
    return _image(config, layers)


def states(layers: Collection[Layer], path: str) -> Iterator[bytes | str | None]:
    """The file as of each layer: its content, None where there is none, or why it is unknown."""
    content: bytes | str | None = None
    for layer in layers:
        if layer.unreadable:
            content = layer.unreadable
        elif path in layer.files:
            content = layer.files[path]
        elif any(_below(path, removed) for removed in layer.removed):
            content = None
        yield content


def trees(
    layers: Collection[Layer], paths: Collection[str], folder: str = ""
) -> Iterator[Mapping[str, bytes] | str]:
    """The files as of each layer, by path, or why they are unknown.

    `folder`: of that one every `FOLDER/ENTRY/desc` too, without content: their names are all that
    is kept.
    """
    single = [list(states(layers, path)) for path in paths]
    for index, names in enumerate(_entries(layers, folder)):
        contents = [found[index] for found in single]
        lost = [c for c in (*contents, names) if isinstance(c, str)]
        there = {p: c for p, c in zip(paths, contents, strict=True) if isinstance(c, bytes)}
        yield lost[0] if lost else {**there, **dict.fromkeys(names, b"")}


def _entries(layers: Collection[Layer], folder: str) -> Iterator[frozenset[str] | str]:
    """The `desc` of a folder's entries as of each layer; once unknown it stays so."""
    found: frozenset[str] = frozenset()
    lost = ""
    for layer in layers:
        lost = lost or (layer.unreadable if folder else "")
        kept = (p for p in found if not any(_below(p, gone) for gone in layer.removed))
        here = (path for path in layer.files if folder and path.startswith(f"{folder}/"))
        found = frozenset((*kept, *here))
        yield lost or found


# --- the archive -------------------------------------------------------------------------------


class _Wanted:
    """The paths looked for, and the directories that they hang from."""

    def __init__(self, paths: Collection[str], folders: Collection[str] = ()) -> None:
        self.paths = frozenset(paths)
        self.folders = frozenset(folders)
        below = (*paths, *(f"{folder}/desc" for folder in folders))
        self.roots = frozenset(root for path in below for root in _roots(path))

    def entry(self, path: str) -> bool:
        """Whether it is `FOLDER/ENTRY`."""
        return posixpath.dirname(path) in self.folders


def _image(config: Any, layers: list[Layer]) -> SavedImage:
    history = []
    index = 0
    for entry in config.get("history") or ():
        empty = bool(entry.get("empty_layer"))
        text, comment = str(entry.get("created_by", "")), str(entry.get("comment", ""))
        layer = None if empty else index
        history.append(Entry(text, str(entry.get("created", "")), layer, comment))
        index += not empty
    if index != len(layers):
        # A history that does not count its layers tells of none of them.
        history = []
    environment = (config.get("config") or {}).get("Env") or ()
    return SavedImage(
        str(config.get("created", "")), tuple(environment), tuple(history), tuple(layers)
    )


# --- a layer -----------------------------------------------------------------------------------


def _layer(stream: IO[bytes], wanted: _Wanted) -> Layer:
    found = _Found(wanted, {}, [])
    try:
        with tars.opened(stream) as tar:
            for member in tars.members(tar):
                found.take(tar, member)
    except (tarfile.TarError, EOFError, OSError) as error:
        return Layer(unreadable=f"a layer cannot be read: {sanitize.safe(str(error))}")
    return Layer(found.files, tuple(sorted(set(found.removed))), found.unreadable)


class _Found(Struct):
    wanted: _Wanted
    files: dict[str, bytes]
    removed: list[str]
    unreadable: str = ""

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = tars.normal(member.name)
        taken = whiteout(name)
        if taken is not None:
            self._remove(taken.path, below=taken.opaque)
        elif name in self.wanted.paths:
            self._content(tar, member, name)
        elif name.endswith("/desc") and self.wanted.entry(posixpath.dirname(name)):
            self.files[name] = b""
        elif name in self.wanted.roots and not member.isdir():
            # Something else has taken the place of the directory.
            self._remove(name)

    def _content(self, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> None:
        stream = tar.extractfile(member) if member.isreg() else None
        if stream is None or member.size > _FILE_LIMIT:
            self.unreadable = f"/{name} is a link, not a file, or too large"
        else:
            self.files[name] = stream.read()

    def _remove(self, path: str, *, below: bool = False) -> None:
        known = path in self.wanted.roots or self.wanted.entry(path)
        if known or (path in self.wanted.paths and not below) or not path:
            self.removed.append(path)


class Whiteout(NamedTuple):
    """What a layer takes away of those below it: a path, or all that is in a directory."""

    path: str
    opaque: bool


def whiteout(name: str) -> Whiteout | None:
    """What a member of that (normal) name takes away, if it is a whiteout of the image format."""
    directory, base = posixpath.split(name)
    if base == _OPAQUE:
        return Whiteout(directory, opaque=True)
    if base.startswith(_WHITEOUT):
        return Whiteout(posixpath.join(directory, base.removeprefix(_WHITEOUT)), opaque=False)
    return None


def _roots(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _below(path: str, directory: str) -> bool:
    return not directory or path == directory or path.startswith(directory + "/")
