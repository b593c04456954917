"""rpm's own database (`Packages.db`, SUSE since 2020) -> its values: the headers of the packages.

Slots at the start of the file say in which blocks of 16 bytes the header of a package lies.
Format: rpm's lib/backend/ndb/rpmpkg.c.
"""

import struct
from collections.abc import Iterator

from driftscan.errors import ParseError

_HEAD = struct.Struct("<4s4I")
_SLOT = struct.Struct("<4s3I")
_BLOB = struct.Struct("<4s3I")
_PAGE, _BLOCK, _FIRST = 4096, 16, 32


def blobs(data: bytes) -> Iterator[bytes]:
    """Each package's header; raises ParseError for anything that is no such file."""
    if len(data) < _FIRST or data[:4] != b"RpmP":
        raise ParseError(f"Packages.db is no database of rpm: it begins with {data[:16]!r}")
    _magic, version, _generation, pages, _next = _HEAD.unpack_from(data)
    if version != 0 or not 0 < pages <= len(data) // _PAGE:
        raise ParseError(f"Packages.db has version {version} and {pages} pages of slots")
    budget = len(data)
    for place in range(_FIRST, pages * _PAGE, _SLOT.size):
        magic, package, offset, count = _SLOT.unpack_from(data, place)
        if magic != b"Slot":
            raise ParseError(f"Packages.db is damaged: slot {place // _SLOT.size} is none")
        if not offset:
            continue
        blob = _blob(data, package, offset, count)
        budget -= len(blob)
        if budget < 0:
            raise ParseError("Packages.db is damaged: its values are longer than the file")
        yield blob


def _blob(data: bytes, package: int, offset: int, count: int) -> bytes:
    start, end = offset * _BLOCK, (offset + count) * _BLOCK
    if not package or end > len(data) or end - start < _BLOB.size:
        raise ParseError(
            f"Packages.db is cut: package {package} lies outside its {len(data)} bytes"
        )
    magic, owner, _generation, length = _BLOB.unpack_from(data, start)
    if magic != b"BlbS" or owner != package or length > end - start - _BLOB.size:
        raise ParseError(f"Packages.db is damaged: the header of package {package} is none")
    return data[start + _BLOB.size : start + _BLOB.size + length]
