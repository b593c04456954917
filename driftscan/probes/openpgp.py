"""Armoured OpenPGP keys -> their fingerprints (RFC 9580, 4.2, 5.5.4 and 6)."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator

_BEGIN, _END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
_PUBLIC_KEY = 6
_WIDTHS = {0: 1, 1: 2, 2: 4}


def fingerprints(lines: Iterable[str]) -> list[str]:
    """Of each primary key, in capitals; nothing for what is no armoured key."""
    found: list[str] = []
    for block in _blocks(lines):
        try:
            data = base64.b64decode(block)
        except (binascii.Error, ValueError):
            continue
        found += [print for kind, body in _packets(data) if (print := _fingerprint(kind, body))]
    return list(dict.fromkeys(found))


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    """The base64 of each block, without its headers and its checksum."""
    block: list[str] | None = None
    for line in lines:
        if line.strip() == _BEGIN:
            block = []
        elif line.strip() == _END and block is not None:
            yield "".join(block)
            block = None
        elif block is not None and ":" not in line and not line.startswith("="):
            block.append(line.strip())


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 2 < len(data) and data[place] & 0x80:
        head = data[place]
        if head & 0x40:
            kind, (length, start) = head & 0x3F, _new_length(data, place + 1)
        else:
            width = _WIDTHS.get(head & 3, 0)
            kind, start = head >> 2 & 0xF, place + 1 + width
            length = int.from_bytes(data[place + 1 : start], "big") if width else len(data)
        yield kind, data[start : start + length]
        place = start + length


def _new_length(data: bytes, place: int) -> tuple[int, int]:
    first = data[place]
    if first < 192:
        return first, place + 1
    if first < 224:
        return ((first - 192) << 8) + int.from_bytes(
            data[place + 1 : place + 2], "big"
        ) + 192, place + 2
    return int.from_bytes(data[place + 1 : place + 5], "big"), place + 5


def _fingerprint(kind: int, body: bytes) -> str:
    if kind != _PUBLIC_KEY or body[:1] not in (b"\4", b"\6"):
        return ""
    if body[:1] == b"\6":
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    named = b"\x99" + len(body).to_bytes(2, "big") + body if len(body) < 1 << 16 else b""
    return hashlib.sha1(named, usedforsecurity=False).hexdigest().upper() if named else ""
