"""What a family of causes is: a module that claims the divergences it can explain."""

from collections.abc import Sequence
from typing import Protocol

from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence


class Family(Protocol):
    """A module of this shape, listed in `explain/table.py`, is a family of causes."""

    def claim(self, case: Case, open_: Sequence[Divergence]) -> list[Cause]:
        """The causes this family can show for what no family before it has claimed."""
        ...
