"""The question what the managers of languages installed, read from files."""

import re
import stat
from collections.abc import Iterator, Sequence
from posixpath import basename

from driftscan.model import Node, Tree
from driftscan.probes.twins import tools

_ROOTS = (*("/usr/local", "/opt", "/srv", "/app", "/var/www", "/var/lib/gems", "/root", "/home"),)
_ELSEWHERE = re.compile(
    r"/|/(?:app|bin|boot|dev|etc|home|lib|opt|proc|root|run|sbin|srv|sys|tmp)(?:/.*)?"
    r"|/usr(?:/(?:bin|sbin|games|lib))?|/usr/local(?:/.*)?|/var(?:/(?:backups|lib|log|mail|spool"
    r"|tmp|www))?|/var/(?:cache|log|run|spool|tmp|www|lib/gems)/.*|/var/lib/gems|.*//.*|.*/"
)
_SKIPPED = {"__pycache__", "include", "locale", "man"}
HIDDEN = (
    *(".local", ".nvm", ".pnpm", ".gem", ".venv", ".pyenv", ".rbenv", ".virtualenvs", ".asdf"),
    *(".npm-global", ".rvm", ".env", ".volta", ".nodenv", ".cache"),
)
"""Hidden directories that are looked into; of .cache only what poetry has there."""
_BUILD = re.compile(rb"(?m)Go buildinf:.{0,40}go1[0-9.a-z]*(?:.{0,30}path\t.*)?|^mod\t.*")
_DEEPEST = 12


def read(tree: Tree, apps: Sequence[str] = ()) -> Iterator[str]:
    """The lines of the script, without its limits of time and size."""
    roots = [path for path in (*_ROOTS, *apps) if tools.is_directory(tree, path)]
    roots += [path for path in dict.fromkeys(_homes(tree)) if tools.is_directory(tree, path)]
    for root in roots:
        yield from _directory(tree, root, apps)
    if roots:
        yield from ("walked", "")
    if tree.enterable("/var/lib/dpkg/info"):
        yield "have dpkg"
        places = tools.expand(tree, "/opt/*", "/srv/*", "/usr/local/lib/*")
        wanted = [path for path in places if tools.is_directory(tree, path)]
        yield from (f"owner {line}" for line in tools.owners(tree, wanted))


def _homes(tree: Tree) -> Iterator[str]:
    for line in tools.lines(tree, "/etc/passwd"):
        fields = line.split(":")
        home = fields[5] if len(fields) >= 6 else ""
        if home.startswith("/") and not _ELSEWHERE.fullmatch(home):
            yield home


def _directory(tree: Tree, place: str, apps: Sequence[str]) -> Iterator[str]:
    """A directory that is not skipped: closed to this account, or what is in it."""
    if not (tree.readable(place) and tree.enterable(place)):
        yield f"closed {place}"
        return
    for path in tools.named(tree, place, "*"):
        node = tree.lstat(path)
        if node is not None:
            yield from _entry(tree, path, node, apps)


def _entry(  # noqa: C901 - find's own list
    tree: Tree, path: str, node: Node, apps: Sequence[str]
) -> Iterator[str]:
    """What find tells of one path, and of what is below it, in the order of its conditions."""
    directory = stat.S_ISDIR(node.mode)
    if "\n" in path:
        yield "odd"
        return
    if tools.matches(path, "*-packages/*.egg"):
        yield f"{node.size} {path}"
        return
    if directory and _pruned(path):
        return
    if directory and path.count("/") >= _DEEPEST:
        yield f"deep {path}"
    elif tools.matches(path, "*/node_modules/.pnpm/*"):
        if tools.matches(basename(path), "?*@?*"):
            yield f"{node.size} {path}"
    elif _in_module(path):
        if basename(path) == "package.json" and stat.S_ISREG(node.mode):
            yield from _named(tree, path)
    elif tools.matches(path, "/usr/local/lib/python3*/*-packages/*-info"):
        return
    elif not directory:
        yield from _file(tree, path, node, apps)
    else:
        if _is_info(path):
            yield f"{node.size} {path}"
        yield from _directory(tree, path, apps)


