"""The package managers: their sections, the order of their versions, their commands."""

import re
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from driftscan.model.explained import Divergence
from driftscan.model.found import Absent, Fingerprint


class Manager(Struct, frozen=True, kw_only=True):
    """One package manager; `section` is that of its facts, the others are evidence about them.

    `history` and `log` are empty where it keeps none, `changelogs` where none are read; `wish` is
    how a sentence says that a package is on its list of what was asked for (`origins`).
    The patterns are about a command line as a log writes it: `install` the verb before names,
    `whole` what upgrades all there is, `release` what moves a machine to another release. `file` is
    how the name of a package file ends; `needs_name` takes the name out of a dependency.
    """

    section: str
    ecosystem: str
    tool: str
    history: str = ""
    auto: str = ""
    log: str = ""
    history_name: str = ""
    log_name: str = ""
    changelogs: str = ""
    wish: str = ""
    time_name: str = "install time"
    time_recorded: bool = True
    install: re.Pattern[str]
    not_install: str = ""
    asked: re.Pattern[str]
    unattended: re.Pattern[str]
    whole: re.Pattern[str]
    release: re.Pattern[str]
    file: str
    hold: str
    needs_name: re.Pattern[str]

    @property
    def times(self) -> str:
        """The section of the moments at which packages were last changed."""
        return f"{self.section}-times"

    @property
    def origins(self) -> str:
        """The section of what was asked for, and where packages were built."""
        return f"{self.section}-origins"

    @property
    def needs(self) -> str:
        """The section of what packages need and provide."""
        return f"{self.section}-needs"


_NEVER = re.compile(r"(?!)")
_CAPABILITY = re.compile(r"\s*([A-Za-z0-9/_][^\s<>=~|,]*)")

DPKG = Manager(
    section="dpkg",
    ecosystem="deb",
    tool="apt",
    history="apt-history",
    auto="apt-auto",
    log="dpkg-log",
    history_name="apt history",
    log_name="dpkg log",
    changelogs="changelogs",
    time_name="file time",
    time_recorded=False,
    install=re.compile(r"(?:re)?install"),
    not_install="--only-upgrade",
    asked=re.compile(r"([a-z0-9][a-z0-9+.-]{0,250})(?::[a-z0-9-]{1,30})?(?:[=/]\S+)?"),
    unattended=re.compile(r"\bunattended-upgrades?\b"),
    whole=re.compile(
        r"(?<![-\w])(?:upgrade|dist-upgrade|full-upgrade|safe-upgrade|do-release-upgrade)(?![-\w])"
    ),
    release=re.compile(r"(?<![-\w])do-release-upgrade(?![-\w])"),
    file=".deb",
    hold="dpkg selection hold",
    needs_name=re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9.+-]*)"),
)
RPM = Manager(
    section="rpm",
    ecosystem="rpm",
    tool="dnf",
    history="rpm-history",
    auto="rpm-auto",
    history_name="dnf history",
    changelogs="rpm-changelogs",
    install=re.compile(r"(?:re|local|group)?install|in"),
    asked=re.compile(r"([A-Za-z0-9_][A-Za-z0-9_+.-]{0,250})"),
    unattended=re.compile(r"\b(?:dnf-automatic|yum-cron|packagekitd?)\b"),
    # with names after it, it upgrades those alone
    whole=re.compile(
        r"(?<![-\w])(?:upgrade|update|distro-sync|dup|system-upgrade)(?![-\w])"
        r"(?!(?:\s+-\S+)*\s+[^-\s])"
    ),
    release=re.compile(
        r"(?<![-\w])(?:system-upgrade|offline-distrosync|leapp|dup)(?![-\w])|--releasever"
    ),
    file=".rpm",
    hold="dnf versionlock",
    needs_name=_CAPABILITY,
)
APK = Manager(
    section="apk",
    ecosystem="apk",
    tool="apk",
    history="apk-history",
    auto="apk-auto",
    history_name="apk log",
    wish="/etc/apk/world asks for",
    install=re.compile(r"add"),
    asked=re.compile(r"([A-Za-z0-9][A-Za-z0-9_+.-]{0,250})(?:[=<>~@]\S+)?"),
    unattended=_NEVER,
    whole=re.compile(r"(?<![-\w])upgrade(?![-\w])"),
    release=_NEVER,
    file=".apk",
    hold="version in /etc/apk/world",
    needs_name=re.compile(r"\s*([A-Za-z0-9/_][^\s<>=~|,!@]*)"),
)
PACMAN = Manager(
    section="pacman",
    ecosystem="alpm",
    tool="pacman",
    history="pacman-history",
    auto="pacman-auto",
    history_name="pacman log",
    wish="pacman's database calls as explicitly installed",
    install=re.compile(r"-[SU][a-z]*|--sync|--upgrade"),
    asked=re.compile(r"(?:[a-z0-9-]+/)?([a-z0-9@_+][a-z0-9@._+-]{0,250})"),
    unattended=_NEVER,
    whole=re.compile(r"(?:^|\s)-S[a-z]*u[a-z]*(?=\s|$)|--sysupgrade"),
    release=_NEVER,
    file=".pkg.tar",
    hold="IgnorePkg of pacman.conf",
    needs_name=_CAPABILITY,
)

