"""A local image: run where it can be, read where it has no shell or is of another architecture."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import structs

from driftscan.errors import EngineError, MachineError
from driftscan.machines import image_tree
from driftscan.machines.container import Image
from driftscan.machines.engine import Engine
from driftscan.machines.reading import Reader
from driftscan.model import Answer, Limits, Questions


class AnyImage:
    """A local image; with `read` it is read even if it could be run."""

    def __init__(self, engine: Engine, reference: str, *, read: bool = False) -> None:
        self._engine = engine
        self._image = Image(engine, reference)
        self._read = read
        self._reader: Reader | None = None
        self._closed = False

    def close(self) -> None:
        """End what is under way, from another thread: `ask` then raises `interrupted`."""
        self._closed = True
        self._image.close()
        if self._reader is not None:
            self._reader.close()

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """The framed answer (machines/contract.py); both ways give the same facts."""
        found = self._inspected()
        if self._read or self._is_foreign(found):
            return self._from_files(questions, limits)
        try:
            answer = self._image.ask(questions, limits)
        except MachineError as error:
            if error.state != "no_shell":
                raise
            return self._from_files(questions, limits)
        environment = (found.get("Config") or {}).get("Env") or ()
        return structs.replace(answer, environment=tuple(map(str, environment)))

    def _from_files(self, questions: Questions, limits: Limits) -> Answer:
        opened = partial(image_tree.of_engine, self._engine, self._image.reference, limits)
        self._reader = Reader(opened)
        if self._closed:
            self._reader.close()
        return self._reader.ask(questions, limits)

    def _inspected(self) -> Mapping[str, Any]:
        try:
            return self._engine.inspect(self._image.reference) or {}
        except EngineError as error:
            raise MachineError("unreachable", "engine", str(error)) from error

    def _is_foreign(self, found: Mapping[str, Any]) -> bool:
        """Whether another machine's image, which an emulator might run as if it were ours."""
        own, its = self._engine.architecture(), str(found.get("Architecture", ""))
        return bool(own and its) and own != its
