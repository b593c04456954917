"""One package's header as databases keep it -> the values of some of its tags.

Big-endian: the number of index entries, the length of the data, the entries (tag, type, offset,
count), the data. Format: rpm's docs/manual/format_header.md, tags in include/rpm/rpmtag.h.
"""

import struct

from driftscan.errors import ParseError

NAME, VERSION, RELEASE, EPOCH, BUILDTIME, INSTALLTIME = 1000, 1001, 1002, 1003, 1006, 1008
VENDOR, ARCH, SOURCERPM = 1011, 1022, 1044
PROVIDENAME, REQUIRENAME, RECOMMENDNAME = 1047, 1049, 5046
FILESTATES, FILEMODES, FILEDIGESTS, FILEFLAGS = 1029, 1030, 1035, 1037
DIRINDEXES, BASENAMES, DIRNAMES = 1116, 1117, 1118
SIGPGP, SIGGPG, DSAHEADER, RSAHEADER = 259, 262, 267, 268

_INT32, _STRING, _BIN, _ARRAY, _I18N = 4, 6, 7, 8, 9
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4}
_FORMS = {1: ">B", 2: ">H", 4: ">I"}
_MOST_ENTRIES = 0xFFFF
_WANTED = frozenset(
    (
        *(NAME, VERSION, RELEASE, EPOCH, BUILDTIME, INSTALLTIME, VENDOR, ARCH, SOURCERPM),
        *(FILESTATES, FILEMODES, FILEDIGESTS, FILEFLAGS, DIRINDEXES, BASENAMES, DIRNAMES),
        *(PROVIDENAME, REQUIRENAME, RECOMMENDNAME, SIGPGP, SIGGPG, DSAHEADER, RSAHEADER),
    )
)


class Header:
    """The wanted tags of a header; a tag that is not there has no value."""

    def __init__(self, blob: bytes) -> None:
        """Raises ParseError for bytes that are no header."""
        if len(blob) < 8:
            raise ParseError(f"a package's header has {len(blob)} bytes")
        entries, length = struct.unpack_from(">II", blob)
        start = 8 + 16 * entries
        if not 0 < entries <= _MOST_ENTRIES or start + length > len(blob):
            raise ParseError(
                f"a package's header of {len(blob)} bytes says it has {entries} entries "
                f"and {length} bytes"
            )
        self._data = blob[start : start + length]
        self._entries: dict[int, tuple[int, int, int]] = {}
        for tag, kind, offset, count in struct.iter_unpack(">IIiI", blob[8:start]):
            if tag in _WANTED:
                if not 0 <= offset <= length:
                    raise ParseError(f"a package's header has tag {tag} outside its data")
                self._entries.setdefault(tag, (kind, offset, count))

    def text(self, tag: int) -> bytes | None:
        """A string, or the first of several (translations)."""
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        if kind not in (_STRING, _ARRAY, _I18N) or not count:
            return None
        return self._strings(tag, offset, 1)[0]

    def texts(self, tag: int) -> list[bytes]:
        """The strings of a list."""
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        return self._strings(tag, offset, count) if kind in (_STRING, _ARRAY, _I18N) else []

    def number(self, tag: int) -> int | None:
        """The first of 32-bit numbers."""
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        if kind != _INT32 or not count:
            return None
        if offset + 4 > len(self._data):
            raise ParseError(f"a package's header has tag {tag} outside its data")
        return int.from_bytes(self._data[offset : offset + 4], "big")

    def numbers(self, tag: int) -> list[int]:
        """The numbers of a list, of 8, 16 or 32 bits."""
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        width = _WIDTHS.get(kind, 0)
        if not width:
            return []
        if offset + width * count > len(self._data):
            raise ParseError(f"a package's header has tag {tag} outside its data")
        return [
            number
            for (number,) in struct.iter_unpack(
                _FORMS[width], self._data[offset : offset + width * count]
            )
        ]

    def bytes_of(self, tag: int) -> bytes:
        """Binary data."""
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        return self._data[offset : offset + count] if kind == _BIN else b""

    def _strings(self, tag: int, offset: int, count: int) -> list[bytes]:
        """Each ends with a zero; no more than there are zeros, whatever the count says."""
        found = []
        for _ in range(min(count, len(self._data) + 1)):
            end = self._data.find(b"\0", offset)
            if end < 0:
                raise ParseError(f"a package's header has tag {tag} without an end")
            found.append(self._data[offset:end])
            offset = end + 1
        return found
