"""Jump hosts, which many hosts of a run share: so many at once through one, and it fails once."""

import threading
import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

from driftscan.errors import MachineError
from driftscan.machines.openssh_config import Hop
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
        self._places: dict[Hashable, threading.Semaphore] = {}
        self._failed: dict[Hop, MachineError] = {}

    @contextmanager
    def place(self, jumps: Sequence[Hashable]) -> Iterator[None]:
        """One of the places of the first jump host, which alone we connect to; no host's clock runs
        while it waits for one. Raises MachineError `skipped` or `interrupted`."""
        if not jumps:
            yield
            return
        with self._lock:
            places = self._places.setdefault(jumps[0], threading.Semaphore(self._most))
        while not places.acquire(timeout=_LOOK):
            if self.stopped.is_set():
                raise MachineError("interrupted", "config", "stopped on request")
            if time.monotonic() > self._until:
                raise late()
        try:
            yield
        finally:
            places.release()

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
