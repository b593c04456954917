"""Who a repository of apt is: its origin and its suite, whatever its mirror.

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
from collections.abc import Mapping

from msgspec import Struct

from driftscan import url_secrets


class Entry(Struct, frozen=True):
    """One binary repository of a source: one address, one suite, its components.

    `trusted`: its packages are taken without a signature.
    """

    place: str
    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str
    trusted: bool = False


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


_URI = re.compile(r"(?:[A-Za-z0-9.+-]+:)?(?://)?(?:[^/@\[]*@)?(.*)")
_QUOTED = re.compile(r'[\\|{}\[\]<>"^~_=!@#$%&*\x00-\x20\x7f-\U0010ffff]')


def _address(uri: str) -> str:
    """Host and path, without scheme, account and the slashes at the end."""
    match = _URI.match(url_secrets.without_user(uri))
    return match.group(1).rstrip("/") if match else ""


def list_name(entry: Entry) -> str:
    """The name apt gives the list, up to `InRelease` (apt's URItoFileName)."""
    folder = entry.suite if entry.suite.endswith("/") else f"dists/{entry.suite}/"
    full = f"{_address(entry.uri)}/{'' if folder == '/' else folder}"
    return _QUOTED.sub(lambda found: f"%{ord(found.group()):02x}", full).replace("/", "_")


class Archive(Struct, frozen=True):
    """The archive of this machine's own release, as its os-release tells it."""

    distribution: Distribution
    codename: str
    aliases: Mapping[str, str]


def archives(release: Mapping[str, str]) -> list[Archive]:
    """Of the distribution itself and, for a derivative, of the one it is made from.

    `release` are the variables of its os-release.
    """
    own = f"{release.get('ID', '').upper()}_CODENAME"
    values = {own: release.get("VERSION_CODENAME", ""), **release}
    # Only a released Debian has a VERSION_ID; the next one is what `testing` means.
    current = "stable" if "VERSION_ID" in values else "testing"
    return [
        Archive(distribution, values[name], {current: values[name], "unstable": "sid"})
        for name, distribution in _DISTRIBUTIONS.items()
        if values.get(name)
    ]


_PPA = re.compile(r"ppa\.launchpad(?:content)?\.net/([^/]+)/([^/]+)/ubuntu")


def identity(
    entry: Entry, release: dict[str, str] | None, known: list[Archive], entries: list[Entry]
) -> tuple[str, str]:
    """Origin and suite: from what its list says (`release`), else inferred as told above."""
    if release and release.get("Origin"):
        return release["Origin"], _suite(entry, release["Origin"], release.get("Codename", ""))
    ppa = _PPA.fullmatch(_address(entry.uri))
    if ppa:
        return f"LP-PPA-{ppa.group(1)}-{ppa.group(2)}", entry.suite
    for archive in known:
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
