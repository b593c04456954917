"""The road through the ssh program, to real OpenSSH servers: what only it can do, and faults."""

import secrets
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from driftscan import framing, script
from driftscan.errors import MachineError
from driftscan.machines.openssh import OpenSsh as Road
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Limits, Questions, Target
from driftscan.probes.table import PROBES
from tests.openssh import USER, OpenSsh, binary, keygen, sshd
from tests.sshd import USER as SSH_USER
from tests.sshd import Crowd, Manners, Raw, Sshd, saying

pytestmark = pytest.mark.sshd

LIMITS = Limits(deadline=30, connect=5, handshake=10)
SLACK = 10.0
NOTHING = script.questions((), deadline=20)


def ask(
    target: Target,
    config: str = "",
    *,
    folder: Path,
    limits: Limits = LIMITS,
    questions: Questions = NOTHING,
) -> bytes:
    """The answer's bytes; with these lines in place of the user's ssh configuration."""
    path = folder / "ssh_config"
    path.write_text(config)
    return Road(target, config=path).ask(questions, limits).output


def fails(
    target: Target, config: str = "", *, folder: Path, limits: Limits = LIMITS
) -> MachineError:
    with pytest.raises(MachineError) as caught:
        ask(target, config, folder=folder, limits=limits)
    assert (caught.value.cause + caught.value.cure).isprintable()
    return caught.value


def answered(output: bytes) -> bool:
    return framing.unframe(output, NOTHING.nonce, ()) == {}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSsh]:
    with sshd(tmp_path / "server", "MaxSessions 1", "PermitTTY no") as running:
        yield running


def test_every_probe_is_answered_in_one_session(server: OpenSsh, tmp_path: Path) -> None:
    questions = script.questions(PROBES, deadline=60)
    output = ask(server.target(), folder=tmp_path, questions=questions)
    assert set(framing.unframe(output, questions.nonce, PROBES)) == {p.NAME for p in PROBES}
    assert server.log.count("Accepted publickey") == 1


def test_a_host_certificate_is_trusted_here_and_sent_here_by_the_other_road(tmp_path: Path) -> None:
    authority, key = keygen(tmp_path / "ca"), keygen(tmp_path / "host")
    command = [binary("ssh-keygen"), "-q", "-s", str(authority), "-I", "host", "-h"]
    subprocess.run([*command, "-n", "127.0.0.1", f"{key}.pub"], check=True)
    settings = (f"HostKey {key}", f"HostCertificate {key}-cert.pub")
    with sshd(tmp_path / "server", *settings) as server:
        blob = " ".join(authority.with_suffix(".pub").read_text().split()[:2])
        line = f"@cert-authority * {blob}\n"
        server.known_hosts.write_text(line)
        assert answered(ask(server.target(), folder=tmp_path))
        assert server.known_hosts.read_text() == line
        with pytest.raises(MachineError) as caught:
            Ssh(server.target(), Credentials(agent="")).ask(NOTHING, LIMITS)
    assert caught.value.state == "host_key_unknown"
    assert "road: openssh" in caught.value.cure


def test_known_hosts_is_never_written_and_no_master_stays(server: OpenSsh, tmp_path: Path) -> None:
    before = server.known_hosts.read_bytes()
    config = (
        f"ControlMaster auto\nControlPath {tmp_path}/master\nControlPersist 60\n"
        "UpdateHostKeys yes\nStrictHostKeyChecking accept-new\n"
    )
    assert answered(ask(server.target(), config, folder=tmp_path))
    assert server.known_hosts.read_bytes() == before
    assert not (tmp_path / "master").exists()


def test_a_key_that_is_unknown_changed_or_revoked_is_refused(
    server: OpenSsh, tmp_path: Path
) -> None:
    host, kind, blob = server.known_hosts.read_text().split()
    other = (server.folder / "user_key.pub").read_text().split()[1]
    for line, state in (
        ("", "host_key_unknown"),
        (f"{host} {kind} {other}", "host_key_mismatch"),
        (f"@revoked * {kind} {blob}", "host_key_revoked"),
    ):
        server.known_hosts.write_text(line + "\n")
        error = fails(server.target(), "StrictHostKeyChecking no\n", folder=tmp_path)
        assert (error.state, error.stage) == (state, "host-key"), error.cause
        assert server.known_hosts.read_text() == line + "\n"


LIES = [
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
    "Host key verification failed.",
    "@       WARNING: REVOKED HOST KEY DETECTED!               @",
    'Load key "/x": bad permissions',
]


