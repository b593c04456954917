"""A saved image, read as a stream: its history, and what each layer does to a few paths.

Reads what `docker save` and `podman save` write (docker-archive and OCI layout; layers plain or
compressed as the standard library knows, or with zstd). Nothing is unpacked to disk or followed out
of a layer; memory holds the metadata and the wanted files only.
"""

import json
import posixpath
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Generic, NamedTuple, TypeVar, cast

from msgspec import Struct, field

from driftscan import sanitize
from driftscan.errors import EngineError

_BUFFER = 1 << 20
_JSON_LIMIT = 8 << 20
_FILE_LIMIT = 64 << 20
_TOTAL_LIMIT = 512 << 20
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_ZSTD = b"\x28\xb5\x2f\xfd"  # RFC 8878

Read = TypeVar("Read")


class NoImage(EngineError):  # noqa: N818 - what it is, not what went wrong
    """The archive is one, but holds neither a manifest nor an index."""


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
    budget, paths = Budget(), _Wanted(wanted, folders)

    def layer(stream: IO[bytes]) -> Layer:
        found = _layer(stream, paths)
        budget.spend(sum(map(len, found.files.values())))
        return found

    config, layers = parts(archive, layer, budget)
    return _image(config, layers)


# What documents raise that are not as engines write them, however deep or odd.
_DAMAGED: tuple[type[Exception], ...] = (
    *(tarfile.TarError, EOFError, LookupError, TypeError, ValueError, AttributeError),
    RecursionError,
)


def parts(
    archive: IO[bytes], layer: Callable[[IO[bytes]], Read], budget: "Budget"
) -> tuple[Any, list[Read]]:
    """The configuration of the one image of an archive, and what `layer` makes of each layer.

    Lowest first; `layer` gets them in any order, also such as belong to no image. The archive is
    read once, from here to its end. Raises EngineError as `read` does.
    """
    contents: _Contents[Read] = _Contents(layer, budget)
    try:
        with uncompressed(archive) as plain, tarfile.open(mode="r|*", fileobj=plain) as outer:
            for member in members(outer):
                contents.take(outer, member)
        config, names = contents.parts()
        return config, [contents.layer(name) for name in names]
    except _DAMAGED as error:
        raise EngineError(f"the saved image cannot be read: {sanitize.safe(str(error))}") from error


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


class Budget:
    """How much may be kept in memory."""

    def __init__(self) -> None:
        self._kept = 0

    def spend(self, size: int) -> None:
        """Raises ValueError when it was too much in all."""
        self._kept += size
        if self._kept > _TOTAL_LIMIT:
            raise ValueError(f"more than {_TOTAL_LIMIT >> 20} MB of metadata")


class _Contents(Generic[Read]):
    """What the archive holds: metadata, layers and links, by member name."""

    def __init__(self, read: Callable[[IO[bytes]], Read], budget: Budget) -> None:
        self._read = read
        self._budget = budget
        self._documents: dict[str, bytes] = {}
        self._layers: dict[str, Read] = {}
        self._links: dict[str, str] = {}

    def take(self, outer: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Keep what a member tells. Members come in any order, the manifest often last."""
        name = normal(member.name)
        if member.issym():
            # docker save links a layer that is the same as another one.
            self._links[name] = normal(posixpath.join(posixpath.dirname(name), member.linkname))
        elif member.islnk():
            self._links[name] = normal(member.linkname)
        elif member.isreg() and (stream := outer.extractfile(member)):
            if _starts_json(stream):
                self._budget.spend(member.size if member.size <= _JSON_LIMIT else 0)
                self._documents[name] = stream.read(_JSON_LIMIT)
            elif name.endswith(".tar") or name.startswith("blobs/"):
                self._layers[name] = self._read(stream)

    def layer(self, name: str) -> Read:
        """A layer by name."""
        return self._layers[self._links.get(name, name)]

    def parts(self) -> tuple[Any, list[str]]:
        """The image's configuration and the names of its layers, lowest first."""
        if "manifest.json" in self._documents:
            images = self._document("manifest.json")
            if len(images) != 1:
                raise ValueError(f"it holds {len(images)} images")
            config, layers = images[0]["Config"], images[0]["Layers"]
            return self._configuration(normal(config)), [normal(name) for name in layers]
        if "index.json" not in self._documents:
            raise NoImage("the saved image cannot be read: it holds no manifest.json or index.json")
        manifest = self._manifest(self._document("index.json"))
        blobs = [_blob(layer["digest"]) for layer in manifest["layers"]]
        return self._configuration(_blob(manifest["config"]["digest"])), blobs

    def _document(self, name: str) -> Any:
        """A JSON document by name."""
        return json.loads(self._documents[self._links.get(name, name)])

    def _configuration(self, name: str) -> dict[str, Any]:
        """As an engine reads it: of the right kinds where it is read, or not taken."""
        found: dict[str, Any] = self._document(name)
        environment = (found.get("config") or {}).get("Env") or []
        if not all(isinstance(pair, str) for pair in environment):
            raise ValueError("its environment is no list of texts")
        return found

    def _manifest(self, index: Any, depth: int = 0) -> Any:
        """The first manifest of an image; indexes nest, and attestations stand beside images."""
        for reference in index.get("manifests", ()):
            if "vnd.docker.reference.type" in reference.get("annotations", {}):
                continue
            document = self._document(_blob(reference["digest"]))
            if "layers" in document:
                return document
            if depth < 3:
                return self._manifest(document, depth + 1)
        raise ValueError("it holds no image")


def _starts_json(stream: IO[bytes]) -> bool:
    return _peeked(stream)[:1] in (b"{", b"[")


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


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
        with opened(stream) as tar:
            for member in members(tar):
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
        name = normal(member.name)
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


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """A layer as a tar that is read once, whatever it is compressed with.

    Raises tarfile.ReadError for one that nothing here can unpack.
    """
    with (
        uncompressed(stream) as plain,
        tarfile.open(mode="r|*", fileobj=plain, bufsize=_BUFFER) as tar,
    ):
        yield tar


@contextmanager
def uncompressed(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """The stream without zstd, which tarfile unpacks from Python 3.14 on: else by its program."""
    if _peeked(stream)[:4] != _ZSTD or sys.version_info >= (3, 14):
        yield stream
        return
    program = shutil.which("zstd")
    if program is None:
        raise tarfile.ReadError("it is compressed with zstd: install zstd, or use Python 3.14")
    with tempfile.TemporaryFile() as packed:
        shutil.copyfileobj(stream, packed, _BUFFER)
        packed.seek(0)
        with subprocess.Popen(
            [program, "-dcq"], stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            try:
                yield cast("IO[bytes]", child.stdout)
            finally:
                child.kill()


def _peeked(stream: IO[bytes]) -> bytes:
    peek = getattr(stream, "peek", None)
    return bytes(peek(4)) if peek is not None else b""


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members in turn, none of them kept: a layer may have a million."""
    while (member := tar.next()) is not None:
        yield member
        tar.members.clear()  # type: ignore[attr-defined]  # typeshed leaves it out


def normal(name: str) -> str:
    """A member's name without `./`, leading slashes and steps upwards."""
    return posixpath.normpath("/" + name).lstrip("/")


def _roots(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _below(path: str, directory: str) -> bool:
    return not directory or path == directory or path.startswith(directory + "/")
