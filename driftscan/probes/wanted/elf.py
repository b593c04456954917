"""What an ELF file asks of other libraries: out of its dynamic section and the tables it names.

elf(5), the System V ABI (chapter 5, "Dynamic Linking") and the Linux Standard Base on symbol
versions. Only 64-bit files of little-endian machines; everything else is not read.
"""

import struct
from collections.abc import Iterator

from msgspec import Struct

MOST = 20_000
"""Symbols read of one file; real programs import a few thousand."""

_NEEDED, _STRTAB, _SYMTAB, _STRSZ, _SONAME = 1, 5, 6, 10, 14
_VERSYM, _VERNEED, _VERNEEDNUM = 0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF
_SYMBOL = struct.Struct("<IBBHQQ")
_NEED = struct.Struct("<HHIII")
_AUX = struct.Struct("<IHHII")
_PAIR = struct.Struct("<QQ")
_WEAK = 2


class Imports(Struct, frozen=True):
    """The sonames a file needs, and the symbols it cannot do without, as deb-symbols(5) has them.

    A symbol is `name`, or `name@VERSION` where the library has versions. `whole` is False where
    the tables go on beyond what was sent.
    """

    needed: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    whole: bool = True


def imports(dynamic: bytes, tables: bytes, start: int) -> Imports:
    """What a file imports; never raises, whatever the bytes are.

    `dynamic` is the content of PT_DYNAMIC, `tables` what stands from the address `start` on.
    """
    tags = dict(reversed([*_pairs(dynamic)]))
    names = _Names(tables, tags.get(_STRTAB, 0) - start, tags.get(_STRSZ, 0))
    needed = [names.at(value) for tag, value in _pairs(dynamic) if tag == _NEEDED]
    versions = _versions(tables, tags, start, names)
    symbols: list[str] = []
    first, count = tags.get(_SYMTAB, 0) - start, _count(tags)
    for index in range(1, min(count, MOST)):
        entry = _unpacked(_SYMBOL, tables, first + index * _SYMBOL.size)
        if entry is None:
            break
        name, info, _, section, *_ = entry
        if section or info >> 4 == _WEAK or not (text := names.at(name)):
            continue
        version = versions.get(_index(tables, tags, start, index), "")
        symbols.append(f"{text}@{version}" if version else text)
    end = max(names.end, first + count * _SYMBOL.size)
    whole = 0 < count <= MOST and first >= 0 and end <= len(tables)
    return Imports(
        needed=tuple(name for name in needed if name), symbols=tuple(symbols), whole=whole
    )


def _pairs(dynamic: bytes) -> Iterator[tuple[int, int]]:
    """Tags and their values, up to DT_NULL."""
    for at in range(0, len(dynamic) - _PAIR.size + 1, _PAIR.size):
        tag, value = _PAIR.unpack_from(dynamic, at)
        if not tag:
            return
        yield tag, value


def _count(tags: dict[int, int]) -> int:
    """How many symbols: linkers put the names right after them, and nothing else tells simply."""
    size = tags.get(_STRTAB, 0) - tags.get(_SYMTAB, 0)
    return size // _SYMBOL.size if size > 0 else 0


class _Names:
    """The string table: names by their offset."""

    def __init__(self, tables: bytes, at: int, size: int) -> None:
        self._data = tables[at : at + size] if at >= 0 else b""
        self.end = at + size

    def at(self, offset: int) -> str:
        """The name there; empty if it is beyond the table, not closed, or no name."""
        end = self._data.find(b"\0", offset) if 0 < offset < len(self._data) else -1
        text = self._data[offset:end].decode("ascii", "replace") if end > 0 else ""
        return text if text.isprintable() and "\ufffd" not in text and " " not in text else ""


def _index(tables: bytes, tags: dict[int, int], start: int, symbol: int) -> int:
    if _VERSYM not in tags:
        return 0
    at = tags[_VERSYM] - start + 2 * symbol
    found = tables[at : at + 2] if at >= 0 else b""
    return int.from_bytes(found, "little") & 0x7FFF


def _versions(tables: bytes, tags: dict[int, int], start: int, names: _Names) -> dict[int, str]:
    """By its number, each version that another library has to have."""
    found: dict[int, str] = {}
    at = tags.get(_VERNEED, 0) - start
    for _ in range(min(tags.get(_VERNEEDNUM, 0), 1000)):
        need = _unpacked(_NEED, tables, at)
        if need is None:
            break
        _, count, _, aux, following = need
        place = at + aux
        for _ in range(min(count, 1000)):
            version = _unpacked(_AUX, tables, place)
            if version is None:
                break
            _, _, number, name, skip = version
            found[number] = names.at(name)
            place += skip
            if not skip:
                break
        at += following
        if not following:
            break
    return found


def _unpacked(form: struct.Struct, data: bytes, at: int) -> tuple[int, ...] | None:
    return form.unpack_from(data, at) if 0 <= at <= len(data) - form.size else None
