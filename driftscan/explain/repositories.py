"""Package repositories that only the reference has, and the versions that come from them."""

from collections.abc import Sequence

from driftscan import versions
from driftscan.explain import suites
from driftscan.explain.case import Case
from driftscan.explain.records import newest
from driftscan.explain.wording import some
from driftscan.model import Cause, Divergence, Evidence, HostRecord, Place, Want
from driftscan.model.managers import DPKG, MANAGERS, RPM, is_package


def wants(case: Case) -> list[Want]:
    """What the subject's own repositories offer of the packages that it has older."""
    if not suites.missing(case) or case.records.manager is not DPKG:
        return []
    older = [d for d in case.comparison.divergences if suites.is_older(d)]
    return [Want(side="subject", kind="available", name=d.key) for d in older]


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`repository-missing`: each suite claims the older packages that it may have brought."""
    causes: list[Cause] = []
    taken: set[str] = set()
    open_ids = {d.id for d in open_}
    for repositories in suites.missing(case):
        repositories = [r for r in repositories if r.id in open_ids]
        if not repositories:
            continue
        older = [
            d
            for d in open_
            if d.id not in taken and suites.is_older(d) and _comes_from(case, repositories, d)
        ]
        causes.append(_missing(case, repositories, older))
        taken.update(causes[-1].claims)
    return causes


def _comes_from(case: Case, repositories: Sequence[Divergence], package: Divergence) -> bool:
    """The suite may have it, and what the subject has already does not offer it."""
    version = str((package.reference or {}).get("version", ""))
    may = suites.may_have_brought(case, repositories, package)
    return may and not suites.offered(case, package, version)


def _missing(case: Case, repositories: Sequence[Divergence], older: Sequence[Divergence]) -> Cause:
    suite = suites.suite_of(repositories[0])
    line = suites.line_of(case, repositories)
    own = _own(case, repositories)
    evidence = [_configured(case, repositories), *_switched_off(case, repositories)]
    if older:
        evidence += [_direction(case, own), *_numbered(case, own), *_after_line(case, own, line)]
        evidence += [*_published(case, suite, own), *_not_age(case, suite, own)]
        evidence += [*_newest_offered(case, own), *_came_from(case, suite, own)]
    proven = bool(older) and all(
        _names_suite(case, suite, d.group) or _is_from(case, suite, d) for d in older
    )
    return Cause(
        type="repository-missing",
        subject=suites.name_of(case, repositories[0], case.reference),
        text=f"{case.subject.label} {_lacks(case, repositories)} {suite}",
        confidence="recorded" if proven or not older else "inferred",
        claims=[*(r.id for r in repositories), *(d.id for d in older)],
        evidence=evidence,
        image_record=line,
    )


def _configured(case: Case, repositories: Sequence[Divergence]) -> Evidence:
    keys = [r.key for r in repositories]
    used = "enabled" if case.records.manager is RPM else "configured"
    text = f"{', '.join(keys)} is {used} on {case.reference.label}, not on {case.subject.label}"
    cites = case.cite(case.reference, "repositories", *keys)
    return Evidence(text=text, confidence="recorded", cites=cites)


_OFF = "rpm-repositories-off"


def _is_off(case: Case, repositories: Sequence[Divergence]) -> list[str]:
    """Those that the subject has and does not use."""
    off = case.evidence(case.subject, _OFF)
    return [r.key for r in repositories if r.key in off]


def _lacks(case: Case, repositories: Sequence[Divergence]) -> str:
    if _is_off(case, repositories):
        return "has switched off the repository"
    return "does not have the repository"


def _switched_off(case: Case, repositories: Sequence[Divergence]) -> list[Evidence]:
    off = _is_off(case, repositories)
    if not off:
        return []
    item = case.evidence(case.subject, _OFF)[off[0]]
    places = item.get("places")
    where = f" ({places[0]})" if isinstance(places, list) and places else ""
    text = f"{', '.join(off)} is configured on {case.subject.label} and not enabled{where}"
    cites = case.cite(case.subject, _OFF, *off)
    return [Evidence(text=text, confidence="recorded", cites=cites)]


def _own(case: Case, repositories: Sequence[Divergence]) -> list[Divergence]:
    """Every package that is older here and that the suite may have, whoever claims it."""
    return [
        d
        for d in case.comparison.divergences
        if suites.is_older(d) and suites.may_have_brought(case, repositories, d)
    ]


def _cites(case: Case, packages: Sequence[Divergence]) -> list[str]:
    return [
        *case.cite_packages(case.subject, *(d.key for d in packages if d.subject)),
        *case.cite_packages(case.reference, *(d.key for d in packages if d.reference)),
    ]


def _direction(case: Case, older: Sequence[Divergence]) -> Evidence:
    """Were it the age of the image, some would be newer here."""
    changed = [d for d in case.comparison.divergences if is_package(d) and d.changes]
    newer = sum(d.direction == "newer" for d in changed)
    text = f"{len(older)} packages are older than on {case.reference.label}, {newer} newer"
    return Evidence(text=text, confidence="recorded", cites=_cites(case, older))


def _numbered(case: Case, older: Sequence[Divergence]) -> list[Evidence]:
    marked = [
        d for d in older if suites.STABLE_UPDATE.search(str((d.reference or {}).get("version", "")))
    ]
    if not marked:
        return []
    text = f"{len(marked)} of those newer versions are numbered as updates of a stable release"
    return [Evidence(text=text, confidence="inferred", cites=_cites(case, marked))]


def _after_line(case: Case, older: Sequence[Divergence], line: Place | None) -> list[Evidence]:
    """That the image got these versions after the line that adds the repository is on record."""
    if line is None:
        return []
    places = [(d, p) for d in older if (p := case.changed_by(case.reference, d.key))]
    after = [(d, p) for d, p in places if p.kind == "line" and p.line >= line.line]
    if not after:
        return []
    text = (
        f"the image got {len(after)} of them at or after line {line.line}, "
        "which adds the repository"
    )
    # Times of an image that were rewritten leave the line of a package to be inferred.
    sure = all(p.confidence == "recorded" for _, p in after)
    cites = _cites(case, [d for d, _ in after])
    return [Evidence(text=text, confidence="recorded" if sure else "inferred", cites=cites)]


# --- what the changelogs and the lists say -----------------------------------------------------


def _names_suite(case: Case, suite: str, source: str) -> bool:
    """Whether the newer version was uploaded to that suite, by its own changelog."""
    delta = case.pairs.deltas.get(source)
    return bool(delta and delta.entries and suite in delta.entries[0].distributions)


def _is_from(case: Case, suite: str, package: Divergence) -> bool:
    """Whether the reference's own history says that its version came from there."""
    return suites.brought_from(case, case.reference, package.key) == suite


