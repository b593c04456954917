"""The container engine, through its client program (docker or podman), every call bounded."""

import io
import json
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from msgspec import Struct

from driftscan import sanitize
from driftscan.errors import EngineError
from driftscan.machines.process import Child, Expired, Said, TooMuch, converse
from driftscan.model import Say

_QUICK = 60.0
_LAST = 20
LABEL = "driftscan.baseline"


class Engine(Struct, frozen=True):
    """A client program that answers; `kind` tells the two families of options apart."""

    client: str
    kind: Literal["docker", "podman"]
    version: str = ""

    def call(self, *args: str, deadline: float = _QUICK) -> bytes:
        """The output of one command; raises EngineError with the client's last lines."""
        said = self._converse(args, deadline)
        if said.status:
            raise EngineError(
                f"`{self._name} {' '.join(args[:2])}` ended with status {said.status}: "
                + (last_lines(said.errors or said.output, 3) or "it said nothing")
            )
        return said.output

    def _converse(self, args: tuple[str, ...], deadline: float) -> Said:
        try:
            return converse((self.client, *args), deadline=deadline)
        except (OSError, Expired, TooMuch) as error:
            raise self._broken(args, deadline, error) from error

    def _broken(self, args: tuple[str, ...], deadline: float, error: Exception) -> EngineError:
        command = f"`{self._name} {' '.join(args[:2])}`"
        match error:
            case Expired():
                return EngineError(f"{command} was not done after {deadline:g} s and was ended")
            case TooMuch():
                return EngineError(f"{command} answered more than any real answer holds")
            case _:
                return EngineError(f"{command} cannot be started: {sanitize.safe(str(error))}")

    @property
    def _name(self) -> str:
        return Path(self.client).name

    def inspect(self, image: str) -> dict[str, Any] | None:
        """What the engine tells about a local image, None when it has none of that name."""
        said = self._converse(("image", "inspect", "--", image), _QUICK)
        if said.status:
            if b"no such image" in said.errors.lower() or b"not known" in said.errors.lower():
                return None
            raise EngineError(
                f"`{self._name} image inspect` ended with status {said.status}: "
                + last_lines(said.errors, 3)
            )
        found = json.loads(said.output)
        return dict(found[0]) if found else None

    def environment(self, container: str) -> tuple[str, ...]:
        """What a container's processes are started with, as `NAME=value`; raises EngineError."""
        form = "{{json .Config.Env}}"
        said = self.call("container", "inspect", "--format", form, "--", container)
        try:
            found = json.loads(said)
        except ValueError as error:
            raise EngineError(f"`{self._name} inspect` tells no ENV of {container}") from error
        return tuple(map(str, found or ()))

    def architecture(self) -> str:
        """What the engine's own machine is (as Go names it), empty where it does not tell."""
        form = "{{.Server.Arch}}" if self.kind == "docker" else "{{.Client.OsArch}}"
        try:
            said = self.call("version", "--format", form)
        except EngineError:
            return ""
        return sanitize.safe_bytes(said.strip()).rpartition("/")[2]

    def history_length(self, image: str) -> int:
        """How many entries the history of a local image has."""
        return len(self.call("history", "--quiet", "--no-trunc", image).splitlines())

    def remove_container(self, name: str) -> bool:
        """Remove a container by force; False when there is none of that name."""
        try:
            said = self._converse(("rm", "--force", "--volumes", name), _QUICK)
        except EngineError:
            return False
        return said.status == 0 and not said.errors

    def build(
        self,
        dockerfile: Path,
        *,
        label: str,
        cached: bool = False,
        pull: bool = False,
        build_args: Mapping[str, str] | None = None,
        network: str | None = None,
        deadline: float = 3600.0,
        say: Say = lambda _: None,
    ) -> str:
        """Build the image of a Dockerfile, whose folder is the context; returns the image's id.

        Each line of the builder goes to `say`. Raises EngineError with the last of them.
        """
        with tempfile.TemporaryDirectory(prefix="driftscan-") as scratch:
            told = Path(scratch) / "image-id"
            # --force-rm: a step that fails leaves no container behind either.
            options = ["--iidfile", str(told), "--label", f"{LABEL}={label}", "--force-rm"]
            options += [] if cached else ["--no-cache"]
            options += ["--pull"] if pull else []
            options += ["--network", network] if network else []
            for name, value in sorted((build_args or {}).items()):
                options += ["--build-arg", f"{name}={value}"]
            path = dockerfile.absolute()
            self._follow(["build", *options, "-f", str(path), str(path.parent)], deadline, say)
            return told.read_text().strip()

    def _follow(self, args: list[str], deadline: float, say: Say) -> None:
        last: deque[str] = deque(maxlen=_LAST)
        try:
            with Child((self.client, *args), deadline=deadline, merged=True) as child:
                for line in _lines(child):
                    last.append(line)
                    say(line)
                status = child.status()
        except OSError as error:
            raise self._broken(tuple(args), deadline, error) from error
        except Expired as error:
            raise EngineError(
                f"{args[-2]} was not built after {deadline:g} s; the builder's last lines:\n"
                + _indented(last)
            ) from error
        if status:
            raise EngineError(
                f"{args[-2]} does not build; the builder's last lines:\n{_indented(last)}"
            )

    @contextmanager
    def saved(self, image: str, *, deadline: float = 900.0) -> Iterator[IO[bytes]]:
        """The archive of a local image, as a stream that is read once.

        Raises EngineError when the engine cannot save it or does not end in time.
        """
        args = ("image", "save", image)
        try:
            with Child((self.client, *args), deadline=deadline) as child:
                pipe = _Pipe(child)
                with io.BufferedReader(pipe, 1 << 20) as stream:
                    try:
                        yield stream
                    except EngineError as error:
                        # An archive that ends early is only the symptom of a client that failed.
                        self._ended_well(pipe, error)
                        raise
                    self._ended_well(pipe, None)
        except (OSError, Expired) as error:
            raise self._broken(args, deadline, error) from error

    def _ended_well(self, pipe: "_Pipe", symptom: EngineError | None) -> None:
        status = pipe.drained()
        if status:
            raise EngineError(
                f"`{self._name} image save` ended with status {status}: "
                + last_lines(bytes(pipe.errors), 3)
            ) from symptom


