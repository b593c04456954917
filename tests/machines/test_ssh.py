"""The SSH road against servers that misbehave, each within its deadline and leaving nothing."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from driftscan import framing, script
from driftscan.errors import MachineError
from driftscan.machines import ssh as road
from driftscan.machines import tcp
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Answer, Limits, Questions, Target
from tests.sshd import USER, Manners, Raw, Sshd, answering, framed, saying

# Enough for a busy machine: a test of a limit makes that one short. What a limit ends must end
# within these seconds more.
LIMITS = Limits(
    **dict.fromkeys(("dns", "connect", "handshake", "login", "session"), 10),
    deadline=30,
    first_byte=10,
    idle=10,
)
SLACK = 10.0
QUESTIONS = script.questions((), deadline=5)


def ask(target: Target, limits: Limits = LIMITS, credentials: Credentials | None = None) -> Answer:
    return Ssh(target, credentials or Credentials(agent="")).ask(QUESTIONS, limits)


def fails(
    target: Target, limits: Limits = LIMITS, credentials: Credentials | None = None
) -> MachineError:
    """The error of a host that cannot be asked, which came in time and is fit for a terminal."""
    started = time.monotonic()
    with pytest.raises(MachineError) as caught:
        ask(target, limits, credentials)
    assert time.monotonic() - started < limits.deadline + SLACK
    error = caught.value
    assert (error.cause + error.cure).isprintable()
    assert error.state != "internal_error", error.cause
    return error


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road, "_WAIT", (0.05, 0.1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def misbehaving(folder: Path, **manners: Any) -> Sshd:
    return Sshd(folder, Manners(**manners))


# --- the way it should be ---------------------------------------------------------------------


def test_an_honest_host_is_asked_in_one_session_with_exactly_one_command(folder: Path) -> None:
    with misbehaving(folder, play=answering(errors=b"locale: warning\n")) as host:
        answer = ask(host.target())
    assert framing.unframe(answer.output, QUESTIONS.nonce, ()) == {}
    assert (answer.status, answer.errors) == (0, b"locale: warning\n")
    assert host.commands == ["sh -s"]
    assert host.connections == 1


def test_become_runs_exactly_one_command_through_sudo(folder: Path) -> None:
    with misbehaving(folder) as host:
        ask(host.target(become=True))
    assert host.commands == ["sudo -n sh -s"]


def test_fifty_hosts_at_once_share_their_credentials_and_leave_nothing(folder: Path) -> None:
    answers: list[Answer] = []
    credentials = Credentials(agent="")
    with misbehaving(folder, play=answering(b"x" * 100_000 + b"\n")) as host:
        limits = replace_limits(deadline=60, handshake=30, first_byte=30, idle=30, connect=30)
        workers = [
            threading.Thread(target=lambda: answers.append(ask(host.target(), limits, credentials)))
            for _ in range(50)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert [answer.status for answer in answers] == [0] * 50
    assert {len(answer.output) for answer in answers} == {len(answers[0].output)}


@pytest.mark.case("F36")
def test_a_host_is_reached_through_a_jump_host_with_its_own_key_check(folder: Path) -> None:
    with misbehaving(folder) as host, misbehaving(folder, forward=True) as jump:
        both = [str(host.known_hosts), str(jump.known_hosts)]
        jump.user_key = host.user_key
        target = host.target(jump=[f"{USER}@127.0.0.1:{jump.port}"], known_hosts=both)
        assert ask(target).status == 0
        assert jump.forwarded == [("127.0.0.1", host.port)]
        assert jump.commands == []
        error = fails(replace_target(target, known_hosts=[str(host.known_hosts)]))
    assert error.state == "host_key_unknown"
    assert error.cause.startswith("jump host 127.0.0.1: ")


def replace_target(target: Target, **changes: Any) -> Target:
    fields = {name: getattr(target, name) for name in target.__struct_fields__}
    return Target(**{**fields, **changes})


def replace_limits(**changes: float) -> Limits:
    fields = {name: getattr(LIMITS, name) for name in LIMITS.__struct_fields__}
    return Limits(**{**fields, **changes})


def test_three_hops_are_taken_in_order(folder: Path) -> None:
    with (
        misbehaving(folder) as host,
        misbehaving(folder, forward=True) as first,
        misbehaving(folder, forward=True) as second,
    ):
        first.user_key = second.user_key = host.user_key
        files = [str(server.known_hosts) for server in (host, first, second)]
        jumps = [f"{USER}@127.0.0.1:{server.port}" for server in (first, second)]
        assert ask(host.target(jump=jumps, known_hosts=files)).status == 0
    assert first.forwarded == [("127.0.0.1", second.port)]
    assert second.forwarded == [("127.0.0.1", host.port)]


def dies_while_asked(jump: Sshd, host: Sshd) -> None:
    while not host.commands:
        time.sleep(0.02)
    time.sleep(0.3)
    jump.hang_up()


@pytest.mark.case("F36")
def test_a_jump_host_that_dies_on_the_way_leaves_an_incomplete_answer(folder: Path) -> None:
    with misbehaving(folder, play=drip) as host, misbehaving(folder, forward=True) as jump:
        jump.user_key = host.user_key
        files = [str(server.known_hosts) for server in (host, jump)]
        jumps = [f"{USER}@127.0.0.1:{jump.port}"]
        death = threading.Thread(target=dies_while_asked, args=(jump, host))
        death.start()
        error = fails(host.target(jump=jumps, known_hosts=files))
        death.join()
    assert (error.state, error.stage) == ("incomplete", "stream")


# --- trust --------------------------------------------------------------------------------------


@pytest.mark.case("H40")
@pytest.mark.case("F13")
def test_an_unknown_host_key_stops_before_authentication_and_shows_its_fingerprint(
    folder: Path,
) -> None:
    with misbehaving(folder) as host:
        host.known_hosts.write_text("")
        error = fails(host.target())
    assert (error.state, error.stage) == ("host_key_unknown", "host-key")
    assert f"{host.host_key.get_name()} {host.host_key.fingerprint}" in error.cause
    assert "`driftscan trust host`" in error.cure
    assert host.commands == []


@pytest.mark.case("F13", "E05")
def test_another_host_key_is_a_mismatch_that_names_the_line(folder: Path) -> None:
    with misbehaving(folder) as host:
        host.known_hosts.write_text("# one\n" + host.known_line(paramiko.ECDSAKey.generate()))
        error = fails(host.target())
    assert error.state == "host_key_mismatch"
    assert f"{host.known_hosts}:2" in error.cause
    assert host.connections == 1, "never tried again"


@pytest.mark.case("F13")
def test_a_revoked_key_and_a_key_behind_an_authority_are_refused(folder: Path) -> None:
    with misbehaving(folder) as host:
        line = host.known_line(host.host_key)
        host.known_hosts.write_text(f"{line}@revoked {line}")
        assert fails(host.target()).state == "host_key_revoked"
        other = host.known_line(paramiko.ECDSAKey.generate())
        host.known_hosts.write_text(f"@cert-authority {other}")
        error = fails(host.target())
    assert error.state == "host_key_unknown"
    assert "certificate authority" in error.cause


def test_a_host_key_alias_is_looked_up_in_place_of_the_address(folder: Path) -> None:
    with misbehaving(folder) as host:
        key = host.host_key
        host.known_hosts.write_text(f"web-1 {key.get_name()} {key.get_base64()}\n")
        assert ask(host.target(host_key_alias="web-1")).status == 0


def test_the_key_type_that_is_known_is_asked_for_first(folder: Path) -> None:
    with misbehaving(folder) as host:
        # paramiko prefers the other one
        host.more_host_keys = [paramiko.RSAKey.generate(2048)]
        host.known_hosts.write_text(host.known_line(host.more_host_keys[0]))
        assert ask(host.target()).status == 0


# --- authentication ---------------------------------------------------------------------------


@pytest.mark.case("F15", "E05")
def test_a_refused_key_is_named_and_not_tried_again(folder: Path) -> None:
    with misbehaving(folder, auth="refuse") as host:
        error = fails(host.target())
    assert (error.state, error.stage) == ("auth_failed", "login")
    assert host.user_key.fingerprint in error.cause
    assert host.connections == 1


@pytest.mark.case("H08")
@pytest.mark.case("F18")
def test_a_key_that_is_not_enough_fails_and_nobody_is_ever_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with misbehaving(folder, auth="partial") as host:
        error = fails(host.target())
    assert error.state == "auth_failed"
    assert "wants also: keyboard-interactive" in error.cause
    assert host.questions_asked == 0
    assert capsys.readouterr() == ("", "")


def test_a_host_that_takes_passwords_only_is_told_so(folder: Path) -> None:
    with misbehaving(folder, auth="password") as host:
        error = fails(host.target())
    assert error.state == "auth_failed"
    assert "only: password" in error.cause


@pytest.mark.case("F14")
def test_an_authentication_that_is_never_answered_ends_in_its_stage(folder: Path) -> None:
    with misbehaving(folder, auth="stall") as host:
        error = fails(host.target(), replace_limits(login=1))
    assert (error.state, error.stage) == ("timeout", "login")


def test_a_server_that_hangs_up_during_authentication_is_an_authentication_failure(
    folder: Path,
) -> None:
    with misbehaving(folder, auth="hang-up") as host:
        error = fails(host.target())
    assert (error.state, error.stage) == ("auth_failed", "login")


# --- the shell ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manners", "state", "stage"),
    [
        ({"session": "no"}, "no_shell", "session"),
        ({"session": "stall"}, "timeout", "session"),
        ({"exec": "no"}, "no_shell", "exec"),
        ({"exec": "stall"}, "timeout", "exec"),
    ],
)
@pytest.mark.case("F19", "F20")
def test_a_shell_that_cannot_be_had_is_told_with_its_stage(
    folder: Path, manners: dict[str, str], state: str, stage: str
) -> None:
    limits = replace_limits(session=1) if state == "timeout" else LIMITS
    with misbehaving(folder, **manners) as host:
        error = fails(host.target(), limits)
    assert (error.state, error.stage) == (state, stage)


@pytest.mark.parametrize(
    ("output", "errors", "status", "state", "told"),
    [
        (b"This account is currently not available.\n", b"", 1, "no_shell", "not available"),
        (b"", b"", 0, "no_shell", "status 0"),
        (b"", b"sh: not found\x1b[31m\n", 127, "no_shell", r"not found\x1b[31m"),
        (b"backup of 3 files\n", b"", 0, "forced_command", "backup of 3 files"),
    ],
)
@pytest.mark.case("F31", "F32")
def test_an_account_that_does_not_run_the_script_says_what_it_did(
    folder: Path, output: bytes, errors: bytes, status: int, state: str, told: str
) -> None:
    with misbehaving(folder, play=saying(output, errors, status)) as host:
        error = fails(host.target())
    assert error.state == state
    assert told in error.cause


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        (b"warning\nsudo: a password is required\n", 1),
        (b"sudo: sorry, you must have a tty to run sudo\n", 1),
        (b"sh: 1: sudo: not found\n", 127),
        (b"Sorry, user deploy is not allowed to execute '/usr/bin/sh -s' as root on a.\n", 1),
        (b"[sudo] lecture\nops is not in the sudoers file.\n", 1),
    ],
)
@pytest.mark.case("F33")
def test_a_refusal_of_sudo_is_told_in_its_own_words(
    folder: Path, errors: bytes, status: int
) -> None:
    with misbehaving(folder, play=saying(b"", errors, status)) as host:
        error = fails(host.target(become=True))
    assert error.state == "become_failed"
    assert errors.decode().splitlines()[-1] in error.cause
    assert "NOPASSWD" in error.cure


def test_a_script_that_began_and_failed_is_a_failed_collector(folder: Path) -> None:
    with misbehaving(folder, play=answering(errors=b"Killed\n", status=137)) as host:
        error = fails(host.target())
    assert error.state == "collector_failed"
    assert "137" in error.cause
    assert "Killed" in error.cause


# --- the stream ---------------------------------------------------------------------------------


def cut(channel: paramiko.Channel, text: str, _over: threading.Event) -> None:
    channel.sendall(framed(text)[:40])
    time.sleep(0.1)
    channel.get_transport().sock.shutdown(socket.SHUT_RDWR)


def drip(channel: paramiko.Channel, _text: str, over: threading.Event) -> None:
    while not over.wait(0.1):
        channel.sendall(b"x")


def silence(_channel: paramiko.Channel, _text: str, over: threading.Event) -> None:
    over.wait()


def end_without_status(channel: paramiko.Channel, text: str, _over: threading.Event) -> None:
    channel.sendall(framed(text))
    channel.close()


def eof_without_status(channel: paramiko.Channel, text: str, over: threading.Event) -> None:
    channel.sendall(framed(text))
    channel.shutdown_write()
    over.wait()


@pytest.mark.parametrize("play", [cut, end_without_status, eof_without_status])
@pytest.mark.case("F22", "F23")
def test_an_answer_without_exit_status_is_incomplete(folder: Path, play: Any) -> None:
    with misbehaving(folder, play=play) as host:
        error = fails(host.target())
    assert (error.state, error.stage) == ("incomplete", "stream")


@pytest.mark.case("F21")
def test_a_dripping_answer_ends_at_the_deadline(folder: Path) -> None:
    with misbehaving(folder, play=drip) as host:
        started = time.monotonic()
        error = fails(host.target(), replace_limits(deadline=3))
    assert (error.state, error.stage) == ("timeout", "stream")
    assert time.monotonic() - started >= 3


def test_the_time_that_its_ssh_configuration_takes_is_the_host_s(folder: Path) -> None:
    slow = folder / "slow"
    slow.write_text('Match exec "sleep 1.2"\n User nobody\n')
    with misbehaving(folder) as host:
        credentials = Credentials(agent="", ssh_config=slow)
        error = fails(host.target(), replace_limits(deadline=1), credentials)
        assert host.connections == 0
    assert (error.state, error.stage) == ("timeout", "config")
    assert "1 s" in error.cause


def test_a_silent_command_ends_when_its_first_byte_is_due(folder: Path) -> None:
    with misbehaving(folder, play=silence) as host:
        started = time.monotonic()
        error = fails(host.target(), replace_limits(first_byte=1))
    assert (error.state, error.stage) == ("timeout", "stream")
    assert time.monotonic() - started < LIMITS.deadline / 2


@pytest.mark.case("H01")
def test_an_endless_answer_stops_at_the_limit(folder: Path) -> None:
    def flood(channel: paramiko.Channel, _text: str, over: threading.Event) -> None:
        while not over.is_set():
            channel.sendall(b"y\n" * 50_000)

    with misbehaving(folder, play=flood) as host:
        error = fails(host.target(), replace_limits(output=1 << 20, deadline=20))
    assert error.state == "output_limit"


@pytest.mark.case("H05")
@pytest.mark.case("F26")
def test_a_flood_of_complaints_does_not_block_the_answer_and_is_kept_in_part(folder: Path) -> None:
    with misbehaving(folder, play=answering(errors=b"e" * 5_000_000)) as host:
        answer = ask(host.target())
    assert answer.errors == b"e" * LIMITS.errors
    assert framing.unframe(answer.output, QUESTIONS.nonce, ()) == {}


def test_a_connection_that_breaks_while_an_answer_is_acknowledged_is_no_mistake_of_ours(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = threading.Event()

    class Breaking(socket.socket):
        def send(self, *words: Any) -> int:
            if broken.is_set():
                raise BrokenPipeError
            return super().send(*words)

    dial = tcp.dial
    monkeypatch.setattr(tcp, "dial", lambda *a: Breaking(fileno=dial(*a).detach()))

    def play(channel: paramiko.Channel, _text: str, over: threading.Event) -> None:
        broken.set()
        channel.sendall_stderr(b"e" * 1_000_000)
        over.wait(10)

    with misbehaving(folder, play=play) as host:
        error = fails(host.target())
    assert (error.state, error.stage) == ("incomplete", "stream")


@pytest.mark.case("H02")
def test_a_server_that_ignores_the_window_is_stopped(folder: Path) -> None:
    def ignore_window(channel: paramiko.Channel, _text: str, over: threading.Event) -> None:
        message = paramiko.Message()
        message.add_byte(b"\x5e")  # MSG_CHANNEL_DATA
        message.add_int(channel.remote_chanid)
        message.add_string(b"z" * 30_000)
        while not over.is_set():
            channel.get_transport()._send_message(message)

    with misbehaving(folder, play=ignore_window) as host:
        error = fails(host.target(), replace_limits(output=1 << 20, deadline=20))
    assert error.state == "output_limit"


@pytest.mark.case("H03", "H07")
@pytest.mark.parametrize(
    "packet",
    [
        b"\xc8rubbish",  # no such message
        b"\x5a\x00\x00\x00\x02\xff\xfe" + b"\x00" * 12,  # a channel of a kind that is no UTF-8
        b"\x5e\x00\x00\x00\x63\x00\x00\x00\x01x",  # data for a channel that was never opened
        b"\x5e\x00\x00\x00\x00\xff\xff\xff\xff",  # a string longer than its message
        b"\x14",  # half a key exchange
    ],
)
def test_a_message_against_the_protocol_ends_that_host_alone(folder: Path, packet: bytes) -> None:
    def play(channel: paramiko.Channel, text: str, over: threading.Event) -> None:
        message = paramiko.Message(packet)
        channel.get_transport()._send_message(message)
        over.wait()

    with misbehaving(folder, play=play) as host:
        error = fails(host.target(), replace_limits(deadline=3))
    assert error.state in ("incomplete", "timeout")


@pytest.mark.case("F27")
def test_a_background_child_that_holds_the_stream_is_not_awaited(folder: Path) -> None:
    def hold(channel: paramiko.Channel, text: str, over: threading.Event) -> None:
        channel.sendall(framed(text))
        channel.send_exit_status(0)
        over.wait()

    with misbehaving(folder, play=hold) as host:
        started = time.monotonic()
        answer = ask(host.target())
    assert answer.status == 0
    assert 2.0 <= time.monotonic() - started < LIMITS.idle


def test_an_exit_status_that_overtakes_the_output_does_not_cut_it(folder: Path) -> None:
    def late(channel: paramiko.Channel, text: str, _over: threading.Event) -> None:
        channel.send_exit_status(0)
        time.sleep(2.5)  # more than what is waited for once the answer is whole
        channel.sendall(framed(text))
        channel.close()

    with misbehaving(folder, play=late) as host:
        assert framing.unframe(ask(host.target()).output, QUESTIONS.nonce, ()) == {}


@pytest.mark.case("F29")
def test_a_peer_that_stops_reading_does_not_hold_us(folder: Path) -> None:
    endless = Questions((), QUESTIONS.script + "#" * (8 << 20), QUESTIONS.nonce)
    with misbehaving(folder, reads=False, play=silence) as host:
        started = time.monotonic()
        with pytest.raises(MachineError) as caught:
            Ssh(host.target(), Credentials(agent="")).ask(endless, replace_limits(deadline=3))
    assert (caught.value.state, caught.value.stage) == ("timeout", "stream")
    assert time.monotonic() - started < 3 + SLACK


# --- no SSH at all ------------------------------------------------------------------------------


def way(folder: Path, **changes: Any) -> Target:
    """A target that has a key to show."""
    key = folder / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    return Target(**{"name": "host", "road": "ssh", "user": USER, "key": str(key), **changes})


def raw_target(server: Raw, folder: Path) -> Target:
    return way(folder, address="127.0.0.1", port=server.port)


def quiet(_sock: socket.socket, over: threading.Event) -> None:
    over.wait()


def drip_banner(sock: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.05):
        sock.sendall(b"x")


def slow_lines(sock: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.05):
        sock.sendall(b"welcome\r\n")


def endless_banner(sock: socket.socket, over: threading.Event) -> None:
    while not over.is_set():
        sock.sendall(b"x" * 8192)


def http(sock: socket.socket, _over: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 400 Bad Request\x1b[2J\r\n\r\n")


def hang_up(_sock: socket.socket, _over: threading.Event) -> None:
    return


def reset(sock: socket.socket, _over: threading.Event) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def old_protocol(sock: socket.socket, over: threading.Event) -> None:
    sock.sendall(b"SSH-1.5-OldBox\r\n")
    over.wait()


def banner_then_quiet(sock: socket.socket, over: threading.Event) -> None:
    sock.sendall(b"SSH-2.0-Stuck\r\n")
    over.wait()


def banner_then_gone(sock: socket.socket, _over: threading.Event) -> None:
    sock.sendall(b"SSH-2.0-Gone\r\n")
    sock.recv(64)


def huge_packet(sock: socket.socket, over: threading.Event) -> None:
    sock.sendall(b"SSH-2.0-Huge\r\n" + struct.pack(">IB", 0xFFFFFFF0, 4))
    while not over.is_set():
        sock.sendall(b"\0" * 65536)


@pytest.mark.case("H04")
@pytest.mark.parametrize(
    ("talk", "state", "stage"),
    [
        pytest.param(quiet, "timeout", "banner", marks=pytest.mark.case("F06")),
        pytest.param(drip_banner, "timeout", "banner", marks=pytest.mark.case("F07")),
        pytest.param(slow_lines, "timeout", "banner", marks=pytest.mark.case("F08")),
        pytest.param(endless_banner, "not_ssh", "banner", marks=pytest.mark.case("H04")),
        pytest.param(http, "not_ssh", "banner", marks=pytest.mark.case("F09")),
        pytest.param(hang_up, "unreachable", "banner", marks=pytest.mark.case("F09")),
        pytest.param(reset, "unreachable", "banner", marks=pytest.mark.case("F09")),
        pytest.param(old_protocol, "kex_incompatible", "kex", marks=pytest.mark.case("F09")),
        pytest.param(banner_then_quiet, "timeout", "kex", marks=pytest.mark.case("F11")),
        pytest.param(banner_then_gone, "unreachable", "kex", marks=pytest.mark.case("F11")),
        pytest.param(huge_packet, "not_ssh", "kex", marks=pytest.mark.case("H03")),
    ],
)
def test_what_is_no_ssh_server_is_told_as_what_it_is(
    folder: Path, talk: Any, state: str, stage: str
) -> None:
    limits = replace_limits(handshake=1) if state == "timeout" else LIMITS
    with Raw(talk) as server:
        error = fails(raw_target(server, folder), limits)
    # a reset may overtake the end of our own connect
    stages = {stage, "tcp"} if talk is reset else {stage}
    assert error.state == state
    assert error.stage in stages


@pytest.mark.case("F10", "E05")
def test_a_server_too_busy_to_greet_is_tried_again(folder: Path) -> None:
    with misbehaving(folder) as host:
        serve, refusals = host.serve, iter([True, True])

        def busy(sock: socket.socket) -> None:
            if next(refusals, False):
                sock.close()
            else:
                serve(sock)

        host.serve = busy  # type: ignore[method-assign]
        assert ask(host.target()).status == 0
    assert host.connections == 3


@pytest.mark.case("F09", "E05")
def test_after_three_attempts_a_server_too_busy_is_given_up(folder: Path) -> None:
    for talk in (hang_up, reset):
        with Raw(talk) as server:
            error = fails(raw_target(server, folder))
            assert server.connections == 3
    assert "attempts: 3" in error.cause


# as the crypto policy of a distribution has them for every host (Fedora's DEFAULT, shortened)
POLICY = """Ciphers aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr
MACs hmac-sha2-256-etm@openssh.com,umac-128-etm@openssh.com
KexAlgorithms curve25519-sha256,ecdh-sha2-nistp256
HostKeyAlgorithms ecdsa-sha2-nistp256,ssh-ed25519,rsa-sha2-512
PubkeyAcceptedAlgorithms ecdsa-sha2-nistp256,ssh-ed25519,rsa-sha2-512
RequiredRSASize 2048
"""


def configured(folder: Path, text: str) -> Credentials:
    (folder / "ssh_config").write_text(text)
    return Credentials(agent="", ssh_config=folder / "ssh_config")


@pytest.mark.parametrize(
    "config",
    [
        POLICY,
        "KexAlgorithms curve25519-sha256\n",  # the other name of what paramiko has
        "MACs umac-128-etm@openssh.com\n",  # of no use to ciphers that need none
        "HostKeyAlgorithms ecdsa-sha2-nistp256,ssh-ed25519\n",
    ],
)
@pytest.mark.case("F38")
def test_a_policy_of_algorithms_leaves_what_both_have(folder: Path, config: str) -> None:
    with misbehaving(folder) as host:
        assert ask(host.target(), credentials=configured(folder, config)).status == 0


@pytest.mark.parametrize(
    ("config", "state", "stage", "told"),
    [
        ("Ciphers aes256-cbc", "unreachable", "config", "allows no ciphers that this road has"),
        ("Ciphers aes256-ctr", "kex_incompatible", "kex", "we have aes256-ctr"),
        ("MACs umac-128-etm@openssh.com\n Ciphers aes256-ctr", "unreachable", "config", "ciphers"),
        ("KexAlgorithms diffie-hellman-group14-sha256", "kex_incompatible", "kex", "group14"),
        ("HostKeyAlgorithms ssh-ed25519", "kex_incompatible", "kex", "we have ssh-ed25519"),
        (
            "PubkeyAcceptedAlgorithms ssh-ed25519",
            "key_unusable",
            "keys",
            "PubkeyAcceptedAlgorithms",
        ),
    ],
)
@pytest.mark.case("F12", "F38")
def test_what_ssh_s_configuration_forbids_is_not_offered(
    folder: Path, config: str, state: str, stage: str, told: str
) -> None:
    without = {"ciphers": ["aes256-ctr"], "kex": ["diffie-hellman-group14-sha256"]}
    with misbehaving(folder, without=without) as host:
        error = fails(host.target(), credentials=configured(folder, f"Host *\n {config}\n"))
        assert host.commands == []
        assert stage == "kex" or host.connections == 0  # told before anything connects
    assert (error.state, error.stage) == (state, stage), error.cause
    assert told in error.cause


@pytest.mark.case("F38")
def test_an_rsa_key_that_ssh_would_call_too_small_is_refused(folder: Path) -> None:
    small = paramiko.RSAKey.generate(2048)
    with misbehaving(folder) as host:
        small.write_private_key_file(str(folder / "small"))
        config = configured(folder, "RequiredRSASize 3072\n")
        error = fails(host.target(key=str(folder / "small")), credentials=config)
        assert (error.state, error.stage) == ("key_unusable", "keys")
        assert "RSA of 2048 bits, and ssh's configuration requires 3072" in error.cause

        host.host_key = small
        host.known_hosts.write_text(host.known_line(small))
        error = fails(host.target(), credentials=config)
        assert (error.state, error.stage) == ("kex_incompatible", "host-key")
        assert "its key is RSA of 2048 bits" in error.cause
        assert ask(host.target(), credentials=configured(folder, "")).status == 0


@pytest.mark.case("F12")
def test_no_common_algorithm_is_told_with_both_lists(folder: Path) -> None:
    modern = [name for name in paramiko.Transport._preferred_ciphers if "cbc" not in name]
    with misbehaving(folder, without={"ciphers": modern}) as host:
        error = fails(host.target())
    assert (error.state, error.stage) == ("kex_incompatible", "kex")
    assert "aes128-cbc" in error.cause
    ours = error.cause.partition("we have")[2]
    assert "aes256-ctr" in ours
    assert "cbc" not in ours


# --- the network --------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.case("F01")
def test_a_refused_port_is_told_at_once(folder: Path) -> None:
    target = way(folder, address="127.0.0.1", port=free_port())
    started = time.monotonic()
    error = fails(target)
    assert (error.state, error.stage) == ("unreachable", "tcp")
    assert "connection refused" in error.cause
    assert time.monotonic() - started < LIMITS.connect


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port whose queue is full: no answer at all, as behind a firewall that drops."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fill = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            fill.append(sock)
        yield int(port)
        for sock in fill:
            sock.close()


@pytest.mark.case("F02")
def test_a_black_hole_ends_at_the_limit_of_one_address(folder: Path, black_hole: int) -> None:
    target = way(folder, address="127.0.0.1", port=black_hole)
    error = fails(target, replace_limits(connect=1))
    assert (error.state, error.stage) == ("unreachable", "tcp")
    assert "no answer within 1 s" in error.cause


@pytest.mark.case("F03")
def test_a_dead_first_address_does_not_hide_a_good_second(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def two(host: str, port: int, *rest: Any, **more: Any) -> Any:
        if host == "two-addresses":
            if socket.AI_NUMERICHOST in rest:
                raise socket.gaierror(socket.EAI_NONAME, "a name")
            return real("127.0.0.9", port, *rest) + real("127.0.0.1", port, *rest)
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with misbehaving(folder) as host:
        target = host.target(address="two-addresses", host_key_alias="alias")
        key = host.host_key
        host.known_hosts.write_text(f"alias {key.get_name()} {key.get_base64()}\n")
        assert ask(target).status == 0


@pytest.mark.case("F05")
def test_a_name_that_does_not_exist_is_told(folder: Path) -> None:
    error = fails(way(folder, name="no-such-host.invalid"))
    assert (error.state, error.stage) == ("unreachable", "dns")


@pytest.mark.case("F05")
def test_a_resolver_that_never_answers_is_left_at_its_deadline(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = threading.Event()

    def stuck(host: str, port: int, *rest: Any) -> Any:
        if socket.AI_NUMERICHOST in rest:
            raise socket.gaierror(socket.EAI_NONAME, "a name")
        gate.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "late")

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    try:
        error = fails(way(folder, name="stuck"), replace_limits(dns=1))
    finally:
        gate.set()
    assert (error.state, error.stage) == ("timeout", "dns")


@pytest.mark.case("H24")
@pytest.mark.parametrize(
    "name", ["-oProxyCommand=x", "a;id", "$(id)", "a b", "a\nb", "", ".", "x" * 300, "a%b", "ü"]
)
def test_a_name_that_could_mean_something_else_is_refused_before_any_use(name: str) -> None:
    error = fails(Target(name="h", road="ssh", address=name or "/", user=USER, key="/k"))
    assert (error.state, error.stage) == ("unreachable", "config")
    error = fails(Target(name="h", road="ssh", address="127.0.0.1", user=name or "/", key="/k"))
    assert (error.state, error.stage) == ("unreachable", "config")


# --- the way out --------------------------------------------------------------------------------


def test_closing_all_ends_every_trip_at_once_and_refuses_new_ones(folder: Path) -> None:
    credentials = Credentials(agent="")
    errors: list[MachineError] = []

    def one(target: Target) -> None:
        with pytest.raises(MachineError) as caught:
            ask(target, replace_limits(deadline=60, first_byte=60, idle=60), credentials)
        errors.append(caught.value)

    with misbehaving(folder, exec="stall") as host, Raw(quiet) as mute:
        targets = [host.target()] * 5 + [raw_target(mute, folder)] * 5
        workers = [threading.Thread(target=one, args=(target,)) for target in targets]
        for worker in workers:
            worker.start()
        while len(host.commands) < 5:
            time.sleep(0.02)
        started = time.monotonic()
        credentials.close_all()
        for worker in workers:
            worker.join()
        assert time.monotonic() - started < LIMITS.session
        one(host.target())
    assert {error.state for error in errors} == {"interrupted"}
    assert len(errors) == 11


def test_a_mistake_of_our_own_is_told_as_ours(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> str:
        raise AttributeError("no such thing\x1b[0m")

    monkeypatch.setattr("driftscan.machines.answers.command", broken)
    with misbehaving(folder) as host, pytest.raises(MachineError) as caught:
        ask(host.target())
    assert caught.value.state == "internal_error"
    assert caught.value.cause.startswith(r"AttributeError: no such thing\x1b[0m (at test_ssh.py:")


@pytest.mark.case("H09", "H39")
def test_nothing_of_paramiko_is_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with misbehaving(folder, auth="refuse") as host:
        fails(host.target())
    assert caplog.records == []
