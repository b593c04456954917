"""A real SSH server inside the test process, whose manners can be chosen; and raw, ruder ones."""

import re
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import paramiko

from driftscan.model import Target

USER = "deploy"
_SECONDS = 10.0

Play = Callable[[paramiko.Channel, str, threading.Event], None]
Talk = Callable[[socket.socket, threading.Event], None]


def nonce_of(script: str) -> str:
    """The nonce that a script's answer has to carry."""
    found = re.search(r"^N=([0-9a-f]+)$", script, re.MULTILINE)
    assert found, "not one of our scripts"
    return found.group(1)


def framed(script: str, body: bytes = b"") -> bytes:
    """A whole answer to the script, as it would print it, around a recorded body."""
    nonce = nonce_of(script).encode()
    return nonce + b" BEGIN 1\n" + body.replace(b"@NONCE@", nonce) + nonce + b" END\n"


def answering(body: bytes = b"", errors: bytes = b"", status: int = 0) -> Play:
    """A host that runs the script to its end."""

    def play(channel: paramiko.Channel, script: str, _over: threading.Event) -> None:
        channel.sendall_stderr(errors)
        channel.sendall(framed(script, body))
        channel.send_exit_status(status)
        channel.close()

    return play


class Crowd:
    """A host that takes a moment to answer, and counts how many it answers at once."""

    def __init__(self, seconds: float) -> None:
        self.most = 0
        self._seconds, self._now, self._lock = seconds, 0, threading.Lock()

    def play(self, channel: paramiko.Channel, script: str, over: threading.Event) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self._seconds)
        with self._lock:
            self._now -= 1
        answering()(channel, script, over)


def saying(output: bytes, errors: bytes, status: int) -> Play:
    """A host that does something else with the script."""

    def play(channel: paramiko.Channel, _script: str, _over: threading.Event) -> None:
        channel.sendall(output)
        channel.sendall_stderr(errors)
        channel.send_exit_status(status)
        channel.close()

    return play


@dataclass
class Manners:
    """How the server behaves; the default is an honest host that has nothing to tell.

    `auth`: key, refuse, stall, password (takes no keys), partial (a key is not enough) or hang-up.
    `session` and `exec`: yes, no or stall. `without`: algorithms it does not have, by paramiko's
    names of their kinds. `patience`: seconds for the other side's first message. `banner` is said
    before the login; with a `farewell` it disconnects there, saying that.
    """

    play: Play = field(default_factory=answering)
    auth: str = "key"
    session: str = "yes"
    exec: str = "yes"
    reads: bool = True
    forward: bool = False
    patience: float = 10.0
    without: dict[str, list[str]] = field(default_factory=dict)
    banner: str = ""
    farewell: str = ""


