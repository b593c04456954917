"""The table of remedies: type of a cause -> the steps that undo it on the subject."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from driftscan.explain.case import Case
from driftscan.explain.remedies import beside, settings, sources
from driftscan.model import Cause, Divergence, Step

Undo: TypeAlias = Callable[[Case, Cause, Sequence[Divergence]], list[Step]]

# The packages that causes claim are installed all together (packages.py); here is the rest.
TABLE: Mapping[str, Undo] = {
    "repository-missing": sources.add,
    "repository-foreign": sources.remove,
    "hold": sources.unhold,
    "pin": sources.unpin,
    "library-shadowed": settings.library,
    "runtime-shadowed": settings.program,
    "program-shadowed": beside.program,
    "pip-over-apt": beside.python,
    "pip": beside.python,
    "conffile-edited": beside.configuration,
    "package-file-changed": beside.reinstalled,
    "vendored": settings.reviewed,
    "linker-path": settings.reviewed,
    "settings-differ": settings.reviewed,
    "unpackaged": settings.reviewed,
    "linker-variable": settings.variable,
    "preload": settings.reviewed,
    "alternative": settings.alternative,
    "environment": settings.variable,
}


def undo(case: Case, cause: Cause, members: Sequence[Divergence]) -> list[Step]:
    """The steps for one cause; a type that the table lacks has none of its own."""
    made = TABLE.get(cause.type)
    return made(case, cause, members) if made else []
