"""What a repository may bring: its suite, its owner, and the marks that versions carry."""

import re
from collections.abc import Sequence

from driftscan.explain.case import Case, holds
from driftscan.model import Divergence, Field, Place, Side
from driftscan.model.managers import MANAGERS, is_package

STABLE_UPDATE = re.compile(r"[+~]deb\d+u\d+|ubuntu[\d.]+")
_ORDER = ("-security", "-updates")


def suite_of(repository: Divergence) -> str:
    """`Debian/bookworm-security/main` -> `bookworm-security`; flat ones have only an origin.

    `rpm/baseos` and `pacman/extra` -> their name, `apk/v3.23/community` -> `v3.23/community`.
    """
    manager, _, name = repository.key.partition("/")
    if manager in MANAGERS:
        return name
    parts = repository.key.split("/")
    return "/".join(parts[1:-1]) if len(parts) > 2 else repository.key


def origin_of(repository: Divergence) -> str:
    """`Debian/bookworm-security/main` -> `Debian`."""
    return repository.key.partition("/")[0]


def by_suite(repositories: Sequence[Divergence]) -> list[list[Divergence]]:
    """The components of one suite together; security suites before updates before the rest."""
    suites: dict[tuple[int, str, str], list[Divergence]] = {}
    for repository in repositories:
        suite = suite_of(repository)
        rank = next((i for i, end in enumerate(_ORDER) if suite.endswith(end)), len(_ORDER))
        suites.setdefault((rank, suite, origin_of(repository)), []).append(repository)
    return [suites[key] for key in sorted(suites)]


def missing(case: Case) -> list[list[Divergence]]:
    """The suites that only the reference has."""
    return by_suite(_repositories(case, "missing"))


def foreign(case: Case) -> list[list[Divergence]]:
    """The suites that only the subject has."""
    return by_suite(_repositories(case, "extra"))


def _repositories(case: Case, kind: str) -> list[Divergence]:
    found = case.comparison.divergences
    return [d for d in found if d.section == "repositories" and d.kind == kind]


def name_of(case: Case, repository: Divergence, side: Side) -> str:
    """The suite, if it is the distribution's own; else its origin too, which says whose it is."""
    suite, origin = suite_of(repository), origin_of(repository)
    own = is_own(case, repository, side) or suite == repository.key or origin in MANAGERS
    return suite if own else f"{origin}/{suite}"


def is_own(case: Case, repository: Divergence, side: Side) -> bool:
    """Whether the repository is the distribution's own."""
    if origin_of(repository) in MANAGERS:
        return _OWN.fullmatch(suite_of(repository)) is not None
    release = case.facts(side, "os").get("release", {})
    return origin_of(repository).lower() == str(release.get("id", "")).lower()


def may_bring(case: Case, repository: Divergence, package: str, version: str, side: Side) -> bool:
    """A distribution's suite may carry its own packages; backports only what is marked so.

    A vendor's may carry what names the vendor: no other version is known to be his. Where the
    manager's history tells from which repository the side has the package, that alone counts.
    """
    if origin_of(repository) in MANAGERS:
        told = brought_from(case, side, package)
        return told == suite_of(repository) if told else is_own(case, repository, side)
    backports = suite_of(repository).endswith("-backports")
    if backports or "~bpo" in version:
        return backports and "~bpo" in version
    return is_own(case, repository, side) or _names_vendor(repository, version)


def may_have_brought(case: Case, repositories: Sequence[Divergence], package: Divergence) -> bool:
    """Whether the reference's version may be from a suite that only the reference has.

    What its image had before the line that adds the repository did not come from there.
    """
    version = str((package.reference or {}).get("version", ""))
    if not may_bring(case, repositories[0], package.key, version, case.reference):
        return False
    line, place = line_of(case, repositories), case.changed_by(case.reference, package.key)
    if line is None or place is None or place.confidence != "recorded":
        return True
    return place.kind == "line" and place.line >= line.line


