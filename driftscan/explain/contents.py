"""How the text of a file differs, for who asks about it by its path."""

from collections.abc import Iterable
from difflib import unified_diff

from driftscan.explain.case import Case
from driftscan.model import Side, Want
from driftscan.probes import etc_paths
from driftscan.probes.wanted import contents

MOST = 400
"""Lines of a difference that are told."""


def wants(about: str, roots: Iterable[str] = ()) -> list[Want]:
    """The text on both sides, if the name is a path that may be asked for: below /etc or a root of
    applications that was asked about."""
    if not (etc_paths.askable(about) and etc_paths.within(about, roots)):
        return []
    names = tuple(sorted(roots))
    return [
        Want(side="subject", kind=contents.KIND, name=about, names=names),
        Want(side="reference", kind=contents.KIND, name=about, names=names),
    ]


def difference(case: Case, path: str) -> list[str]:
    """A unified difference, reference first: what leads from it to the subject. Empty if nothing
    is known, or nothing differs but what is redacted."""
    theirs, ours = _lines(case, case.reference, path), _lines(case, case.subject, path)
    if theirs is None and ours is None:
        return []
    before, after = (f"{path} on {side.label}" for side in (case.reference, case.subject))
    told = list(unified_diff(theirs or [], ours or [], before, after, lineterm=""))
    more = len(told) - MOST
    return [*told[:MOST], f"and {more} more lines"] if more > 0 else told


def _lines(case: Case, side: Side, path: str) -> list[str] | None:
    lines = case.details(side, contents.KIND).get(path, {}).get("lines")
    return lines if isinstance(lines, list) else None


def known(case: Case, path: str) -> bool:
    """Whether the text of at least one side is known."""
    sides = (case.subject, case.reference)
    return any(_lines(case, side, path) is not None for side in sides)