MANAGERS = {manager.section: manager for manager in (DPKG, RPM, APK, PACMAN)}


def of(fingerprint: Fingerprint) -> Manager:
    """The manager that has most packages there, else one that is there; dpkg if nothing tells."""
    sections = {name: fingerprint.facts.get(name, Absent()) for name in MANAGERS}

    def rank(manager: Manager) -> tuple[int, bool]:
        section = sections[manager.section]
        return len(getattr(section, "items", ())), not isinstance(section, Absent)

    return max(MANAGERS.values(), key=rank)


def is_package(divergence: Divergence) -> bool:
    """Whether what differs is an installed package of any manager."""
    return divergence.section in MANAGERS


def is_id(name: str) -> bool:
    """Whether `SECTION:KEY` names a package."""
    return name.partition(":")[0] in MANAGERS


_ARCHITECTURES = (
    *("aarch64", "armv7hl", "athlon", "i386", "i486", "i586", "i686", "loongarch64", "noarch"),
    *("ppc64", "ppc64le", "riscv64", "s390x", "src", "x86_64"),
)


def bare(key: str) -> str:
    """The name that people write: without dpkg's `:arch` and rpm's `.arch`."""
    name, dot, architecture = key.partition(":")[0].rpartition(".")
    return name if dot and architecture in _ARCHITECTURES else key.partition(":")[0]


_PINNED = re.compile(r"[=<>~@]")
_VERSION = re.compile(r"-(?=[0-9])")


def names(text: str, key: str) -> bool:
    """Whether a command or a line of a Dockerfile names the package, with a version or without.

    `curl`, `curl=8.5.0-r0` and, of rpm, `curl-7.76.1` and `curl.x86_64` name curl.
    """
    words, stems = _spelled(text)
    name = key if ":" in key else bare(key)
    return key in words or name in words or (name != key and name in stems)


@lru_cache(maxsize=1024)
def _spelled(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words with and without what `=` binds them to; what stands before a `-` and a digit."""
    words = {form for word in text.split() for form in (word, _PINNED.split(word, maxsplit=1)[0])}
    stems = {word[: match.start()] for word in words for match in _VERSION.finditer(word)}
    return frozenset(words), frozenset(stems)


def resolved(words: Iterable[str], keys: Iterable[str]) -> list[str]:
    """Each word of a command as the key it names, if it is one of these; else as it stands."""
    found: list[str] = []
    known = {bare(key): key for key in sorted(keys, reverse=True)}
    for word in words:
        named = (key for key in known.values() if names(word, key))
        found.append(known.get(bare(word)) or next(named, word))
    return found
