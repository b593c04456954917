"""A saved image in a file, a folder or a stream: its configuration and its layers, in their order.

Reads what `docker save`, `podman save`, `skopeo copy`, buildah, buildkit, crane and kaniko write:
docker archives and OCI layouts, these also as a folder.
"""

import json
import posixpath
import tarfile
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from driftscan import sanitize
from driftscan.errors import EngineError
from driftscan.machines import tars
from driftscan.machines.image_choice import Named, chosen

_JSON_LIMIT = 8 << 20
_TOTAL_LIMIT = 512 << 20
_MOST = 2_000_000  # members

Read = TypeVar("Read")
# Gets a layer, and where it begins in the archive if that can be read there again.
Layer = Callable[[IO[bytes], int | None], Read]

# What documents raise that are not as engines write them, however deep or odd.
_DAMAGED: tuple[type[Exception], ...] = (
    *(tarfile.TarError, EOFError, LookupError, TypeError, ValueError, AttributeError),
    RecursionError,
)


class Budget:
    """How much may be kept in memory."""

    def __init__(self) -> None:
        self._kept = 0

    def spend(self, size: int) -> None:
        """Raises ValueError when it was too much in all."""
        self._kept += size
        if self._kept > _TOTAL_LIMIT:
            raise ValueError(f"more than {_TOTAL_LIMIT >> 20} MB of metadata")


def parts(archive: IO[bytes], layer: Layer[Read], budget: Budget) -> tuple[Any, list[Read]]:
    """The configuration of the one image of an archive, and what `layer` makes of each layer.

    Lowest first; `layer` gets them in any order. A file is read twice, first for its manifest, and
    `layer` gets what that names; a stream is read once, and `layer` gets what looks like a layer,
    also of other images. Raises EngineError for an archive that ends early or is not one image.
    """
    with _told():
        if archive.seekable():
            start = archive.tell()
            index: _Contents[None] = _Contents(None, budget)
            index.take_all(archive)
            image = chosen(index.document, index.there)
            archive.seek(start)
            contents = _Contents(layer, budget, set(image.layers) | index.linked(image.layers))
            contents.take_all(archive)
            return _configuration(index.document(image.config)), contents.named(image)
        contents = _Contents(layer, budget)
        contents.take_all(archive)
        image = chosen(contents.document, contents.there)
        return _configuration(contents.document(image.config)), contents.named(image)


def folder(path: str, layer: Layer[Read], budget: Budget) -> tuple[Any, list[Read]]:
    """The same of an OCI layout, or an unpacked docker archive, that is a folder.

    Raises OSError where it cannot be read, and NoImage where it is neither.
    """

    def document(name: str) -> Any:
        try:
            with _file(path, name) as stream:
                data = stream.read(_JSON_LIMIT)
        except FileNotFoundError:
            return None
        budget.spend(len(data))
        return json.loads(data)

    def read(name: str) -> Read:
        with _file(path, name) as stream:
            return layer(stream, None)

    with _told():
        image = chosen(document, lambda name: Path(path, name).exists())
        config = _configuration(document(image.config))
        return config, [read(name) for name in image.layers]


@contextmanager
def _file(path: str, name: str) -> Iterator[IO[bytes]]:
    """A file of a folder; raises ValueError for a link that leads out of it."""
    real = Path(path, name).resolve()
    if not real.is_relative_to(Path(path).resolve()):
        raise ValueError(f"{sanitize.safe(name)} leads out of it")
    if real.exists() and not real.is_file():
        raise ValueError(f"{sanitize.safe(name)} is no file")
    with real.open("rb") as stream:
        yield stream


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise EngineError(f"the saved image cannot be read: {sanitize.safe(str(error))}") from error


class _Contents(Generic[Read]):
    """What a tar holds: metadata, layers and links, by member name.

    `read` makes something of each layer, which is one if it is `wanted` or, where nothing says
    what is, looks like one; without it their names are kept.
    """

    def __init__(
        self, read: Layer[Read] | None, budget: Budget, wanted: Container[str] | None = None
    ) -> None:
        self._read = read
        self._budget = budget
        self._wanted = wanted
        self._documents: dict[str, bytes] = {}
        self._layers: dict[str, Read | None] = {}
        self._links: dict[str, str] = {}

    def take_all(self, archive: IO[bytes]) -> None:
        in_place = archive.seekable() and not tars.is_compressed(archive)
        start = archive.tell() if in_place else None
        with tars.opened(archive) as outer:
            for count, member in enumerate(tars.members(outer)):
                if count > _MOST:
                    raise ValueError(f"it has more than {_MOST} members")
                self._take(outer, member, start)

    def _take(self, outer: tarfile.TarFile, member: tarfile.TarInfo, start: int | None) -> None:
        """Keep what a member tells. Members come in any order, the manifest often last."""
        name = tars.normal(member.name)
        if member.issym():
            # docker save links a layer that is the same as another one.
            link = tars.normal(posixpath.join(posixpath.dirname(name), member.linkname))
            self._links[name] = link
        elif member.islnk():
            self._links[name] = tars.normal(member.linkname)
        elif member.isreg() and (stream := outer.extractfile(member)):
            place = None if start is None or member.issparse() else start + member.offset_data
            self._take_file(name, stream, member, place)

    def _take_file(
        self, name: str, stream: IO[bytes], member: tarfile.TarInfo, place: int | None
    ) -> None:
        document = self._wanted is None and _may_be_document(name) and _starts_json(stream)
        if document:
            self._budget.spend(member.size if member.size <= _JSON_LIMIT else 0)
            self._documents[name] = stream.read(_JSON_LIMIT)
        if self._read is None:
            self._layers[name] = None
        elif not document and self._is_layer(name):
            self._layers[name] = self._read(stream, place)

    def _is_layer(self, name: str) -> bool:
        if self._wanted is not None:
            return name in self._wanted
        return name.startswith("blobs/") or ".tar" in posixpath.basename(name)

    def document(self, name: str) -> Any:
        """A JSON document by name; None where there is none."""
        data = self._documents.get(self._links.get(name, name))
        return None if data is None else json.loads(data)

    def there(self, name: str) -> bool:
        """Whether there is such a layer."""
        return self._links.get(name, name) in self._layers

    def linked(self, names: tuple[str, ...]) -> set[str]:
        """What those of the names that are links lead to."""
        return {self._links[name] for name in names if name in self._links}

    def named(self, image: Named) -> list[Read]:
        """What was made of the layers of an image."""
        return [self._layers[self._links.get(name, name)] for name in image.layers]  # type: ignore[misc]


def _may_be_document(name: str) -> bool:
    """Manifests and configurations are at the top or blobs; a root directory has JSON anywhere."""
    return "/" not in name or name.startswith("blobs/")


def _starts_json(stream: IO[bytes]) -> bool:
    """A layer's first member may be called `[` too, but its header is full of zeros."""
    head = tars.peeked(stream, 512)
    return head[:1] in (b"{", b"[") and b"\0" not in head


def _configuration(found: Any) -> Any:
    """As an engine reads it: of the right kinds where it is read, or not taken."""
    environment = (found.get("config") or {}).get("Env") or []
    if not all(isinstance(pair, str) for pair in environment):
        raise ValueError("its environment is no list of texts")
    return found
