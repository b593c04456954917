"""Jump hosts, which many hosts of a run share: so many at once through one, and it fails once."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from driftscan.errors import MachineError
from driftscan.machines.openssh_config import Hop, Jump
from driftscan.machines.trip import TransientError, Trip

_LOOK = 0.1
STAGE = "via_bastion"


class Jumps:
    """`most` hosts at once go through one jump host: sshd counts new connections (MaxStartups).

    Waiting ends at `until` (seconds of time.monotonic), and when `stopped` is set.
    """

    def __init__(self, most: int, until: float) -> None:
        self.stopped = threading.Event()
        self._most = most
        self._until = until
        self._lock = threading.Lock()
        self._places: dict[tuple[str, int], threading.Semaphore] = {}
        self._failed: dict[Hop, MachineError] = {}

    @contextmanager
    def place(self, jumps: Sequence[Hop | Jump]) -> Iterator[None]:
        """A place at each of the jump hosts; no host's clock runs while it waits for one.

        All take them in one order, so that none waits for who waits for it. Raises MachineError
        `skipped` or `interrupted`.
        """
        with ExitStack() as held:
            for name in sorted({_sshd(jump) for jump in jumps}):
                with self._lock:
                    places = self._places.setdefault(name, threading.Semaphore(self._most))
                self._wait(places)
                held.callback(places.release)
            yield

    def _wait(self, places: threading.Semaphore) -> None:
        while not places.acquire(timeout=_LOOK):
            if self.stopped.is_set():
                raise MachineError("interrupted", "config", "stopped on request")
            if time.monotonic() > self._until:
                raise late()

    @contextmanager
    def crossing(self, trip: Trip, hop: Hop) -> Iterator[None]:
        """In here a jump host is connected to. What it fails with is the failure of all hosts
        behind it: they are not made to wait for it again. A wrong key stays what it is."""
        with self._lock:
            known = self._failed.get(hop)
        if known is not None:
            raise _again(known)
        trip.place = f"jump host {hop.name}: "
        try:
            yield
        except TransientError as error:
            raise TransientError(*_parts(hop, error), most=error.most) from error
        except MachineError as error:
            self._note(hop, told := MachineError(*_parts(hop, error)))
            raise told from error
        finally:
            if trip.ended == "stalled":
                self._note(hop, trip.error())
            if not trip.ended:
                trip.place = ""

    def _note(self, hop: Hop, error: MachineError) -> None:
        with self._lock:
            self._failed.setdefault(hop, error)


def _sshd(jump: Hop | Jump) -> tuple[str, int]:
    """The same for all who go through it, whoever they are there."""
    address = jump.address if isinstance(jump, Hop) else jump.name
    return address.lower(), jump.port or 22


def late() -> MachineError:
    """The result of a host whose turn did not come before the end of the run's time."""
    return MachineError(
        "skipped",
        "deadline",
        "the time of the whole run was over before it was asked",
        "allow more of it (--run-deadline), or ask more at once (--workers, --per-jump)",
    )


def _parts(hop: Hop, error: MachineError) -> tuple[str, str, str, str]:
    place = f"jump host {hop.name}: "
    if error.state.startswith("host_key"):
        return error.state, error.stage, place + error.cause, error.cure
    cause = f"{place}{error.state} at {error.stage}: {error.cause}"
    return "unreachable", STAGE, cause, error.cure


def _again(error: MachineError) -> MachineError:
    return MachineError(error.state, error.stage, error.cause, error.cure)
