"""Where apt takes packages from and what it prefers: repositories, in order, and pins.

A repository is known by what it says it is (`Origin` of its `InRelease`), its suite and its
component, never by its URL: a mirror is not drift. Images remove the downloaded lists; there the
origin is inferred. An entry is the distribution's own when its suite and components are those of
the machine's release, unless another keyring signs it or another entry of the same suite is surer
(the distribution's domain or keyring before its name in the path before nothing of it; an alias
such as `stable` needs one of these, as many others use it). A Launchpad PPA tells its origin in its
URL. Of any other the host name and path are all that is known: they stand for the origin then, so
such a repository has another key with its lists than without. A slash in an origin is told as `-`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

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
from driftscan.probes import reading
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
    About("repositories", "facts", "origin/suite/component", "position", cost="15 ms"),
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


class Entry(Struct, frozen=True):
    """One binary repository of a source: one address, one suite, its components."""

    place: str
    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str


class Distribution(Struct, frozen=True):
    """How a distribution names its own archive: the origin of each suite, by what follows the
    codename; its components, its domain, and the word that its keyrings and mirrors carry.
    """

    origins: Mapping[str, str]
    components: frozenset[str]
    domain: str
    word: str


_DEBIAN = Distribution(
    dict.fromkeys(["", "-updates", "-security", "/updates", "-proposed-updates"], "Debian")
    | dict.fromkeys(["-backports", "-backports-sloppy"], "Debian Backports"),
    frozenset({"main", "contrib", "non-free", "non-free-firmware"}),
    ".debian.org",
    "debian",
)
_UBUNTU = Distribution(
    dict.fromkeys(["", "-updates", "-security", "-backports", "-proposed"], "Ubuntu"),
    frozenset({"main", "restricted", "universe", "multiverse"}),
    ".ubuntu.com",
    "ubuntu",
)
# By the variable of os-release that holds its codename, for its derivatives too.
_DISTRIBUTIONS = {"DEBIAN_CODENAME": _DEBIAN, "UBUNTU_CODENAME": _UBUNTU}


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
    archives = _archives(raw)
    repositories: Items = {}
    members: dict[str, list[Entry]] = {}
    for entry in entries:
        origin, suite = _identity(entry, releases.get(_list_name(entry)), archives, entries)
        for component in entry.components:
            key = f"{origin.replace('/', '-')}/{suite.rstrip('/')}/{component}"
            repositories.setdefault(key, {"position": len(repositories)})
            members.setdefault(key, []).append(entry)
    asked = _stats(raw).get("/var/lib/apt/lists/partial")
    sources = {key: _source(members[key], releases, asked) for key in members}
    return repositories, sources


def _source(entries: list[Entry], releases: dict[str, dict[str, str]], asked: int | None) -> Item:
    item: Item = {
        "urls": _distinct(entry.uri for entry in entries),
        "places": _distinct(entry.place for entry in entries),
    }
    keys = _distinct(entry.signed_by for entry in entries if entry.signed_by.startswith("/"))
    if keys:
        item["keys"] = keys
    lists = [releases[name] for name in map(_list_name, entries) if name in releases]
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
        entry = _entry(place, words[0], words[1], words[2:], options.get("signed-by", ""))
        if match.group(1) == "deb":
            yield entry


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
                yield _entry(place, uri, suite, many["components"], stanza.get("signed-by", ""))


_MANY = ("types", "uris", "suites", "components")


def _stanzas(path: str, lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """apt's deb822 files: field names in any case; names the file in what is wrong."""
    try:
        for number, stanza in reading.numbered_stanzas(lines):
            yield number, {name.lower(): value for name, value in stanza.items()}
    except ParseError as error:
        raise ParseError(f"{path}: {error}") from None


def _entry(place: str, uri: str, suite: str, components: list[str], signed_by: str) -> Entry:
    """A suite that ends in a slash is a path without components: told as the component `-`."""
    if ":" not in uri:
        raise ParseError(f"{place}: expected a URI, got {uri!r}")
    if bool(components) == suite.endswith("/"):
        raise ParseError(f"{place}: suite {suite!r} with components {components!r}")
    return Entry(place, uri, suite, tuple(components) or ("-",), signed_by)


# --- who a repository is -------------------------------------------------------------------------

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


_URI = re.compile(r"(?:[A-Za-z0-9.+-]+:)?(?://)?(?:[^/@\[]*@)?(.*)")
_QUOTED = re.compile(r'[\\|{}\[\]<>"^~_=!@#$%&*\x00-\x20\x7f-\U0010ffff]')


