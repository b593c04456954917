"""The question of the runtimes' copies, read from files; what no file states is not run."""

import re
import stat
from collections.abc import Callable, Iterable, Iterator
from posixpath import dirname

from driftscan.model import Tree
from driftscan.probes.twins import settings, tools

_NAMED = re.compile(
    r"gcc(-[0-9][0-9.]*)?|python3(\.[0-9.]*)?|perl(5[0-9.]*)?|php([0-9][0-9.]*)?|node(js)?"
    r"|ruby([0-9][0-9.]*)?|go|java"
)
_HOMES = ("/opt/*", "/opt/*/*", "/usr/local/*", "/usr/lib/jvm/*")
_APART = re.compile(r"[:=\"', \t\n]")
_LIKELY = (
    *("gcc*.list", "perl*.list", "libperl5*.list", "python3.[0-9]*.list", "php[0-9]*.list"),
    *("nodejs*.list", "ruby[0-9]*.list", "golang-*.list", "*jdk*.list", "*jre*.list"),
)
_INFO = "/var/lib/dpkg/info"
_STATED = r"^(JAVA_VERSION=|go[0-9])"
_FIELDS = ("Package: ", "Architecture: ", "Version: ")
_LARGEST = 64 << 20  # of a program or library that is searched for its version


def reader(places: Iterable[str]) -> Callable[[Tree], Iterable[str]]:
    """A reader of what the script prints for these directories (globs)."""
    return lambda tree: _read(tree, tuple(places))


def _read(tree: Tree, places: tuple[str, ...]) -> Iterator[str]:
    where = list(settings.read(tree))
    yield from where
    yield "copies"
    look = _Look(tree)
    for place in tools.expand(tree, *places):
        yield from look.into(place)
    for home in tools.expand(tree, *_HOMES):
        if tools.is_directory(tree, home) and not tree.enterable(home):
            yield f"closed {home}"
    for place in _named(where, tree.search):
        if not tools.is_file(tree, place):
            yield from look.into(place)
    yield from (f"dir {path}" for path in look.directories)
    yield from (f"copy {path}" for path in look.copies)
    real = [tree.real(path) for path in (*look.directories, *look.copies)]
    yield from (f"real {path}" for path in real)
    files = [path for path in dict.fromkeys(real) if tools.is_file(tree, path)]
    if files:
        yield from _versions(tree, files)


def _named(where: Iterable[str], search: str) -> Iterator[str]:
    """The directories that a PATH names, an image's own among them."""
    lines = [line for line in where if "PATH=" in line]
    words = _APART.split("\n".join(lines) + ":" + search)
    return (word for word in words if word.startswith("/"))


class _Look:
    """The directories that are there, and what in them is named like a runtime."""

    def __init__(self, tree: Tree) -> None:
        self.directories: list[str] = []
        self.copies: list[str] = []
        self._tree = tree
        self._looked: set[str] = set()

    def into(self, place: str) -> Iterator[str]:
        """Look into one directory, once; gives why not."""
        tree, place = self._tree, place.removesuffix("/")
        if not place or "*" in place or place in self._looked:
            return
        self._looked.add(place)
        above = place
        while above != "/" and not tools.is_directory(tree, above):
            above = dirname(above)
        if not tree.enterable(above):
            yield f"closed {place}"
        elif above != place:
            yield f"gone {place}"
        elif not tree.readable(place):
            yield f"closed {place}"
        else:
            self.directories.append(place)
            # /bin is /usr/bin on most systems: looked at once.
            if place not in ("/bin", "/sbin") or not tools.is_link(tree, place):
                self.copies += self._found(place)

    def _found(self, place: str) -> Iterator[str]:
        for path in tools.expand(self._tree, f"{place}/[gjnpr]*"):
            if _NAMED.fullmatch(path.rpartition("/")[2]) and tools.is_program(self._tree, path):
                yield path


# --- versions ----------------------------------------------------------------------------------


def _versions(tree: Tree, files: list[str]) -> Iterator[str]:
    owners = _owners(tree, files)
    if not tree.enterable(_INFO):
        yield "unpackaged"
    yield from (f"owner {line}" for line in owners)
    yield from _packages(tree, owners)
    owned = {line.partition(".list:")[2] for line in owners}
    stating: list[str] = []
    for path in files:
        if path.endswith("/bin/java"):
            stating += [path.removesuffix("bin/java") + "release"]
            stating += [path.removesuffix("/bin/java").removesuffix("/jre") + "/release"]
        elif path.endswith("/bin/go"):
            stating += [path.removesuffix("bin/go") + "VERSION"]
        elif not owned.intersection(_unmerged(path)):
            yield from _stated(tree, path)
    yield from tools.grep(tree, _STATED, dict.fromkeys(stating))


