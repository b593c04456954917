"""A running ssh-agent: the keys it holds and its signatures, in bounded time."""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from driftscan import sanitize
from driftscan.errors import MachineError

_SECONDS = 5.0
_MAX_ANSWER = 256 << 10
_MAX_KEYS = 1000

# https://datatracker.ietf.org/doc/html/draft-miller-ssh-agent
_LIST, _LISTED = 11, 12
_SIGN, _SIGNED = 13, 14
_RSA_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}

Hold = Callable[[Callable[[], None]], None]


class AgentError(Exception):
    """The agent did not do what it was asked. No OSError: paramiko's thread trips over those."""


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key that the agent keeps; paramiko asks it for its name, its blob and a signature."""

    path: str
    blob: bytes
    hold: Hold
    public_blob: None = None

    def get_name(self) -> str:
        """The key's type."""
        return _take(self.blob)[0].decode("ascii", "replace")

    def asbytes(self) -> bytes:
        """The public key, as SSH transmits it."""
        return self.blob

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> bytes:
        """The agent's signature; raises AgentError."""
        flags = _RSA_FLAGS.get((algorithm or "").removesuffix("-cert-v01@openssh.com"), 0)
        body = _string(self.blob) + _string(data) + flags.to_bytes(4, "big")
        try:
            return _take(_ask(self.path, _SIGN, body, _SIGNED, self.hold))[0]
        except OSError as error:
            raise AgentError(_told(self.path, error)) from error


def identities(path: str) -> tuple[bytes, ...]:
    """The public keys that the agent at this socket holds, in its order.

    Raises MachineError `key_unusable` when it does not answer.
    """
    try:
        rest = _ask(path, _LIST, b"", _LISTED, _not_held)
        count, rest = int.from_bytes(rest[:4], "big"), rest[4:]
        blobs = []
        for _ in range(min(count, _MAX_KEYS)):
            blob, rest = _take(rest)
            _, rest = _take(rest)
            blobs.append(blob)
    except OSError as error:
        raise MachineError(
            "key_unusable",
            "keys",
            _told(path, error),
            "start an agent and set SSH_AUTH_SOCK, or name a key file",
        ) from error
    return tuple(blobs)


def _told(path: str, error: OSError) -> str:
    text = sanitize.safe(error.strerror or str(error)).lower()
    return f"the ssh-agent at {sanitize.safe(path)} cannot be used: {text}"


def _ask(path: str, kind: int, body: bytes, wanted: int, hold: Hold) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        hold(lambda: _wake(sock))
        sock.settimeout(_SECONDS)
        sock.connect(path)
        sock.sendall(_string(bytes([kind]) + body))
        size = int.from_bytes(_read(sock, 4), "big")
        if not 0 < size <= _MAX_ANSWER:
            raise OSError(f"answer of {size} bytes")
        answer = _read(sock, size)
    if answer[0] != wanted:
        raise OSError("it refuses (locked, or the use of the key was denied)")
    return answer[1:]


def _not_held(_close: Callable[[], None]) -> None:
    """The list of keys serves all hosts: no single trip may end it."""


def _wake(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _read(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise OSError("it closed the connection")
        data += part
    return data


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _take(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "big")
    if len(data) < 4 + size:
        raise OSError("its answer is cut short")
    return data[4 : 4 + size], data[4 + size :]
