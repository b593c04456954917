"""What a peer sends, capped where it arrives: packets, the banner, both streams of a command.

paramiko itself takes packets of 4 GiB and ignores windows.
"""

import time
from collections.abc import Callable
from typing import cast

import paramiko
from cryptography.exceptions import InvalidTag
from paramiko.message import Message
from paramiko.packet import Packetizer

from driftscan.errors import MachineError
from driftscan.machines.share import Share
from driftscan.model import Limits

GRACE = 2.0
"""Seconds that what belongs to an answer may come late."""

OVERHEAD = 16 << 20
"""Bytes of the protocol itself, beside those of an answer."""

_KEXINIT = 20
_MAX_PACKET = 256 << 10
_MAX_BANNER = 64 << 10
_CHUNK = 256 << 10
_TICK = 0.05
_PATIENCE = 10.0


class Capped(Packetizer):
    """A packetizer that takes no packet, no banner and no total beyond its limits."""

    greeted: Callable[[], None]
    budget = OVERHEAD
    heard = b""
    kexinit = b""
    excess = ""
    damaged = False
    _banner = 0
    _taken = 0

    def start_handshake(self, _timeout: float) -> None:
        """The banner is read. No timer of its own (a thread): the trip's watchdog has the time."""
        self.greeted()

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        if n > _MAX_PACKET:
            self._stop(f"a packet of {n} bytes")
        self._taken += n
        if self._taken > self.budget:
            self._stop(f"more than {self.budget} bytes")
        return super().read_all(n, check_rekey)

    def read_message(self) -> tuple[int, Message]:
        try:
            kind, message = super().read_message()
        except (InvalidTag, paramiko.SSHException) as error:
            # paramiko has no kind of its own for it; once keys are in use nothing else is meant
            self.damaged = isinstance(error, InvalidTag) or "MAC" in str(error)
            raise
        if kind == _KEXINIT and not self.kexinit:
            self.kexinit = message.asbytes()
        return kind, message

    def _read_timeout(self, _timeout: float) -> bytes:
        # used for the banner alone; its time is the trip's
        data = cast("bytes", super()._read_timeout(1e9))  # type: ignore[misc]
        self.heard = (self.heard + data)[:200]
        self._banner += len(data)
        if self._banner > _MAX_BANNER:
            self._stop(f"a banner of more than {_MAX_BANNER} bytes")
        return data

    def _stop(self, what: str) -> None:
        self.excess = what
        raise paramiko.SSHException(what)


class Heard:
    """What a command says on both its streams, within their limits; `last` is its last line."""

    def __init__(
        self, channel: paramiko.Channel, limits: Limits, last: bytes, share: Share
    ) -> None:
        channel.settimeout(_TICK)
        self._share = share
        self._channel = channel
        self._limits = limits
        self._last = last
        self._parts: list[bytes] = []
        self._size = 0
        self._tail = b""
        self._errors = bytearray()
        self._ended = False
        self._quiet_since = 0.0

    @property
    def output(self) -> bytes:
        """The first stream, whole."""
        return b"".join(self._parts)

    @property
    def errors(self) -> bytes:
        """The start of the second."""
        self._keep_errors()
        return bytes(self._errors)

    def more(self) -> bool:
        """Wait a moment for more, tells whether there was any; raises MachineError output_limit."""
        try:
            data = self._channel.recv(_CHUNK)
            self._ended = not data
        except TimeoutError:
            data = b""
        if data:
            self._parts.append(data)
            self._size += len(data)
            self._tail = (self._tail + data)[-len(self._last) :]
            if self._size > self._limits.output:
                raise too_much(self._limits.output)
            if not self._share.grow(len(data)):
                raise too_much(self._size)
        heard = self._keep_errors() or bool(data)
        self._quiet_since = 0.0 if heard else self._quiet_since
        return heard

    def over(self) -> bool:
        """The stream has ended; or the command has, and something it left behind keeps it open.

        sshd may tell the exit status before it passes on the last of the output: without the last
        line there is more patience.
        """
        if self._ended or not self._channel.status_event.is_set():
            return self._ended
        now = time.monotonic()
        self._quiet_since = self._quiet_since or now
        patience = GRACE if self._tail == self._last else min(_PATIENCE, self._limits.idle)
        return now - self._quiet_since > patience

    def _keep_errors(self) -> bool:
        heard = False
        while self._channel.recv_stderr_ready():
            data = self._channel.recv_stderr(_CHUNK)
            self._errors += data[: max(0, self._limits.errors - len(self._errors))]
            heard = True
        return heard


def too_much(limit: int) -> MachineError:
    """The error of an answer of more bytes than that."""
    return MachineError(
        "output_limit",
        "stream",
        f"the answer is longer than {limit >> 20} MiB",
        "look at what the account's start files print",
    )
