"""An SSH server inside this process that answers as recorded machines did: no shell, no engine."""

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import paramiko
from paramiko import common

RECORDED_NONCE = b"0" * 32
_NONCE = re.compile(rb"^N=([0-9a-f]{32})$", re.MULTILINE)
_COMMANDS = (b"sh -s", b"sudo -n sh -s")
_SCRIPT_LIMIT = 1 << 20


class _Session(paramiko.ServerInterface):
    """Lets the one key in, and runs nothing but the collector's two commands."""

    def __init__(self, client: paramiko.PKey, answer: bytes) -> None:
        self._client = client
        self._answer = answer

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        del username
        known = key.asbytes() == self._client.asbytes()
        return common.AUTH_SUCCESSFUL if known else common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del chanid
        session = kind == "session"
        return common.OPEN_SUCCEEDED if session else common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if command not in _COMMANDS:
            return False
        threading.Thread(target=_reply, args=(channel, self._answer), daemon=True).start()
        return True


def _reply(channel: paramiko.Channel, answer: bytes) -> None:
    """Read the script to its end, then answer with its nonce in place of the recorded one.

    Waiting for the end also makes sure that the reply to `exec` went out first.
    """
    with suppress(OSError, EOFError, paramiko.SSHException):
        script = b""
        while len(script) < _SCRIPT_LIMIT and (part := channel.recv(65536)):
            script += part
        nonce = _NONCE.search(script)
        status = 1
        if nonce:
            lines = (b"\n" + answer).replace(b"\n" + RECORDED_NONCE, b"\n" + nonce.group(1))
            channel.sendall(lines[1:])
            status = 0
        channel.send_exit_status(status)
        channel.close()


class _Listener(threading.Thread):
    """One recorded machine on a loopback port of its own."""

    def __init__(self, host_key: paramiko.PKey, client: paramiko.PKey, answer: bytes) -> None:
        super().__init__(daemon=True)
        self._host_key, self._client, self._answer = host_key, client, answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open = True
        self._transports: list[paramiko.Transport] = []

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def run(self) -> None:
        while self._open:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if not self._open:
                connection.close()
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self._host_key)
            self._transports.append(transport)
            with suppress(EOFError, OSError, paramiko.SSHException):
                transport.start_server(
                    event=threading.Event(), server=_Session(self._client, self._answer)
                )

    def close(self) -> None:
        self._open = False
        # Closing alone does not wake `accept` everywhere: a last connection does.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            pass
        self._socket.close()
        self.join(2)
        for transport in self._transports:
            transport.close()
            transport.join(2)


@contextmanager
def serving(
    answers: Mapping[str, bytes], host_key: paramiko.PKey, client: paramiko.PKey
) -> Iterator[dict[str, int]]:
    """Serve each recorded answer on its own port of 127.0.0.1; yields name -> port."""
    listeners = {name: _Listener(host_key, client, answers[name]) for name in sorted(answers)}
    for listener in listeners.values():
        listener.start()
    try:
        yield {name: listener.port for name, listener in listeners.items()}
    finally:
        for listener in listeners.values():
            listener.close()
