"""OpenPGP signatures as rpm keeps them -> the id of the key that made them (RFC 9580, 5.2)."""

_SIGNATURE = 2
_ISSUER, _FINGERPRINT = 16, 33


def key_id(packet: bytes) -> str:
    """The 16 hexadecimal digits of the issuer, or nothing where the packet does not tell."""
    body = _body(packet)
    if body[:1] == b"\3":
        return body[7:15].hex() if len(body) >= 15 else ""
    if body[:1] not in (b"\4", b"\6"):
        return ""
    width = 2 if body[:1] == b"\4" else 4
    hashed, place = _area(body, 4, width)
    unhashed, _ = _area(body, place, width)
    return _issuer(hashed) or _issuer(unhashed)


def _body(packet: bytes) -> bytes:
    """What the first packet holds, if it is a signature."""
    if len(packet) < 3 or not packet[0] & 0x80:
        return b""
    if packet[0] & 0x40:
        kind, (length, start) = packet[0] & 0x3F, _length(packet, 1)
    else:
        width = 1 << (packet[0] & 3)
        kind, start = packet[0] >> 2 & 0xF, 1 + width
        length = int.from_bytes(packet[1:start], "big") if width < 8 else len(packet)
    return packet[start : start + length] if kind == _SIGNATURE else b""


def _length(data: bytes, place: int) -> tuple[int, int]:
    """A length in the new form, and where what it measures begins."""
    first = data[place] if place < len(data) else 0
    if first < 192:
        return first, place + 1
    if first < 255:
        return ((first - 192) << 8) + int.from_bytes(data[place + 1 : place + 2]) + 192, place + 2
    return int.from_bytes(data[place + 1 : place + 5], "big"), place + 5


def _area(body: bytes, place: int, width: int) -> tuple[bytes, int]:
    length = int.from_bytes(body[place : place + width], "big")
    start = place + width
    return body[start : start + length], start + length


def _issuer(area: bytes) -> str:
    place, found = 0, ""
    while place < len(area):
        length, start = _length(area, place)
        kind = area[start] & 0x7F if start < len(area) else 0
        value = area[start + 1 : start + length]
        if kind == _ISSUER and len(value) == 8:
            return value.hex()
        if kind == _FINGERPRINT and len(value) > 20:
            found = value[1:9].hex() if value[0] == 6 else value[-8:].hex()
        place = start + max(length, 1)
    return found
