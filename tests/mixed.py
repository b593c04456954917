"""A fleet in a process of its own: `python -m tests.mixed honest|rude|real|flood COUNT FOLDER`.

Prints a JSON list of targets, one line, and serves until its standard input ends.
"""

import itertools
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import paramiko

from driftscan.demo import story
from driftscan.demo.server import RECORDED_NONCE, asked_for
from driftscan.model import Target
from tests.machines import test_ssh as rude
from tests.sshd import USER, Manners, Raw, Sshd, framed, nonce_of, saying

ROOT = Path(__file__).parents[1]
ANSWERS = [story.recorded("web-a")]


def honest(channel: paramiko.Channel, script: str, _over: threading.Event) -> None:
    """As a recorded host answered."""
    told = b"\n" + asked_for(ANSWERS, script.encode())
    channel.sendall(told.replace(b"\n" + RECORDED_NONCE, b"\n" + nonce_of(script).encode())[1:])
    channel.send_exit_status(0)
    channel.close()


def real(channel: paramiko.Channel, script: str, _over: threading.Event) -> None:
    """This machine, through its own sh."""
    words = {"input": script.encode(), "capture_output": True, "start_new_session": True}
    done = subprocess.run(["sh", "-s"], check=False, **words)
    channel.sendall(done.stdout)
    channel.send_exit_status(done.returncode)
    channel.close()


def flood(channel: paramiko.Channel, _script: str, over: threading.Event) -> None:
    while not over.is_set():
        channel.sendall(b"y\n" * 50_000)


def complaints(channel: paramiko.Channel, _script: str, over: threading.Event) -> None:
    while not over.is_set():
        channel.sendall_stderr(b"e" * 50_000)


def messages(kind: bytes) -> Callable[..., None]:
    """A flood of one message of the protocol, that nobody asked for."""

    def play(channel: paramiko.Channel, _script: str, over: threading.Event) -> None:
        while not over.is_set():
            channel.get_transport()._send_message(paramiko.Message(kind))

    return play


IGNORE = b"\x02\x00\x00\x40\x00" + b"z" * 0x4000
GLOBAL = b"\x50\x00\x00\x00\x09keepalive\x01"
CHANNEL = b"\x5a\x00\x00\x00\x07session" + struct.pack(">III", 7, 1 << 21, 1 << 15)


def forged(channel: paramiko.Channel, script: str, _over: threading.Event) -> None:
    nonce = nonce_of(script)
    channel.sendall(framed(script, f"@NONCE@ S dpkg\n@NONCE@ END\n{nonce} S dpkg\n".encode()))
    channel.send_exit_status(0)
    channel.close()


PLAYS = (
    *(rude.cut, rude.drip, rude.silence, rude.end_without_status, rude.eof_without_status),
    *(flood, complaints, forged, messages(IGNORE), messages(GLOBAL), messages(CHANNEL)),
    *(saying(b"This account is not available.\n", b"", 1), saying(b"", b"", 0)),
    saying(b"\x1b]0;title\x07" * 1000, b"\x1b[2J", 127),
)
WAYS = (
    *({"auth": auth} for auth in ("refuse", "stall", "password", "partial", "hang-up")),
    *({"session": answer} for answer in ("no", "stall")),
    *({"exec": answer} for answer in ("no", "stall")),
)
TALKS = (
    *(rude.quiet, rude.drip_banner, rude.slow_lines, rude.endless_banner, rude.http),
    *(rude.hang_up, rude.reset, rude.old_protocol, rude.banner_then_quiet),
    *(rude.banner_then_gone, rude.huge_packet),
)


def targets(kind: str, count: int, folder: Path, stack: ExitStack) -> Iterator[Target]:
    """So many servers of the kind, each started; the rude ones in turn, and a closed port."""
    plays = {"honest": honest, "real": real, "flood": flood}
    if kind in plays:
        for number in range(count):
            server = stack.enter_context(Sshd(folder, Manners(plays[kind], patience=60)))
            yield server.target(name=f"{kind}-{number:02}")
        return
    manners = [*(Manners(play) for play in PLAYS), *(Manners(**way) for way in WAYS)]
    for number, way in enumerate(
        itertools.islice(itertools.cycle((*manners, *TALKS, None)), count)
    ):
        name = f"rude-{number:02}"
        if isinstance(way, Manners):
            yield stack.enter_context(Sshd(folder, way)).target(name=name)
        elif way is None:
            with socket.create_server(("127.0.0.1", 0)) as closed:
                yield _raw(name, closed.getsockname()[1], folder)
        else:
            yield _raw(name, stack.enter_context(Raw(way)).port, folder)


def _raw(name: str, port: int, folder: Path) -> Target:
    key = folder / "raw-key"
    if not key.exists():
        paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    return Target(name=name, road="ssh", address="127.0.0.1", port=port, user=USER, key=str(key))


@contextmanager
def serving(folder: Path, kind: str, count: int) -> Iterator[list[dict[str, Any]]]:
    """The targets of a fleet in a process of its own, as plain data."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.mixed", kind, str(count), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout
    try:
        yield msgspec.json.decode(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    kind, count, folder = sys.argv[1:]
    with ExitStack() as stack:
        made = list(targets(kind, int(count), Path(folder), stack))
        sys.stdout.write(msgspec.json.encode(made).decode() + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
