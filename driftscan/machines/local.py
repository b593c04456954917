"""The road to this very machine: the same script through `sh -s`, in a session of its own."""

import os
import selectors
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, cast

from driftscan.errors import MachineError
from driftscan.machines import answers, exhaustion
from driftscan.model import Answer, Limits, Questions, Target

_CHUNK = 256 << 10
_GRACE = 2.0
_TICK = 0.25


@dataclass(frozen=True, slots=True)
class Local:
    """This machine, as the account that runs us sees it, or as root where the target says so."""

    target: Target
    stopped: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """End what is being asked, from any thread: for Ctrl-C."""
        self.stopped.set()

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """The whole answer; see machines/contract.py."""
        command = answers.command(self.target)
        text = answers.text(self.target, questions)
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                command.split(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                start_new_session=True,  # the script's watchdog ends its whole group, not ours
            )
        except OSError as error:
            if full := exhaustion.told(error, "exec"):
                raise full from error
            state = "become_failed" if self.target.become else "no_shell"
            cause = f"`{command}` does not start: {error.strerror}"
            raise MachineError(state, "exec", cause, "install it, or look at PATH") from error
        try:
            output, errors = _Pipes(process, text, self.stopped).drain(limits)
            status = process.wait(_GRACE)
        except subprocess.TimeoutExpired as error:
            raise _timeout(limits) from error
        finally:
            _end(process)
        answer = Answer(output, errors, status, time.monotonic() - started)
        return answers.judged(answer, questions, self.target)


class _Pipes:
    """The three pipes of a process, served at once, so that none can block the others."""

    def __init__(
        self, process: subprocess.Popen[bytes], script: str, stopped: threading.Event
    ) -> None:
        self._process = process
        self._script = script.encode()
        self._stopped = stopped
        self._output: list[bytes] = []
        self._size = 0
        self._errors = bytearray()

    def drain(self, limits: Limits) -> tuple[bytes, bytes]:
        """Write the script, read both streams to their end; raises MachineError at a limit."""
        ends = time.monotonic() + limits.deadline
        last = time.monotonic()
        with selectors.DefaultSelector() as ready:
            ready.register(_open(self._process.stdout), selectors.EVENT_READ, self._take)
            ready.register(_open(self._process.stderr), selectors.EVENT_READ, self._keep)
            ready.register(_open(self._process.stdin), selectors.EVENT_WRITE, self._write)
            while any(key.events == selectors.EVENT_READ for key in ready.get_map().values()):
                now = time.monotonic()
                if self._stopped.is_set():
                    raise MachineError("interrupted", "stream", "stopped on request")
                if now > ends:
                    raise _timeout(limits)
                # the script may leave something behind that holds its output open
                if self._process.poll() is None:
                    last = now
                elif now - last > _GRACE:
                    break
                for key, _ in ready.select(_TICK):
                    last = now
                    if not key.data(key.fd, limits):
                        ready.unregister(key.fd)
                        _open(key.fileobj).close()
        return b"".join(self._output), bytes(self._errors)

    def _take(self, pipe: int, limits: Limits) -> bool:
        data = os.read(pipe, _CHUNK)
        self._output.append(data)
        self._size += len(data)
        if self._size > limits.output:
            cause = f"the answer is longer than {limits.output >> 20} MiB"
            raise MachineError("output_limit", "stream", cause, "look at what grew in /etc or /var")
        return bool(data)

    def _keep(self, pipe: int, limits: Limits) -> bool:
        data = os.read(pipe, _CHUNK)
        self._errors += data[: max(0, limits.errors - len(self._errors))]
        return bool(data)

    def _write(self, pipe: int, _limits: Limits) -> bool:
        os.set_blocking(pipe, False)
        try:
            self._script = self._script[os.write(pipe, self._script) :]
        except BrokenPipeError:
            return False  # it ended before it read all; its answer tells why
        return bool(self._script)


def _open(pipe: object) -> IO[bytes]:
    """A pipe that was asked for is there; only the types do not know."""
    return cast("IO[bytes]", pipe)


def _timeout(limits: Limits) -> MachineError:
    return MachineError(
        "timeout",
        "stream",
        f"its answer did not end within {limits.deadline:g} s",
        "look for a hanging mount, or allow it more time",
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of it stays: neither a process of its session nor a pipe."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        with suppress(OSError):
            _open(pipe).close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)  # what sudo made root is ended by the script's own watchdog
