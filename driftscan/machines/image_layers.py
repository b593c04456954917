"""A saved image, read as a stream: its history, and what each layer does to a few paths.

Reads what `docker save` and `podman save` write (docker-archive and OCI layout; layers plain or
compressed as the standard library knows). Nothing is unpacked to disk or followed out of a layer;
memory holds the metadata and the wanted files only.
"""

import json
import posixpath
import tarfile
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any

from msgspec import Struct, field

from driftscan import sanitize
from driftscan.errors import EngineError

_BUFFER = 1 << 20
_JSON_LIMIT = 8 << 20
_FILE_LIMIT = 64 << 20
_TOTAL_LIMIT = 512 << 20
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
    contents = _Contents({}, {}, {}, _Wanted(wanted, folders))
    try:
        with tarfile.open(mode="r|", fileobj=archive, bufsize=_BUFFER) as outer:
            for member in _members(outer):
                contents.take(outer, member)
        config, layers = _parts(contents)
        return _image(config, [contents.layer(name) for name in layers])
    except (tarfile.TarError, EOFError, KeyError, TypeError, ValueError) as error:
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


class _Contents(Struct):
    """What the archive holds: metadata, layers and links, by member name."""

    documents: dict[str, bytes]
    layers: dict[str, Layer]
    links: dict[str, str]
    wanted: _Wanted
    kept: int = 0

    def take(self, outer: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Keep what a member tells. Members come in any order, the manifest often last."""
        name = _normal(member.name)
        if member.issym():
            # docker save links a layer that is the same as another one.
            self.links[name] = _normal(posixpath.join(posixpath.dirname(name), member.linkname))
        elif member.islnk():
            self.links[name] = _normal(member.linkname)
        elif member.isreg() and (stream := outer.extractfile(member)):
            if _starts_json(stream):
                self._keep(member.size if member.size <= _JSON_LIMIT else 0)
                self.documents[name] = stream.read(_JSON_LIMIT)
            elif name.endswith(".tar") or name.startswith("blobs/"):
                self.layers[name] = _layer(stream, self.wanted)
                self._keep(sum(map(len, self.layers[name].files.values())))

    def _keep(self, size: int) -> None:
        self.kept += size
        if self.kept > _TOTAL_LIMIT:
            raise ValueError(f"more than {_TOTAL_LIMIT >> 20} MB of metadata")

    def document(self, name: str) -> Any:
        """A JSON document by name."""
        return json.loads(self.documents[self.links.get(name, name)])

    def layer(self, name: str) -> Layer:
        """A layer by name."""
        return self.layers[self.links.get(name, name)]


def _starts_json(stream: IO[bytes]) -> bool:
    peek = getattr(stream, "peek", None)
    return peek is not None and peek(1)[:1] in (b"{", b"[")


def _parts(contents: _Contents) -> tuple[Any, list[str]]:
    """The image's configuration and the names of its layers, lowest first."""
    if "manifest.json" in contents.documents:
        images = contents.document("manifest.json")
        if len(images) != 1:
            raise ValueError(f"it holds {len(images)} images")
        config, layers = images[0]["Config"], images[0]["Layers"]
        return contents.document(_normal(config)), [_normal(name) for name in layers]
    manifest = _oci_manifest(contents, contents.document("index.json"))
    blobs = [_blob(layer["digest"]) for layer in manifest["layers"]]
    return contents.document(_blob(manifest["config"]["digest"])), blobs


def _oci_manifest(contents: _Contents, index: Any, depth: int = 0) -> Any:
    """The first manifest of an image; indexes nest, and attestations stand beside images."""
    for reference in index.get("manifests", ()):
        if "vnd.docker.reference.type" in reference.get("annotations", {}):
            continue
        document = contents.document(_blob(reference["digest"]))
        if "layers" in document:
            return document
        if depth < 3:
            return _oci_manifest(contents, document, depth + 1)
    raise ValueError("it holds no image")


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
        with tarfile.open(mode="r|*", fileobj=stream, bufsize=_BUFFER) as tar:
            for member in _members(tar):
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
        name = _normal(member.name)
        directory, base = posixpath.split(name)
        if base == _OPAQUE:
            self._remove(directory, below=True)
        elif base.startswith(_WHITEOUT):
            self._remove(posixpath.join(directory, base.removeprefix(_WHITEOUT)))
        elif name in self.wanted.paths:
            self._content(tar, member, name)
        elif base == "desc" and self.wanted.entry(directory):
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


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members in turn, none of them kept: a layer may have a million."""
    while (member := tar.next()) is not None:
        yield member
        tar.members.clear()  # type: ignore[attr-defined]  # typeshed leaves it out


def _normal(name: str) -> str:
    """A member's name without `./`, leading slashes and steps upwards."""
    return posixpath.normpath("/" + name).lstrip("/")


def _roots(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _below(path: str, directory: str) -> bool:
    return not directory or path == directory or path.startswith(directory + "/")