def _came_from(case: Case, suite: str, older: Sequence[Divergence]) -> list[Evidence]:
    known = _keys([d for d in older if _is_from(case, suite, d)])
    if not known:
        return []
    records = case.reference_records
    found = (records.last(key) for key in known)
    cites = {cite for transaction in found if transaction for cite in records.cites_of(transaction)}
    text = f"{records.manager.history_name} of {case.reference.label}: {some(known)} came from it"
    return [Evidence(text=text, confidence="recorded", cites=sorted(cites))]


def _published(case: Case, suite: str, older: Sequence[Divergence]) -> list[Evidence]:
    sources = sorted({d.group for d in older})
    named = [source for source in sources if _names_suite(case, suite, source)]
    if not named:
        return []
    text = f"the changelogs of {some(named)} name {suite} as the suite of the newer version"
    cites = case.cite_changelogs(case.reference, *named)
    return [Evidence(text=text, confidence="recorded", cites=cites)]


def _not_age(case: Case, suite: str, older: Sequence[Divergence]) -> list[Evidence]:
    """A version that was written before the host was set up, and that it did not get.

    The date is the changelog's: it was published that day or soon after.

    Of the source with most such versions; without a repository age cannot explain them.
    """
    if case.records.skewed:  # two clocks are compared, and one of them is wrong
        return []
    best: tuple[int, list[str], HostRecord, str] | None = None
    for source in sorted({d.group for d in older}):
        members = [d for d in older if d.group == source]
        record = newest(case.records.record(d.key) for d in members)
        missed = _missed(case, suite, source, record)
        if record and missed and (best is None or len(missed) > best[0]):
            best = (len(missed), missed, record, source)
    if best is None:
        return []
    _, missed, record, source = best
    text = (
        f"not age: the changelog dates {some(missed)} of {source} before {case.subject.label} "
        f"last changed it, {record.time[:10]}"
    )
    cites = [*case.cite_changelogs(case.reference, source), *record.cites]
    return [Evidence(text=text, confidence=record.confidence, cites=cites)]


def _missed(case: Case, suite: str, source: str, record: HostRecord | None) -> list[str]:
    delta = case.pairs.deltas.get(source)
    if delta is None or record is None:
        return []
    return [
        f"{entry.version} ({entry.date[:10]})"
        for entry in reversed(delta.entries)
        if suite in entry.distributions and entry.date and entry.date[:10] < record.time[:10]
    ]


def _newest_offered(case: Case, older: Sequence[Divergence]) -> list[Evidence]:
    """The subject's own lists have nothing newer than what it has: it is not behind in time."""
    offers = case.details(case.subject, "available")
    full = [d for d in older if _nothing_newer(offers.get(d.key, {}).get("versions"), d)]
    if not full:
        return []
    text = f"the repositories of {case.subject.label} offer nothing newer of {some(_keys(full))}"
    cites = case.cite(case.subject, "available", *_keys(full))
    return [Evidence(text=text, confidence="recorded", cites=cites)]


def _nothing_newer(offered: object, package: Divergence) -> bool:
    ours = str((package.subject or {}).get("version", ""))
    ecosystem = MANAGERS[package.section].ecosystem
    return (
        isinstance(offered, list)
        and bool(offered)
        and all(versions.compare(ecosystem, ours, version) in (0, 1) for version in offered)
    )


def _keys(packages: Sequence[Divergence]) -> list[str]:
    return sorted(d.key for d in packages)
