"""What a probe is: a name, its questions as data, the sections it gives, and a pure parser."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from driftscan.model import Items, Question, Raw, Section, Want


class About(Struct, frozen=True):
    """One section a probe gives, for the comparison and for `docs/probes.md`.

    `source` names the files or the command; without it the page lists what the probe's questions
    read. `live` sections are only meaningful on a running machine: an image leaves them out.
    """

    name: str
    holds: Literal["facts", "evidence"]
    key: str
    fields: str
    privilege: str = "any user"
    cost: str = ""
    source: str = ""
    live: bool = False


class Asks(Protocol):
    """What a script is made of, and its answer read by: a name and the questions under it."""

    @property
    def NAME(self) -> str: ...  # noqa: N802 - a module's constant

    @property
    def ASK(self) -> tuple[Question, ...]: ...  # noqa: N802


class Probe(Asks, Protocol):
    """A module of this shape, listed in `probes/table.py`, is a probe."""

    @property
    def GIVES(self) -> tuple[About, ...]: ...  # noqa: N802

    def parse(self, raw: Raw) -> Mapping[str, Section]:
        """The sections of `GIVES`, from the raw answers to `ASK`.

        Raises ParseError for a line it does not understand: every section it gives is Failed.
        """
        ...


class Learned(Struct, frozen=True):
    """What was learned of some wants: items by their names, why others have none, what is unsure.

    A name that is in neither has nothing to tell, which is no gap.
    """

    items: Items
    missing: Mapping[str, str] = {}
    gaps: tuple[str, ...] = ()


class Kind(Protocol):
    """A module of this shape, listed in `probes/wanted/table.py`, answers wants of its kind."""

    @property
    def KIND(self) -> str: ...  # noqa: N802 - a module's constant

    @property
    def GIVES(self) -> str: ...  # noqa: N802

    def questions(self, wants: Sequence[Want]) -> tuple[Question, ...]:
        """All the wants of one machine; a name that is none of the ecosystem is left out."""
        ...

    def parse(self, raw: Raw, wants: Sequence[Want]) -> Learned:
        """What the answer tells; raises ParseError for a line it does not understand."""
        ...
