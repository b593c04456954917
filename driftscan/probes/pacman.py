"""Arch packages: what is installed, when, why, from which source; what needs what; what is held.

The database is a folder a package with a text file `desc`: `%FIELD%` lines, their values below,
one a line (alpm-db-desc). What may not be upgraded stands in pacman.conf(5).
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Failed,
    Files,
    Item,
    Items,
    Lines,
    Payload,
    Question,
    Raw,
    Section,
    Stats,
)
from driftscan.probes import pacman_conf, reading
from driftscan.probes.contract import About

NAME = "pacman"
_PLACE = "/var/lib/pacman/local"
ASK: tuple[Question, ...] = (
    # Of 1.5 kB a package the lines of one word: the fields, and not the texts that hold blanks.
    Lines("desc", (f"{_PLACE}/*",), "desc", "^[^ /]+$", path=False),
    Stats("folders", (_PLACE,), "*-*-*"),
    Files(pacman_conf.FILES),
)
GIVES = (
    About(
        "pacman",
        "facts",
        "name",
        "version, source, source_version, architecture, want (hold: IgnorePkg, IgnoreGroup)",
        cost="all 12 ms with 8 packages, 60 ms with 600",
    ),
    About("pacman-pins", "facts", "name, glob or group", "rule (IgnorePkg, IgnoreGroup)"),
    About("pacman-times", "evidence", "as pacman", "changed, built (seconds since 1970)"),
    About("pacman-needs", "evidence", "as pacman", "depends, provides"),
    About("pacman-auto", "evidence", "as pacman", "auto"),
    About(
        "pacman-origins", "evidence", "as pacman", "asked (for), validation (how it was checked)"
    ),
)

_NAME = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]{0,250}")
_FIELD = re.compile(r"%([A-Z0-9]+)%")
_CAPABILITY = re.compile(r"[^=<>]+")
_NUMBER = re.compile(r"[0-9]{1,12}")

Desc = dict[str, list[str]]


def parse(raw: Raw) -> Mapping[str, Section]:
    """The six sections; raises ParseError for a package that pacman would not write."""
    refused = [path for path in reading.denied(raw) if _hides(path)]
    if refused:
        return _all(Denied(cure=f"read access to {refused[0]}, or --become"))
    answer = raw.outputs["desc"]
    folders = {row.path.rpartition("/")[2] for row in reading.stats(raw.outputs["folders"])}
    if not folders and not answer.lines:
        return _all(Absent())
    packages = _packages(answer.lines)
    damage = _damage(answer, packages, folders)
    if damage:
        return _all(Failed(reason=damage))
    return _sections(packages, pacman_conf.read(raw.files).ignored)


def _all(section: Section) -> dict[str, Section]:
    return {about.name: section for about in GIVES}


def _hides(path: str) -> bool:
    return path == pacman_conf.MAIN or f"{_PLACE}/".startswith(path + "/") or path == _PLACE


def _damage(answer: Payload, packages: dict[str, Desc], folders: set[str]) -> str:
    """Every folder is of a package whose `desc` was read."""
    if answer.cut:
        return f"{_PLACE} is larger than the limit"
    known = {f"{name}-{desc['VERSION'][0]}" for name, desc in packages.items()}
    lost = sorted(folders - known)
    if not lost:
        return ""
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"{_PLACE} is damaged: no package was read in {', '.join(lost[:3])}{more}"


def _packages(lines: tuple[str, ...]) -> dict[str, Desc]:
    found: dict[str, Desc] = {}
    for desc in _descs(lines):
        names, versions = desc.get("NAME", []), desc.get("VERSION", [])
        if len(names) != 1 or len(versions) != 1 or not _NAME.fullmatch(names[0]):
            raise ParseError(f"{_PLACE}: a package {names!r} of version {versions!r}")
        if names[0] in found:
            raise ParseError(f"{_PLACE}: {names[0]!r} is there twice")
        found[names[0]] = desc
    return found


def _descs(lines: tuple[str, ...]) -> Iterator[Desc]:
    """The files one after the other: each begins with its name."""
    desc: Desc = {}
    field = ""
    for line in lines:
        mark = _FIELD.fullmatch(line)
        if mark is None and not field:
            raise ParseError(f"{_PLACE}: expected a field, got {line!r}")
        if mark is None:
            desc[field].append(line)
            continue
        field = mark[1]
        if field == "NAME" and desc:
            yield desc
            desc = {}
        if field in desc:
            raise ParseError(f"{_PLACE}: field answered twice: {line!r} in {desc.get('NAME')!r}")
        desc[field] = []
    if desc:
        yield desc


def _sections(packages: dict[str, Desc], ignored: list[tuple[str, str]]) -> dict[str, Section]:
    providers: dict[str, set[str]] = {}
    for name, desc in packages.items():
        for word in (name, *_capabilities(desc, "PROVIDES")):
            providers.setdefault(word, set()).add(name)
    items: dict[str, Items] = {
        "pacman": {name: _package(desc, ignored) for name, desc in packages.items()},
        "pacman-pins": {
            word: {"rule": rule}
            for rule, word in ignored
            if rule != "IgnorePkg" or word not in packages
        },
        "pacman-times": {name: _times(desc) for name, desc in packages.items()},
        "pacman-needs": {name: _needs(desc, providers) for name, desc in packages.items()},
        "pacman-auto": {n: {"auto": True} for n, desc in packages.items() if not _asked(desc)},
        "pacman-origins": {name: _origin(desc) for name, desc in packages.items()},
    }
    return {name: Collected(items=found) for name, found in items.items()}


def _one(desc: Desc, field: str) -> str:
    return next(iter(desc.get(field, ())), "")


def _package(desc: Desc, ignored: list[tuple[str, str]]) -> Item:
    name, version = _one(desc, "NAME"), _one(desc, "VERSION")
    held = any(_matches(rule, word, name, desc) for rule, word in ignored)
    return {
        "version": version,
        "source": _one(desc, "BASE") or name,
        "source_version": version,
        **({"architecture": _one(desc, "ARCH")} if "ARCH" in desc else {}),
        **({"want": "hold"} if held else {}),
    }


def _matches(rule: str, word: str, name: str, desc: Desc) -> bool:
    names = [name] if rule == "IgnorePkg" else desc.get("GROUPS", [])
    return any(fnmatchcase(one, word) for one in names)


def _asked(desc: Desc) -> bool:
    """No reason is 0: asked for by name; 1 is for the sake of another."""
    return _one(desc, "REASON") in ("", "0")


def _times(desc: Desc) -> Item:
    item: Item = {}
    for key, field in (("changed", "INSTALLDATE"), ("built", "BUILDDATE")):
        text = _one(desc, field)
        if text and not _NUMBER.fullmatch(text):
            raise ParseError(f"{_PLACE}: {_one(desc, 'NAME')!r} has {field} {text!r}")
        if text:
            item[key] = int(text)
    return item


def _origin(desc: Desc) -> Item:
    asked: Item = {"asked": True} if _asked(desc) else {}
    checked = desc.get("VALIDATION", [])
    return {**asked, **({"validation": ", ".join(checked)} if checked else {})}


def _capabilities(desc: Desc, field: str) -> list[str]:
    return [match.group() for word in desc.get(field, ()) if (match := _CAPABILITY.match(word))]


def _needs(desc: Desc, providers: dict[str, set[str]]) -> Item:
    """Packages that are here where one satisfies it (`a | b` if several do), else what is asked."""
    own = _one(desc, "NAME")
    depends = [
        " | ".join(sorted(providers.get(name, {name})))
        for name in _capabilities(desc, "DEPENDS")
        if own not in providers.get(name, ())
    ]
    provides = [name for name in _capabilities(desc, "PROVIDES") if ".so" not in name]
    fields = {"depends": depends, "provides": provides}
    return {name: ", ".join(dict.fromkeys(words)) for name, words in fields.items() if words}