@pytest.mark.case("F13", "H09", "H11")
def test_what_a_host_says_is_never_taken_for_what_ssh_says(tmp_path: Path) -> None:
    lies = "\r\n".join(LIES) + "\r\n"
    for manners, told in (
        (Manners(auth="refuse", banner=lies), ("auth_failed", "login")),
        (Manners(farewell="bye\n" + lies), ("unreachable", "tcp")),
        (Manners(banner=lies, play=saying(b"", lies.encode(), 255)), ("no_shell", "exec")),
        (Manners(banner=lies, play=saying(b"", lies.encode(), 1)), ("no_shell", "exec")),
    ):
        with Sshd(tmp_path, manners) as host:
            error = fails(host.target(), folder=tmp_path)
        assert (error.state, error.stage) == told, error.cause
    with Sshd(tmp_path, Manners(banner=lies)) as host:
        assert answered(ask(host.target(), folder=tmp_path))


def test_a_login_that_is_refused_is_told(server: OpenSsh, tmp_path: Path) -> None:
    server.authorized_keys.write_text("")
    error = fails(server.target(), folder=tmp_path)
    assert (error.state, error.stage) == ("auth_failed", "login")


@pytest.mark.parametrize(
    ("address", "told"),
    [("no-such-host.invalid", "dns"), ("127.0.0.1", "tcp")],
)
def test_a_host_that_is_not_there_is_told(tmp_path: Path, address: str, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = fails(Target(name="h", road="openssh", address=address, port=port), folder=tmp_path)
    assert (error.state, error.stage) == ("unreachable", told)


@pytest.mark.parametrize("name", ["-oProxyCommand=id", "a;id", "a b", "$(id)"])
def test_a_name_that_could_be_an_option_or_a_command_never_reaches_ssh(
    tmp_path: Path, name: str
) -> None:
    for target in (
        Target(name="h", road="openssh", address=name),
        Target(name="h", road="openssh", address="h", jump=[name]),
        Target(name="h", road="openssh", address="h", user=name),
    ):
        assert fails(target, folder=tmp_path).stage == "config"


def test_paths_with_blanks_and_percents_are_handed_on_whole(tmp_path: Path) -> None:
    odd = tmp_path / "a 100%h 'b"
    odd.mkdir()
    key, known = keygen(odd / "key"), odd / "known"
    with sshd(tmp_path / "jump", key=key) as jump, sshd(tmp_path / "host", key=key) as host:
        known.write_text(jump.known_hosts.read_text() + host.known_hosts.read_text())
        target = host.target(
            jump=[f"{USER}@127.0.0.1:{jump.port}"],
            known_hosts=[str(known).replace("%", "%%")],  # as in ssh_config(5)
            key=str(key).replace("%", "%%"),
        )
        assert answered(ask(target, folder=tmp_path))
        assert "Accepted publickey" in jump.log


def test_jump_hosts_of_the_inventory_and_of_ssh_itself_are_as_strict(tmp_path: Path) -> None:
    with (
        sshd(tmp_path / "one") as one,
        sshd(tmp_path / "two", key=one.key) as two,
        sshd(tmp_path / "host", key=one.key) as host,
    ):
        known = tmp_path / "known"
        every = [server.known_hosts.read_text() for server in (one, two, host)]
        known.write_text("".join(every))
        jumps = [f"{USER}@127.0.0.1:{server.port}" for server in (one, two)]
        target = host.target(jump=jumps, known_hosts=[str(known)])
        assert answered(ask(target, folder=tmp_path))
        config = f"Host web\n HostName 127.0.0.1\n ProxyJump {jumps[0]}\n"
        web = host.target(known_hosts=[str(known)], address="web")
        assert answered(ask(web, config, folder=tmp_path))
        assert one.log.count("Accepted publickey") == 2
        known.write_text("".join(every[1:]))
        loose = "StrictHostKeyChecking accept-new\n"
        assert fails(target, loose, folder=tmp_path).state == "host_key_unknown"
        assert known.read_text() == "".join(every[1:])


# --- ProxyCommand ------------------------------------------------------------------------------


def test_a_proxy_command_is_the_way(server: OpenSsh, tmp_path: Path) -> None:
    join = tmp_path / "join"
    join.write_text(JOIN.format(port=server.port))
    config = f"ProxyCommand {sys.executable} {join}\n"
    assert answered(
        ask(server.target(port=0, host_key_alias=alias(server)), config, folder=tmp_path)
    )


def alias(server: OpenSsh) -> str:
    """The server's key under a name without a port."""
    _, kind, blob = server.known_hosts.read_text().split()
    server.known_hosts.write_text(f"web {kind} {blob}\n")
    return "web"


JOIN = """
import os, select, socket, sys
sock = socket.create_connection(("127.0.0.1", {port}))
while True:
    for end in select.select([0, sock], [], [])[0]:
        data = os.read(end if end == 0 else end.fileno(), 65536)
        if not data:
            sys.exit()
        sock.sendall(data) if end == 0 else os.write(1, data)
"""


@pytest.mark.case("F37")
@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("exit 3", "unreachable"),
        ("/no/such/program", "unreachable"),
        ("echo refused by policy >&2; exit 1", "unreachable"),
        ("while :; do yes no >&2; done", "output_limit"),
        ("sleep {token}", "timeout"),
        ("trap '' HUP TERM; sleep {token} & wait", "timeout"),
        ("echo SSH-2.0-x; sleep 1; exit 1", "unreachable"),
        ("(trap '' HUP; sleep {token}) & exit 1", "timeout"),
        ("(trap '' HUP; exec >/dev/null </dev/null; sleep {token}) & exit 1", "unreachable"),
    ],
)
def test_a_proxy_command_that_fails_ends_within_the_bound(
    tmp_path: Path, command: str, state: str
) -> None:
    limits = Limits(deadline=4, connect=1, handshake=2, output=1 << 20)
    target = Target(name="h", road="openssh", address="h")
    began, burnt = time.monotonic(), time.process_time()
    token = f"60.{secrets.randbelow(10**9):09}"
    config = f"ProxyCommand sh -c {shlex.quote(command.format(token=token))}\n"
    error = fails(target, config, folder=tmp_path, limits=limits)
    assert error.state == state, error.cause
    assert time.monotonic() - began < limits.deadline + SLACK  # a bound, no measure: it would be 60
    assert time.process_time() - burnt < 2  # CPU of ours alone: nothing spins while it waits
    ends = time.monotonic() + 5  # what was killed may still have to be taken off the processor
    while running(token) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not running(token)


