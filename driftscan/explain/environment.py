"""Environment variables that one side sets and the other does not, or sets otherwise."""

from collections.abc import Sequence

from driftscan.explain import filetimes
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`environment`: one cause a variable, with the Dockerfile's ENV line where there is one."""
    by_name: dict[str, list[Divergence]] = {}
    for divergence in open_:
        if divergence.section == "environment":
            by_name.setdefault(_split(divergence)[1], []).append(divergence)
    return [_variable(case, name, by_name[name]) for name in sorted(by_name)]


def _split(divergence: Divergence) -> tuple[str, str]:
    """`unit:cron.service/KEEP` -> the scope and the variable's name."""
    scope, _, name = divergence.key.rpartition("/")
    return scope, name


def _variable(case: Case, name: str, members: Sequence[Divergence]) -> Cause:
    # ENV is what a container starts with; what its units set is no line's.
    from_env = any(d.kind != "extra" and _split(d)[0] == "system" for d in members)
    return Cause(
        type="environment",
        subject=name,
        text=_text(case, name, members),
        confidence="recorded",
        claims=[d.id for d in members],
        evidence=[*(_compared(case, d) for d in members), *_elsewhere(case, name, members)],
        host_record=filetimes.of_units(case, [d.key for d in members if d.subject is not None]),
        image_record=case.sets(case.reference, name) if from_env else None,
    )


def _text(case: Case, name: str, members: Sequence[Divergence]) -> str:
    subject, reference = case.subject.label, case.reference.label
    first = members[0]
    ours, theirs = _value(first.subject), _value(first.reference)
    scopes = [_split(d)[0] for d in members]
    where = "" if scopes == ["system"] else f" for {', '.join(scopes)}"
    if first.kind == "missing":
        return f"{name}={theirs} is set on {reference}{where}, not on {subject}"
    if first.kind == "extra":
        return f"{name}={ours} is set on {subject}{where}, not on {reference}"
    return f"{name} is {ours!r} on {subject}{where}, {theirs!r} on {reference}"


def _value(item: Item | None) -> str:
    return str((item or {}).get("value", ""))


def _compared(case: Case, divergence: Divergence) -> Evidence:
    """Both values; what a running process has is not read, and never told as unset."""
    scope, name = _split(divergence)
    pairs = ((case.subject, divergence.subject), (case.reference, divergence.reference))
    told = [f"{_value(item) if item else 'not set'} on {side.label}" for side, item in pairs]
    there = [side for side, item in pairs if item is not None]
    return Evidence(
        text=f"{name} in scope {scope}: {', '.join(told)}",
        confidence="recorded",
        cites=[c for side in there for c in case.cite(side, "environment", divergence.key)],
    )


def _elsewhere(case: Case, name: str, members: Sequence[Divergence]) -> list[Evidence]:
    """Where else the subject sets what it lacks for the system, or may set it: files not read."""
    if not any(d.kind == "missing" and _split(d)[0] == "system" for d in members):
        return []
    found: list[Evidence] = []
    for key, item in sorted(case.facts(case.subject, "environment").items()):
        scope, _, other = key.rpartition("/")
        if other == name and scope != "system":
            cites = case.cite(case.subject, "environment", key)
            text = f"{scope} of {case.subject.label} sets {name}={_value(item)}"
            found.append(Evidence(text=text, confidence="recorded", cites=cites))
    for scope, item in sorted(case.evidence(case.subject, "environment-sources").items()):
        files = item.get("files")
        if isinstance(files, list) and files:
            cites = case.cite(case.subject, "environment-sources", scope)
            text = (
                f"whether {', '.join(files)} sets {name} for {scope} is not known: it is not read"
            )
            found.append(Evidence(text=text, confidence="unknown", cites=cites))
    return found
