"""What the reference has on purpose, and what took the place of what the subject lacks."""

import re

from driftscan.explain import impact
from driftscan.explain.case import Case
from driftscan.explain.wording import logged
from driftscan.model import Divergence, Evidence, managers
from driftscan.model.managers import is_package


def asked_for(case: Case, package: str) -> list[Evidence]:
    """Who wanted the package on the reference: a line of its Dockerfile, or a command.

    By its own name, or as what the package of that name needs (a metapackage says so what to run);
    a library is nobody's wish.
    """
    place = case.brought_by(case.reference, package)
    if place is None:
        transaction = case.reference_records.asked(package)
        return [logged(case.reference_records.of(transaction))] if transaction else []
    if place.kind != "line":
        return []
    cites = case.cite_packages(case.reference, package)
    if managers.names(place.text, package):
        text = f"{place.file}:{place.line} asks for {package}"
        return [Evidence(text=text, confidence=place.confidence, cites=cites)]
    for name in sorted(n for n in case.needs(case.reference) if managers.names(place.text, n)):
        if not package.startswith("lib") and case.reference_graph.relies(name, package):
            text = f"{place.file}:{place.line} asks for {name}, which needs {package}"
            cites += case.cite_needs(case.reference, name, package)
            return [Evidence(text=text, confidence=place.confidence, cites=cites)]
    return []


def run_by(case: Case, package: str) -> list[Evidence]:
    """The line of the Dockerfile that starts the package's program, which is named alike."""
    lines = case.reference.baseline.lines if case.reference.baseline else []
    for place in lines:
        if not place.text.upper().startswith(("CMD", "ENTRYPOINT")):
            continue
        for word in re.findall(r"[A-Za-z0-9._/+-]+", place.text)[1:]:
            program = word.rpartition("/")[2]
            if _tokens(program) == _tokens(package):
                text = f"{place.file}:{place.line} starts {program}"
                cites = case.cite_packages(case.reference, package)
                return [Evidence(text=text, confidence="inferred", cites=cites)]
    return []


def _tokens(name: str) -> list[str]:
    """`php8.2-fpm` and `php-fpm8.2` are the same words."""
    return sorted(re.findall(r"[a-z]+|[0-9.]+", name))


def in_its_place(case: Case, missing: Divergence) -> list[Evidence]:
    """That something like it is there, under a name that nobody asks for."""
    found = successors(case, missing)
    if not found:
        return []
    text = f"{case.subject.label} has {found[0]} in its place: another service, other settings"
    cites = case.cite_packages(case.subject, found[0])
    return [Evidence(text=text, confidence="inferred", cites=cites)]


def instead(case: Case, missing: Divergence) -> list[str]:
    """Packages of the subject that run in its place: its own name but the number, or its source.

    `php7.4-fpm` for `php8.2-fpm`; by the source only what carries the name that was asked for, as
    `php-imagick` does for `php8.2-imagick`.
    """
    stem, place = _stem(missing.key), case.brought_by(case.reference, missing.key)
    asked = place.text if place and place.kind == "line" else ""
    found = [
        name
        for name, item in sorted(case.packages(case.subject).items())
        if (stem not in (missing.key, name) and _stem(name) == stem)
        or (item.get("source") == missing.group and managers.names(asked, name))
    ]
    return [name for name in found if impact.uses(case, [name])]


def successors(case: Case, missing: Divergence) -> list[str]:
    """What the subject has in its place: of the same source, or of the same name but its number."""
    stem = _stem(missing.key)
    return renamed(case, missing) or sorted(
        d.key for d in _extra(case) if _stem(d.key) == stem and stem != missing.key
    )


def renamed(case: Case, missing: Divergence) -> list[str]:
    """Packages of the same source that only the subject has, the most alike first."""
    stem = _stem(missing.key)
    same = [d.key for d in _extra(case) if d.group == missing.group]
    return sorted(same, key=lambda name: (_stem(name) != stem, -_alike(name, missing.key), name))


def _extra(case: Case) -> list[Divergence]:
    return [d for d in case.comparison.divergences if is_package(d) and d.kind == "extra"]


_NUMBER = re.compile(r"[0-9.]+(?:t64)?")


def _stem(name: str) -> str:
    return _NUMBER.sub("", name)


def _alike(one: str, other: str) -> int:
    """How many characters both names begin with."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
