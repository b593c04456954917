"""sqlite files -> a connection in memory, with what the write-ahead log beside them holds.

Format: https://www.sqlite.org/fileformat2.html (sections 1.3 and 4).
"""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from driftscan.errors import ParseError

_MAGIC = b"SQLite format 3\0"
_STEPS = 4_000_000
"""Virtual machine instructions that one reading may take: half a second or so."""


@contextmanager
def opened(
    data: bytes, wal: bytes = b"", what: str = "the database"
) -> Iterator[sqlite3.Connection]:
    """A database in memory; raises ParseError for a file that sqlite does not take, or too slow.

    A view or trigger of a hostile file can run no function and not for ever.
    """
    if not data.startswith(_MAGIC):
        raise ParseError(f"{what} is no sqlite database: it begins with {data[:16]!r}")
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(_without_wal(_whole(_replayed(data, wal), what)))
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        connection.set_progress_handler(_Budget(_STEPS // 1000), 1000)
        yield connection
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise ParseError(f"{what} is damaged: sqlite says {str(error)!r}") from None
    finally:
        connection.close()


def tables(connection: sqlite3.Connection) -> set[str]:
    """The names of its tables; views are none."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {str(name) for (name,) in rows}


class _Budget:
    def __init__(self, calls: int) -> None:
        self._calls = calls

    def __call__(self) -> bool:
        """Whether sqlite has to stop (sqlite3_progress_handler)."""
        self._calls -= 1
        return self._calls < 0


def _whole(data: bytes, what: str) -> bytes:
    """The file, if it has all its pages: of what is cut off sqlite reads zeros (section 1.3.7)."""
    page = int.from_bytes(data[16:18], "big")
    size = 65536 if page == 1 else page
    counted = int.from_bytes(data[28:32], "big") if data[24:28] == data[92:96] else 0
    if len(data) < size * max(counted, 1):
        raise ParseError(f"{what} is cut: {len(data)} bytes are less than it says it has")
    return data


def _without_wal(data: bytes) -> bytes:
    """A database in memory has no log: its header may not ask for one (bytes 18 and 19)."""
    return data[:18] + b"\1\1" + data[20:]


_HEAD = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")


def _replayed(data: bytes, wal: bytes) -> bytes:
    """The file with all committed pages of the log; a log that is not of it changes nothing."""
    if len(wal) < _HEAD.size:
        return data
    magic, _version, size, _, salt, pepper, one, two = _HEAD.unpack_from(wal)
    order = {0x377F0682: "<", 0x377F0683: ">"}.get(magic, "")
    page = int.from_bytes(data[16:18], "big")
    if not order or size != (65536 if page == 1 else page):
        return data
    if _summed(wal[: _HEAD.size - 8], (0, 0), order) != (one, two):
        return data
    pages: dict[int, bytes] = {}
    committed: dict[int, bytes] = {}
    length, sums, place = len(data) // size, (one, two), _HEAD.size
    while place + _FRAME.size + size <= len(wal):
        number, commit, *salts, first, second = _FRAME.unpack_from(wal, place)
        body = wal[place + _FRAME.size : place + _FRAME.size + size]
        sums = _summed(wal[place : place + 8], sums, order)
        sums = _summed(body, sums, order)
        if salts != [salt, pepper] or sums != (first, second):
            break  # the rest is of an older log
        pages[number] = body
        if commit:
            committed, length = dict(pages), commit
        place += _FRAME.size + size
    return _with_pages(data, committed, size, length) if committed else data


def _with_pages(data: bytes, pages: dict[int, bytes], size: int, length: int) -> bytes:
    if length > len(data) // size + len(pages):
        return data
    image = bytearray(data[: length * size].ljust(length * size, b"\0"))
    for number, body in pages.items():
        if 0 < number <= length:
            image[(number - 1) * size : number * size] = body
    return bytes(image)


def _summed(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """The running checksum of the log (section 4.2)."""
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for x, y in zip(words[::2], words[1::2], strict=True):
        one = (one + x + two) & 0xFFFFFFFF
        two = (two + y + one) & 0xFFFFFFFF
    return one, two