def _unmerged(path: str) -> tuple[str, str]:
    return path, path.removeprefix("/usr")


def _owners(tree: Tree, files: list[str]) -> list[str]:
    """Likely lists first, as the script does: of others only what these do not have."""
    wanted = {way for path in files for way in _unmerged(path)}
    found = [line for form in _LIKELY for line in tools.owners(tree, wanted, form)]
    owned = {line.partition(".list:")[2] for line in found}
    left = {
        way for path in files if not owned.intersection(_unmerged(path)) for way in _unmerged(path)
    }
    return [*found, *tools.owners(tree, left)]


def _packages(tree: Tree, owners: Iterable[str]) -> Iterator[str]:
    """Package, architecture and version of the owners, and of dpkg itself."""
    names = {"dpkg"} | {re.split(r"[:.]list:|:", line)[0] for line in owners}
    names = {name.removesuffix(".list") for name in names}
    wanted = False
    for line in tools.lines(tree, "/var/lib/dpkg/status"):
        if line.startswith("Package: "):
            wanted = line.removeprefix("Package: ") in names
        if wanted and line.startswith(_FIELDS):
            yield line


# What a build leaves beside a program, where the number stands in it, and the program itself last.
_HEADERS = {
    "python3": (
        "include/python{minor}*/patchlevel.h",
        r'#define PY_VERSION +"([0-9][^"+]*)',
    ),
    "node": (
        "include/node/node_version.h",
        r"#define NODE_(?:MAJOR|MINOR|PATCH)_VERSION ([0-9]+)",
    ),
    "php": ("include/php/main/php_version.h", r'#define PHP_VERSION "([0-9][^"]*)'),
    "ruby": ("lib/ruby/*/*/rbconfig.rb", r'CONFIG\["RUBY_PROGRAM_VERSION"\] = "([0-9.]+)'),
    "gcc": ("lib/gcc/*/*", ""),
    "perl": ("lib/perl5/5.*", ""),
}


def _stated(tree: Tree, path: str) -> Iterator[str]:
    """What the copy would say if it were asked, where a file says it; else that it was not run."""
    if tree.read(path, 2) == b"#!":
        yield f"script {path}"
    elif not _trusted(tree, path):
        yield f"untrusted {path}"
    elif version := _version(tree, path):
        yield f"ran {path}"
        yield f"says {version}"
    else:
        yield f"unrun {path}"


def _trusted(tree: Tree, path: str) -> bool:
    """Nobody but root can have put it there or can change it: else it is not believed either."""
    while True:
        node = tree.lstat(path)
        if node is None or node.uid != 0 or node.mode & (stat.S_IWGRP | stat.S_IWOTH):
            return False
        if path == "/":
            return True
        path = dirname(path)


def _version(tree: Tree, path: str) -> str:
    name = path.rpartition("/")[2]
    kind = next((kind for kind in _HEADERS if name.startswith(kind)), "")
    home = path.removesuffix(f"/bin/{name}")
    if not kind or home == path:
        return ""
    pattern, form = _HEADERS[kind]
    minor = name.removeprefix("python") if "." in name else "3."
    found = list(tools.expand(tree, f"{home}/{pattern.format(minor=minor)}"))
    if len(found) == 1 and form:
        return ".".join(re.findall(form, "\n".join(tools.lines(tree, found[0], _LARGEST))))
    return found[0].rpartition("/")[2] if len(found) == 1 else _inside(tree, kind, path, minor)


# Where the number stands in the program or its library; of several different ones none is taken.
_INSIDE = {
    "python3": (("lib/libpython{0}.so.*", "lib64/libpython{0}.so.*"), rb"\0({0}\.[0-9]+)\0"),
    "perl": (
        ("lib/perl5/*/CORE/libperl.so", "lib64/libperl.so.5.*"),
        rb"perl5?/(5\.\d+\.\d+)[/\0]",
    ),
}


def _inside(tree: Tree, kind: str, path: str, minor: str) -> str:
    if kind not in _INSIDE:
        return ""
    patterns, form = _INSIDE[kind]
    home = dirname(dirname(path))
    libraries = tools.expand(tree, *(f"{home}/{one.format(minor)}" for one in patterns))
    regex = re.compile(form.replace(b"{0}", re.escape(minor).encode()))
    for file in (path, *libraries):
        versions = set(regex.findall(tree.read(file, _LARGEST)))
        if len(versions) == 1:
            return str(versions.pop().decode())
    return ""
