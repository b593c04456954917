"""What a user can cause or cure; anything else keeps its traceback."""


class DriftscanError(Exception):
    """One sentence: what is wrong, where, what to do. Ends the run with exit code 2."""


class InputError(DriftscanError):
    """A file, name or option that the user gave cannot be used."""


class EngineError(DriftscanError):
    """The container engine is missing, refused, or could not build."""


class StoreError(DriftscanError):
    """A fingerprint or baseline on disk cannot be read or written."""


class ParseError(Exception):
    """A host's answer that a probe does not understand: names the line. The section is Failed."""


class MachineError(Exception):
    """One machine could not answer: its state, the stage it failed in, the cause and the cure.

    Never ends the run: `scan` turns it into a result of that host alone.
    """

    def __init__(self, state: str, stage: str, cause: str, cure: str = "") -> None:
        super().__init__(cause)
        self.state = state
        self.stage = stage
        self.cause = cause
        self.cure = cure
