"""Package repositories that only one side has, and how old its packages are without them."""

import re
from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Place, Side, Want

_STABLE_UPDATE = re.compile(r"[+~]deb\d+u\d+|ubuntu[\d.]+")


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`repository-missing`, `repository-foreign`, then `behind` and `ahead` in time."""
    missing = [d for d in open_ if d.section == "repositories" and d.kind == "missing"]
    foreign = [d for d in open_ if d.section == "repositories" and d.kind == "extra"]
    changed = [d for d in open_ if d.section == "dpkg" and d.kind == "changed"]
    causes: list[Cause] = []
    for lead, make in ((missing, _missing), (foreign, _foreign)):
        for repositories in _strongest_first(lead):
            taken = {i for cause in causes for i in cause.claims}
            causes.append(make(case, repositories, [d for d in changed if d.id not in taken]))
    taken = {i for cause in causes for i in cause.claims}
    rest = [d for d in changed if d.id not in taken]
    if any(cause.type == "repository-missing" for cause in causes):
        return [*causes, *_in_time(case, [d for d in rest if d.direction == "newer"])]
    return [*causes, *_in_time(case, rest)]


def _strongest_first(repositories: Sequence[Divergence]) -> list[list[Divergence]]:
    """The components of one suite together; security suites before updates before the rest."""
    order = ("-security", "-updates")
    suites: dict[tuple[int, str, str], list[Divergence]] = {}
    for repository in repositories:
        suite = _suite(repository)
        rank = next((i for i, end in enumerate(order) if suite.endswith(end)), len(order))
        suites.setdefault((rank, suite, _origin(repository)), []).append(repository)
    return [suites[key] for key in sorted(suites)]


def _suite(repository: Divergence) -> str:
    """`Debian/bookworm-security/main` -> `bookworm-security`; flat ones have only an origin."""
    parts = repository.key.split("/")
    return "/".join(parts[1:-1]) if len(parts) > 2 else repository.key


def _origin(repository: Divergence) -> str:
    return repository.key.partition("/")[0]


def _subject(case: Case, repository: Divergence, side: Side) -> str:
    """The suite, if it is the distribution's own; else its origin too, which says whose it is."""
    suite, origin = _suite(repository), _origin(repository)
    own = _is_own(case, repository, side) or suite == repository.key
    return suite if own else f"{origin}/{suite}"


def _is_own(case: Case, repository: Divergence, side: Side) -> bool:
    release = case.facts(side, "os").get("release", {})
    return _origin(repository).lower() == str(release.get("id", "")).lower()


def _missing(
    case: Case, repositories: Sequence[Divergence], changed: Sequence[Divergence]
) -> Cause:
    repository = repositories[0]
    suite = _suite(repository)
    older = [d for d in changed if d.direction == "older" and _may_come_from(case, repository, d)]
    line = _line_of(case, case.reference, suite)
    evidence = [
        Evidence(
            text=f"{', '.join(r.key for r in repositories)} is configured on "
            f"{case.reference.label}, not on {case.subject.label}",
            confidence="recorded",
        )
    ]
    if older:
        newer = sum(d.direction == "newer" for d in changed)
        evidence.append(
            Evidence(
                text=f"{len(older)} packages are older than on {case.reference.label}, "
                f"{newer} newer",
                confidence="recorded",
            )
        )
        marked = [d for d in older if _STABLE_UPDATE.search(str((d.reference or {})["version"]))]
        evidence.append(
            Evidence(
                text=f"{len(marked)} of those newer versions are numbered as updates of a stable "
                "release",
                confidence="inferred",
            )
        )
        evidence += _after_line(case, older, line)
    return Cause(
        type="repository-missing",
        subject=_subject(case, repository, case.reference),
        text=f"{case.subject.label} does not have the repository {suite}",
        confidence="inferred" if older else "recorded",
        claims=[*(r.id for r in repositories), *(d.id for d in older)],
        evidence=evidence,
        image_record=line,
    )


def _line_of(case: Case, side: Side, suite: str) -> Place | None:
    return case.line_with(side, suite, keyword="RUN") or case.line_with(side, suite)


def _after_line(case: Case, older: Sequence[Divergence], line: Place | None) -> list[Evidence]:
    """That the image got these versions after the line that adds the repository is on record."""
    if line is None:
        return []
    places = [case.changed_by(case.reference, d.key) for d in older]
    after = [p for p in places if p and p.kind == "line" and p.line >= line.line]
    if not after:
        return []
    return [
        Evidence(
            text=f"the image got {len(after)} of them at or after line {line.line}, "
            "which adds the repository",
            confidence="recorded",
        )
    ]


def _may_come_from(case: Case, repository: Divergence, package: Divergence) -> bool:
    """A distribution's suite may carry its own packages; backports only what is marked so."""
    version = str((package.reference or {}).get("version", ""))
    backport = "~bpo" in version
    if _suite(repository).endswith("-backports") or backport:
        return backport and _suite(repository).endswith("-backports")
    return _is_own(case, repository, case.reference)


def _foreign(
    case: Case, repositories: Sequence[Divergence], changed: Sequence[Divergence]
) -> Cause:
    repository = repositories[0]
    backports = _suite(repository).endswith("-backports")
    newer = [
        d
        for d in changed
        if d.direction == "newer" and backports and "~bpo" in str((d.subject or {})["version"])
    ]
    sources = case.evidence(case.subject, "repository-sources").get(repository.key, {})
    places = sources.get("places")
    where = f" ({places[0]})" if isinstance(places, list) and places else ""
    return Cause(
        type="repository-foreign",
        subject=_subject(case, repository, case.subject),
        text=f"{case.subject.label} has the repository {repository.key}{where}, "
        f"{case.reference.label} has not",
        confidence="recorded",
        claims=[*(r.id for r in repositories), *(d.id for d in newer)],
        evidence=[Evidence(text=f"{repository.key}{where}", confidence="recorded")],
    )


def _in_time(case: Case, changed: Sequence[Divergence]) -> list[Cause]:
    older = [d for d in changed if d.direction == "older"]
    newer = [d for d in changed if d.direction == "newer"]
    if "repositories" not in case.comparison.equal:
        return []
    causes: list[Cause] = []
    if older:
        causes.append(_behind(case, older))
    if newer:
        causes.append(_ahead(case, newer))
    return causes


def _behind(case: Case, older: Sequence[Divergence]) -> Cause:
    last = case.records.last_activity
    when = f", last changed by apt on {last.start[:16]}" if last else ""
    return Cause(
        type="behind",
        subject="packages",
        text=f"{case.subject.label} has the same repositories and older packages{when}",
        confidence="inferred",
        claims=[d.id for d in older],
        evidence=[
            Evidence(text="the repositories of both sides are compared", confidence="recorded"),
            Evidence(
                text=f"{len(older)} packages are older{when}",
                confidence="recorded",
            ),
        ],
        host_record=case.records.of(last) if last else None,
    )


def _ahead(case: Case, newer: Sequence[Divergence]) -> Cause:
    last = [t for d in newer if (t := case.records.last(d.key))]
    newest = max(last, key=lambda transaction: transaction.start) if last else None
    stale = ": the image is stale, rebuild it" if case.reference.is_image else ""
    return Cause(
        type="ahead",
        subject="packages",
        text=f"{case.subject.label} was upgraded beyond {case.reference.label}{stale}",
        confidence="recorded" if newest else "inferred",
        claims=[d.id for d in newer],
        evidence=[Evidence(text=f"{len(newer)} packages are newer", confidence="recorded")],
        host_record=case.records.of(newest) if newest else None,
    )
