"""An SSH server inside this process that answers as recorded machines did: no shell, no engine."""

import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import paramiko
from paramiko import common

RECORDED_NONCE = b"0" * 32
_NONCE = re.compile(rb"^N=([0-9a-f]{32})$", re.MULTILINE)
_ASKED = re.compile(rb'^say "S ([a-z0-9-]+)"$', re.MULTILINE)
_SECTION = re.compile(rb"^" + RECORDED_NONCE + rb" S ([a-z0-9-]+)$", re.MULTILINE)
_END = b"\n" + RECORDED_NONCE + b" END\n"
_CLOCK = re.compile(rb"\n clock [0-9]+\n")
_COMMANDS = (b"sh -s", b"sudo -n sh -s")
_SCRIPT_LIMIT = 1 << 20


class _Session(paramiko.ServerInterface):
    """Lets the one key in, and runs nothing but the collector's two commands."""

    def __init__(self, client: paramiko.PKey, answers: Sequence[bytes]) -> None:
        self._client = client
        self._answers = answers

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
        threading.Thread(target=_reply, args=(channel, self._answers), daemon=True).start()
        return True


def asked_for(answers: Sequence[bytes], script: bytes) -> bytes:
    """Of recorded answers the sections that the script asks for, in its order, as one answer.

    What was never recorded is left out, and then the answer is not taken.
    """
    parts: dict[bytes, bytes] = {}
    for answer in answers:
        marks = [*_SECTION.finditer(answer)]
        ends = [*(mark.start() for mark in marks), answer.rindex(_END) + 1][1:]
        for mark, end in zip(marks, ends, strict=True):
            parts[mark.group(1)] = answer[mark.start() : end]
    asked = _ASKED.findall(script)
    begin = answers[0][: answers[0].index(b"\n") + 1]
    return begin + b"".join(parts.get(name, b"") for name in asked) + _END[1:]


def replayed(answers: Sequence[bytes], script: bytes) -> bytes:
    """What `asked_for` finds, with the script's nonce in place of the recorded one, and the time
    of now: that is when the host answers.

    Empty for a text that is none of our scripts.
    """
    nonce = _NONCE.search(script)
    if not nonce:
        return b""
    lines = _CLOCK.sub(b"\n clock %d\n" % time.time(), b"\n" + asked_for(answers, script))
    return lines.replace(b"\n" + RECORDED_NONCE, b"\n" + nonce.group(1))[1:]


def _reply(channel: paramiko.Channel, answers: Sequence[bytes]) -> None:
    """Read the script to its end, then answer.

    Waiting for the end also makes sure that the reply to `exec` went out first.
    """
    with suppress(OSError, EOFError, paramiko.SSHException):
        script = b""
        while len(script) < _SCRIPT_LIMIT and (part := channel.recv(65536)):
            script += part
        answer = replayed(answers, script)
        channel.sendall(answer)
        channel.send_exit_status(0 if answer else 1)
        channel.close()


class _Listener(threading.Thread):
    """One recorded machine on a loopback port of its own."""

    def __init__(
        self, host_key: paramiko.PKey, client: paramiko.PKey, answers: Sequence[bytes]
    ) -> None:
        super().__init__(daemon=True)
        self._host_key, self._client, self._answers = host_key, client, answers
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
                    event=threading.Event(), server=_Session(self._client, self._answers)
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
    answers: Mapping[str, Sequence[bytes]], host_key: paramiko.PKey, client: paramiko.PKey
) -> Iterator[dict[str, int]]:
    """Serve each machine's recorded answers on its own port of 127.0.0.1; yields name -> port."""
    listeners = {name: _Listener(host_key, client, answers[name]) for name in sorted(answers)}
    for listener in listeners.values():
        listener.start()
    try:
        yield {name: listener.port for name, listener in listeners.items()}
    finally:
        for listener in listeners.values():
            listener.close()
