"""The twin of the question about software that no package owns, and where that looks."""

import hashlib
import re
import stat
from collections.abc import Iterator, Sequence
from fnmatch import translate
from itertools import chain, islice
from posixpath import basename

from driftscan.model import Node, Tree
from driftscan.probes.twins import apps, rpm, tools

PACKAGED = (
    *("/bin", "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin"),
    *("/usr/lib", "/usr/lib64", "/usr/libexec"),
    "/usr/games",
)
"""Where packages put theirs: told only where their lists can be read."""
LOCAL = ("/usr/local", "/srv", "/root/bin", "/home/*/bin", "/var/lib/*/bin")
"""Where no package puts anything, but for homes of services; a vendor's may use /opt."""
HOMES = ("/root", "/home/*")
"""What may be closed to an account, and hold some of that."""
LINKS = ("/usr/local/bin/*", "/usr/local/sbin/*", "/opt/*", "/opt/*/*")
"""Links that are told with where they lead."""
LINKED = 500
"""Of those at most."""
BESIDE = (
    *("*/__pycache__", "*/node_modules", "*/site-packages", "*/dist-packages", "*/.git"),
    "*/.cache",
)
"""Directories that other sections tell, or nobody runs from."""
PRUNED = (
    *BESIDE,
    *("/usr/lib/modules", "/lib/modules", "/usr/lib/firmware", "/lib/firmware"),
    *(
        "/usr/lib/debug",
        "*/docker-init",
        "/usr/local/src",
        "/opt/containerd",
        "/srv/*/*/*/*/*/*",
        "/opt/*/*/*/*/*/*",
    ),
)
"""Those, and what is deep."""
MOST = 3000
"""Files."""
LARGEST = 1 << 20
"""Bytes of a file that is summed every day."""
TOTAL = 200 << 20
"""Bytes of all larger ones that are summed on demand, from the smallest on."""

NAMED = ("*.so", "*.so.[0-9]*", "*.jar", "*.war")

# One pattern for all: what is walked has a hundred thousand paths.
_pruned = re.compile("|".join(map(translate, PRUNED))).match
_named = re.compile("|".join(map(translate, NAMED))).match


def read(tree: Tree, roots: Sequence[str] = ()) -> Iterator[str]:
    """The script's lines: `have owners`, what of the further roots was not looked at, stat lines
    sorted by path, and `sum SHA256  PATH`."""
    local = [path for path in tools.expand(tree, *LOCAL) if "\n" not in path]
    places = [path for path in local if _own(tree, path)]
    packaged = tools.is_directory(tree, "/var/lib/dpkg/info")
    listed = [] if packaged else [path for _, path in rpm.listed(tree)]
    if packaged or listed or _lists(tree):
        yield "have owners"
        places = [path for path in (*PACKAGED, "/opt") if _own(tree, path)] + places
    for path in tools.expand(tree, *HOMES):
        if tools.is_directory(tree, path) and not tree.enterable(path) and "\n" not in path:
            yield f"closed {path}"
    more = list(apps.walk(tree, roots, BESIDE))
    yield from dict.fromkeys(line for line, node in more if node is None)
    beside = ((path, node) for path, node in more if node is not None and _told(path, node))
    found = dict(chain(*(_walk(tree, place) for place in places), beside))
    links = dict(islice(_links(tree), LINKED))
    owned = {_plain(path) for path in (*listed, *_owned(tree))} if found or links else set()
    lines = [f"link - - - - {p} -> {to}" for p, to in links.items() if _plain(p) not in owned]
    nodes = {path: node for path, node in found.items() if _plain(path) not in owned}
    lines += [_line(node, path) for path, node in nodes.items()]
    lines += _users(tree, {node.uid for path, node in nodes.items() if "\n" not in path})
    kept = sorted({*lines}, key=_by_path)[: MOST + LINKED + 100]
    yield from kept
    for line in kept:
        path = line.split(" ", 5)[5]
        if line[0].isdigit() and int(line.split(" ")[4]) <= LARGEST and tree.readable(path):
            yield f"sum {hashlib.sha256(tree.read(path, LARGEST)).hexdigest()}  {path}"