def _pruned(path: str) -> bool:
    name = basename(path)
    inside = tools.matches(path, "*-packages/*") and not tools.matches(path, "*-packages/*-info")
    standard = tools.matches(path, "*/lib/python3*/*") and not tools.matches(
        path, "*/lib/python3*/*-packages*"
    )
    hidden = name.startswith(".") and len(name) > 1 and name not in HIDDEN
    cached = tools.matches(path, "*/.cache/*") and not tools.matches(
        f"{path}/", "*/.cache/pypoetry/*"
    )
    known = name in _SKIPPED or path.endswith("/share/doc")
    return known or inside or standard or hidden or cached


def _in_module(path: str) -> bool:
    return tools.matches(path, "*/node_modules/@*/*/*") or (
        tools.matches(path, "*/node_modules/*/*") and not tools.matches(path, "*/node_modules/@*")
    )


def _is_info(path: str) -> bool:
    return tools.matches(path, "*-packages/*.dist-info") or tools.matches(
        path, "*-packages/*.egg-info"
    )


_OUTSIDE = re.compile(r"[ \t\r\n]*:")


def _named(tree: Tree, path: str) -> Iterator[str]:
    """What the script's awk tells of a package.json: its own name and version, as they stand."""
    pieces = tools.text_of(tree.read(path, tools.LARGEST)).split('"')
    if pieces == [""]:
        return
    told = {"name": "", "version": ""}
    text, key, depth, inside = "", "", 0, False
    value = False
    for piece in pieces:
        if inside:
            text += piece
            if (len(text) - len(text.rstrip("\\"))) % 2:
                text += '"'
                continue
            inside, text = False, re.sub("[\n\r]", " ", text)
            if value and told.get(key) == "":
                told[key] = text
            continue
        value = False
        if depth == 1 and _OUTSIDE.match(piece):
            key, value = text, _OUTSIDE.fullmatch(piece.rstrip(" \t\r\n")) is not None
        depth += len(re.findall(r"[{\[]", piece)) - len(re.findall(r"[\]}]", piece))
        inside, text = True, ""
    yield from (f'{path}:"{field}":"{found}"' for field, found in told.items())


_NAMES = (".jar", ".war", ".ear")


def _file(tree: Tree, path: str, node: Node, apps: Sequence[str]) -> Iterator[str]:
    name = basename(path)
    if tools.matches(path, "*-packages/*-info/*") and name in ("INSTALLER", "direct_url.json"):
        told = [line for line in tools.lines(tree, path) if line and stat.S_ISREG(node.mode)]
        small = -(-node.size // 512) < 33
        told = told[:1] if name == "INSTALLER" else told if small else []
        yield from (f"{path}:{line}" for line in told)
    elif _is_info(path):
        yield f"{node.size} {path}"
    elif not stat.S_ISREG(node.mode):
        return
    elif name.lower().endswith(_NAMES) or tools.matches(path, "*/specifications/*.gemspec"):
        yield f"{node.size} {path}"
    elif _may_be_go(path, node, apps):
        yield from _build(tree, path)


def _may_be_go(path: str, node: Node, apps: Sequence[str]) -> bool:
    blocks = -(-node.size // 1024)
    place = (
        tools.matches(path, "*bin/*")
        or path.startswith("/app/")
        or (path.startswith("/opt/") and path.count("/") == 3)
        or any(path.startswith(f"{root}/") for root in apps)
    )
    return (
        place and node.mode & 0o100 != 0 and 1000 < blocks < 400_000 and ".so" not in basename(path)
    )


def _build(tree: Tree, path: str) -> Iterator[str]:
    """`grep -aHoE -m 4`: every match of the first four lines that have one."""
    data = tree.read(path, 400_000 << 10)
    lines: set[int] = set()
    end = 0
    for start in sorted({0, *_places(data, b"Go buildinf:", 0), *_places(data, b"\nmod\t", 1)}):
        match = _BUILD.match(data, start) if start >= end else None
        if match is None:
            continue
        end = match.end()
        lines.add(data.rfind(b"\n", 0, start))
        if len(lines) > 4:
            return
        yield f"{path}:{tools.text_of(match[0])}"


def _places(data: bytes, text: bytes, skipped: int) -> Iterator[int]:
    """Where a text is, without its first bytes: a hundred times as fast as a pattern."""
    found = data.find(text)
    while found >= 0:
        yield found + skipped
        found = data.find(text, found + 1)
