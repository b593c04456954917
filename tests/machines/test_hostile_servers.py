"""Servers that flood, open channels, ask for passwords, hang up: bounded, refused, printable."""

import socket
import threading
from pathlib import Path
from typing import Any

import paramiko
import pytest

from driftscan import framing, script
from driftscan.errors import MachineError
from driftscan.machines import ssh as road
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Answer, Limits, Target
from tests.mixed import CHANNEL, GLOBAL, IGNORE, messages
from tests.sshd import USER, Manners, Raw, Sshd, framed

LIMITS = Limits(deadline=3, connect=1, handshake=2, first_byte=2, idle=2, output=1 << 20)
QUESTIONS = script.questions((), deadline=5)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road, "_WAIT", (0.05, 0.1))


def ask(target: Target) -> Answer:
    return Ssh(target, Credentials(agent="")).ask(QUESTIONS, LIMITS)


@pytest.mark.case("H06")
@pytest.mark.parametrize("message", [IGNORE, GLOBAL, CHANNEL], ids=["ignore", "global", "channel"])
def test_a_flood_of_messages_ends_at_the_limit_or_the_deadline(
    tmp_path: Path, message: bytes
) -> None:
    play = Manners(messages(message))
    with Sshd(tmp_path, play) as host, pytest.raises(MachineError) as caught:
        ask(host.target())
    assert caught.value.state in ("timeout", "output_limit", "incomplete")


@pytest.mark.case("H10")
def test_channels_that_a_server_opens_are_refused_and_the_answer_is_read(tmp_path: Path) -> None:
    refused: list[str] = []

    def play(channel: paramiko.Channel, text: str, _over: threading.Event) -> None:
        transport = channel.get_transport()
        kinds = ("auth-agent@openssh.com", "x11", "forwarded-tcpip", "session", "direct-tcpip")
        for kind in kinds:
            place = ("127.0.0.1", 22)
            with pytest.raises(paramiko.ChannelException):
                transport.open_channel(kind, place, place, timeout=5)
            refused.append(kind)
        channel.sendall(framed(text))
        channel.send_exit_status(0)
        channel.close()

    with Sshd(tmp_path, Manners(play)) as host:
        answer = ask(host.target())
    assert len(refused) == 5
    assert framing.unframe(answer.output, QUESTIONS.nonce, ()) == {}


@pytest.mark.case("H11", "H08")
def test_a_prompt_in_the_output_is_text_and_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    more: list[bytes] = []

    def play(channel: paramiko.Channel, _text: str, over: threading.Event) -> None:
        channel.sendall(b"[sudo] password for deploy: ")
        channel.sendall_stderr(b"Enter passphrase for key '/root/.ssh/id_rsa': ")
        more.append(channel.recv(100))  # our side has said all it will
        over.wait()

    def never(*_: Any) -> str:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr("builtins.input", never)
    with Sshd(tmp_path, Manners(play)) as host, pytest.raises(MachineError) as caught:
        ask(host.target())
    assert caught.value.state == "timeout"
    assert more == [b""]
    assert capfd.readouterr() == ("", "")


@pytest.mark.case("H09")
def test_what_a_server_says_when_it_hangs_up_cannot_reach_the_terminal(tmp_path: Path) -> None:
    def play(channel: paramiko.Channel, _text: str, over: threading.Event) -> None:
        message = paramiko.Message()
        message.add_byte(b"\x01")  # MSG_DISCONNECT
        message.add_int(2)
        message.add_string("\x1b[2J\x1b]0;x\x07 your key has\nexpired \u202e")
        message.add_string("")
        channel.get_transport()._send_message(message)
        over.wait()

    with Sshd(tmp_path, Manners(play)) as host, pytest.raises(MachineError) as caught:
        ask(host.target())
    assert (caught.value.cause + caught.value.cure).isprintable()


@pytest.mark.case("H28")
def test_compression_is_not_offered(tmp_path: Path) -> None:
    said: list[bytes] = []

    def listen(sock: socket.socket, _over: threading.Event) -> None:
        sock.sendall(b"SSH-2.0-Curious\r\n")
        sock.settimeout(1)
        try:
            while data := sock.recv(65536):
                said.append(data)
        except TimeoutError:
            pass

    key = tmp_path / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    with Raw(listen) as server, pytest.raises(MachineError):
        ask(
            Target(
                name="host",
                road="ssh",
                address="127.0.0.1",
                port=server.port,
                user=USER,
                key=str(key),
            )
        )
    offer = b"".join(said)
    assert b"curve25519" in offer
    assert b"none" in offer
    assert b"zlib" not in offer
