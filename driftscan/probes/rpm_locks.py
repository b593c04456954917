"""What keeps a package of rpm at its version: the versionlock lists of yum, dnf and dnf5."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TypeAlias

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.model import Payload
from driftscan.probes import reading

LISTS = ("/etc/dnf/plugins/versionlock.list", "/etc/yum/pluginconf.d/versionlock.list")
DNF5 = "/etc/dnf/versionlock.toml"
FILES = (*LISTS, DNF5)

Held: TypeAlias = Callable[[str], bool]


class Lock(Struct, frozen=True):
    """One entry: the name it is for (shell patterns allowed), the entry, and where it stands."""

    name: str
    entry: str
    place: str
    excludes: bool = False


# dnf: name-[epoch:]version-release.arch; yum: epoch:name-version-release.arch
_ENTRY = re.compile(r"(?:[0-9]+:)?(?P<name>[^\s:]+?)-(?:[0-9*]+:)?[^\s:-]+-[^\s:-]+")


def held(files: Mapping[str, Payload]) -> Held:
    """Whether a package is kept at its version by a lock that names it."""
    patterns = {lock.name for lock in locks(files) if not lock.excludes}
    return lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """Those of the names that a shell pattern means."""
    return [name for name in names if fnmatchcase(name, pattern)]


def is_pattern(name: str) -> bool:
    """Whether it may mean several packages."""
    return re.search(r"[*?\[]", name) is not None


def locks(files: Mapping[str, Payload]) -> Iterator[Lock]:
    """All entries of the files; raises ParseError for a file that is no such list."""
    for path in LISTS:
        if path in files:
            yield from _listed(path, files[path])
    if DNF5 in files:
        yield from _toml(files[DNF5])


def _listed(path: str, payload: Payload) -> Iterator[Lock]:
    """`versionlock.list`: a pattern a line; `!` before one that may not be installed at all."""
    for number, line in enumerate(payload.lines, 1):
        text = reading.without_return(line).partition("#")[0].strip(" \t")
        if text:
            entry = text.lstrip("!")
            match = _ENTRY.fullmatch(entry)
            name = match["name"] if match else entry
            yield Lock(name, entry, f"{path}:{number}", text.startswith("!"))


def _toml(payload: Payload) -> Iterator[Lock]:
    """dnf5's list (dnf5-plugin versionlock): packages with conditions; `!=` excludes a version."""
    try:
        whole = tomllib.loads("\n".join(payload.lines))
    except tomllib.TOMLDecodeError as error:
        raise ParseError(f"{DNF5}: {error}") from None
    packages = whole.get("packages", [])
    for package in packages if isinstance(packages, list) else []:
        if not isinstance(package, dict) or not isinstance(package.get("name"), str):
            raise ParseError(f"{DNF5}: a package without a name")
        conditions = [c for c in package.get("conditions", []) if isinstance(c, dict)]
        told = [
            " ".join(str(c.get(k, "")) for k in ("key", "comparator", "value")) for c in conditions
        ]
        excludes = bool(conditions) and all(c.get("comparator") == "!=" for c in conditions)
        entry = " and ".join([package["name"], *told]) if told else package["name"]
        yield Lock(package["name"], entry, DNF5, excludes)
