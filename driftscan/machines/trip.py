"""One trip to one host: its clock, its stage, and all that is open, which one call closes."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from driftscan.errors import MachineError

_LOOK = 0.25
_JOIN = 5.0

Result = TypeVar("Result")

_STALLED = {
    "config": ("its ssh configuration could not be resolved", "try `ssh -G` with its name"),
    "dns": ("the name server does not answer", "check the resolver, or give an address"),
    "tcp": ("it does not answer", "check the address, the port and the firewalls between"),
    "banner": (
        "it accepts the connection but says nothing",
        "is it sshd that listens there? a busy host may need more time",
    ),
    "kex": ("it stopped answering during the key exchange", "try again; check the MTU of the way"),
    "keys": (
        "the keys could not be read",
        "check the ssh-agent (SSH_AUTH_SOCK) and the file system that the key lies on",
    ),
    "login": (
        "it does not answer the authentication request",
        "check its directory service (LDAP, SSSD) and UseDNS in sshd_config",
    ),
    "session": ("it does not answer the request for a session", "check the host's load"),
    "exec": ("it does not start the shell", "check the host's load and the account's shell"),
    "stream": (
        "its answer stopped before the end",
        "look for a hanging mount or start file on the host, or allow it more time",
    ),
}


class TransientError(MachineError):
    """A failure that another attempt may not meet; `most` are all attempts there should be."""

    def __init__(self, state: str, stage: str, cause: str, cure: str = "", most: int = 3) -> None:
        super().__init__(state, stage, cause, cure)
        self.most = most


class Trip:
    """Time is enforced from outside: a watchdog closes all that is open, which frees every call.

    `ended` tells why it was closed before its time: "deadline", "stalled" or "interrupted";
    `place` is the jump host it is at, if it is. `spent` of its seconds had passed when it was made.
    Used as a context manager; on leaving it nothing is open and no thread is left.
    """

    def __init__(self, seconds: float, spent: float = 0.0) -> None:
        self.stage = "config"
        self.ended = ""
        self.place = ""
        self._error = ("", "", "", "")
        self._seconds = seconds
        self._ends = time.monotonic() + seconds - spent
        self._stage_seconds = seconds
        self._stage_ends = self._ends
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._open: list[tuple[Callable[[], None], threading.Thread | None]] = []
        self._watchdog = threading.Thread(target=self._watch, name="driftscan-watchdog")
        self._watchdog.daemon = True

    def __enter__(self) -> Self:
        if not self.left():
            self.end("deadline")
        self._watchdog.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self.close()
        self._watchdog.join(_JOIN)

    def enter(self, stage: str, seconds: float) -> None:
        """The trip comes to a stage that may take so many seconds; raises when it has ended."""
        with self._lock:
            if not self.ended:
                self.stage = stage
                self._stage_seconds = seconds
                self._stage_ends = time.monotonic() + seconds
                return
        raise self.error()

    def left(self) -> float:
        """Seconds until the deadline, never less than 0."""
        return max(0.0, self._ends - time.monotonic())

    def hold(self, close: Callable[[], None], thread: threading.Thread | None = None) -> None:
        """Something was opened: `close` frees it, and its thread ends then.

        Closed at once when the trip has already ended.
        """
        with self._lock:
            self._open.append((close, thread))
        if self.ended:
            self._shut()

    def close(self) -> None:
        """Close all that is open, outermost first, and wait for its threads; for the trip's own."""
        for thread in self._shut():
            if thread.ident is not None:
                thread.join(_JOIN)
        with self._lock:
            self._open.clear()

    def unstoppable(self, name: str, call: Callable[[], Result]) -> Result:
        """What a call gives that knows no time limit and cannot be stopped (a resolver, a dead
        file server): in a thread of its own, which is given up when the trip ends before."""
        found: list[Result] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                found.append(call())
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                failure.append(error)

        thread = threading.Thread(target=run, name=f"driftscan-{name}", daemon=True)
        thread.start()
        while thread.is_alive() and not self.ended:
            thread.join(_LOOK)
        if self.ended:
            raise self.error()
        if failure:
            raise failure[0]
        return found[0]

    def pause(self, seconds: float) -> None:
        """Wait, unless the trip ends before."""
        self._over.wait(min(seconds, self.left()))

    def end(self, why: str) -> None:
        """Stop it, from any thread: what it waits for fails at once."""
        with self._lock:
            if not self.ended:
                self._error = self._told(why)
                self.ended = why
        self._over.set()
        self._shut()

    def error(self) -> MachineError:
        """Why it ended and in which stage it was then, as the result of this host."""
        state, stage, cause, cure = self._error
        return MachineError(state, stage, cause, cure)

    def _told(self, why: str) -> tuple[str, str, str, str]:
        if why == "interrupted":
            return "interrupted", self.stage, f"{self.place}stopped on request", ""
        cause, cure = _STALLED.get(self.stage, ("it stopped answering", ""))
        seconds = self._seconds if why == "deadline" else self._stage_seconds
        if self.place:
            cause = f"{self.place}timeout at {self.stage}: {cause}"
            return "unreachable", "via_bastion", f"{cause} ({seconds:g} s)", cure
        return "timeout", self.stage, f"{cause} ({seconds:g} s)", cure

    def _shut(self) -> list[threading.Thread]:
        with self._lock:
            held = list(self._open)
        for close, _ in held:
            close()
        return [thread for _, thread in held if thread is not None]

    def _watch(self) -> None:
        while not self._over.is_set():
            now = time.monotonic()
            if now >= self._ends:
                self.end("deadline")
            elif now >= self._stage_ends:
                self.end("stalled")
            else:
                self._over.wait(min(_LOOK, self._ends - now, self._stage_ends - now))