def _line(node: Node, path: str) -> str:
    """No line can tell a name that holds a line break: only that there is one."""
    return "odd - - - - -" if "\n" in path else tools.stat_line(node, path)


def _users(tree: Tree, uids: set[int]) -> list[str]:
    rows = [[*line.split(":"), "", ""] for line in tools.lines(tree, "/etc/passwd")]
    names = {row[2]: row[0] for row in rows}
    return [f"uid {uid} - - - {names[str(uid)]}" for uid in uids if uid and str(uid) in names]


def _links(tree: Tree) -> Iterator[tuple[str, str]]:
    for path in tools.expand(tree, *LINKS):
        node = tree.lstat(path)
        if node is not None and stat.S_ISLNK(node.mode) and "\n" not in path:
            yield path, node.target


def _by_path(line: str) -> tuple[bytes, bytes]:
    """As `sort -k 6` with LC_ALL=C orders them."""
    return tools.bytes_of(line.split(" ", 5)[5]), tools.bytes_of(line)


def _own(tree: Tree, path: str) -> bool:
    return tools.is_directory(tree, path) and not tools.is_link(tree, path)


def _lists(tree: Tree) -> bool:
    return tree.readable("/lib/apk/db/installed") or tools.is_directory(
        tree, "/var/lib/pacman/local"
    )


def _plain(path: str) -> str:
    """Before and after /usr was merged (usrmerge(7)) a path is the same."""
    head = path.split("/")[2] if path.startswith("/usr/") else ""
    merged = head in ("bin", "sbin") or re.fullmatch(r"lib[0-9x]*", head)
    return path[4:] if merged and path.count("/") > 2 else path


def _owned(tree: Tree) -> Iterator[str]:
    lists = tools.expand(tree, "/var/lib/dpkg/info/*.list", "/var/lib/dpkg/diversions")
    for path in lists:
        yield from tools.lines(tree, path)
    directory = ""
    for line in tools.lines(tree, "/lib/apk/db/installed"):
        directory = line[2:] if line.startswith("F:") else directory
        if line.startswith("R:"):
            yield f"/{directory}/{line[2:]}"
    for path in tools.expand(tree, "/var/lib/pacman/local/*/files"):
        yield from (f"/{line}" for line in tools.lines(tree, path))


def _walk(tree: Tree, place: str) -> Iterator[tuple[str, Node]]:
    for name in tree.names(place):
        path = f"{place}/{name}"
        node = tree.lstat(path)
        if node is None or _pruned(path):
            continue
        if "\n" in name:
            yield path, node
            continue
        if stat.S_ISDIR(node.mode):
            yield from _walk(tree, path)
        elif _told(path, node):
            yield path, node


def _told(path: str, node: Node) -> bool:
    name = basename(path)
    return stat.S_ISREG(node.mode) and "\n" not in name and is_software(name, node)


def is_software(name: str, node: Node) -> bool:
    """Whether a file is a program, a library or an archive of Java's."""
    return node.mode & 0o100 != 0 or _named(name) is not None


def large(tree: Tree, roots: Sequence[str] = ()) -> Iterator[str]:
    """The script's lines: `sum SHA256  PATH`, `unsummed PATH` or `closed PATH`, by size."""
    found = []
    for line in read(tree, roots):
        fields = line.split(" ", 5)
        if len(fields) == 6 and fields[4].isdigit() and int(fields[4]) > LARGEST:
            found.append((int(fields[4]), fields[5]))
        elif line.startswith(("closed ", "deep ")) or line == "unwalked":
            yield line
    total = 0
    for size, path in sorted(found, key=lambda one: (one[0], tools.bytes_of(one[1]))):
        total += size
        if total > TOTAL:
            yield f"unsummed {path}"
        elif not tree.readable(path):
            yield f"closed {path}"
        else:
            yield f"sum {hashlib.sha256(tree.read(path, TOTAL)).hexdigest()}  {path}"
