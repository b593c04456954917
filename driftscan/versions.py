"""Which of two versions is newer, and at which level they differ, per packaging ecosystem."""

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from itertools import zip_longest
from typing import Any, Literal

Direction = Literal["older", "newer", "equal", "unknown"]
Level = Literal[
    "epoch", "major", "minor", "patch", "revision", "rebuild", "data", "equal", "unknown"
]

MAX_LENGTH = 256
"""A longer "version" is hostile or broken; its order is unknown."""


@lru_cache(maxsize=65536)
def compare(ecosystem: str, a: str, b: str) -> int | None:
    """-1 when `a` is older than `b`, 1 when newer, 0 when equal in order, None when unknown.

    `ecosystem` is deb, rpm, apk, alpm, pypi, npm, gem, maven or golang; any other, and any
    version its ecosystem calls invalid, gives None. rpm takes the full EVR. Never raises.
    Sources: deb-version(7), rpm-version(7), apk-package(5), vercmp(8), PEP 440, semver.org,
    Gem::Version, Maven's ComparableVersion, golang.org/x/mod/semver.
    """
    order = _ORDERS.get(ecosystem)
    if order is None or not (_plausible(a) and _plausible(b)):
        return None
    if a == b:
        return 0 if order(a, a) == 0 else None
    return order(a, b)


def direction(ecosystem: str, subject: str, reference: str) -> Direction:
    """How `subject` stands to `reference`: older, newer, equal, or unknown."""
    order = compare(ecosystem, subject, reference)
    if order is None:
        return "unknown"
    return "older" if order < 0 else "newer" if order > 0 else "equal"


def upstream(ecosystem: str, version: str) -> str:
    """The part of `version` its author chose, without what the distributor added.

    deb loses epoch, revision, `+debNuM`, `~bpoN+M`, `+bN` and `+dfsg`/`+ds`/`+repack`
    (Debian Policy 5.6.12, Developer's Reference 6.7.8); rpm and alpm lose epoch and release,
    apk its `-rN`, pypi epoch and local label, npm and golang build metadata and `v`.
    A version of another shape comes back as it is. Never raises.
    """
    if len(version) > MAX_LENGTH:
        return version
    strip = _UPSTREAM.get(ecosystem)
    return (strip(version) or version) if strip else version


_REBUILD = re.compile(r"\+b[0-9]{1,9}$", re.ASCII)
_EPOCH = re.compile(r"[0-9]{1,9}:", re.ASCII)
_DIST = re.compile(r"\.(?:el|fc|amzn|cm|azl|oe|ocs|tl|mga|lp)[0-9]+(?:_[0-9]+)?", re.ASCII)


def in_changelog(ecosystem: str, version: str) -> str:
    """The version of a source as its changelog writes it.

    deb: without the `+bN` of a rebuild, which changed nothing in it. rpm: without epoch and the
    distribution's mark: `1:2.4.57-11.el9_4.1` is called `2.4.57-11.1` there.
    """
    if ecosystem == "rpm":
        epoch = _EPOCH.match(version)
        return _DIST.sub("", version[epoch.end() :] if epoch else version)
    return _REBUILD.sub("", version)


def level(ecosystem: str, a: str, b: str) -> Level:
    """The most significant part in which `a` and `b` differ.

    epoch > major > minor > patch (of upstream) > revision > rebuild (a Debian binNMU: same
    source). `data`: both are dates like 20230311 or 2024a, which mean no major step.
    """
    order = compare(ecosystem, a, b)
    if order is None:
        return "unknown"
    if order == 0:
        return "equal"
    if _epoch(ecosystem, a) != _epoch(ecosystem, b):
        return "epoch"
    ours, theirs = upstream(ecosystem, a), upstream(ecosystem, b)
    if ours != theirs:
        return _upstream_level(ours, theirs)
    if ecosystem == "deb" and _BINNMU.sub("", a) == _BINNMU.sub("", b):
        return "rebuild"
    return "revision"


def _plausible(version: str) -> bool:
    """Printable ASCII without blanks: what every ecosystem allows, and no library trims."""
    return (
        0 < len(version) <= MAX_LENGTH
        and version.isascii()
        and version.isprintable()
        and (" " not in version)
    )


def _sign(a: Any, b: Any) -> int:
    return int(a > b) - int(a < b)


# --- level ---------------------------------------------------------------------------------

_BINNMU = re.compile(r"\+b\d+$")
_DATE = re.compile(r"(?:19|20)\d\d(?:[01]\d[0-3]\d(?!\d)|[a-z](?![a-z0-9]))")
_LEVELS: tuple[Level, ...] = ("major", "minor")


