"""Faults of network, servers and keys that a link or a server scripted here can make."""

import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import paramiko
import pytest

from driftscan.machines import ssh as road
from driftscan.machines.ssh import Credentials
from driftscan.model import Target
from tests.harm import Harm, Proxy
from tests.machines.test_ssh import (
    QUESTIONS,
    SLACK,
    USER,
    ask,
    drip,
    fails,
    misbehaving,
    raw_target,
    replace_limits,
)
from tests.sshd import Raw, Sshd, answering


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road, "_WAIT", (0.05, 0.1))


def through(proxy: Proxy, host: Sshd) -> Target:
    """The way to a server whose key is known at the proxy's port."""
    line = host.known_line(host.host_key).replace(f":{host.port}", f":{proxy.port}")
    host.known_hosts.write_text(line)
    return host.target(port=proxy.port)


# --- the way there ------------------------------------------------------------------------------


@pytest.mark.case("F04")
def test_an_address_without_a_route_does_not_hide_one_that_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def both(host: str, port: int, *rest: Any, **more: Any) -> Any:
        if host != "two-families":
            return real(host, port, *rest, **more)
        if socket.AI_NUMERICHOST in rest:
            raise socket.gaierror(socket.EAI_NONAME, "a name")
        far = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", port, 0, 0))
        return [far, *real("127.0.0.1", port, *rest)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with misbehaving(tmp_path) as host:
        key = host.host_key
        host.known_hosts.write_text(f"alias {key.get_name()} {key.get_base64()}\n")
        target = host.target(address="two-families", host_key_alias="alias")
        assert ask(target).status == 0


@pytest.mark.case("F11")
def test_a_server_that_stalls_in_the_key_exchange_ends_in_its_stage(tmp_path: Path) -> None:
    def lists() -> bytes:
        names = [
            *(b"curve25519-sha256@libssh.org", b"ssh-ed25519", b"aes128-ctr", b"aes128-ctr"),
            *(b"hmac-sha2-256", b"hmac-sha2-256", b"none", b"none", b"", b""),
        ]
        body = b"\x14" + b"c" * 16
        body += b"".join(struct.pack(">I", len(name)) + name for name in names) + b"\0" * 5
        padding = 16 - (len(body) + 5) % 8
        return struct.pack(">IB", len(body) + padding + 1, padding) + body + b"\0" * padding

    def stall(sock: socket.socket, over: threading.Event) -> None:
        sock.sendall(b"SSH-2.0-Stall\r\n" + lists())
        over.wait()

    with Raw(stall) as server:
        error = fails(raw_target(server, tmp_path), replace_limits(handshake=1))
    assert (error.state, error.stage) == ("timeout", "kex")


def test_no_weak_algorithm_is_offered(tmp_path: Path) -> None:
    heard = b""

    def listen(sock: socket.socket, _over: threading.Event) -> None:
        nonlocal heard
        sock.sendall(b"SSH-2.0-Ear\r\n")
        while b"none" not in heard and (data := sock.recv(65536)):
            heard += data

    with Raw(listen) as server:
        fails(raw_target(server, tmp_path))
    message = paramiko.Message(heard.partition(b"\r\n")[2][6 + 16 :])
    kex, keys, *others = [message.get_list() for _ in range(8)]
    assert kex
    assert keys
    ciphers, _, macs, _, compression, _ = others
    for name in (*ciphers, *macs):
        assert not any(weak in name for weak in ("cbc", "3des", "md5", "sha1", "arcfour", "none"))
    assert not any(name.endswith("sha1") or "group1-" in name for name in kex)
    assert not {"ssh-rsa", "ssh-dss"} & set(keys)
    assert compression == ["none"], "nothing that could be a bomb when it is unpacked"
    assert "aes128-gcm@openssh.com" in ciphers
    assert "hmac-sha2-256" in macs


# --- the stream ---------------------------------------------------------------------------------


@pytest.mark.case("F23")
@pytest.mark.parametrize("harm", ["fin", "rst"])
def test_an_answer_that_is_cut_by_the_network_is_incomplete(tmp_path: Path, harm: Harm) -> None:
    with misbehaving(tmp_path, play=answering(b" x\n" * 9000)) as host, Proxy(host.port) as proxy:
        target = through(proxy, host)
        ask(target)
        proxy.harm, proxy.allowed = harm, proxy.passed - 9000
        error = fails(target)
    assert (error.state, error.stage) == ("incomplete", "stream")


@pytest.mark.case("F24")
def test_a_link_that_freezes_ends_in_time_and_one_that_comes_back_is_an_answer(
    tmp_path: Path,
) -> None:
    with misbehaving(tmp_path, play=answering(b" x\n" * 9000)) as host:
        with Proxy(host.port) as proxy:
            target = through(proxy, host)
            ask(target)
            proxy.harm, proxy.allowed = "freeze", proxy.passed - 9000
            error = fails(target, replace_limits(first_byte=1, idle=1))
        assert (error.state, error.stage) == ("timeout", "stream")

        with Proxy(host.port, "freeze", proxy.allowed) as proxy:
            threading.Timer(0.6, proxy.resume.set).start()
            answer = ask(through(proxy, host))
    assert answer.output.count(b" x\n") == 9000
    assert answer.output.endswith(f"{QUESTIONS.nonce} END\n".encode())


@pytest.mark.case("F25")
def test_a_bit_that_turns_on_the_way_is_told_and_tried_once_more(tmp_path: Path) -> None:
    with misbehaving(tmp_path, play=answering(b" x\n" * 9000)) as host:
        with Proxy(host.port) as proxy:
            ask(through(proxy, host))
            middle = proxy.passed - 9000
        with Proxy(host.port, "flip", middle) as proxy:
            error = fails(through(proxy, host))
            assert proxy.connections == 2
        assert (error.state, error.stage) == ("incomplete", "stream")
        assert "changed on the way" in error.cause
        with Proxy(host.port, "flip", middle) as proxy:
            proxy.times = 1
            assert ask(through(proxy, host)).status == 0


@pytest.mark.case("F30")
def test_a_start_file_that_hangs_ends_at_the_first_byte(tmp_path: Path) -> None:
    def hang(_channel: paramiko.Channel, _script: str, over: threading.Event) -> None:
        over.wait()

    with misbehaving(tmp_path, play=hang) as host:
        error = fails(host.target(), replace_limits(first_byte=1))
    assert (error.state, error.stage) == ("timeout", "stream")
    assert "start file" in error.cure


@pytest.mark.case("F41")
def test_a_clock_that_jumps_back_a_day_changes_no_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, jumps = time.time, 0

    def jumping() -> float:
        nonlocal jumps
        jumps += 1
        return real() - 86_400 * (jumps % 3)

    monkeypatch.setattr(time, "time", jumping)
    started = time.monotonic()
    with misbehaving(tmp_path, play=drip) as host:
        error = fails(host.target(), replace_limits(deadline=3))
    assert (error.state, error.stage) == ("timeout", "stream")
    assert 3 <= time.monotonic() - started < 3 + SLACK
    with misbehaving(tmp_path) as host:
        assert ask(host.target()).status == 0


# --- keys and agents ----------------------------------------------------------------------------


@pytest.mark.case("F16")
def test_an_agent_that_hangs_does_not_hold_a_host_beyond_its_time(tmp_path: Path) -> None:
    path = str(tmp_path / "agent")
    with socket.socket(socket.AF_UNIX) as listener, misbehaving(tmp_path) as host:
        listener.bind(path)
        listener.listen()
        started = time.monotonic()
        error = fails(host.target(key=""), replace_limits(login=1), Credentials(agent=path))
        assert time.monotonic() - started < 1 + SLACK
        assert (error.state, error.stage) == ("timeout", "keys")
        assert "ssh-agent" in error.cure
    assert host.connections == 0


@pytest.mark.case("F17")
def test_a_key_that_cannot_be_used_is_told_before_anything_connects(tmp_path: Path) -> None:
    with misbehaving(tmp_path) as host:
        host.key_file.chmod(0o644)
        error = fails(host.target())
        assert error.state == "key_unusable"
        assert "chmod 600" in error.cure
        error = fails(host.target(key=str(tmp_path / "none")))
        assert error.state == "key_unusable"
        assert host.connections == 0


# --- jump hosts ---------------------------------------------------------------------------------


@pytest.mark.case("F36")
def test_a_jump_host_that_answers_for_one_host_does_not_answer_for_another(tmp_path: Path) -> None:
    """Three hosts at once through one jump host: each answer is its own host's."""
    found: dict[str, bytes] = {}
    hosts = [
        misbehaving(tmp_path, play=answering(f" host {number}\n".encode())) for number in range(3)
    ]
    jump = misbehaving(tmp_path, forward=True)
    credentials = Credentials(agent="")
    for server in (*hosts, jump):
        server.__enter__()
    try:
        for host in hosts:
            host.user_key = jump.user_key
        limits = replace_limits(deadline=30, handshake=20, login=20, first_byte=20, idle=20)

        def one(name: str, host: Sshd) -> None:
            files = [str(host.known_hosts), str(jump.known_hosts)]
            way_there = host.target(
                jump=[f"{USER}@127.0.0.1:{jump.port}"], known_hosts=files, key=str(jump.key_file)
            )
            found[name] = ask(way_there, limits, credentials).output

        workers = [
            threading.Thread(target=one, args=(f"host {number}", host))
            for number, host in enumerate(hosts)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        for server in (*hosts, jump):
            server.__exit__()
    assert len(found) == 3
    for name, output in found.items():
        assert f" {name}\n".encode() in output
