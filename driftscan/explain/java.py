"""Whether a Java is too old for the applications of its machine, by their class files."""

import re
from collections.abc import Sequence
from posixpath import dirname

from driftscan.explain import loaded
from driftscan.explain.case import Case
from driftscan.model import Divergence, Evidence, Item, Want

_KIND = "classes"
_NAME = "java"
# The first version of the format was 45, of Java 1.1; from then on each Java has the next one.
_OFFSET = 44


def wants(case: Case) -> list[Want]:
    """The class files of the subject, if its Java is older than the reference's."""
    older = any(
        d.section == "winners"
        and d.key.startswith(f"{_NAME}@")
        and 0 < _major(d.subject) < _major(d.reference)
        for d in case.comparison.divergences
    )
    asked = older and not case.subject.is_image
    return [Want(side="subject", kind=_KIND, name=_NAME)] if asked else []


def too_old(case: Case, winner: Item | None) -> list[Evidence]:
    """What this copy of Java cannot run, if it is known that something is there that it cannot."""
    own = _major(winner)
    files = case.details(case.subject, _KIND).get(_NAME, {}).get("files")
    if not own or not isinstance(files, dict):
        return []
    newer = [
        (int(version), path)
        for path, version in files.items()
        if version.isascii() and version.isdigit() and int(version) > own + _OFFSET
        if not path.startswith(_homes(case))
    ]
    if not newer:
        return []
    needed = max(newer)[0]
    paths = sorted(path for version, path in newer if version == needed)
    verb = "needs" if len(paths) == 1 else "need"
    text = (
        f"{loaded.some(paths)} {verb} Java {needed - _OFFSET} (class files of version {needed}), "
        f"Java {own} runs them up to {own + _OFFSET}: UnsupportedClassVersionError"
    )
    return [Evidence(text=text, confidence="proven", cites=case.cite(case.subject, _KIND, _NAME))]


_VERSION = re.compile(r"(?:1\.)?([0-9]{1,4})(?:[^0-9].*)?")


def _major(winner: Item | None) -> int:
    """11 of `11.0.13`, 8 of `1.8.0_292`; 0 if it is not known."""
    match = _VERSION.fullmatch(str((winner or {}).get("version", "")))
    return int(match[1]) if match else 0


def beside(winner: Item | None, open_: Sequence[Divergence]) -> list[str]:
    """The ids of the libraries that a copy of a runtime brings in a home of its own."""
    home = dirname(dirname(str((winner or {}).get("real", ""))))
    if home.count("/") < 2 or home.startswith("/usr"):
        return []
    return [d.id for d in open_ if d.section == "vendored" and d.key.startswith(f"{home}/")]


def _homes(case: Case) -> tuple[str, ...]:
    """Where the copies of Java stand: their own classes are no application's."""
    keys = (key.partition("|") for key in case.facts(case.subject, "runtimes"))
    return tuple(f"{dirname(dirname(path))}/" for kind, _, path in keys if kind == _NAME)
