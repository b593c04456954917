"""The twin of the question of all files that are not as shipped, and its limits."""

import base64
import binascii
import hashlib
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from posixpath import dirname

from msgspec import Struct

from driftscan.model import Tree
from driftscan.probes.twins import rpm as rpm_twin
from driftscan.probes.twins import tools

SECONDS = 60
"""Of summing all files of one manager, on a running machine."""
MOST = 300
"""Files that are told."""
DOCUMENTATION = (
    *("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"),
    *("/usr/share/lintian/*", "/usr/share/groff/*", "/usr/share/doc-base/*", "/usr/share/bug/*"),
    *("/usr/share/gtk-doc/*", "/usr/share/help/*", "/usr/share/omf/*", "/usr/share/linda/*"),
)
"""What no program needs: small images are made without it."""

_INFO = "/var/lib/dpkg/info"
_APK = "/lib/apk/db/installed"
_PACMAN = "/var/lib/pacman/local"


class _Listed(Struct, frozen=True):
    """One file, whose it is, and the sum that it was shipped with."""

    package: str
    digest: str
    path: str


def read(tree: Tree) -> Iterator[str]:
    """The lines of the script, without its limit of time."""
    rules = list(_rules(tree))
    if tools.exists(tree, "/etc/prelink.cache"):
        yield "prelinked"
    for kind, place, listed in _KINDS:
        if not tools.exists(tree, place):
            continue
        yield f"have {kind}"
        if not tree.readable(place):
            yield f"denied {place}"
            continue
        if kind == "pacman":
            places = (path.removesuffix("/desc") for path in tools.expand(tree, f"{place}/*/desc"))
            yield from (f"unsummed {p}" for p in places if not tree.readable(f"{p}/mtree"))
        yield from _told(tree, kind, listed(tree), rules)


def rpm(tree: Tree) -> Iterator[str]:
    """What `rpm -Va` finds beside configuration files."""
    return rpm_twin.verified(tree, configuration=False)


def _rules(tree: Tree) -> Iterator[tuple[bool, str]]:
    """`path-exclude` and `path-include` of dpkg.cfg(5) in their order: whether out, and what."""
    for path in tools.expand(tree, "/etc/dpkg/dpkg.cfg.d/*", "/etc/dpkg/dpkg.cfg"):
        for line in tools.lines(tree, path):
            match = _RULE.fullmatch(line)
            if match is not None:
                yield match[1].startswith("path-e"), match[2]


_RULE = re.compile(r'\s*(path-[a-z]*)[= ]"?([^"]*)"?')


def _left_out(path: str, kind: str, rules: Iterable[tuple[bool, str]]) -> bool:
    if any(fnmatchcase(path, pattern) for pattern in DOCUMENTATION):
        return True
    matching = [out for out, pattern in rules if kind == "dpkg" and fnmatchcase(path, pattern)]
    return bool(matching) and matching[-1]


def _told(
    tree: Tree, kind: str, listed: Iterable[_Listed], rules: list[tuple[bool, str]]
) -> Iterator[str]:
    count = 0
    for one in listed:
        if _sum(tree, one.path, len(one.digest)) == one.digest:
            continue
        if kind != "dpkg" and tools.is_link(tree, one.path):
            continue
        above = dirname(one.path)
        while above != "/" and not tools.is_directory(tree, above):
            above = dirname(above)
        there = tools.exists(tree, one.path)
        if not tree.enterable(above) or (there and not tree.readable(one.path)):
            yield f"closed {one.path}"
        elif there or not _left_out(one.path, kind, rules):
            count += 1
            if count > MOST:
                yield "more"
                return
            yield from _lines(tree, one, there=there)


def _lines(tree: Tree, one: _Listed, *, there: bool) -> Iterator[str]:
    yield f"of {one.package} {one.digest}  {one.path}"
    if not there:
        yield f"missing {one.path}"
        return
    node = tree.stat(one.path)
    if digest := _sum(tree, one.path, 32):
        yield f"is {digest}  {one.path}"
    if node is not None:
        yield f"stat {node.mtime} {node.uid} {one.path}"


_SUMS = {32: "md5", 40: "sha1", 64: "sha256"}


def _sum(tree: Tree, path: str, length: int) -> str:
    node = tree.stat(path)
    if node is None or not stat.S_ISREG(node.mode) or not tree.readable(path):
        return ""
    return hashlib.new(_SUMS[length], tree.read(path, tools.LARGEST)).hexdigest()


# --- the packages' own sums ----------------------------------------------------------------------


def _dpkg(tree: Tree) -> Iterator[_Listed]:
    """deb-md5sums(5); what is diverted (dpkg-divert(1)) is looked for where it was put."""
    lines = list(tools.lines(tree, "/var/lib/dpkg/diversions"))
    diverted = {
        o: (to, by) for o, to, by in zip(lines[::3], lines[1::3], lines[2::3], strict=False)
    }
    for path in tools.expand(tree, f"{_INFO}/*.md5sums"):
        package = path.rpartition("/")[2].removesuffix(".md5sums").partition(":")[0]
        for line in tools.lines(tree, path):
            digest, place = line[:32], f"/{line[34:]}"
            if re.fullmatch(r"[^ ]{32}", digest) and line[32:33] == " ":
                to, by = diverted.get(place, ("", package))
                yield _Listed(package, digest, place if by == package else to)


def _apk(tree: Tree) -> Iterator[_Listed]:
    package = directory = path = ""
    for line in tools.lines(tree, _APK):
        kind, value = line[:2], line[2:]
        if kind == "P:":
            package = value
        elif kind == "F:":
            directory = value
        elif kind == "R:":
            path = f"/{directory}/{value}" if directory else f"/{value}"
        elif line.startswith("Z:Q1"):
            with suppress(binascii.Error, ValueError):
                yield _Listed(package, base64.b64decode(line[4:], validate=True).hex(), path)


_UNPACKED = 64 << 20
_MTREE = re.compile(r"\.(/[^. ][^ \\]*) .*sha256digest=([0-9a-f]{64}).*")


def _pacman(tree: Tree) -> Iterator[_Listed]:
    for place in tools.expand(tree, f"{_PACMAN}/*/mtree"):
        package = place.split("/")[-2].rsplit("-", 2)[0]
        data, _ = tools.unpacked(tree.read(place, tools.LARGEST), _UNPACKED)
        for line in tools.split(data):
            match = _MTREE.fullmatch(line)
            if match is not None:
                yield _Listed(package, match[2], match[1])


_KINDS: tuple[tuple[str, str, Callable[[Tree], Iterator[_Listed]]], ...] = (
    ("dpkg", _INFO, _dpkg),
    ("apk", _APK, _apk),
    ("pacman", _PACMAN, _pacman),
)
