"""Where apt takes packages from and what it prefers: repositories, in order, and pins."""

import re
from collections.abc import Iterable, Iterator, Mapping

from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Files,
    Item,
    Items,
    Lines,
    Payload,
    Raw,
    Section,
    Stats,
)
from driftscan.probes import apt_identity, reading
from driftscan.probes.apt_identity import Entry, list_name
from driftscan.probes.contract import About

NAME = "apt-sources"
ASK = (
    Files(
        (
            "/etc/apt/sources.list",
            "/etc/apt/sources.list.d/*.list",
            "/etc/apt/sources.list.d/*.sources",
            "/etc/apt/preferences",
            "/etc/apt/preferences.d/*",
            "/etc/os-release",
            "/usr/lib/os-release",
        )
    ),
    Lines("releases", ("/var/lib/apt/lists",), "*Release", "^(Origin|Codename|Date): "),
    # /var/lib/apt/lists tells that there is an apt; lists/partial when it last asked for lists
    # (apt gives a list itself the time of the server's file).
    Stats("asked", ("/var/lib/apt", "/var/lib/apt/lists"), "[lp][ia][sr]t*"),
)
GIVES = (
    About(
        "repositories",
        "facts",
        "origin/suite/component",
        "position, signed (false: packages are taken without a signature, trusted=yes)",
        cost="15 ms",
    ),
    About(
        "repository-sources",
        "evidence",
        "as repositories",
        "urls, places, keys (signed-by), date (of InRelease), fetched (seconds since 1970, when "
        "apt last asked)",
    ),
    About("apt-pins", "facts", "package|pin", "priority"),
    About("apt-pin-files", "evidence", "as apt-pins", "place"),
)

_SOURCES = "/etc/apt/sources.list"
_PREFERENCES = "/etc/apt/preferences"


def parse(raw: Raw) -> Mapping[str, Section]:
    """The four sections; raises ParseError naming file and line that apt would refuse too."""
    if not _stats(raw) and not any(path.startswith("/etc/apt/") for path in raw.files):
        return {about.name: Absent() for about in GIVES}
    repositories, sources = _repositories(raw)
    pins, places = _pins(raw)
    return {
        **_denied(raw, _SOURCES, {"repositories": repositories, "repository-sources": sources}),
        **_denied(raw, _PREFERENCES, {"apt-pins": pins, "apt-pin-files": places}),
    }


def _stats(raw: Raw) -> dict[str, int]:
    """The times of apt's folders by path."""
    return {row.path: row.mtime for row in reading.stats(raw.outputs.get("asked", Payload(())))}


def _denied(raw: Raw, place: str, sections: dict[str, Items]) -> dict[str, Section]:
    """One file that is not told changes what all the others mean: all or nothing."""
    for path in reading.denied(raw):
        if path in ("/etc", "/etc/apt") or path.startswith(place):
            return dict.fromkeys(sections, Denied(cure=f"read access to {path}, or --become"))
    return {name: Collected(items=items) for name, items in sections.items()}


# --- repositories --------------------------------------------------------------------------------


def _repositories(raw: Raw) -> tuple[Items, Items]:
    entries = list(_entries(raw.files))
    releases = _releases(raw)
    archives = apt_identity.archives(_os_release(raw))
    repositories: Items = {}
    members: dict[str, list[Entry]] = {}
    for entry in entries:
        origin, suite = apt_identity.identity(
            entry, releases.get(list_name(entry)), archives, entries
        )
        for component in entry.components:
            key = f"{origin.replace('/', '-')}/{suite.rstrip('/')}/{component}"
            repositories.setdefault(key, {"position": len(repositories), "signed": True})
            members.setdefault(key, []).append(entry)
            if entry.trusted:
                repositories[key]["signed"] = False
    asked = _stats(raw).get("/var/lib/apt/lists/partial")
    sources = {key: _source(members[key], releases, asked) for key in members}
    return repositories, sources


def _os_release(raw: Raw) -> dict[str, str]:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        if path in raw.files:
            return reading.os_release(raw.files[path].lines, path)[0]
    return {}


def _source(entries: list[Entry], releases: dict[str, dict[str, str]], asked: int | None) -> Item:
    item: Item = {
        "urls": _distinct(entry.uri for entry in entries),
        "places": _distinct(entry.place for entry in entries),
    }
    keys = _distinct(entry.signed_by for entry in entries if entry.signed_by.startswith("/"))
    if keys:
        item["keys"] = keys
    lists = [releases[name] for name in map(list_name, entries) if name in releases]
    if lists and "Date" in lists[0]:
        item["date"] = lists[0]["Date"]
    if lists and asked is not None:
        item["fetched"] = asked
    return item


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


# The names that apt reads in a .d directory (sources.list(5), apt_preferences(5), run-parts(8)).
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


def _entries(files: Mapping[str, Payload]) -> Iterator[Entry]:
    """The binary repositories of all files, in the order in which apt reads them."""
    folder = _SOURCES + ".d/"
    names = sorted(path.removeprefix(folder) for path in files if path.startswith(folder))
    for path in [_SOURCES, *(folder + name for name in names if _FILE.fullmatch(name))]:
        if path in files:
            lines = [reading.without_return(line) for line in files[path].lines]
            yield from _deb822(path, lines) if path.endswith(".sources") else _list(path, lines)


