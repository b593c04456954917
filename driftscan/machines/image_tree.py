"""The files of a saved image as one root file system, of which nothing is unpacked or run.

Each layer's tar is read once: paths, owners, modes and times of its headers stay in memory, the
contents of its files in one nameless file that is gone with this process. Those of plain layers in
an archive that is a file are read where they are.
"""

import posixpath
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from driftscan import sanitize
from driftscan.errors import EngineError, MachineError
from driftscan.machines import image_archive, tars
from driftscan.machines.engine import Engine
from driftscan.machines.image_choice import NoImage
from driftscan.machines.image_layers import Whiteout, whiteout
from driftscan.model import Limits, Node

_CHUNK = 1 << 20
_MOST_FILES = 2_000_000
_MOST_BYTES = 32 << 30
_LINKS = 40
_DIRECTORY = Node(stat.S_IFDIR | 0o755, 0, 0, 4096, 0)
_KINDS = {
    tarfile.REGTYPE: stat.S_IFREG,
    tarfile.AREGTYPE: stat.S_IFREG,
    tarfile.CONTTYPE: stat.S_IFREG,
    tarfile.GNUTYPE_SPARSE: stat.S_IFREG,
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}
# As `uname -m` names what the image format (and Go) names so; arm is any 32 bit one.
_MACHINES = {
    "amd64": "x86_64",
    "386": "i686",
    "arm64": "aarch64",
    "arm": "armv7l",
    "loong64": "loongarch64",
}

Check = Callable[[], None]


class Layers:
    """A `Store` (machines/root.py) of an image's merged layers, and what its configuration says."""

    def __init__(
        self,
        config: Mapping[str, Any],
        files: "_Files",
        spool: IO[bytes],
        archive: IO[bytes] | None = None,
    ) -> None:
        self._files = files
        self._spool = spool
        self._archive = archive
        inner = config.get("config") or {}
        self.environment = tuple(str(pair) for pair in inner.get("Env") or ())
        self.created = str(config.get("created", ""))
        self.architecture = str(config.get("architecture", ""))

    @property
    def search(self) -> str:
        pairs = (pair.partition("=") for pair in self.environment)
        return next((value for name, _, value in pairs if name == "PATH"), "")

    @property
    def machine(self) -> str:
        return _MACHINES.get(self.architecture, self.architecture)

    def node(self, path: str) -> Node | None:
        kept = self._files.at(path)
        return kept.node if kept else None

    def names(self, path: str) -> list[str]:
        return list(self._files.names(path))

    def read(self, path: str, limit: int) -> bytes:
        kept = self._files.at(path)
        if kept is None:
            return b""
        file = self._archive if kept.in_place and self._archive else self._spool
        file.seek(kept.offset)
        return file.read(min(limit, kept.node.size))

    def may(self, path: str, *, enter: bool) -> bool:  # noqa: ARG002 - root may read all
        return True


@contextmanager
def of_archive(path: str, check: Check) -> Iterator[Layers]:
    """The image in a file or folder: docker archive, OCI layout, or the tar of one root directory.

    Raises MachineError where it cannot be opened or read; `check` is called now and then.
    """
    try:
        with tempfile.TemporaryFile() as spool:
            if Path(path).is_dir():
                yield load_folder(path, spool, check)
                return
            with Path(path).open("rb") as archive:
                try:
                    found = load(archive, spool, check)
                except NoImage:
                    archive.seek(0)
                    found = bare(archive, spool, check)
                yield found
    except OSError as error:
        cause = f"{path}: {(error.strerror or 'cannot be read').lower()}"
        raise MachineError("unreachable", "open", cause, _WHICH) from error
    except EngineError as error:
        raise MachineError("malformed", "read", f"{path}: {error}", _WHICH) from error


