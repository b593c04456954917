"""Package databases as files -> the version of each package: what each layer of an image holds."""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from driftscan import rpmdb, sanitize, versions
from driftscan.errors import ParseError
from driftscan.model import Collected, Lines, Payload, Raw
from driftscan.probes import dpkg

Versions: TypeAlias = dict[str, str]
Files: TypeAlias = Mapping[str, bytes]


class Database(Struct, frozen=True):
    """One kind of package database: the section it is, its files, and how they are read.

    `paths` are single files; of `folder` every `FOLDER/ENTRY/desc` is one. `versions` gets those
    that are there, by path, and raises ParseError; it is only asked where there is one.
    """

    section: str
    versions: Callable[[Files], Versions]
    paths: tuple[str, ...] = ()
    folder: str = ""


_DPKG = "var/lib/dpkg/status"


def _dpkg(files: Files) -> Versions:
    """By the probe's own parser."""
    content = files[_DPKG]
    [asked] = [ask.regex for ask in dpkg.ASK if isinstance(ask, Lines) and ask.name == "status"]
    wanted = re.compile(asked)
    status = Payload(tuple(line for line in sanitize.lines(content) if wanted.match(line)))
    there = Payload((f"0 81a4 0 0 {len(content)} /{_DPKG}",))
    nothing = Payload(())
    raw = Raw(outputs={"status": status, "times": nothing, "arch": nothing, "database": there})
    section = dpkg.parse(raw)["dpkg"]
    if not isinstance(section, Collected):
        raise ParseError(f"/{_DPKG} cannot be read")
    return {key: str(item.get("version", "")) for key, item in section.items.items()}


# apk 3 has its database in /usr where /lib is no directory of its own; both hold the same then.
_APK = ("lib/apk/db/installed", "usr/lib/apk/db/installed")


def _apk(files: Files) -> Versions:
    """`P:` and `V:` of each stanza (apk-package(5))."""
    found: Versions = {}
    name = ""
    for content in files.values():
        for line in sanitize.lines(content):
            if line.startswith("P:"):
                name = line[2:]
            elif line.startswith("V:") and name:
                found[name] = line[2:]
            elif not line:
                name = ""
    return found


_PACMAN = "var/lib/pacman/local"
_ENTRY = re.compile(r"(.+)-([^-]+-[^-]+)")


def _pacman(files: Files) -> Versions:
    """The directory of each package is called `name-version-release`; neither part has a dash."""
    names = (path.removeprefix(f"{_PACMAN}/").rpartition("/")[0] for path in files)
    return {match[1]: match[2] for name in names if (match := _ENTRY.fullmatch(name))}


_RPM = tuple(
    f"{place}/{name}"
    for place in ("usr/lib/sysimage/rpm", "var/lib/rpm")
    for name in (*rpmdb.DATABASES, "rpmdb.sqlite-wal")
)


def _rpm(files: Files) -> Versions:
    """By our own reader; of several versions side by side the newest, as the probe has it."""
    place = next(path for path in _RPM if files.get(path)).rpartition("/")[0]
    names = {p.rpartition("/")[2]: c for p, c in files.items() if p.startswith(f"{place}/")}
    found: Versions = {}
    for line in sanitize.lines(rpmdb.answer(names)):
        if not line.startswith("- "):
            continue
        name, architecture, epoch, version, release, *_ = [*line[2:].split("\t"), *[""] * 5]
        key, evr = f"{name}.{architecture}", f"{version}-{release}"
        evr = evr if epoch in ("", "0") else f"{epoch}:{evr}"
        if versions.compare("rpm", found.get(key, ""), evr) != 1:
            found[key] = evr
    return found


DATABASES = (
    Database("dpkg", _dpkg, (_DPKG,)),
    Database("rpm", _rpm, _RPM),
    Database("apk", _apk, _APK),
    Database("pacman", _pacman, folder=_PACMAN),
)
