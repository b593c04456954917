"""A machine whose inventory does not say how to reach it: never asked, and told like any other."""

from driftscan.errors import MachineError
from driftscan.model import Answer, Limits, Questions


class Unusable:
    """Stands where a host would be asked."""

    def __init__(self, why: str) -> None:
        self._why = why

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """Raises MachineError with what the inventory leaves open."""
        del questions, limits
        cure = "say it in the inventory, or leave the host out with --limit"
        raise MachineError("unusable", "inventory", self._why, cure)
