"""A link that does harm: a TCP proxy on loopback that cuts, resets, freezes or corrupts."""

import select
import socket
import struct
import threading
from contextlib import suppress
from typing import Literal, Self

Harm = Literal["fin", "rst", "freeze", "flip"]


class Proxy:
    """Forwards one connection after another; does its harm after `allowed` bytes of the server.

    `fin` and `rst` end the connection, `freeze` passes nothing on until `resume` is set, `flip`
    turns one bit of the next byte and goes on. `times` is how many connections it harms.
    """

    def __init__(self, port: int, harm: Harm = "fin", allowed: int = 1 << 40) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.harm = harm
        self.allowed = allowed
        self.times = 1 << 40
        self.passed = 0
        self.connections = 0
        self.resume = threading.Event()
        self._over = threading.Event()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.resume.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with client, socket.create_connection(("127.0.0.1", self._to)) as server:
                self._open = {client, server}
                up = threading.Thread(target=_pump, args=(client, server))
                up.start()
                with suppress(OSError):
                    self._down(client, server)
                for sock in (client, server):
                    with suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                up.join()

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        self.passed = 0
        harmed = self.connections > self.times
        while data := server.recv(4096):
            if harmed or self.passed + len(data) <= self.allowed:
                client.sendall(data)
                self.passed += len(data)
                continue
            cut = self.allowed - self.passed
            client.sendall(data[:cut])
            self.passed += cut
            harmed = True
            if self.harm in ("fin", "rst"):
                self._end(client)
                return
            if self.harm == "freeze":
                self.resume.wait()
            rest = data[cut:]
            client.sendall(bytes([rest[0] ^ 1]) + rest[1:] if self.harm == "flip" else rest)
            self.passed += len(rest)

    def _end(self, client: socket.socket) -> None:
        if self.harm == "rst":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError, ValueError):  # a closed socket has no number
        while True:
            # a thread that waits in recv would keep the socket from being reset
            if not select.select([source], [], [], 0.02)[0]:
                continue
            data = source.recv(4096)
            if not data:
                break
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)  # ssh never closes one half alone
