"""Debian packages: what is installed, from which source; when each changed; what needs what."""

import re
from collections.abc import Iterator, Mapping

from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Failed,
    Item,
    Items,
    Lines,
    Raw,
    Section,
    Stats,
)
from driftscan.probes import reading
from driftscan.probes.contract import About

NAME = "dpkg"
ASK = (
    # dpkg-query costs 15 ms and the whole file 0.9 MB; these fields of it cost 4 ms and 200 kB.
    Lines(
        "status",
        ("/var/lib/dpkg",),
        "status",
        "^(Package|Status|Architecture|Version|Source|Depends|Pre-Depends|Recommends|Provides): ",
        path=False,
    ),
    Stats("times", ("/var/lib/dpkg/info",), "*.list"),
    # What the machine's own architecture is: dpkg's package cannot be a foreign one.
    Lines("arch", ("/var/lib/dpkg",), "arch", "^[a-z0-9-]+$", path=False),
    Stats("database", ("/var/lib/dpkg",), "status"),
)
GIVES = (
    About(
        "dpkg",
        "facts",
        "name, or name:architecture if foreign",
        "version, source, source_version, architecture, want (hold), status",
        cost="5 ms",
    ),
    About("dpkg-times", "evidence", "as dpkg", "changed (seconds since 1970, when last unpacked)"),
    About("dpkg-needs", "evidence", "as dpkg", "depends, recommends, provides"),
)

# dpkg's own words (dpkg-query(1)); what counts as installed is in design.md.
_WANT = {"install", "hold", "deinstall", "purge", "unknown"}
_INSTALLED = {"installed", "triggers-awaited", "triggers-pending"}
_BROKEN = {"unpacked", "half-installed", "half-configured"}
_GONE = {"config-files", "not-installed"}
_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]{0,250}", re.IGNORECASE)
_SOURCE = re.compile(r"(\S+)(?: \((\S+)\))?")
_INFO = "/var/lib/dpkg/info/"


def parse(raw: Raw) -> Mapping[str, Section]:
    """The three dpkg sections; raises ParseError for a stanza that is not one of dpkg's."""
    refused = reading.denied(raw)
    if "/var/lib/dpkg" in refused or _unreadable(raw):
        return _all(Denied(cure="read access to /var/lib/dpkg/status, or --become"))
    if not raw.outputs["database"].lines:
        return _all(Absent())
    stanzas = list(_stanzas(raw.outputs["status"].lines))
    if raw.outputs["status"].cut or not stanzas:
        return _all(Failed(reason="/var/lib/dpkg/status is empty or larger than the limit"))
    native = _native(stanzas)
    packages: Items = {}
    needs: Items = {}
    for stanza in stanzas:
        item = _package(stanza)
        if item is None:
            continue
        key = _key(stanza["Package"], stanza["Architecture"], native)
        if key in packages:
            raise ParseError(f"package listed twice: {key!r}")
        packages[key] = item
        needs[key] = _needs(stanza)
    times = _times(raw, packages, native)
    damage = _damage(raw, stanzas)
    facts: Section = Failed(reason=damage) if damage else Collected(items=packages)
    return {
        "dpkg": facts,
        "dpkg-times": Collected(items=times),
        "dpkg-needs": Collected(items=needs),
    }


def _all(section: Section) -> dict[str, Section]:
    return {about.name: section for about in GIVES}


def _unreadable(raw: Raw) -> bool:
    """The file is there, not empty, and grep could not open it (status 2, or find's 1)."""
    there = [stat for stat in reading.stats(raw.outputs["database"]) if stat.size]
    answer = raw.outputs["status"]
    return bool(there) and not answer.lines


def _stanzas(lines: tuple[str, ...]) -> Iterator[dict[str, str]]:
    stanza: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "Package":
            if stanza:
                yield stanza
            stanza = {}
        elif not stanza:
            raise ParseError(f"dpkg status begins with {line!r}")
        if name in stanza:
            raise ParseError(f"field answered twice: {line!r} in {stanza['Package']!r}")
        stanza[name] = value
    if stanza:
        yield stanza


def _package(stanza: dict[str, str]) -> Item | None:
    """The facts of one package, or None when it is not there (removed, configuration left)."""
    name = stanza["Package"]
    words = reading.words(stanza.get("Status", ""))
    if not _NAME.fullmatch(name) or len(words) != 3 or words[0] not in _WANT:
        raise ParseError(f"dpkg status: package {name!r} with status {stanza.get('Status')!r}")
    want, _, status = words
    if status in _GONE:
        return None
    if status not in _INSTALLED | _BROKEN:
        raise ParseError(f"dpkg status: package {name!r} with status {status!r}")
    if "Version" not in stanza or "Architecture" not in stanza:
        raise ParseError(f"dpkg status: package {name!r} without version or architecture")
    source = _SOURCE.fullmatch(stanza.get("Source", name))
    if source is None:
        raise ParseError(f"dpkg status: package {name!r} with source {stanza['Source']!r}")
    return {
        "version": stanza["Version"],
        "source": source.group(1),
        "source_version": source.group(2) or _without_rebuild(stanza["Version"]),
        "architecture": stanza["Architecture"],
        "want": want,
        "status": "installed" if status in _INSTALLED else status,
    }


def _without_rebuild(version: str) -> str:
    """A binary-only rebuild (+bN) keeps its source's version (Debian policy 5.6.12.1)."""
    return re.sub(r"\+b[0-9]+$", "", version)


def _native(stanzas: list[dict[str, str]]) -> str:
    for stanza in stanzas:
        if stanza["Package"] == "dpkg":
            return stanza.get("Architecture", "")
    return ""


def _key(name: str, architecture: str, native: str) -> str:
    return name if architecture in (native, "all") or not native else f"{name}:{architecture}"


def _needs(stanza: dict[str, str]) -> Item:
    depends = ", ".join(stanza[f] for f in ("Pre-Depends", "Depends") if f in stanza)
    fields = {
        "depends": depends,
        **{f.lower(): stanza.get(f, "") for f in ("Recommends", "Provides")},
    }
    return {name: value for name, value in fields.items() if value}


def _times(raw: Raw, packages: Items, native: str) -> Items:
    times: Items = {}
    for stat in reading.stats(raw.outputs["times"]):
        name, _, architecture = _list_name(stat.path).partition(":")
        key = _key(name, architecture or native, native)
        if key in packages:
            times[key] = {"changed": stat.mtime}
    return times


def _list_name(path: str) -> str:
    return path.removeprefix(_INFO).removesuffix(".list")


def _damage(raw: Raw, stanzas: list[dict[str, str]]) -> str:
    """Every file list belongs to a stanza: one without tells that the database lost its end."""
    if raw.outputs["times"].cut:
        return ""
    known = {stanza["Package"] for stanza in stanzas}
    lists = (
        _list_name(stat.path).partition(":")[0] for stat in reading.stats(raw.outputs["times"])
    )
    lost = sorted({name for name in lists if name not in known})
    if not lost:
        return ""
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    names = ", ".join(lost[:3])
    return f"/var/lib/dpkg/status is damaged: it lacks {names}{more}, whose files are listed"