def line_of(case: Case, repositories: Sequence[Divergence]) -> Place | None:
    """The line that adds the suite: it has its address, its file, or its name and owner."""
    side, lead = case.reference, repositories[0]
    suite, origin = suite_of(lead), origin_of(lead)
    sources = case.evidence(side, "repository-sources")
    items = [sources.get(repository.key, {}) for repository in repositories]
    urls = [url.rstrip("/") for item in items for url in _strings(item.get("urls"))]
    files = [place.partition(":")[0] for item in items for place in _strings(item.get("places"))]
    wanted: list[tuple[str, ...]] = [(url, suite) for url in urls]
    wanted += [(file.rpartition("/")[2],) for file in files]
    wanted += [] if is_own(case, lead, side) else [(url,) for url in urls]
    found = (case.line_with(side, *words) for words in wanted)
    if line := next((line for line in found if line), None):
        return line
    owner = [] if origin in MANAGERS else _WORD.findall(origin.lower())
    for line in side.baseline.lines if side.baseline else ():
        whose = not owner or not set(owner).isdisjoint(_WORD.findall(line.text.lower()))
        if whose and holds(line.text, suite) and _ADDS.search(line.text):
            return line
    return None


# What a line holds that adds a repository, whatever the manager.
_ADDS = re.compile(r"\bdeb(-src)? |://|sources|repo", re.ASCII | re.IGNORECASE)


def _strings(value: Field) -> list[str]:
    return value if isinstance(value, list) else []


# What the distributions call their own where a repository has a name and no origin.
_OWN = re.compile(
    r"(?:rhel-[0-9]+-.*-)?(?:base|baseos|appstream|crb|powertools|extras|updates|fedora"
    r"|ubi-[0-9]+-.*|ol[0-9]+_.*|amazonlinux|core|extra|multilib)(?:-rpms|-updates)?"
    r"|(?:v[0-9.]+|edge)/(?:main|community)"
)


def brought_from(case: Case, side: Side, package: str) -> str:
    """The repository that the side's history says its version came from; empty if none does."""
    transaction = case.of(side).last(package)
    return transaction.repositories.get(package, "") if transaction else ""


_WORD = re.compile(r"[a-z]{3,}")
_PPA = re.compile(r"[+~]ppa\d")
_COMMON = {
    *("archive", "com", "deb", "debian", "debs", "download", "downloads", "http", "https", "net"),
    *("org", "packages", "ppa", "pkg", "repo", "repos", "repository", "stable", "ubuntu", "www"),
    *("lts", "main", "bookworm", "trixie", "bullseye", "jammy", "noble", "apt", "backports"),
}


def _names_vendor(repository: Divergence, version: str) -> bool:
    """`+deb.sury.org~1`, `+rpt1`: the revision holds a word of the vendor's name; `~ppa1`."""
    revision = version.rpartition("-")[2].lower()
    if origin_of(repository).startswith("LP-PPA-") and _PPA.search(revision):
        return True
    words = set(_WORD.findall(origin_of(repository).lower())) - _COMMON
    return bool(words & set(_WORD.findall(revision)))


def is_older(package: Divergence) -> bool:
    """A package of which the subject has an older version than the reference."""
    return is_package(package) and package.direction == "older"


def offered(case: Case, package: Divergence, version: str) -> bool:
    """Whether the subject's own lists of packages offer the version; False if nobody asked."""
    versions = case.details(case.subject, "available").get(package.key, {}).get("versions")
    return isinstance(versions, list) and version in versions


def would_bring(case: Case, package: Divergence) -> list[str]:
    """The causes `repository-missing` that would claim the package, were nothing else in the way.

    Of a package that the subject has older than the reference.
    """
    if not is_older(package):
        return []
    return [
        f"repository-missing:{name_of(case, found[0], case.reference)}"
        for found in missing(case)
        if may_have_brought(case, found, package)
    ][:1]


_DEFAULT = 500
"""What apt gives each version of a suite that no pin names (apt_preferences(5))."""


def preferring(case: Case) -> list[str]:
    """The cause of a pin that only the subject has and that prefers one suite for all packages."""
    for divergence in case.comparison.divergences:
        pattern, _, expression = divergence.key.partition("|")
        if divergence.section != "apt-pins" or not divergence.subject or pattern != "*":
            continue
        weight = str(divergence.subject.get("priority", ""))
        high = re.fullmatch("[0-9]{1,8}", weight) and int(weight) > _DEFAULT
        if high and expression.startswith("release "):
            return [f"pin:{pattern}"]
    return []
