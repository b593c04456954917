"""The question of the libraries, read from files: the linker's cache, whose its files are."""

import struct
from collections.abc import Iterator

from driftscan.model import Tree
from driftscan.probes.twins import rpm, tools

_CACHE = "/etc/ld.so.cache"
_INFO = "/var/lib/dpkg/info"
_ARCH = "/var/lib/dpkg/arch"
_PACMAN = "/var/lib/pacman/local"
_PROGRAMS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")


def read(tree: Tree) -> Iterator[str]:
    """What ldconfig -p, readlink and dpkg's lists tell; nothing of processes."""
    if tools.exists(tree, _CACHE):
        yield "have cache"
    if any(tools.is_program(tree, f"{place}/ldconfig") for place in _PROGRAMS):
        yield "have ldconfig"
    yield from ("have musl" for _ in tools.expand(tree, "/lib/ld-musl-*.so.1"))
    if tools.is_directory(tree, _INFO):
        yield "have dpkg"
        if tree.readable(_INFO) and tree.enterable(_INFO):
            yield "have owners"
    entries = cached(tree.read(_CACHE, tools.LARGEST))
    yield from (f"\t{name} ({kind}) => {path}" for name, kind, path in entries)
    paths = [path for _, _, path in entries]
    targets = [tree.real(path) or path for path in paths]
    yield from (f"target {target}" for target in targets)
    wanted = {way for path in (*paths, *targets) for way in tools.ways(path)}
    if not tools.is_directory(tree, _INFO):
        yield from _others(tree, wanted)
        return
    yield from tools.owners(tree, wanted)
    for line in tools.lines(tree, _ARCH)[:1]:
        yield f"native {line}"


def _others(tree: Tree, wanted: set[str]) -> Iterator[str]:
    """Whose the files are by apk's, pacman's and rpm's lists."""
    if tree.readable("/lib/apk/db/installed"):
        yield "have apk"  # of musl, which has no cache
    if tools.is_directory(tree, _PACMAN) and tree.readable(_PACMAN):
        yield "have pacman"
        for path in tools.expand(tree, f"{_PACMAN}/*/files"):
            package = path.split("/")[-2].rsplit("-", 2)[0]
            named = (f"/{line}" for line in tools.lines(tree, path))
            yield from (f"{package}.list:{name}" for name in named if name in wanted)
    found = [f"{name}.list:{path}" for name, path in rpm.listed(tree) if path in wanted]
    if found:
        yield "have rpm"
        yield from found


# --- ld.so.cache -------------------------------------------------------------------------------

# The forms and names are those of glibc's sysdeps/generic/dl-cache.h and elf/cache.c.
_OLD = b"ld.so-1.7.0"
_NEW = b"glibc-ld.so.cache1.1"
_ABIS = {
    0x01: ",64bit",
    0x02: ",IA-64",
    0x03: ",x86-64",
    0x04: ",64bit",
    0x05: ",64bit",
    0x06: ",N32",
    0x07: ",64bit",
    0x08: ",x32",
    0x09: ",hard-float",
    0x0A: ",AArch64",
    0x0B: ",soft-float",
    0x0C: ",nan2008",
    0x0D: ",N32,nan2008",
    0x0E: ",64bit,nan2008",
    0x0F: ",soft-float",
    0x10: ",double-float",
    0x11: ",soft-float",
    0x12: ",double-float",
}
_TYPES = {1: "ELF", 2: "libc5", 3: "libc6"}
_SYSTEMS = ("Linux", "Hurd", "Solaris", "FreeBSD", "kNetBSD", "Syllable")
_EXTENSION = 0xEAA42174
_NAMED = 1 << 30  # of the upper half of hwcap: the lower half is an index
_ISA_LEVEL = 0x3FF


def cached(data: bytes) -> list[tuple[str, str, str]]:
    """Soname, kind as `ldconfig -p` writes it, and path of each entry of an ld.so.cache, in order.

    Empty for anything else, also for the form of before glibc 2.2.
    """
    start = data.find(_NEW, 0, 48 + 12 * (1 << 20))
    if start < 0 or (start and not data.startswith(_OLD)):
        return []
    data = data[start:]
    try:
        return _cached(data, "<" if _fits(data, "<") else ">")
    except (struct.error, IndexError, ValueError):
        return []


def _fits(data: bytes, order: str) -> bool:
    count, strings = struct.unpack_from(order + "II", data, 20)
    return bool(48 + 24 * count + strings <= len(data) + 24)


def _cached(data: bytes, order: str) -> list[tuple[str, str, str]]:
    count, _, _, extension = struct.unpack_from(order + "IIII", data, 20)
    names = _hwcaps(data, order, extension)
    found = []
    for number in range(count):
        row = struct.unpack_from(order + "iIIIQ", data, 48 + 24 * number)
        flags, key, value, system, hwcap = row
        kind = _TYPES.get(flags & 0xFF, "unknown")
        if flags & 0xFF00:
            kind += _ABIS.get(flags >> 8 & 0xFF, f",{flags & 0xFF00}")
        kind += _hwcap(hwcap, names) + _system(system)
        found.append((_text(data, key), kind, _text(data, value)))
    return found


def _hwcap(hwcap: int, names: list[str]) -> str:
    if hwcap >> 32 & ~_ISA_LEVEL == _NAMED and hwcap & 0xFFFFFFFF < len(names):
        return f', hwcap: "{names[hwcap & 0xFFFFFFFF]}"'
    return f", hwcap: {hwcap:#018x}" if hwcap else ""


def _system(version: int) -> str:
    """What needs another kernel, as caches of before glibc 2.36 tell it."""
    if not version:
        return ""
    number = version >> 24
    name = _SYSTEMS[number] if number < len(_SYSTEMS) else "Unknown OS"
    return f", OS ABI: {name} {version >> 16 & 0xFF}.{version >> 8 & 0xFF}.{version & 0xFF}"


def _hwcaps(data: bytes, order: str, at: int) -> list[str]:
    """The names of glibc-hwcaps: section 1 of the extensions."""
    if not at or struct.unpack_from(order + "I", data, at)[0] != _EXTENSION:
        return []
    (count,) = struct.unpack_from(order + "I", data, at + 4)
    for number in range(min(count, 64)):
        tag, _, place, size = struct.unpack_from(order + "IIII", data, at + 8 + 16 * number)
        if tag == 1:
            offsets = struct.unpack_from(f"{order}{min(size, 1 << 16) // 4}I", data, place)
            return [_text(data, offset) for offset in offsets]
    return []


def _text(data: bytes, at: int) -> str:
    return tools.text_of(data[at : data.index(b"\0", at)])
