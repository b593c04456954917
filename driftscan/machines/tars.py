"""Tar files read forwards, whatever they are compressed with, and nothing of them believed.

The tarfile module ends quietly at a damaged header and after the first of several gzip members,
and takes extended headers of any size into memory: here each of these is an error, or read on.
"""

import bz2
import gzip
import lzma
import posixpath
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

_BUFFER = 1 << 20
_LONGEST = 1 << 20  # of a header that holds a name or a PAX record: names have 4096 bytes at most
_ZSTD = b"\x28\xb5\x2f\xfd"  # RFC 8878; skippable frames may come first
_SKIPPABLE = b"\x2a\x4d\x18"
_EXTENDED = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """A tar whose members are read in turn, whatever it is compressed with.

    Raises tarfile.ReadError for one that nothing here can unpack, or that is damaged.
    """
    try:
        with (
            uncompressed(stream) as plain,
            tarfile.open(
                mode="r:",
                fileobj=cast("IO[bytes]", _Forward(plain)),
                tarinfo=_Header,
                encoding="utf-8",
                errors="surrogateescape",
            ) as tar,
        ):
            yield tar
    except (zlib.error, lzma.LZMAError) as error:
        raise tarfile.ReadError(str(error)) from error
    except OSError as error:
        if error.errno is None:  # of gzip and bz2, not of the disk
            raise tarfile.ReadError(str(error)) from error
        raise


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members in turn, none of them kept: a layer may have a million."""
    while (member := tar.next()) is not None:
        yield member
        tar.members.clear()  # type: ignore[attr-defined]  # typeshed leaves it out


def normal(name: str) -> str:
    """A member's name without `./`, leading slashes and steps upwards."""
    return posixpath.normpath("/" + name).lstrip("/")


def peeked(stream: IO[bytes], size: int) -> bytes:
    """The next bytes, which stay to be read; none where the stream cannot show them."""
    peek = getattr(stream, "peek", None)
    if peek is not None:
        return bytes(peek(size))[:size]
    if not stream.seekable():
        return b""
    head = stream.read(size)
    stream.seek(-len(head), 1)
    return head


class _Header(tarfile.TarInfo):
    """A header that is whole and of a size that can be."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> "_Header":
        try:
            found = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not bytes(buf).strip(b"\0"):
                raise
            # tarfile takes it for the end of the archive, and what follows for nothing.
            raise tarfile.ReadError(f"a header is damaged: {error}") from error
        if found.type in _EXTENDED and found.size > _LONGEST:
            raise tarfile.ReadError(f"a name or header of {found.size >> 20} MB")
        return found


class _Forward:
    """A stream as tarfile reads a file, but that never goes back: no header can make it loop."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._at = 0
        self._skips = stream.seekable()

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._at += len(data)
        return data

    def seek(self, position: int, _whence: int = 0) -> int:
        if position < self._at:
            raise tarfile.ReadError("a header leads back")
        if self._skips:
            self._stream.seek(position - self._at, 1)
            self._at = position
        while self._at < position and self.read(min(_BUFFER, position - self._at)):
            pass
        return self._at


# --- compression -------------------------------------------------------------------------------


def is_compressed(stream: IO[bytes]) -> bool:
    """Whether it begins as a format that `uncompressed` knows."""
    head = peeked(stream, 6)
    return (
        head.startswith((_ZSTD, b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x5d\0\0"))
        or head[1:4] == _SKIPPABLE
    )


@contextmanager
def uncompressed(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """What is in the stream, to its end: the members or frames of all formats may be several."""
    head = peeked(stream, 6)
    if not is_compressed(stream):
        yield stream
    elif head[:4] == _ZSTD or head[1:4] == _SKIPPABLE:
        with _unzstd(stream) as plain:
            yield plain
    elif head[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=stream) as unzipped:
            yield cast("IO[bytes]", unzipped)
    elif head[:3] == b"BZh":
        with bz2.BZ2File(stream) as unzipped:
            yield cast("IO[bytes]", unzipped)
    else:
        with lzma.LZMAFile(stream) as unzipped:
            yield cast("IO[bytes]", unzipped)


@contextmanager
def _unzstd(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """By Python from 3.14 on, else by the program."""
    if sys.version_info >= (3, 14):
        from compression import zstd

        with zstd.ZstdFile(stream) as unzipped:
            yield cast("IO[bytes]", unzipped)
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
                plain = cast("IO[bytes]", child.stdout)
                yield plain
                plain.read(_BUFFER)  # what fills up the last record of a tar
                if not plain.read(1) and child.wait():
                    raise tarfile.ReadError("its zstd is damaged or ends early")
            finally:
                child.kill()
