"""Where the linker looks: its directories, LD_LIBRARY_PATH and what is loaded before all else."""

from collections.abc import Sequence

from driftscan.explain import filetimes, loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Want

_PRELOAD = "preload:"
_VARIABLES = ("LD_LIBRARY_PATH", "LD_PRELOAD")


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`linker-path`, `preload` and `linker-variable`, with who maps a file from there as proof."""
    causes = [_directory(case, d) for d in open_ if d.section == "linker-path"]
    by_value: dict[tuple[str, str], list[Divergence]] = {}
    for divergence in open_:
        name = divergence.key.rpartition("/")[2]
        if divergence.section == "environment" and name in _VARIABLES:
            value = _value(divergence.subject) or _value(divergence.reference)
            by_value.setdefault((name, value), []).append(divergence)
    return [*causes, *(_variable(case, *named, by_value[named]) for named in sorted(by_value))]


def _directory(case: Case, divergence: Divergence) -> Cause:
    preloaded = divergence.key.startswith(_PRELOAD)
    path = divergence.key.removeprefix(_PRELOAD)
    here = divergence.subject is not None
    users = _users(case, [path]) if here else []
    where = "/etc/ld.so.preload" if preloaded else "/etc/ld.so.conf"
    return Cause(
        type="preload" if preloaded else "linker-path",
        subject=path,
        text=_told(case, divergence, path, preloaded),
        confidence="recorded",
        level="in-use" if users or (here and preloaded) else "installed",
        claims=[divergence.id],
        evidence=[*_read(case, divergence, where), *users],
    )


def _told(case: Case, divergence: Divergence, path: str, preloaded: bool) -> str:
    subject, reference = case.subject.label, case.reference.label
    verb = "is loaded into every program" if preloaded else "is searched for libraries"
    if divergence.kind == "extra":
        return f"{path} {verb} on {subject}, not on {reference}"
    if divergence.kind == "missing":
        return f"{path} {verb} on {reference}, not on {subject}"
    return f"{path} {verb} in another order on {subject} than on {reference}"


def _read(case: Case, divergence: Divergence, where: str) -> list[Evidence]:
    found: list[Evidence] = []
    for side, item in ((case.subject, divergence.subject), (case.reference, divergence.reference)):
        if item is not None:
            text = f"{where} and what it includes name it on {side.label}"
            cites = case.cite(side, "linker-path", divergence.key)
            found.append(Evidence(text=text, confidence="recorded", cites=cites))
    return found


def _variable(case: Case, name: str, value: str, members: Sequence[Divergence]) -> Cause:
    scopes = ", ".join(d.key.rpartition("/")[0] for d in members)
    here = [d for d in members if d.subject is not None]
    side, other = (case.subject, case.reference) if here else (case.reference, case.subject)
    section = "environment"
    read = Evidence(
        text=f"{name} in scope {scopes} of {side.label}",
        confidence="recorded",
        cites=case.cite(side, section, *(d.key for d in members)),
    )
    places = [part for part in value.replace(" ", ":").split(":") if part.startswith("/")]
    users = _users(case, places) if here else []
    return Cause(
        type="linker-variable",
        subject=name,
        text=f"{name}={value} is set for {scopes} on {side.label}"
        + ("" if any(d.kind == "changed" for d in members) else f", not on {other.label}"),
        confidence="recorded",
        level="in-use" if users else "installed",
        claims=[d.id for d in members],
        evidence=[read, *users],
        host_record=filetimes.of_units(case, [d.key for d in here]),
    )


def _users(case: Case, places: Sequence[str]) -> list[Evidence]:
    """Who maps one of these files, or a file of one of these directories."""
    own = {place.rstrip("/") for place in places}
    return loaded.maps(case, lambda file: file in own or file.rpartition("/")[0] in own)


def _value(item: Item | None) -> str:
    return str((item or {}).get("value", ""))