def _upstream_level(a: str, b: str) -> Level:
    if _DATE.match(a) and _DATE.match(b):
        return "data"
    numbers = zip_longest(re.findall(r"\d+", a), re.findall(r"\d+", b), fillvalue="0")
    for index, (ours, theirs) in enumerate(numbers):
        if int(ours) != int(theirs):
            return _LEVELS[index] if index < len(_LEVELS) else "patch"
    return "patch"


def _epoch(ecosystem: str, version: str) -> int:
    mark = {"deb": ":", "rpm": ":", "alpm": ":", "pypi": "!"}.get(ecosystem)
    found = re.match(rf"v?(\d+){mark}", version) if mark else None
    return int(found[1]) if found else 0


_DEB_SUFFIX = re.compile(
    r"(?:[+~]deb\d+u\d+|~bpo\d+\+\d+|\+b\d+|[+~.-](?:dfsg|ds|repack)(?:[.~+]?\d+)*)$"
)


def _deb_upstream(version: str) -> str:
    bare = re.sub(r"^\d+:", "", version)
    bare = bare.rpartition("-")[0] or bare
    while (shorter := _DEB_SUFFIX.sub("", bare)) not in (bare, ""):
        bare = shorter
    return bare


def _without(*patterns: str) -> Callable[[str], str]:
    compiled = [re.compile(pattern) for pattern in patterns]

    def strip(version: str) -> str:
        for pattern in compiled:
            version = pattern.sub("", version, count=1)
        return version

    return strip


_UPSTREAM: dict[str, Callable[[str], str]] = {
    "deb": _deb_upstream,
    "rpm": _without(r"^\d+:", r"-[^-]*$"),
    "alpm": _without(r"^\d+:", r"-[^-]*$"),
    "apk": _without(r"-r\d+$"),
    "pypi": _without(r"^v", r"^\d+!", r"\+.*$"),
    "npm": _without(r"^v", r"\+.*$"),
    "golang": _without(r"^v", r"\+.*$"),
}


# --- orders behind univers -----------------------------------------------------------------

_ANY = re.compile(r".+")
# deb-version(7); dpkg refuses an epoch above INT_MAX and an empty revision
_DEB = re.compile(r"(?:\d{1,9}:)?\d[A-Za-z0-9.+~-]*(?<!-)")
_SEMVER_CORE = r"(?:0|[1-9]\d*)"
_SEMVER_TAIL = r"(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
# univers completes "1.2" to 1.2.0, npm calls it invalid
_NPM = re.compile(rf"v?{_SEMVER_CORE}\.{_SEMVER_CORE}\.{_SEMVER_CORE}{_SEMVER_TAIL}")
# golang.org/x/mod/semver: v1 and v1.2 stand for v1.0.0 and v1.2.0, without any tail
_GOLANG = re.compile(rf"v?{_SEMVER_CORE}(?:\.{_SEMVER_CORE}(?:\.{_SEMVER_CORE}{_SEMVER_TAIL})?)?")


def _by_univers(
    module: str, name: str, valid: re.Pattern[str] = _ANY
) -> Callable[[str, str], int | None]:
    """An order built on `<` alone: univers' `>=` and `<=` are wrong for some schemes
    (aboutcode-org/univers#172) and its `==` compares spelling for deb (1.0-0 and 1.0-00)."""

    def order(a: str, b: str) -> int | None:
        if not (valid.fullmatch(a) and valid.fullmatch(b)):
            return None
        # 60 ms of CPU: only when two versions are really compared
        scheme = getattr(import_module(f"univers.{module}"), name)
        try:
            ours, theirs = scheme(a), scheme(b)
            return -1 if ours < theirs else 1 if theirs < ours else 0
        except (ValueError, TypeError):  # InvalidVersion is a ValueError
            return None

    return order


def _maven(a: str, b: str) -> int | None:
    """Maven since 3.8 reads a final "release" as nothing; univers does not know the word.

    Nor does it drop what means nothing (`ga`, `final`) before a hyphen: 1-ga-1 is 1-1.
    """
    return _maven_order(_MAVEN_NOTHING.sub("", a), _MAVEN_NOTHING.sub("", b))


_MAVEN_NOTHING = re.compile(r"(?i)(?<=\d)(?:[.-]?release$|[.-](?:ga|final|release)(?=-))")
# not versions.MavenVersion, whose constructor eats a leading "v": a qualifier for Maven
_maven_order = _by_univers("maven", "Version")


def _rpm(a: str, b: str) -> int | None:
    found = _RPM.fullmatch(a), _RPM.fullmatch(b)
    if found[0] is None or found[1] is None:
        return None
    # rpm.vercmp and not versions.RpmVersion, whose constructor eats a leading "v"
    vercmp: Callable[[str, str], int] = import_module("univers.rpm").vercmp
    ours, theirs = found[0].groupdict(), found[1].groupdict()
    by_epoch = _sign(int(ours["epoch"] or 0), int(theirs["epoch"] or 0))
    by_version = by_epoch or vercmp(ours["version"], theirs["version"])
    if by_version:
        return by_version
    if (ours["release"] is None) != (theirs["release"] is None):
        return None  # rpm matches any release here: neither older nor equal
    return vercmp(ours["release"] or "", theirs["release"] or "")