@contextmanager
def of_engine(engine: Engine, reference: str, limits: Limits, check: Check) -> Iterator[Layers]:
    """A local image, as the engine saves it; raises MachineError where it cannot."""
    try:
        with tempfile.TemporaryFile() as spool:
            with engine.saved(reference, deadline=limits.deadline) as archive:
                found = load(archive, spool, check)
            yield found
    except EngineError as error:
        raise MachineError(
            "unreachable", "engine", str(error), "is there such an image?"
        ) from error
    except OSError as error:
        cause = (error.strerror or "cannot be kept").lower()
        raise MachineError("unreachable", "read", f"the saved image: {cause}", _SPACE) from error


_WHICH = (
    "name what `docker save`, `podman save` or `skopeo copy` has written; a root directory is "
    "rootfs://DIRECTORY"
)
_SPACE = "set TMPDIR to a folder with room for the whole image"


def load(archive: IO[bytes], spool: IO[bytes], check: Check) -> Layers:
    """The image in an archive; `spool` takes the contents of its files, but for those of plain
    layers in an archive that is a file: they are read where they are, and it has to stay open.

    Raises EngineError for an archive that is no image, or whose layers do what no engine allows.
    """
    layer = _Reader(spool, check).layer
    config, layers = image_archive.parts(archive, layer, image_archive.Budget())
    return Layers(config, _merged(layers, check), spool, archive)


def load_folder(path: str, spool: IO[bytes], check: Check) -> Layers:
    """The image in a folder; raises as `load` does, and OSError where it cannot be read."""
    layer = _Reader(spool, check).layer
    config, layers = image_archive.folder(path, layer, image_archive.Budget())
    return Layers(config, _merged(layers, check), spool)


def _merged(layers: "list[_Layer]", check: Check) -> "_Files":
    files = _Files()
    try:
        for layer in layers:
            check()
            files.put_on(layer)
    except ValueError as error:
        raise EngineError(f"the saved image cannot be read: {error}") from error
    return files


def bare(archive: IO[bytes], spool: IO[bytes], check: Check) -> Layers:
    """The tar of a root file system, as `docker export` writes it: one layer and nothing else."""
    files = _Files()
    try:
        files.put_on(_Reader(spool, check).layer(archive, 0))
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise EngineError(f"it cannot be read: {sanitize.safe(str(error))}") from error
    return Layers({}, files, spool, archive)


# --- one layer ---------------------------------------------------------------------------------


class _Kept(Struct, frozen=True):
    """A path of a layer, and where the spool, or the archive itself, has its content; or what it is
    a hard link to."""

    node: Node
    offset: int = 0
    in_place: bool = False
    link: str = ""


class _Layer(Struct):
    """What a layer brings, in its order, and what it takes away of those below it."""

    kept: dict[str, _Kept]
    gone: list[Whiteout]


