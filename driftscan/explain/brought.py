"""Which packages bring a program of some name: as recorded, else as the second trip told."""

from pathlib import PurePosixPath
from typing import Literal

from driftscan.explain.case import Case
from driftscan.model import Called, Side, Want
from driftscan.model.managers import DPKG
from driftscan.probes.wanted import owners, programs


def wants(case: Case, about: str) -> list[Want]:
    """Who owns the program called so, unless it is the name of a package."""
    named = {key for side in (case.subject, case.reference) for key in case.packages(side)}
    if not owners.word(about) or about in named:
        return []
    sides: tuple[Literal["subject", "reference"], ...] = ("subject", "reference")
    return [
        Want(side=side, kind=owners.KIND, name=about)
        for side in sides
        if case.of(getattr(case, side)).manager is DPKG
    ]


def programs_called(case: Case, name: str) -> list[Called]:
    """The programs of packages that answer to a name or path, each once.

    An alternative's own name is in no package. Where nobody asked what it leads to, a program
    called so and more (`convert-im6.q16`) probably is it.
    """
    told = [*_on(case, case.reference, name), *_on(case, case.subject, name)]
    return [found for _, found in sorted({found.path: found for found in told}.items())]


def _on(case: Case, side: Side, name: str) -> list[Called]:
    known = _known(case, side, name)
    exact = [Called(path=path, package=known[path]) for path in known if _same(path, name)]
    if exact:
        return exact
    target = case.details(side, owners.KIND).get(name, {}).get("target")
    if target in known:
        return [Called(path=str(target), package=known[str(target)], link=True)]
    own = owners.word(name)
    return [
        Called(path=path, package=package, link=True, sure=False)
        for path, package in known.items()
        if own and PurePosixPath(path).name.startswith((f"{own}-", f"{own}."))
    ]


def _known(case: Case, side: Side, name: str) -> dict[str, str]:
    """Programs by path with their package."""
    found: dict[str, str] = {}
    for package, item in case.details(side, programs.KIND).items():
        paths = item.get("programs")
        found.update(dict.fromkeys(paths if isinstance(paths, list) else (), package))
    told = case.details(side, owners.KIND).get(name, {}).get("programs")
    return found | told if isinstance(told, dict) else found


def _same(path: str, name: str) -> bool:
    """By its name, or by its path: /bin may be a link to /usr/bin."""
    if "/" not in name:
        return PurePosixPath(path).name == name
    return path.removeprefix("/usr") == name.removeprefix("/usr")