# A word of a one-line source: blanks may stand in brackets (cdrom:[Debian 12]/) and quotes.
_WORD = re.compile(r'(?:\[[^\]]*\]|"[^"]*"|[^\s"\[])+')
_LIST = re.compile(r"(\S+)[ \t]+(?:\[([^\]]*)\][ \t]+)?(.*)")
_COMMENT = re.compile(r"((?:\[[^\]]*\]|[^#])*)(?:#.*)?")


def _list(path: str, lines: Iterable[str]) -> Iterator[Entry]:
    """One-line format: `deb [options] uri suite [component...]`, comments anywhere."""
    for number, line in enumerate(lines, 1):
        text = _COMMENT.sub(r"\1", line, count=1).strip(" \t")
        if not text:
            continue
        place = f"{path}:{number}"
        match = _LIST.fullmatch(text)
        words = _WORD.findall(match.group(3)) if match else []
        if match is None or match.group(1) not in ("deb", "deb-src") or len(words) < 2:
            raise ParseError(f"{place}: expected 'deb uri suite component', got {line!r}")
        options = dict(word.partition("=")[::2] for word in reading.words(match.group(2) or ""))
        entry = _entry(place, words[0], words[1], words[2:], options)
        if match.group(1) == "deb":
            yield entry


_YES = {"yes", "true", "with", "on", "enable", "1"}
_NO = {"no", "false", "without", "off", "disable", "0"}


def _deb822(path: str, lines: Iterable[str]) -> Iterator[Entry]:
    """Stanzas of Types, URIs, Suites and Components; each pair of URI and suite is one."""
    for number, stanza in _stanzas(path, lines):
        place = f"{path}:{number}"
        many = {name: reading.words(stanza.get(name, "").replace("\n", " ")) for name in _MANY}
        if not many["types"] or not many["uris"] or not many["suites"]:
            raise ParseError(f"{place}: a source without Types, URIs or Suites")
        if not set(many["types"]) <= {"deb", "deb-src"}:
            raise ParseError(f"{place}: unknown type in {stanza['types']!r}")
        if stanza.get("enabled", "yes").lower() in _NO or "deb" not in many["types"]:
            continue
        for uri in many["uris"]:
            for suite in many["suites"]:
                yield _entry(place, uri, suite, many["components"], stanza)


_MANY = ("types", "uris", "suites", "components")


def _stanzas(path: str, lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """apt's deb822 files: field names in any case; names the file in what is wrong."""
    try:
        for number, stanza in reading.numbered_stanzas(lines):
            yield number, {name.lower(): value for name, value in stanza.items()}
    except ParseError as error:
        raise ParseError(f"{path}: {error}") from None


def _entry(
    place: str, uri: str, suite: str, components: list[str], options: Mapping[str, str]
) -> Entry:
    """A suite that ends in a slash is a path without components: told as the component `-`."""
    if ":" not in uri:
        raise ParseError(f"{place}: expected a URI, got {uri!r}")
    if bool(components) == suite.endswith("/"):
        raise ParseError(f"{place}: suite {suite!r} with components {components!r}")
    signed_by, trusted = options.get("signed-by", ""), options.get("trusted", "").lower() in _YES
    return Entry(place, uri, suite, tuple(components) or ("-",), signed_by, trusted)


_SUFFIX = "Release"
_HEADER = re.compile(r"(Origin|Codename|Date): (.*)")


def _releases(raw: Raw) -> dict[str, dict[str, str]]:
    """Header lines by the name of the list, without `InRelease` or `Release`."""
    releases: dict[str, dict[str, str]] = {}
    for path, line in reading.path_lines(raw.outputs.get("releases", Payload(())), _SUFFIX):
        name = path.rpartition("/")[2].removesuffix(_SUFFIX).removesuffix("In")
        match = _HEADER.fullmatch(line)
        if match is None:
            raise ParseError(f"{path}: unexpected line {line!r}")
        releases.setdefault(name, {}).setdefault(match.group(1), match.group(2).strip(" \t"))
    return releases


# --- pins ----------------------------------------------------------------------------------------


def _pins(raw: Raw) -> tuple[Items, Items]:
    """The first pin of a package and expression wins, as in apt_preferences(5)."""
    folder = _PREFERENCES + ".d/"
    names = sorted(path.removeprefix(folder) for path in raw.files if path.startswith(folder))
    pins: Items = {}
    places: Items = {}
    for path in [_PREFERENCES, *(folder + name for name in names if _pin_file(name))]:
        if path not in raw.files:
            continue
        for number, stanza in _stanzas(path, _without_explanations(raw.files[path].lines)):
            place = f"{path}:{number}"
            pin = " ".join(reading.words(stanza.get("pin", "").replace("\n", " ")))
            packages = reading.words(stanza.get("package", "").replace("\n", " "))
            priority = stanza.get("pin-priority", "")
            if not packages or not pin or not re.fullmatch(r"[+-]?[0-9]{1,6}", priority):
                raise ParseError(f"{place}: a pin without Package, Pin or Pin-Priority")
            for package in packages:
                pins.setdefault(f"{package}|{pin}", {"priority": str(int(priority))})
                places.setdefault(f"{package}|{pin}", {"place": place})
    return pins, places


def _pin_file(name: str) -> bool:
    return _FILE.fullmatch(name) is not None and ("." not in name or name.endswith(".pref"))


def _without_explanations(lines: Iterable[str]) -> Iterator[str]:
    """`Explanation:` may stand several times in a stanza, unlike any other field."""
    inside = False
    for line in lines:
        text = reading.without_return(line)
        inside = text.lower().startswith("explanation:") or (inside and text[:1] in (" ", "\t"))
        yield "#" if inside else text
