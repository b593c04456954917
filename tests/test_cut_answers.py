"""An answer that is cut anywhere is incomplete: no package is ever called missing because of it."""

import random
import re
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from driftscan import diff, scan, script
from driftscan.demo import story
from driftscan.demo.server import RECORDED_NONCE, asked_for
from driftscan.errors import MachineError
from driftscan.machines import ssh as road
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Answer, Collected, Fingerprint, Limits
from driftscan.probes import dpkg, host
from tests.openssh import sshd

WHO = {"target": "a", "kind": "host", "address": "a", "taken": "2026-11-25T00:00:00Z"}
PROBES = (host, dpkg)
SIZE = 4096


def recorded() -> tuple[bytes, script.Questions]:
    """What a recorded host said of its account and of a few packages: 4 kB and a little."""
    questions = script.questions(PROBES, deadline=20, nonce=RECORDED_NONCE.decode())
    whole = asked_for([story.recorded("web-a")], questions.script.encode())
    times = re.search(rb"(?<=C times\n)(?: .*\n)+", whole)
    status = re.search(rb"(?<=C status\n)(?: .*\n)+", whole)
    assert times
    assert status
    packages = re.split(rb"(?m)^(?= Package: )", status[0])[:22]
    names = {text.split(b"\n", 1)[0].removeprefix(b" Package: ") for text in packages}
    files = [
        line
        for line in times[0].splitlines(keepends=True)
        if line.rpartition(b"/")[2].removesuffix(b".list\n").partition(b":")[0] in names
    ]
    whole = whole.replace(times[0], b"".join(files))
    return whole.replace(status[0], b"".join(packages)), questions


def compared(answer: Answer, questions: script.Questions, whole: Fingerprint) -> str:
    """The state of the host; no answer that is taken may differ from the whole one."""
    try:
        found = scan.fingerprint(answer, questions, PROBES, **WHO)
    except MachineError as error:
        return error.state
    assert diff.compare(found, whole).divergences == []
    assert found.facts == whole.facts
    return "whole"


@pytest.mark.case("F23", "H13")
@pytest.mark.parametrize("status", [0, None])
def test_four_kilobytes_cut_at_every_byte_show_no_divergence(status):
    output, questions = recorded()
    whole = scan.fingerprint(Answer(output, b"", 0, 0.1), questions, PROBES, **WHO)
    packages = whole.facts["dpkg"]
    assert isinstance(packages, Collected)
    assert len(packages.items) > 10
    assert len(output) >= SIZE

    states = [
        compared(Answer(output[:end], b"", status, 0.1), questions, whole)
        for end in range(len(output))
    ]

    assert set(states[:-1]) <= {"no_collector", "incomplete"}
    # without its last newline nothing is lost
    assert states[-1] == ("whole" if status == 0 else "incomplete")


@pytest.mark.case("F23", "H13")
@pytest.mark.parametrize(
    "length", [7, 1000, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 64))]
)
def test_a_piece_that_is_lost_in_the_middle_shows_at_most_what_its_lines_said(length):
    """No transport loses bytes so; a broken tool could. Control lines are missed wherever they are.

    A lost piece of a payload that ends where it began a line is text the host could have sent.
    """
    output, questions = recorded()
    marks = [match.span() for match in re.finditer(rb"(?m)^0{32} .*\n", output)]
    for start in range(0, len(output) - length, 7):
        lost = Answer(output[:start] + output[start + length :], b"", 0, 0.1)
        hit = any(start < end - 1 and start + length > begin for begin, end in marks)
        try:
            scan.fingerprint(lost, questions, PROBES, **WHO)
        except MachineError as error:
            assert error.state in ("no_collector", "incomplete", "malformed")  # noqa: PT017
        else:
            assert not hit, (start, output[start : start + length])


# --- over real SSH ------------------------------------------------------------------------------


class Cutting:
    """Forwards connections to a server, and cuts each after so many bytes of it."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.allowed = 1 << 40
        self.passed = 0
        self.delay = 0.0
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Cutting":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, socket.create_connection(("127.0.0.1", self._to)) as server:
                    up = threading.Thread(target=_pump, args=(client, server, self.delay))
                    up.start()
                    self._down(client, server)
                    for sock in (client, server):
                        with suppress(OSError):
                            sock.shutdown(socket.SHUT_RDWR)
                    up.join()

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        self.passed = 0
        with suppress(OSError):
            while data := server.recv(65536 if self.delay else 4096):
                time.sleep(self.delay)
                data = data[: self.allowed - self.passed]
                client.sendall(data)
                self.passed += len(data)
                if self.passed >= self.allowed:
                    return


def _pump(source: socket.socket, sink: socket.socket, delay: float) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            time.sleep(delay)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.case("F23")
@pytest.mark.sshd
@pytest.mark.long
def test_a_real_connection_cut_at_two_hundred_places_shows_no_divergence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road, "_WAIT", (0.0, 0.0))
    credentials = Credentials(agent="")
    limits = Limits(deadline=60, connect=10, handshake=30, first_byte=30, idle=30)
    with ExitStack() as stack:
        server = stack.enter_context(sshd(tmp_path / "server", "MaxStartups 1000"))
        proxies = [stack.enter_context(Cutting(server.port)) for _ in range(8)]
        key = server.known_hosts.read_text().split(maxsplit=1)[1]
        known = [f"[127.0.0.1]:{proxy.port} {key}" for proxy in proxies]
        server.known_hosts.write_text("\n".join(known))
        machines = [Ssh(server.target(port=proxy.port), credentials) for proxy in proxies]

        def ask(machines: list[Ssh]) -> list[scan.Result]:
            jobs = [scan.Job(f"a{n}", "host", "a", one) for n, one in enumerate(machines)]
            return [found for _, found in scan.scan(jobs, probes=PROBES, limits=limits)]

        (whole,), total = ask(machines[:1]), proxies[0].passed
        assert isinstance(whole, Fingerprint), whole
        chance = random.Random(2026)
        states = []
        for _ in range(200 // len(proxies)):
            for proxy in proxies:
                proxy.allowed = chance.randrange(1, total)
            for found in ask(machines):
                if isinstance(found, Fingerprint):
                    assert diff.compare(found, whole).divergences == []
                    states.append("whole")
                else:
                    states.append(found.state)
    print({state: states.count(state) for state in sorted(set(states))})  # noqa: T201
    assert states.count("incomplete") > 50
    assert set(states) <= {
        *("unreachable", "auth_failed", "no_shell", "incomplete", "not_ssh", "whole"),
    }


@pytest.mark.case("L11")
@pytest.mark.sshd
def test_a_link_of_a_fifth_of_a_second_is_enough_for_a_whole_answer(tmp_path: Path) -> None:
    """A delay alone: what is lost on the way TCP sends again before we could see it."""
    limits = Limits(deadline=60, connect=10, handshake=30, first_byte=30, idle=30)
    with sshd(tmp_path / "server") as server, Cutting(server.port) as proxy:
        proxy.delay = 0.1
        key = server.known_hosts.read_text().split(maxsplit=1)[1]
        server.known_hosts.write_text(f"[127.0.0.1]:{proxy.port} {key}")
        machine = Ssh(server.target(port=proxy.port), Credentials(agent=""))
        jobs = [scan.Job("a", "host", "a", machine)]
        ((_, found),) = scan.scan(jobs, probes=PROBES, limits=limits)
    assert isinstance(found, Fingerprint), found
    print(found.meta.seconds)  # noqa: T201
