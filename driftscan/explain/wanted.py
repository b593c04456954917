"""What the reference has on purpose, and what took the place of what the subject lacks."""

import re

from driftscan.explain.case import Case
from driftscan.explain.wording import logged
from driftscan.model import Divergence, Evidence


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
    words = set(place.text.split())
    cites = case.cite(case.reference, "dpkg", package)
    if package in words:
        text = f"{place.file}:{place.line} asks for {package}"
        return [Evidence(text=text, confidence="recorded", cites=cites)]
    for name in sorted(words & set(case.evidence(case.reference, "dpkg-needs"))):
        if not package.startswith("lib") and case.reference_graph.relies(name, package):
            text = f"{place.file}:{place.line} asks for {name}, which needs {package}"
            cites += case.cite(case.reference, "dpkg-needs", name, package)
            return [Evidence(text=text, confidence="recorded", cites=cites)]
    return []


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
    return [d for d in case.comparison.divergences if d.section == "dpkg" and d.kind == "extra"]


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
