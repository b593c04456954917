"""What a family of causes is: a module that claims the divergences it can explain."""

from collections.abc import Sequence
from typing import Protocol

from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Want


class Family(Protocol):
    """A module of this shape, listed in `explain/table.py`, is a family of causes."""

    def wants(self, case: Case) -> list[Want]:
        """What the second trip has to learn for it; `case.details` has it afterwards."""
        ...

    def claim(self, case: Case, open_: Sequence[Divergence]) -> list[Cause]:
        """The causes this family can show for what no family before it has claimed."""
        ...