_RPM = re.compile(r"(?:(?P<epoch>\d{1,10}):)?(?P<version>[\w.+~^]+)(?:-(?P<release>[\w.+~^]+))?")


# --- own orders: univers errs on both (libraries.md, section 1) ----------------------------

# apk-package(5): number{.number}[letter]{_suffix[number]}[~commit][-r#]
_APK = re.compile(
    r"(?P<numbers>\d+(?:\.\d+)*)(?P<letter>[a-z]?)"
    r"(?P<suffixes>(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)"
    r"(?:~(?P<commit>[0-9a-f]+))?(?:-r(?P<revision>\d+))?"
)
_APK_SUFFIXES = {"alpha": -4, "beta": -3, "pre": -2, "rc": -1, "cvs": 1, "svn": 2, "git": 3}
_APK_SUFFIXES |= {"hg": 4, "p": 5}


def _apk(a: str, b: str) -> int | None:
    ours, theirs = _apk_key(a), _apk_key(b)
    return None if ours is None or theirs is None else _sign(ours, theirs)


def _apk_key(version: str) -> tuple[Any, ...] | None:
    found = _APK.fullmatch(version)
    if found is None:
        return None
    first, *rest = found["numbers"].split(".")
    numbers = ((1, int(first), ""), *(_apk_number(number) for number in rest))
    suffixes = re.findall(r"_([a-z]+)(\d*)", found["suffixes"])
    ranks = [(_APK_SUFFIXES[word], int(number or -1)) for word, number in suffixes]
    revision = int(found["revision"] or -1)
    # (0, 0) ends the list: _rc sorts before "no more suffixes", _p after
    return numbers, found["letter"], (*ranks, (0, 0)), found["commit"] or "", revision


def _apk_number(text: str) -> tuple[int, int, str]:
    """A later component with a leading zero is a decimal fraction: 8.2.0015 < 8.2.002."""
    return (0, 0, text) if text.startswith("0") else (1, int(text), "")


_ALPM = re.compile(r"(?:(?P<epoch>\d*):)?(?P<version>[^:-]+)(?:-(?P<release>[^:-]+))?")
_ALPM_SEGMENT = re.compile(r"(?P<gap>[^A-Za-z0-9]*)(?P<word>\d+|[A-Za-z]+|$)")


def _alpm(a: str, b: str) -> int | None:
    """vercmp(8): the release counts only when both versions have one."""
    ours, theirs = _ALPM.fullmatch(a), _ALPM.fullmatch(b)
    if ours is None or theirs is None:
        return None
    order = _sign(int(ours["epoch"] or 0), int(theirs["epoch"] or 0))
    order = order or _alpm_part(ours["version"], theirs["version"])
    if order or ours["release"] is None or theirs["release"] is None:
        return order
    return _alpm_part(ours["release"], theirs["release"])


def _alpm_part(a: str, b: str) -> int:
    """1.0a < 1.0beta < 1.0rc < 1.0 < 1.0.a < 1.0.1; a longer separator is newer."""
    while a and b:
        ours, theirs = _ALPM_SEGMENT.match(a), _ALPM_SEGMENT.match(b)
        if ours is None or theirs is None:  # the pattern matches every string
            break
        if not (ours["word"] and theirs["word"]):
            a, b = ours["word"], theirs["word"]
            break
        order = _sign(len(ours["gap"]), len(theirs["gap"])) or _alpm_word(
            ours["word"], theirs["word"]
        )
        if order:
            return order
        a, b = a[ours.end() :], b[theirs.end() :]
    return _alpm_rest(a) - _alpm_rest(b)


def _alpm_word(a: str, b: str) -> int:
    if a.isdigit() != b.isdigit():
        return 1 if a.isdigit() else -1
    return _sign(int(a), int(b)) if a.isdigit() else _sign(a, b)


def _alpm_rest(rest: str) -> int:
    """What is left of the longer one: letters make it older (1.0rc < 1.0), all else newer."""
    if not rest:
        return 0
    return -1 if rest[0].isalpha() else 1


_ORDERS: dict[str, Callable[[str, str], int | None]] = {
    "deb": _by_univers("versions", "DebianVersion", _DEB),
    "rpm": _rpm,
    "apk": _apk,
    "alpm": _alpm,
    "pypi": _by_univers("versions", "PypiVersion"),
    "npm": _by_univers("versions", "SemverVersion", _NPM),
    "gem": _by_univers("versions", "RubygemsVersion"),
    "maven": _maven,
    "golang": _by_univers("versions", "GolangVersion", _GOLANG),
}
