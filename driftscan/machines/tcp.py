"""A name and a port -> a connected socket, within its time, whatever resolver and network do."""

import socket
import sys
from functools import partial
from typing import Any

from driftscan import sanitize
from driftscan.errors import MachineError
from driftscan.machines.trip import TransientError, Trip
from driftscan.model import Limits

_DEAD_PEER_MS = 15_000

Address = tuple[socket.AddressFamily, tuple[Any, ...]]


def dial(trip: Trip, host: str, port: int, limits: Limits, family: int = 0) -> socket.socket:
    """The first address that accepts; each gets `limits.connect` seconds.

    Raises MachineError `unreachable`, naming every address tried; TransientError if one reset us.
    """
    failures = []
    failure: type[MachineError] = MachineError
    for kind, address in _addresses(trip, host, port, family, limits.dns):
        # the socket's own time ends first, so that the next address gets its turn
        trip.enter("tcp", limits.connect + 1)
        sock = socket.socket(kind, socket.SOCK_STREAM)
        trip.hold(partial(shut, sock))
        sock.settimeout(max(0.01, min(limits.connect, trip.left())))
        try:
            sock.connect(address)
            _tune(sock)
        except OSError as error:
            sock.close()
            if isinstance(error, ConnectionResetError):
                failure = TransientError
            failures.append(f"{address[0]} port {port}: {_reason(error, limits.connect)}")
        else:
            return sock
    raise failure(
        "unreachable",
        "tcp",
        "; ".join(failures),
        "check that the host is up, that sshd listens on this port, and the firewalls between",
    )


def shut(sock: socket.socket) -> None:
    """Close it so that a thread blocked in it wakes at once."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # not connected, or closed already
    finally:
        sock.close()


def _reason(error: OSError, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    return (error.strerror or type(error).__name__).lower()


def _addresses(trip: Trip, host: str, port: int, family: int, seconds: float) -> list[Address]:
    trip.enter("dns", seconds)
    try:
        return _look_up(host, port, family, socket.AI_NUMERICHOST)
    except OSError:
        pass  # a name, not a number
    try:
        return trip.unstoppable("resolver", lambda: _look_up(host, port, family, 0))
    except OSError as error:
        text = sanitize.safe(error.strerror or str(error)).lower()
        raise MachineError(
            "unreachable", "dns", f"{host}: {text}", "check the name, or give an address"
        ) from error


def _look_up(host: str, port: int, family: int, flags: int) -> list[Address]:
    answers = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)
    return [(kind, address) for kind, _, _, _, address in answers]


def _tune(sock: socket.socket) -> None:
    """Without Nagle and delayed acknowledgement, connect and exec take a third of the time."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS)
