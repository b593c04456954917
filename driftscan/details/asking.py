"""Wants of one machine -> the script of its second trip; its answer -> what was learned."""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from driftscan import sanitize, scan, script
from driftscan.details.needs import SHARED
from driftscan.errors import ParseError
from driftscan.model import (
    Answer,
    Item,
    Items,
    Partial,
    Question,
    Questions,
    Want,
)
from driftscan.probes.contract import Kind, Learned
from driftscan.probes.wanted import changelogs, packages
from driftscan.probes.wanted.table import KINDS


class Asked(Struct, frozen=True):
    """The questions of one kind, as the script and the reading of its answer take them."""

    NAME: str
    ASK: tuple[Question, ...]


def questions_for(wants: Sequence[Want], *, deadline: float, nonce: str = "") -> Questions:
    """All wants of one machine as one script; `learned` reads its answer."""
    return script.questions(_asked(wants), deadline=deadline, nonce=nonce)


def questions_for_packages(wants: Sequence[Want], *, deadline: float) -> Questions:
    """The changelogs among the wants, out of package files that a container fetches."""
    return script.questions([Asked(changelogs.KIND, packages.questions(wants))], deadline=deadline)


def learned(
    answer: Answer, questions: Questions, wants: Sequence[Want], origin: str
) -> dict[str, Learned]:
    """What a machine answered, by kind; `origin` names it to the reader of a changelog.

    Every string is clean. Raises MachineError when the answer is not whole.
    """
    raws = scan.unframed(answer, questions, _asked(wants))
    found: dict[str, Learned] = {}
    for kind, some in _kinds(wants):
        try:
            told = kind.parse(raws[kind.KIND], some)
        except ParseError as error:
            told = Learned({}, {want.name: str(error) for want in some})
        found[kind.KIND] = _clean(told, {"origin": origin} if kind.KIND in SHARED else {})
    return found


def _clean(told: Learned, more: Item) -> Learned:
    """Names of what is missing are those of the wants, which are clean already."""
    items: Items = {name: {**more, **item} for name, item in told.items.items()}
    section = sanitize.clean(Partial(items=items, gaps=list(told.gaps)))
    assert isinstance(section, Partial)  # noqa: S101 - for mypy
    missing = {name: sanitize.safe(sanitize.redact(why)) for name, why in told.missing.items()}
    return Learned(section.items, missing, tuple(section.gaps))


def _asked(wants: Iterable[Want]) -> list[Asked]:
    return [Asked(kind.KIND, kind.questions(some)) for kind, some in _kinds(wants)]


def _kinds(wants: Iterable[Want]) -> list[tuple[Kind, list[Want]]]:
    """The kinds that are wanted, each with its wants in order, whichever side of a pair wants."""
    ordered = sorted({replace(want, side="subject") for want in wants})
    found = [(kind, [want for want in ordered if want.kind == kind.KIND]) for kind in KINDS]
    return [(kind, some) for kind, some in found if some]
