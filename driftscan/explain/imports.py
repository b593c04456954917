"""Which of the subject's own programs and libraries need what its packaged libraries lack.

Packages are rebuilt for a new library and say what they need; these are not.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec.structs import replace

from driftscan.explain.case import Case
from driftscan.model import Collected, Item, Symbols, Want

KIND = "imports"
NAME = "own"


def want(case: Case) -> list[Want]:
    """What they import; of an image nothing: it is what the packages of its lines make it."""
    return [] if case.subject.is_image else [Want(side="subject", kind=KIND, name=NAME)]


def with_importers(case: Case, symbols: Symbols, sonames: set[str], *, newer: bool) -> Symbols:
    """The symbols, with who misses some: of libraries called `sonames` of either side.

    `newer`: the subject has the newer ones, so that it misses what went, else what came.
    """
    item = case.details(case.subject, KIND).get(NAME)
    if item is None:
        return symbols
    gone = set(symbols.lost if newer else symbols.gained)
    lacking = set(symbols.sonames_lost if newer else symbols.sonames_gained)
    needed, imported = _words(item, "needed"), _words(item, "symbols")
    own = {PurePosixPath(path).name for path in needed}
    missing: dict[str, list[str]] = {}
    for path, names in sorted(needed.items()):
        # a copy of its own beside it is what it loads
        names = names - own
        found = sorted(gone & imported.get(path, set())) if names & sonames else []
        if found := [*sorted(names & lacking), *found]:
            missing[path] = found
    cites = [*symbols.cites, *case.cite(case.subject, KIND, NAME)]
    whole = isinstance(case.subject.fingerprint.details.get(KIND), Collected)
    read = len(needed) if whole and not item.get("unread") else None
    return replace(symbols, missing=missing, read=read, cites=cites)


def _words(item: Item, field: str) -> Mapping[str, set[str]]:
    value = item.get(field)
    return {k: set(v.split()) for k, v in value.items()} if isinstance(value, dict) else {}
