"""What a machine is: something that answers all questions in one trip, or says why it cannot."""

from typing import Protocol

from driftscan.model import Answer, Limits, Questions


class Machine(Protocol):
    """A host, a container or an image, reached over some road."""

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """The framed answer. Blocks at most `limits.deadline` seconds; leaves nothing behind.

        Raises MachineError with the state, stage, cause and cure when there is no whole answer.
        """
        ...
