"""Divergences that only follow from another: a package's own libraries, runtimes, release files."""

import re

from driftscan.explain import belongs
from driftscan.explain.case import Case
from driftscan.model import LANGUAGES, Divergence, Item, Side
from driftscan.probes import apps


def parents(case: Case) -> dict[str, str]:
    """Id of a derived divergence -> id of the package divergence that it follows from.

    A library that vanished with its package is no second difference, nor is the version of
    a runtime whose package differs.
    """
    found: dict[str, str] = {}
    for divergence in case.comparison.divergences:
        told = _told(case, divergence) if divergence.section in _TOLD else ""
        if told:
            found[divergence.id] = told
            continue
        for owner in _owners(case, divergence):
            if package := case.package(owner):
                found[divergence.id] = package.id
                break
    for divergence in case.comparison.divergences:
        # An archive of no package is among the software of its directory.
        software = f"software:{divergence.key.rpartition('@')[2]}"
        if divergence.section == "verified-software":
            software = f"software:{divergence.key.rpartition('/')[0]}"
        inside = divergence.section in ("jars", "verified-software")
        if inside and divergence.id not in found and software in case.by_id:
            found[divergence.id] = found.get(software, software)
    return {**_below_roots(case), **found}


def _below_roots(case: Case) -> dict[str, str]:
    """What is below a root of applications that only one side has."""
    roots = {d.key: d.id for d in case.comparison.divergences if d.section == apps.NAME}
    below = [d for d in case.comparison.divergences if d.section != apps.NAME]
    above = {d.id: apps.above(d.section, d.key, roots) for d in below}
    return {child: roots[root] for child, root in above.items() if root}


# Sections that tell of some files that no package owns why they matter.
_TELLING = ("programs", "libraries", "vendored", "runtimes")
_TOLD = ("software", "units", "files")
_ROOT = re.compile(r"/(?:opt|srv)/[^/]+/")


def _told(case: Case, divergence: Divergence) -> str:
    """The divergence that tells of the same thing already, and why it matters.

    An edited file of a package is told with its package, not among other files too.
    """
    edited = f"conffiles:{divergence.key}"
    if divergence.section == "files":
        return edited if edited in case.by_id else ""
    dropped = divergence.section == "units" and {*divergence.changes} == {"dropins"}
    scope = f"unit:{divergence.key}/"
    for other in case.comparison.divergences:
        if divergence.section == "software" and _tells(other, divergence.key):
            return other.id
        if dropped and other.section == "environment" and other.key.startswith(scope):
            return other.id
    return ""


def _tells(other: Divergence, directory: str) -> bool:
    """Whether it is about a file in the directory, or in the same tree of /opt or /srv."""
    items = (other.subject, other.reference)
    packaged = other.section in ("libraries", "runtimes")  # the owner of `programs` is hidden
    if other.section not in _TELLING or (packaged and any(i and i.get("owner") for i in items)):
        return False
    place = other.key.rpartition("|")[2]
    root = _ROOT.match(f"{directory}/")
    same = root is not None and f"{place}/".startswith(root.group())
    return same or directory in (place, place.rpartition("/")[0])


def unjudged(case: Case) -> list[Divergence]:
    """What belongs to packages while the packages themselves could not be compared.

    Whether such a library or runtime is expected, or follows from a version, is not known then:
    to call it drift would be a guess.
    """
    if set(case.sections) <= case.comparison.equal.keys():
        return []
    own = ("libraries", "runtimes", "winners", *LANGUAGES)
    found = case.comparison.divergences
    return [d for d in found if (d.section in own and _owners(case, d)) or _may_be_owned(d)]


def _may_be_owned(divergence: Divergence) -> bool:
    """Something that packages bring too: whose it is tells a database that was not read."""
    sections = ("files", "software", "cron", "units", "init-scripts", "users", "groups")
    return divergence.section in sections and divergence.kind != "changed"


def _owners(case: Case, divergence: Divergence) -> list[str]:
    """The packages that the item belongs to, the subject's first."""
    if divergence.section == "os":
        # Another release is a cause of its own, not a matter of one package.
        apart = divergence.key == "release" and case.releases_differ
        names = () if apart else _SYSTEM.get(divergence.key, ())
        return [package.key for name in names if (package := case.called(name))]
    sides = ((case.subject, divergence.subject), (case.reference, divergence.reference))
    if divergence.section in ("libraries", "runtimes", *LANGUAGES):
        return [str(item["owner"]) for _, item in sides if item and item.get("owner")]
    if divergence.section in ("conffiles", "extensions", "verified"):
        return [name for name in _bringing(divergence) if _one_sided(case, name)]
    if divergence.section in _SETTINGS:
        own = _bringing(divergence) if divergence.section == "files" else []
        return [n for n in (*own, *belongs.packages(case, divergence)) if _decides(case, n)]
    if divergence.section == "certificates" and not divergence.key.startswith("local|"):
        return ["ca-certificates"]
    if divergence.section == "winners":
        kind = divergence.key.partition("@")[0]
        found = [_owner_of_winner(case, side, kind, item) for side, item in sides if item]
        # Where a copy that no package owns wins, no package's version decides.
        return found if all(found) else []
    return []


_SYSTEM = {
    "libc": ("libc6", "glibc", "musl"),
    "release": (
        *("base-files", "alpine-release", "alpine-base", "almalinux-release", "centos-release"),
        *("centos-stream-release", "fedora-release-common", "oraclelinux-release", "filesystem"),
        *("redhat-release", "rocky-release", "system-release"),
    ),
}
"""The packages that bring what tells the C library and the release."""


_SETTINGS = (
    *("files", "cron", "environment", "groups", "init-scripts", "limits", "sysctl-settings"),
    *("time-servers", "units", "users"),
)


def _decides(case: Case, package: str) -> bool:
    """Whether the package says it all: one side lacks it, or has that of another release."""
    return _one_sided(case, package) or (case.releases_differ and case.package(package) is not None)


def _one_sided(case: Case, package: str) -> bool:
    """Whether one side lacks the package: then that says it all of its settings."""
    divergence = case.package(package)
    return divergence is not None and divergence.kind != "changed"


# Debian keeps what a package's scripts write in a directory of its version: /etc/php/8.2/.
_VERSIONED = re.compile(r"/etc/([a-z][a-z0-9+-]*)/([0-9][0-9.]*)/")


def _bringing(divergence: Divergence) -> list[str]:
    """The packages without which a file or extension cannot be there: its own, its program's."""
    items = [item for item in (divergence.subject, divergence.reference) if item]
    found = [str(item.get(field, "")) for item in items for field in ("package", "owner")]
    if divergence.section == "files" and (own := _VERSIONED.match(divergence.key)):
        program, version = own.groups()
        found += [f"{program}{version}-common", f"{program}{version}", f"{program}-{version}"]
    if divergence.section == "extensions":
        program, version, *rest = [*divergence.key.split("/"), ""]
        found += [f"php{version}-{rest[0]}", f"libapache2-mod-php{version}"]
        found += [program, f"lib{program}-{version}"]
    return found


def _owner_of_winner(case: Case, side: Side, kind: str, item: Item) -> str:
    runtime = case.facts(side, "runtimes").get(f"{kind}|{item.get('real', '')}", {})
    return str(runtime.get("owner", ""))