def running(word: str) -> list[str]:
    """The processes of this machine with a word in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [path.parent.name] if word.encode() in path.read_bytes() else []
    return found


def test_what_a_proxy_command_complains_of_is_told(tmp_path: Path) -> None:
    target = Target(name="h", road="openssh", address="h")
    config = "ProxyCommand echo 'token=abc refused by policy' >&2; exit 1\n"
    error = fails(target, config, folder=tmp_path)
    assert error.state == "unreachable"


def test_a_server_that_falls_silent_ends_at_the_deadline(tmp_path: Path) -> None:
    def silent(sock: socket.socket, over: threading.Event) -> None:
        sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        over.wait()

    with Raw(silent) as server:
        target = Target(name="h", road="openssh", address="127.0.0.1", port=server.port)
        error = fails(target, folder=tmp_path, limits=Limits(deadline=1.5))
    assert error.state == "timeout"
    assert "1.5 s" in error.cause


def test_a_command_that_hangs_is_ended_and_so_is_its_host_s(
    server: OpenSsh, tmp_path: Path
) -> None:
    hangs = Questions((), "sleep 60\n", NOTHING.nonce)
    (tmp_path / "ssh_config").write_text("")
    with pytest.raises(MachineError) as caught:
        Road(server.target(), config=tmp_path / "ssh_config").ask(hangs, Limits(deadline=2))
    assert caught.value.state == "timeout"


def test_it_is_stopped_from_another_thread(server: OpenSsh, tmp_path: Path) -> None:
    (tmp_path / "ssh_config").write_text("")
    road = Road(server.target(), config=tmp_path / "ssh_config")
    threading.Timer(0.5, road.close).start()
    with pytest.raises(MachineError) as caught:
        road.ask(Questions((), "sleep 60\n", NOTHING.nonce), LIMITS)
    assert caught.value.state == "interrupted"


def test_without_the_program_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = fails(Target(name="h", road="openssh", address="h"), folder=tmp_path)
    assert (error.stage, error.cause) == ("config", "there is no ssh program here")


def test_a_connection_that_is_cut_is_incomplete(server: OpenSsh, tmp_path: Path) -> None:
    cut = Questions((), f"echo {NOTHING.nonce} BEGIN 1; sleep 1; kill -9 $PPID\n", NOTHING.nonce)
    (tmp_path / "ssh_config").write_text("")
    with pytest.raises(MachineError) as caught:
        Road(server.target(), config=tmp_path / "ssh_config").ask(cut, LIMITS)
    assert caught.value.state in ("incomplete", "collector_failed")


@pytest.mark.case("E08")
def test_no_more_hosts_than_allowed_go_through_one_jump_host_at_once(tmp_path: Path) -> None:
    slow = Crowd(0.3)
    with Sshd(tmp_path, Manners(slow.play)) as host, Sshd(tmp_path, Manners(forward=True)) as jump:
        jump.user_key = host.user_key
        known = tmp_path / "known"
        known.write_text(host.known_hosts.read_text() + jump.known_hosts.read_text())
        way = f"{SSH_USER}@127.0.0.1:{jump.port}"
        target = host.target(jump=[way], known_hosts=[str(known)])
        jumps = Credentials(agent="", per_jump=2).jumps
        (tmp_path / "ssh_config").write_text("")
        roads = [Road(target, config=tmp_path / "ssh_config", jumps=jumps) for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            said = list(pool.map(lambda road: road.ask(NOTHING, LIMITS).output, roads))
    assert all(answered(output) for output in said)
    assert slow.most == 2
