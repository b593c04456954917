"""Berkeley DB hash files (`Packages`, to RHEL 8) -> their values: the headers of the packages.

Pages are read in the order of the file: each hash page names its pairs, and a long value lies in a
chain of overflow pages. Format: Berkeley DB's dbinc/db_page.h, versions 8 to 10 of the hash.
"""

import struct
from collections.abc import Iterator

from driftscan.errors import ParseError

_MAGIC = 0x061561
_HASHMETA, _HASH_UNSORTED, _OVERFLOW, _HASH = 8, 2, 7, 13
_PAGE_HEAD = 26
_KEYDATA, _OFFPAGE = 1, 3
_SIZES = frozenset(512 << shift for shift in range(8))


def blobs(data: bytes) -> Iterator[bytes]:
    """Each package's header; raises ParseError for anything that is no such file."""
    order = _order(data)
    size = struct.unpack_from(order + "I", data, 20)[0]
    if size not in _SIZES or data[25] != _HASHMETA or data[24]:
        raise ParseError(
            f"Packages is no plain Berkeley DB hash: page size {size}, type {data[25]}, "
            f"encryption {data[24]}"
        )
    if len(data) < size * (struct.unpack_from(order + "I", data, 32)[0] + 1):
        raise ParseError(f"Packages is cut: {len(data)} bytes are less than it says it has")
    budget = len(data)
    for start in range(size, len(data) - size + 1, size):
        if data[start + 25] not in (_HASH, _HASH_UNSORTED):
            continue
        for key, value in _pairs(data, start, size, order):
            if key == b"\0\0\0\0":
                continue  # the number of the next package
            blob = _whole(data, value, size, order)
            budget -= len(blob)
            if budget < 0:
                raise ParseError("Packages is damaged: its values are longer than the file")
            yield blob


def _order(data: bytes) -> str:
    for order in "<>":
        if len(data) >= 72 and struct.unpack_from(order + "I", data, 12)[0] == _MAGIC:
            return order
    raise ParseError(f"Packages is no Berkeley DB hash: it begins with {data[:16]!r}")


def _pairs(data: bytes, start: int, size: int, order: str) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a page as they lie there: each begins with its type."""
    count = struct.unpack_from(order + "H", data, start + 20)[0]
    if count % 2 or _PAGE_HEAD + 2 * count > size:
        raise ParseError(f"Packages is damaged: page {start // size} has {count} entries")
    places = struct.unpack_from(f"{order}{count}H", data, start + _PAGE_HEAD)
    ends = (size, *places)
    entries = []
    for place, end in zip(places, ends, strict=False):
        if not _PAGE_HEAD + 2 * count <= place < end:
            raise ParseError(f"Packages is damaged: page {start // size} has an entry outside it")
        entries.append(data[start + place : start + end])
    for key, value in zip(entries[::2], entries[1::2], strict=True):
        yield key[1:], value


def _whole(data: bytes, value: bytes, size: int, order: str) -> bytes:
    if value[0] == _KEYDATA:
        return value[1:]
    if value[0] != _OFFPAGE or len(value) < 12:
        raise ParseError(f"Packages is damaged: a value of type {value[0]}")
    page, length = struct.unpack_from(order + "II", value, 4)
    parts: list[bytes] = []
    # No longer than it says, which is no longer than the file: a chain that loops ends there.
    left = min(length, len(data))
    while left > 0:
        start = page * size
        if not page or start + size > len(data) or data[start + 25] != _OVERFLOW:
            raise ParseError(f"Packages is damaged: a value ends {left} bytes early")
        (page,) = struct.unpack_from(order + "I", data, start + 16)
        (used,) = struct.unpack_from(order + "H", data, start + 22)
        if not 0 < used <= size - _PAGE_HEAD:
            raise ParseError(f"Packages is damaged: page {start // size} holds {used} bytes")
        parts.append(data[start + _PAGE_HEAD : start + _PAGE_HEAD + min(used, left)])
        left -= used
    return b"".join(parts)
