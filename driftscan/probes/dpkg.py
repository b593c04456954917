"""Debian packages: what is installed, from which source; when each changed; what needs what."""

import re
import stat
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
    Partial,
    Payload,
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
    Stats("database", ("/var/lib/dpkg",), "status"),
)
GIVES = (
    About(
        "dpkg",
        "facts",
        "name, or name:architecture if foreign",
        "version, source, source_version, architecture, want (hold), status",
        cost="all three 12 ms with 300 packages, 20 ms with 750",
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
_STATUS = "/var/lib/dpkg/status"
_INFO = "/var/lib/dpkg/info/"


def parse(raw: Raw) -> Mapping[str, Section]:
    """The three dpkg sections; raises ParseError for a stanza that is not one of dpkg's."""
    refused = reading.denied(raw)
    database = list(reading.stats(raw.outputs["database"]))
    answer, lists = raw.outputs["status"], list(_lists(raw))
    if "/var/lib/dpkg" in refused or (database and _closed(database[0], answer)):
        return _all(Denied(cure=f"read access to {_STATUS}, or --become"))
    if not database and not lists:
        return _all(Absent())
    stanzas = list(_stanzas(answer.lines))
    damage = _damage(database, answer, {s["Package"] for s in stanzas}, lists)
    if damage:
        return _all(Failed(reason=damage))
    native = _native(stanzas)
    packages, needs = _packages(stanzas, native)
    times: Section = Collected(items=_times(lists, packages, native))
    if "/var/lib/dpkg/info" in refused:
        times = Denied(cure="read access to /var/lib/dpkg/info, or --become")
    elif raw.outputs["times"].cut:
        times = Partial(items=_times(lists, packages, native), gaps=["more than the limit"])
    return {
        "dpkg": Collected(items=packages),
        "dpkg-times": times,
        "dpkg-needs": Collected(items=needs),
    }


def packages_of(lines: tuple[str, ...]) -> tuple[Items, Items]:
    """Packages and needs in the lines of descriptions that carry no state: they are installed."""
    stanzas = [{"Status": "install ok installed", **stanza} for stanza in _stanzas(lines)]
    return _packages(stanzas, next((s["Architecture"] for s in stanzas if _is_native(s)), ""))


def _is_native(stanza: dict[str, str]) -> bool:
    return stanza.get("Architecture", "all") != "all"


def _all(section: Section) -> dict[str, Section]:
    return {about.name: section for about in GIVES}


def _lists(raw: Raw) -> Iterator[tuple[str, str, int]]:
    """Package, architecture (if it can be foreign) and time of each list of a package's files."""
    for row in reading.stats(raw.outputs["times"]):
        name, _, architecture = row.path.removeprefix(_INFO).removesuffix(".list").partition(":")
        yield name, architecture, row.mtime


def _closed(database: reading.Stat, answer: Payload) -> bool:
    """Nothing was read of a file that has something and that not everybody may read."""
    return database.size > 0 and not answer.lines and not database.mode & stat.S_IROTH


def _damage(
    database: list[reading.Stat],
    answer: Payload,
    known: set[str],
    lists: list[tuple[str, str, int]],
) -> str:
    """What is wrong with the database, if so: every list belongs to a package of it."""
    if not database:
        return f"{_STATUS} is missing, though there are lists of the files of {len(lists)} packages"
    if answer.cut:
        return f"{_STATUS} is larger than the limit"
    if not known:
        return f"{_STATUS} holds no package in its {database[0].size} bytes"
    lost = sorted({name for name, _, _ in lists} - known)
    if not lost:
        return ""
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"{_STATUS} is damaged: it lacks {', '.join(lost[:3])}{more}, whose files are listed"


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


def _packages(stanzas: list[dict[str, str]], native: str) -> tuple[Items, Items]:
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
    return packages, needs


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


def _times(lists: list[tuple[str, str, int]], packages: Items, native: str) -> Items:
    keyed = (
        (_key(name, architecture or native, native), time) for name, architecture, time in lists
    )
    return {key: {"changed": time} for key, time in keyed if key in packages}
