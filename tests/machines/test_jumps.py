"""Jump hosts that many hosts share: so many at once, and a failure that is told once."""

import threading
import time
from collections import Counter
from pathlib import Path

import paramiko
import pytest

from driftscan.errors import MachineError
from driftscan.machines import ssh as road
from driftscan.machines.ssh import Credentials
from driftscan.model import Answer, Target
from tests.machines.test_ssh import ask, drip, free_port, misbehaving, replace_limits
from tests.sshd import USER, Crowd, Sshd


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road, "_WAIT", (0.05, 0.1))


def behind(jump_port: int, host: Sshd, *known: Path) -> Target:
    files = [str(host.known_hosts), *map(str, known)]
    return host.target(jump=[f"{USER}@127.0.0.1:{jump_port}"], known_hosts=files)


def all_of(targets: list[Target], credentials: Credentials, **limits: float) -> list[object]:
    """What each answers or fails with, asked at once."""
    found: list[object] = []

    def one(target: Target) -> None:
        try:
            found.append(ask(target, replace_limits(**limits), credentials))
        except MachineError as error:
            found.append(error)

    workers = [threading.Thread(target=one, args=(target,)) for target in targets]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


@pytest.mark.case("E08")
def test_no_more_hosts_than_allowed_go_through_one_jump_host_at_once(tmp_path: Path) -> None:
    slow = Crowd(0.2)
    with misbehaving(tmp_path, play=slow.play) as host, misbehaving(tmp_path, forward=True) as jump:
        jump.user_key = host.user_key
        targets = [behind(jump.port, host, jump.known_hosts)] * 12
        names = ("connect", "handshake", "login", "session", "first_byte", "idle")
        seconds = dict.fromkeys(names, 20.0)
        found = all_of(targets, Credentials(agent="", per_jump=3), deadline=60, **seconds)
    assert [type(one) for one in found] == [Answer] * 12
    assert slow.most == 3


@pytest.mark.case("E08")
def test_a_jump_host_behind_others_counts_all_who_come_through_it(tmp_path: Path) -> None:
    """`a,x` and `b,x`, and the other way round: x is one, and nobody waits for each other."""
    slow = Crowd(0.2)
    with (
        misbehaving(tmp_path, play=slow.play) as host,
        misbehaving(tmp_path, forward=True) as a,
        misbehaving(tmp_path, forward=True) as b,
        misbehaving(tmp_path, forward=True) as x,
    ):
        for jump in (a, b, x):
            jump.user_key = host.user_key
        files = [str(server.known_hosts) for server in (host, a, b, x)]
        ways = [
            [f"{USER}@127.0.0.1:{jump.port}" for jump in way]
            for way in ((a, x), (b, x), (x, a), (x, b))
        ]
        targets = [host.target(jump=way, known_hosts=files) for way in ways] * 2
        names = ("connect", "handshake", "login", "session", "first_byte", "idle")
        seconds = dict.fromkeys(names, 20.0)
        found = all_of(targets, Credentials(agent="", per_jump=2), deadline=60, **seconds)
    assert [type(one) for one in found] == [Answer] * 8
    assert slow.most == 2


@pytest.mark.case("F36")
def test_a_jump_host_that_is_down_is_asked_once_and_told_for_every_host(tmp_path: Path) -> None:
    credentials = Credentials(agent="", per_jump=1)
    port = free_port()
    with misbehaving(tmp_path) as host:
        found = all_of([behind(port, host)] * 5, credentials)
    told = Counter((e.state, e.stage, e.cause) for e in found if isinstance(e, MachineError))
    ((state, stage, cause),) = told
    assert (state, stage, sum(told.values())) == ("unreachable", "via_bastion", 5)
    assert cause.startswith("jump host 127.0.0.1: unreachable at tcp: ")
    assert "connection refused" in cause


@pytest.mark.case("F36")
def test_a_jump_host_that_says_nothing_costs_its_time_once_and_not_once_a_host(
    tmp_path: Path,
) -> None:
    with misbehaving(tmp_path) as host, misbehaving(tmp_path, auth="stall") as jump:
        jump.user_key = host.user_key
        targets = [behind(jump.port, host, jump.known_hosts)] * 8
        started = time.monotonic()
        found = all_of(targets, Credentials(agent="", per_jump=1), login=2)
        assert time.monotonic() - started < 8 * 2
        assert jump.connections == 1
    assert {e.state for e in found if isinstance(e, MachineError)} == {"unreachable"}
    assert {e.stage for e in found if isinstance(e, MachineError)} == {"via_bastion"}
    assert len(found) == 8


@pytest.mark.case("F36")
def test_a_jump_host_with_another_key_stays_a_mismatch_and_is_never_only_unreachable(
    tmp_path: Path,
) -> None:
    with misbehaving(tmp_path) as host, misbehaving(tmp_path, forward=True) as jump:
        jump.user_key = host.user_key
        jump.known_hosts.write_text(jump.known_line(paramiko.ECDSAKey.generate()))
        targets = [behind(jump.port, host, jump.known_hosts)] * 3
        found = all_of(targets, Credentials(agent="", per_jump=1))
        assert host.commands == []
        assert jump.connections == 1
    for error in found:
        assert isinstance(error, MachineError)
        assert error.state == "host_key_mismatch"
        assert error.cause.startswith("jump host 127.0.0.1: ")


@pytest.mark.case("F36")
def test_a_jump_host_that_forwards_nothing_is_its_own_fault_and_a_dead_host_is_not(
    tmp_path: Path,
) -> None:
    with misbehaving(tmp_path) as host, misbehaving(tmp_path, forward=False) as jump:
        jump.user_key = host.user_key
        target = behind(jump.port, host, jump.known_hosts)
        (error,) = all_of([target], Credentials(agent=""))
    assert isinstance(error, MachineError)
    assert (error.state, error.stage) == ("unreachable", "via_bastion")
    assert "AllowTcpForwarding" in error.cure


@pytest.mark.case("F36", "F39")
def test_hosts_that_wait_for_a_place_end_at_once_when_all_is_stopped(tmp_path: Path) -> None:
    credentials = Credentials(agent="", per_jump=1)
    with (
        misbehaving(tmp_path, play=drip) as host,
        misbehaving(tmp_path, forward=True) as jump,
    ):
        jump.user_key = host.user_key
        targets = [behind(jump.port, host, jump.known_hosts)] * 6
        stopping = threading.Timer(0.8, credentials.close_all)
        stopping.start()
        started = time.monotonic()
        found = all_of(targets, credentials, deadline=60, first_byte=60, idle=60)
        assert time.monotonic() - started < 20
        stopping.join()
    assert [e.state for e in found if isinstance(e, MachineError)] == ["interrupted"] * 6


@pytest.mark.case("E04")
def test_hosts_that_wait_for_a_place_are_skipped_at_the_end_of_the_run(tmp_path: Path) -> None:
    credentials = Credentials(agent="", per_jump=1, until=time.monotonic() + 1)
    with (
        misbehaving(tmp_path, play=drip) as host,
        misbehaving(tmp_path, forward=True) as jump,
    ):
        jump.user_key = host.user_key
        targets = [behind(jump.port, host, jump.known_hosts)] * 4
        found = all_of(targets, credentials, deadline=3)
    states = Counter((e.state, e.stage) for e in found if isinstance(e, MachineError))
    assert states[("skipped", "deadline")] == 3
    assert sum(states.values()) == 4
