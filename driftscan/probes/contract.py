"""What a probe is: a name, its questions as data, the sections it gives, and a pure parser."""

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

from driftscan.model import Question, Raw, Section


class About(Struct, frozen=True):
    """One section a probe gives, for the comparison and for `docs/probes.md`.

    `live` sections are only meaningful on a running machine: an image leaves them out.
    """

    name: str
    holds: Literal["facts", "evidence"]
    key: str
    fields: str
    privilege: str = "any user"
    cost: str = ""
    live: bool = False


class Probe(Protocol):
    """A module of this shape, listed in `probes/table.py`, is a probe."""

    @property
    def NAME(self) -> str: ...  # noqa: N802 - a module's constant

    @property
    def ASK(self) -> tuple[Question, ...]: ...  # noqa: N802

    @property
    def GIVES(self) -> tuple[About, ...]: ...  # noqa: N802

    def parse(self, raw: Raw) -> Mapping[str, Section]:
        """The sections of `GIVES`, from the raw answers to `ASK`.

        Raises ParseError for a line it does not understand: every section it gives is Failed.
        """
        ...