class _Reader:
    """Reads layers into the spool; of all together there is only so much."""

    def __init__(self, spool: IO[bytes], check: Check) -> None:
        self._spool = spool
        self._check = check
        self._files = 0

    def layer(self, stream: IO[bytes], place: int | None) -> _Layer:
        """What a layer holds, which begins at `place` of the archive if it can be read there again.

        Raises ValueError for what no engine would unpack, or for more than the limits.
        """
        layer = _Layer({}, [])
        if tars.is_compressed(stream):
            place = None
        with tars.opened(stream) as tar:
            for member in tars.members(tar):
                self._files += 1
                if self._files > _MOST_FILES:
                    raise ValueError(f"it has more than {_MOST_FILES} files")
                if self._files % 64 == 0:
                    self._check()
                self._take(tar, member, layer, place)
        return layer

    def _take(
        self, tar: tarfile.TarFile, member: tarfile.TarInfo, layer: _Layer, place: int | None
    ) -> None:
        name = _inside(member.name)
        gone = whiteout(name)
        if gone is not None:
            layer.gone.append(gone)
        elif member.islnk():
            layer.kept[name] = _Kept(_DIRECTORY, link=_inside(member.linkname))
        elif member.isreg() and place is not None and not member.issparse():
            layer.kept[name] = _Kept(_node(member), place + member.offset_data, in_place=True)
        elif member.type in _KINDS:
            offset = self._keep(tar, member) if member.isreg() else 0
            layer.kept[name] = _Kept(_node(member), offset)

    def _keep(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> int:
        offset, left = self._spool.tell(), member.size
        if offset + left > _MOST_BYTES:
            raise ValueError(f"its files have more than {_MOST_BYTES >> 30} GB")
        stream = tar.extractfile(member)
        while stream is not None and (data := stream.read(_CHUNK)):
            self._check()
            self._spool.write(data)
        return offset


def _inside(name: str) -> str:
    """A member's path in the image; raises ValueError for one that leads out of it."""
    if posixpath.normpath(name.lstrip("/")).split("/")[0] == "..":
        raise ValueError(f"a layer leads out of the image: {sanitize.safe(name)}")
    return tars.normal(name)


def _node(member: tarfile.TarInfo) -> Node:
    target = member.linkname if member.issym() else ""
    size = 4096 if member.isdir() else len(target.encode("utf-8", "surrogateescape")) or member.size
    mode = _KINDS[member.type] | (0o777 if member.issym() else stat.S_IMODE(member.mode))
    return Node(mode, member.uid, member.gid, size, int(member.mtime // 1), target)


# --- all layers --------------------------------------------------------------------------------


class _Files:
    """The merged file system; paths have no leading slash, the root is empty."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {"": _Kept(_DIRECTORY)}
        self._below: dict[str, dict[str, None]] = {"": {}}

    def at(self, path: str) -> _Kept | None:
        return self._kept.get(path.strip("/"))

    def names(self, path: str) -> Iterator[str]:
        return iter(self._below.get(path.strip("/"), ()))

    def put_on(self, layer: _Layer) -> None:
        """What a layer takes away is what those below it had, wherever its whiteouts stand."""
        lower = {kept.link: self._linked(kept.link) for kept in layer.kept.values() if kept.link}
        for gone in layer.gone:
            if gone.opaque:
                directory = self._directory(gone.path)
                for name in list(self._below.get(directory, ())):
                    self._remove(posixpath.join(directory, name))
            else:
                self._remove(self._place(gone.path))
        for path, kept in layer.kept.items():
            found = (self._linked(kept.link) or lower[kept.link]) if kept.link else kept
            if found is None:
                raise ValueError(f"a hard link to nothing: {sanitize.safe(kept.link)}")
            self._put(path, found)

    def _linked(self, path: str) -> _Kept | None:
        return self._kept.get(self._place(path))

    def _put(self, path: str, kept: _Kept) -> None:
        if not path:
            self._kept[path] = kept
            return
        path = self._place(path, make=True)
        directory, _, name = path.rpartition("/")
        before = self._kept.get(path, kept)
        if not (stat.S_ISDIR(kept.node.mode) and stat.S_ISDIR(before.node.mode)):
            self._remove(path)
        self._kept[path] = kept
        self._below[directory][name] = None
        if stat.S_ISDIR(kept.node.mode):
            self._below.setdefault(path, {})

    def _place(self, path: str, *, make: bool = False) -> str:
        """Where a path is: links on the way to it are followed, as engines do; itself it is not."""
        directory, _, name = path.rpartition("/")
        return posixpath.join(self._directory(directory, make=make), name)

    def _directory(self, path: str, links: int = 0, *, make: bool = False) -> str:
        """Where a directory is, or would be; `make` puts one there where there is none."""
        if path in self._below:
            return path
        above, _, name = path.rpartition("/")
        above = self._directory(above, links, make=make)
        path = f"{above}/{name}" if above else name
        found = self._kept.get(path)
        if found is not None and found.node.target and links < _LINKS:
            target = posixpath.join("/" + above, found.node.target)
            return self._directory(tars.normal(target), links + 1, make=make)
        if make and path not in self._below:
            self._put(path, _Kept(_DIRECTORY))
        return path

    def _remove(self, path: str) -> None:
        directory, _, name = path.rpartition("/")
        self._below.get(directory, {}).pop(name, None)
        left = [path] if path else []
        while left:
            gone = left.pop()
            self._kept.pop(gone, None)
            left += [f"{gone}/{inner}" for inner in self._below.pop(gone, ())]
