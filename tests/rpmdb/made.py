"""Small databases of rpm as a machine has them, with what a test wants in them."""

import sqlite3
import struct
import zlib
from typing import NamedTuple

from driftscan.rpmdb import header as tags

_INT32, _STRING, _BIN, _ARRAY = 4, 6, 7, 8
_WIDTHS = {1: "B", 3: "H", 4: "I"}


class Numbers(NamedTuple):
    """A list of numbers of a header's type: 1 has 8 bits, 3 has 16, 4 has 32."""

    kind: int
    values: list[int]


def header(name=b"bash", version=b"5.2", release=b"1", arch=b"x86_64", **more):
    """A package's header; `more` are tags by their lower-case names: bytes, numbers or lists."""
    values = {tags.NAME: name, tags.VERSION: version, tags.RELEASE: release, tags.ARCH: arch}
    values |= {getattr(tags, tag.upper()): value for tag, value in more.items()}
    entries, data = [], b""
    for tag, value in sorted(values.items()):
        if isinstance(value, int):
            data += b"\0" * (-len(data) % 4)
            entries.append((tag, _INT32, len(data), 1))
            data += struct.pack(">I", value)
        elif isinstance(value, Numbers):
            data += b"\0" * (-len(data) % 4)
            entries.append((tag, value.kind, len(data), len(value.values)))
            data += struct.pack(f">{len(value.values)}{_WIDTHS[value.kind]}", *value.values)
        elif isinstance(value, list):
            entries.append((tag, _ARRAY, len(data), len(value)))
            data += b"".join(text + b"\0" for text in value)
        elif tag in (tags.SIGPGP, tags.SIGGPG, tags.RSAHEADER, tags.DSAHEADER):
            entries.append((tag, _BIN, len(data), len(value)))
            data += value
        else:
            entries.append((tag, _STRING, len(data), 1))
            data += value + b"\0"
    index = b"".join(struct.pack(">IIiI", *entry) for entry in entries)
    return struct.pack(">II", len(entries), len(data)) + index + data


def sqlite(*blobs):
    """`rpmdb.sqlite`."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
    connection.commit()
    data = connection.serialize()
    connection.close()
    return data


def ndb(*blobs):
    """`Packages.db`."""
    slots, body, block = b"", b"", 4096 // 16
    for number, blob in enumerate(blobs, 1):
        whole = b"BlbS" + struct.pack("<3I", number, 1, len(blob)) + blob
        whole += b"\0" * (-(len(whole) + 12) % 16)
        whole += struct.pack("<2I", zlib.adler32(blob), len(blob)) + b"BlbE"
        slots += b"Slot" + struct.pack("<3I", number, block, len(whole) // 16)
        body += whole
        block += len(whole) // 16
    slots += (b"Slot" + bytes(12)) * ((4096 - 32 - len(slots)) // 16)
    head = b"RpmP" + struct.pack("<4I", 0, 1, 1, len(blobs) + 1) + bytes(12)
    return head + slots + body


SIZE = 512


def bdb(*blobs, order="<"):
    """`Packages`: each value in a chain of overflow pages, short ones in the page itself."""
    pages = [b""]
    for number, blob in enumerate((struct.pack(order + "I", len(blobs)), *blobs)):
        key = b"\1" + struct.pack(order + "I", number)
        if len(blob) < SIZE // 4:
            value = b"\1" + blob
        else:
            value = b"\3\0\0\0" + struct.pack(order + "2I", len(pages) + 1, len(blob))
        places = (SIZE - len(key), SIZE - len(key) - len(value))
        page = _page(order, len(pages), 0, 2, 0, 13) + struct.pack(order + "2H", *places)
        pages.append(page.ljust(places[1], b"\0") + value + key)
        pages += _chain(order, len(pages), blob) if len(blob) >= SIZE // 4 else []
    meta = bytes(12) + struct.pack(order + "3I", 0x061561, 9, SIZE) + b"\0\x08\0\0"
    meta += bytes(4) + struct.pack(order + "I", len(pages) - 1)
    pages[0] = meta.ljust(SIZE, b"\0")
    return b"".join(pages)


def _chain(order, first, blob):
    room = SIZE - 26
    parts = [blob[start : start + room] for start in range(0, len(blob), room)]
    last = first + len(parts) - 1
    return [
        (_page(order, n, n + 1 if n < last else 0, 1, len(part), 7) + part).ljust(SIZE, b"\0")
        for n, part in enumerate(parts, first)
    ]


def _page(order, number, following, entries, offset, kind):
    head = struct.pack(order + "3I2H", number, 0, following, entries, offset)
    return bytes(8) + head + bytes([0, kind])


FORMS = {"rpmdb.sqlite": sqlite, "Packages.db": ndb, "Packages": bdb}