def _address(uri: str) -> str:
    """Host and path, without scheme, account and the slashes at the end."""
    match = _URI.match(uri)
    return match.group(1).rstrip("/") if match else ""


def _list_name(entry: Entry) -> str:
    """The name apt gives the list, up to `InRelease` (apt's URItoFileName)."""
    folder = entry.suite if entry.suite.endswith("/") else f"dists/{entry.suite}/"
    full = f"{_address(entry.uri)}/{'' if folder == '/' else folder}"
    return _QUOTED.sub(lambda found: f"%{ord(found.group()):02x}", full).replace("/", "_")


class Archive(Struct, frozen=True):
    """The archive of this machine's own release, as its os-release tells it."""

    distribution: Distribution
    codename: str
    aliases: Mapping[str, str]


def _archives(raw: Raw) -> list[Archive]:
    """Of the distribution itself and, for a derivative, of the one it is made from."""
    values: dict[str, str] = {}
    for path in ("/usr/lib/os-release", "/etc/os-release"):
        if path in raw.files:
            values = reading.os_release(raw.files[path].lines, path)
    values.setdefault(
        f"{values.get('ID', '').upper()}_CODENAME", values.get("VERSION_CODENAME", "")
    )
    # Only a released Debian has a VERSION_ID; the next one is what `testing` means.
    own = "stable" if "VERSION_ID" in values else "testing"
    return [
        Archive(distribution, values[name], {own: values[name], "unstable": "sid"})
        for name, distribution in _DISTRIBUTIONS.items()
        if values.get(name)
    ]


_PPA = re.compile(r"ppa\.launchpad(?:content)?\.net/([^/]+)/([^/]+)/ubuntu")


def _identity(
    entry: Entry, release: dict[str, str] | None, archives: list[Archive], entries: list[Entry]
) -> tuple[str, str]:
    """Origin and suite: from the list, else inferred as the module's docstring tells."""
    if release and release.get("Origin"):
        return release["Origin"], _suite(entry, release["Origin"], release.get("Codename", ""))
    ppa = _PPA.fullmatch(_address(entry.uri))
    if ppa:
        return f"LP-PPA-{ppa.group(1)}-{ppa.group(2)}", entry.suite
    for archive in archives:
        rivals = (_sureness(e, archive) for e in entries if e.suite == entry.suite)
        if 0 < _sureness(entry, archive) == max(rivals):
            origin = archive.distribution.origins[_suffix(entry, archive) or ""]
            return origin, _suite(entry, origin, archive.aliases.get(_alias(entry.suite)[0], ""))
    return _address(entry.uri) or "unknown", entry.suite


_ALIAS = re.compile(r"(oldoldstable|oldstable|stable|testing|unstable)([-/].+)?")


def _alias(suite: str) -> tuple[str, str]:
    """Debian's word for a release whose codename changes, and what follows it."""
    match = _ALIAS.fullmatch(suite)
    return (match.group(1), match.group(2) or "") if match else ("", "")


def _suite(entry: Entry, origin: str, codename: str) -> str:
    """The suite as written, but Debian's aliases by the codename they mean (if that is known)."""
    alias, suffix = _alias(entry.suite)
    if not alias or not origin.startswith("Debian") or not codename:
        return entry.suite
    return codename if suffix and codename.endswith(suffix) else codename + suffix


def _suffix(entry: Entry, archive: Archive) -> str | None:
    """What follows the codename (or an alias) in a suite that is one of the archive's."""
    alias, suffix = _alias(entry.suite)
    if archive.distribution is not _DEBIAN or not alias:
        if not entry.suite.startswith(archive.codename):
            return None
        suffix = entry.suite.removeprefix(archive.codename)
    return suffix if suffix in archive.distribution.origins else None


def _sureness(entry: Entry, archive: Archive) -> int:
    """0 if it cannot be the distribution's archive, up to 3 if its domain or keyring says so."""
    ours = archive.distribution
    if _suffix(entry, archive) is None or not set(entry.components) <= ours.components:
        return 0
    level = _marks(entry, ours)
    return 0 if level < _NAMED and _alias(entry.suite)[0] else level


_NAMED = 2


def _marks(entry: Entry, ours: Distribution) -> int:
    """3: domain or keyring; 2: named in the path; 1: nothing; 0: another keyring."""
    host, _, path = _address(entry.uri).partition("/")
    keyring = entry.signed_by.rpartition("/")[2]
    known_host = host.partition(":")[0].endswith(ours.domain)
    if known_host or keyring.startswith(f"{ours.word}-archive-"):
        return 3
    if keyring or _PPA.fullmatch(_address(entry.uri)):
        return 0
    return _NAMED if ours.word in path.lower() else 1


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