class Server(ABC):
    """Listens on 127.0.0.1; one thread a connection; on leaving nothing of it is left."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.connections = 0

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for sock in self._sockets:
            sock.close()
        for thread in self._threads:
            thread.join(_SECONDS)

    def hang_up(self) -> None:
        """Cut every connection."""
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    @abstractmethod
    def serve(self, sock: socket.socket) -> None:
        """One connection, in a thread of its own."""

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            self.serve(sock)
        except OSError:
            if not self.over.is_set():  # else the test ended first and closed the socket
                raise


class Raw(Server):
    """Whatever a function does with the connected socket."""

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk

    def serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            self._talk(sock, self.over)
        sock.close()


class Sshd(Server):
    """An SSH server of the given manners, for one user and one key."""

    def __init__(self, folder: Path, manners: Manners | None = None) -> None:
        super().__init__()
        self.manners = manners or Manners()
        self.host_key: paramiko.PKey = paramiko.ECDSAKey.generate()
        self.more_host_keys: list[paramiko.PKey] = []
        self.user_key: paramiko.PKey = paramiko.ECDSAKey.generate()
        self.key_file = folder / f"key-{self.port}"
        self.user_key.write_private_key_file(str(self.key_file))
        self.known_hosts = folder / f"known-{self.port}"
        self.known_hosts.write_text(self.known_line(self.host_key))
        self.commands: list[str] = []
        self.questions_asked = 0
        self.forwarded: list[tuple[str, int]] = []

    def known_line(self, key: paramiko.PKey) -> str:
        """The line of a known_hosts file that trusts this key for this server."""
        return f"[127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}\n"

    def target(self, **changes: Any) -> Target:
        """The way to this server."""
        fields = {
            "name": "host",
            "road": "ssh",
            "address": "127.0.0.1",
            "port": self.port,
            "user": USER,
            "key": str(self.key_file),
            "known_hosts": [str(self.known_hosts)],
        }
        return Target(**{**fields, **changes})

    def serve(self, sock: socket.socket) -> None:
        transport = paramiko.Transport(sock, disabled_algorithms=self.manners.without)
        for key in (self.host_key, *self.more_host_keys):
            transport.add_server_key(key)
        transport.handshake_timeout = self.manners.patience
        host = _Host(self, transport)
        try:
            transport.start_server(threading.Event(), host)
            self.over.wait()
        finally:
            transport.close()
            # else its timer, a thread, outlives a key exchange that failed
            transport.packetizer.complete_handshake()
            if transport.ident is not None:
                transport.join(_SECONDS)

    def run(self, channel: paramiko.Channel) -> None:
        """Read the script, then do what the manners say; in a thread of its own."""
        self._start(self._run, channel)

    def relay(self, channel: paramiko.Channel, address: tuple[str, int]) -> None:
        """Join a forwarded channel to where it wants to go."""
        sock = socket.create_connection(address)
        self._sockets.append(sock)
        self._start(_pump, sock.recv, channel.sendall, channel.close)
        self._start(_pump, channel.recv, sock.sendall, lambda: sock.shutdown(socket.SHUT_RDWR))

    def _run(self, channel: paramiko.Channel) -> None:
        script = b""
        with suppress(OSError, EOFError):
            while self.manners.reads and (data := channel.recv(65536)):
                script += data
            self.manners.play(channel, script.decode(), self.over)


def _pump(
    read: Callable[[int], bytes], write: Callable[[bytes], Any], end: Callable[[], Any]
) -> None:
    with suppress(OSError, EOFError):
        while data := read(65536):
            write(data)
    with suppress(OSError, EOFError):
        end()


class _Host(paramiko.ServerInterface):
    def __init__(self, server: Sshd, transport: paramiko.Transport) -> None:
        self._server = server
        self._transport = transport
        self._manners = server.manners

    def get_allowed_auths(self, username: str) -> str:
        return {"password": "password", "partial": "keyboard-interactive"}.get(
            self._manners.auth, "publickey"
        )

    def get_banner(self) -> tuple[str | None, str | None]:  # type: ignore[override]
        return (self._manners.banner or None, "en")

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self._manners.farewell:
            bye = paramiko.Message()
            bye.add_byte(b"\x01")  # SSH_MSG_DISCONNECT (RFC 4253, 11.1)
            bye.add_int(2)
            bye.add_string(self._manners.farewell)
            bye.add_string("en")
            self._transport._send_message(bye)
        if self._manners.auth == "stall":
            self._server.over.wait()
        if self._manners.auth == "hang-up":
            self._transport.close()
        known = username == USER and key == self._server.user_key
        if not known or self._manners.auth not in ("key", "partial"):
            return paramiko.AUTH_FAILED
        if self._manners.auth == "partial":
            return paramiko.AUTH_PARTIALLY_SUCCESSFUL
        return paramiko.AUTH_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str) -> paramiko.InteractiveQuery:
        self._server.questions_asked += 1
        return paramiko.InteractiveQuery("", "\x1b[31mYour key has expired.\n", "Passphrase: ")

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if self._manners.session == "stall":
            self._server.over.wait()
        if kind != "session" or self._manners.session != "yes":
            return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        return paramiko.OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        if not self._manners.forward:
            return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        self._server.forwarded.append(destination)
        self._server._start(self._relay, chanid, destination)
        return paramiko.OPEN_SUCCEEDED

    def _relay(self, chanid: int, destination: tuple[str, int]) -> None:
        channel = self._transport.accept(_SECONDS)
        assert channel is not None
        assert channel.get_id() == chanid
        self._server.relay(channel, destination)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._server.commands.append(command.decode())
        if self._manners.exec == "stall":
            self._server.over.wait()
        if self._manners.exec != "yes":
            return False
        self._server.run(channel)
        return True
