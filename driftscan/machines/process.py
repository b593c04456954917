"""A child process in a group of its own: its pipes never block us, its life is bounded."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import IO, Self

from msgspec import Struct

from driftscan.machines.share import Share

_CHUNK = 1 << 16
_LOOK = 0.25
_TICK = 0.01
_GRACE = 2.0
_CAN_LOOK = hasattr(os, "waitid")  # not on macOS before Python 3.13


class Expired(Exception):  # noqa: N818
    """The child was still running at its deadline."""


class TooMuch(Exception):  # noqa: N818
    """The child wrote more than it may, or than there is memory for: so many bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class Said(Struct, frozen=True):
    """What a child wrote on its two outputs, how it ended, and after how many seconds."""

    status: int
    output: bytes
    errors: bytes
    seconds: float


class Child:
    """One child: start it with `with`, take its `chunks`, then its `status`.

    Leaving the block kills whatever is left of its process group. With `merged` the errors come
    as output, in the order they were written. Raises OSError when it cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        deadline: float,
        stdin: bytes = b"",
        merged: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self._killed = False
        self._end = time.monotonic() + deadline
        self._unsent = memoryview(stdin)
        self._status: int | None = None
        self._process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                _close(pipe)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)  # what sudo made root is not ours to kill

    def chunks(self) -> Generator[tuple[str, bytes], None, None]:
        """`output` or `errors` and what came, until both end; feeds the standard input meanwhile.

        Raises Expired at the deadline.
        """
        with selectors.DefaultSelector() as watch:
            self._register(watch)
            heard = time.monotonic()
            while watch.get_map() and not self._killed:
                ended = self._has_ended()  # before looking: what it wrote at its end is then seen
                ready = watch.select(min(_LOOK, self._left()))
                if ready or not ended:
                    heard = time.monotonic()
                elif time.monotonic() - heard > _GRACE:
                    return  # what it has left behind may hold its outputs open for ever
                for key, _ in ready:
                    if key.data == "input":
                        self._feed(watch)
                    elif chunk := os.read(key.fd, _CHUNK):
                        yield key.data, chunk
                    else:
                        watch.unregister(key.fileobj)

    def status(self) -> int:
        """The exit status, negative for a signal; raises Expired at the deadline.

        The child stays a zombie until the block is left, so that its group can still be killed.
        """
        while not self._has_ended():
            if self._killed:
                return -signal.SIGKILL
            time.sleep(min(_TICK, self._left()))
        return self._status if self._status is not None else self._process.wait()

    def _has_ended(self) -> bool:
        if not _CAN_LOOK:
            return self._process.poll() is not None
        if self._status is None and self._process.returncode is None:
            found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            if found is not None:
                exited = found.si_code == os.CLD_EXITED
                self._status = found.si_status if exited else -found.si_status
        return self._status is not None or self._process.returncode is not None

    def kill(self) -> None:
        """End the child's process group now; may be called from another thread."""
        self._killed = True
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _register(self, watch: selectors.BaseSelector) -> None:
        process = self._process
        for pipe, name in ((process.stdout, "output"), (process.stderr, "errors")):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                watch.register(pipe, selectors.EVENT_READ, name)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            watch.register(process.stdin, selectors.EVENT_WRITE, "input")

    def _feed(self, watch: selectors.BaseSelector) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        try:
            sent = os.write(pipe.fileno(), self._unsent[:_CHUNK]) if self._unsent else 0
        except BrokenPipeError:
            # It ended without reading all: its status and its errors tell why.
            sent = len(self._unsent)
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            watch.unregister(pipe)
            _close(pipe)

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise Expired
        return left


def _close(pipe: IO[bytes]) -> None:
    # A close flushes, and there may be nobody left to read it.
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def converse(
    argv: Sequence[str],
    *,
    deadline: float,
    stdin: bytes = b"",
    output: int = 64 << 20,
    errors: int = 64 << 10,
    started: Callable[[Child], None] = lambda _: None,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> Said:
    """Run a child to its end; `output` bytes are its limit, of its errors `errors` are kept.
    All answers under way have a limit together, too (machines/share.py).

    `started` gets the child, to kill it from elsewhere. Raises OSError when it cannot be started,
    Expired, TooMuch.
    """
    began = time.monotonic()
    said = {"output": bytearray(), "errors": bytearray()}
    noise = 0
    with (
        Share() as share,
        Child(argv, deadline=deadline, stdin=stdin, env=env, cwd=cwd) as child,
    ):
        started(child)
        for name, chunk in child.chunks():
            said[name] += chunk
            noise += len(chunk) if name == "errors" else 0
            size = max(len(said["output"]), noise)
            if size > output or not share.grow(len(chunk) if name == "output" else 0):
                raise TooMuch(size)
            del said["errors"][errors:]
        status = child.status()
    seconds = time.monotonic() - began
    return Said(status, bytes(said["output"]), bytes(said["errors"]), seconds)
