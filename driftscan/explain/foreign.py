"""Package repositories that only the subject has: backports, a PPA, a vendor's."""

from collections.abc import Sequence

from driftscan.explain import filetimes, suites
from driftscan.explain.case import Case
from driftscan.explain.wording import some
from driftscan.model import Cause, Divergence, Evidence, Field, Want
from driftscan.model.managers import MANAGERS, is_package


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`repository-foreign`: each suite claims what its versions show to come from it."""
    causes: list[Cause] = []
    taken: set[str] = set()
    open_ids = {d.id for d in open_}
    for repositories in suites.foreign(case):
        repositories = [r for r in repositories if r.id in open_ids]
        if not repositories:
            continue
        brought = [d for d in open_ if d.id not in taken and _comes_from(case, repositories[0], d)]
        causes.append(_foreign(case, repositories, brought))
        taken.update(causes[-1].claims)
    return causes


def _comes_from(case: Case, repository: Divergence, package: Divergence) -> bool:
    """The version says so; the distribution's own versions say nothing."""
    if not is_package(package) or package.kind == "missing" or package.direction == "older":
        return False
    version = str((package.subject or {}).get("version", ""))
    return _marked(case, repository, package.key, version)


def _marked(case: Case, repository: Divergence, package: str, version: str) -> bool:
    if suites.origin_of(repository) in MANAGERS:
        return suites.brought_from(case, case.subject, package) == suites.suite_of(repository)
    own = suites.is_own(case, repository, case.subject) and "~bpo" not in version
    return not own and suites.may_bring(case, repository, package, version, case.subject)


def _foreign(
    case: Case, repositories: Sequence[Divergence], brought: Sequence[Divergence]
) -> Cause:
    lead = repositories[0]
    names = [r.key for r in repositories]
    sources = case.evidence(case.subject, "repository-sources")
    places = sources.get(lead.key, {}).get("places")
    where = f" ({places[0]})" if isinstance(places, list) and places else ""
    told = case.cite(case.subject, "repository-sources", lead.key) if where else []
    cites = case.cite(case.subject, "repositories", *names) + told
    text = f"{', '.join(names)}{where} is configured on {case.subject.label} only"
    evidence = [Evidence(text=text, confidence="recorded", cites=cites)]
    installed = case.packages(case.subject).items()
    keys = sorted(k for k, i in installed if _marked(case, lead, k, str(i.get("version", ""))))
    if keys:
        evidence.append(_came(case, lead, keys))
    return Cause(
        type="repository-foreign",
        subject=suites.name_of(case, lead, case.subject),
        text=f"{case.subject.label} has the repository {lead.key}{where}, "
        f"{case.reference.label} has not",
        confidence="recorded",
        claims=[*(r.id for r in repositories), *(d.id for d in brought)],
        evidence=evidence,
        host_record=filetimes.record(case, filetimes.SET, _files(places), named_by=told),
    )


def _files(places: Field) -> list[str]:
    """`/etc/apt/sources.list.d/x.list:1` -> the file."""
    return sorted({place.partition(":")[0] for place in places}) if isinstance(places, list) else []


def _came(case: Case, repository: Divergence, keys: Sequence[str]) -> Evidence:
    """That packages of the subject are from there: by its history, else by their versions."""
    cites = case.cite_packages(case.subject, *keys)
    if suites.origin_of(repository) not in MANAGERS:
        text = f"the versions of {some(keys)} carry its mark"
        return Evidence(text=text, confidence="inferred", cites=cites)
    records = case.records
    cites += sorted({c for k in keys if (t := records.last(k)) for c in records.cites_of(t)})
    text = f"{records.manager.history_name}: {some(keys)} came from there"
    return Evidence(text=text, confidence="recorded", cites=cites)