class _Pipe(io.RawIOBase):
    """The output of a child as a file; its errors are kept aside."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._chunks = child.chunks()
        self._rest = b""
        self.errors = bytearray()

    def close(self) -> None:
        """Give back what listens to the child, also where something went wrong."""
        self._chunks.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            name, chunk = next(self._chunks, ("end", b""))
            if name == "end":
                return 0
            if name == "output":
                self._rest = chunk
            else:
                self.errors = (self.errors + chunk)[: 64 << 10]
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)

    def drained(self) -> int:
        """Read what is left, so that the child can end; its status."""
        for name, chunk in self._chunks:
            if name == "errors":
                self.errors = (self.errors + chunk)[: 64 << 10]
        return self._child.status()


def find(named: str = "") -> Engine:
    """The engine that is named, else DRIFTSCAN_ENGINE, else docker, else podman.

    The first that answers. Raises EngineError saying of each why it does not.
    """
    named = named or os.environ.get("DRIFTSCAN_ENGINE", "")
    reasons = []
    for client in [named] if named else ["docker", "podman"]:
        try:
            return _answering(client)
        except EngineError as error:
            reasons.append(str(error))
    raise EngineError(
        "no container engine answers: " + "; ".join(reasons) + ". Start one, or name another "
        "with --engine or DRIFTSCAN_ENGINE"
    )


def _answering(named: str) -> Engine:
    client = shutil.which(named)
    if client is None:
        raise EngineError(f"{sanitize.safe(named)} is not installed")
    # The package podman-docker installs a `docker` that is podman.
    first = Engine(client, "docker").call("--version", deadline=_QUICK)
    kind: Literal["docker", "podman"] = "podman" if b"podman" in first.lower() else "docker"
    form = "{{.Client.Version}}" if kind == "podman" else "{{.Server.Version}}"
    version = Engine(client, kind).call("version", "--format", form)
    return Engine(client, kind, sanitize.safe_bytes(version.strip()))


def last_lines(data: bytes, count: int) -> str:
    """The last lines of an output that are not blank, safe and without secrets, as one line."""
    shown = [line.strip() for line in sanitize.lines(data[-(64 << 10) :]) if line.strip()]
    return "; ".join(sanitize.redact(sanitize.safe(line)) for line in shown[-count:])


def _lines(child: Child) -> Iterator[str]:
    r"""Each line as it is complete; a progress bar's `\r` begins a new one."""
    rest = b""
    for _, chunk in child.chunks():
        *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        yield from (_shown(line) for line in whole if line.strip())
        if len(rest) > sanitize.MAX_LINE:
            yield _shown(rest)
            rest = b""
    if rest.strip():
        yield _shown(rest)


def _shown(line: bytes) -> str:
    return sanitize.redact(sanitize.safe_bytes(line.rstrip(), 4096))


def _indented(lines: deque[str]) -> str:
    return "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"
