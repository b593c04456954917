"""The SSH road against real OpenSSH servers: trust, keys, shells, jumps and cuts."""

import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from driftscan import framing, script
from driftscan.errors import MachineError
from driftscan.machines import ssh as road
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Answer, Limits, Questions, Raw, Target
from driftscan.probes.table import PROBES
from tests.harm import Proxy
from tests.openssh import USER, OpenSsh, binary, keygen, sshd

pytestmark = pytest.mark.sshd

LIMITS = Limits(deadline=30, connect=5, handshake=10, first_byte=10, idle=10)
NOTHING = script.questions((), deadline=20)


def ask(
    target: Target, questions: Questions = NOTHING, credentials: Credentials | None = None
) -> Answer:
    return Ssh(target, credentials or Credentials(agent="")).ask(questions, LIMITS)


def unframed(answer: Answer) -> dict[str, Raw]:
    return framing.unframe(answer.output, NOTHING.nonce, ())


def fails(target: Target, credentials: Credentials | None = None) -> MachineError:
    with pytest.raises(MachineError) as caught:
        ask(target, credentials=credentials)
    assert (caught.value.cause + caught.value.cure).isprintable()
    return caught.value


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSsh]:
    with sshd(tmp_path / "server", "MaxSessions 1", "PermitTTY no") as running:
        yield running


@pytest.mark.case("F19", "F32")
def test_every_probe_is_answered_by_a_real_host_in_one_session(server: OpenSsh) -> None:
    questions = script.questions(PROBES, deadline=60)
    answer = ask(server.target(), questions)
    raw = framing.unframe(answer.output, questions.nonce, PROBES)
    assert set(raw) == {probe.NAME for probe in PROBES}
    assert (answer.status, answer.errors) == (0, b"")
    assert server.log.count("Accepted publickey") == 1


def test_fifty_servers_at_once_are_asked_by_one_process(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key")
    answers: list[Answer] = []
    credentials = Credentials(agent="")
    # two cores may need a while for fifty key exchanges: here only the ends matter
    # (the script itself is nice, and a busy machine lets it wait)
    limits = Limits(deadline=300, connect=99, handshake=250, first_byte=250, idle=250)
    questions = script.questions((), deadline=300)

    def one(target: Target) -> None:
        answers.append(Ssh(target, credentials).ask(questions, limits))

    with ExitStack() as stack:
        servers = [
            stack.enter_context(sshd(tmp_path / str(number), key=key)) for number in range(50)
        ]
        workers = [threading.Thread(target=one, args=(server.target(),)) for server in servers]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    found = [framing.unframe(answer.output, questions.nonce, ()) for answer in answers]
    assert found == [{}] * 50


# --- shells -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shell", ["bash", "bash -r", "dash", "zsh", "busybox sh", "tcsh", "fish", "ksh"]
)
@pytest.mark.case("F31")
def test_the_script_runs_whatever_the_login_shell_is(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell} is not installed here")
    # what sshd does with a login shell: SHELL -c COMMAND
    force = f'ForceCommand {shell} -c "$SSH_ORIGINAL_COMMAND"'
    with sshd(tmp_path / "server", force) as server:
        assert unframed(ask(server.target())) == {}


@pytest.mark.parametrize(
    "before",
    [
        "echo Welcome to this host; ",
        "printf 'no end of line'; ",
        "head -c 5000000 /dev/zero >&2; ",
        "sleep 7 & ",
    ],
)
@pytest.mark.case("F26", "F27", "F30")
def test_what_start_files_do_before_does_not_harm_the_answer(tmp_path: Path, before: str) -> None:
    with sshd(tmp_path / "server", f"ForceCommand {before}exec sh -s") as server:
        answer = ask(server.target())
    assert len(answer.errors) in (0, LIMITS.errors)
    assert f"{NOTHING.nonce} END\n".encode() in answer.output


@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("/usr/sbin/nologin", "no_shell"),
        ("false", "no_shell"),
        ("exit 0", "no_shell"),
        ("/no/such/shell -c x", "no_shell"),
        ("echo backup done", "forced_command"),
        ("kill -KILL $$", "incomplete"),
    ],
)
@pytest.mark.case("F30", "F31", "F32")
def test_an_account_without_a_usable_shell_is_told(
    tmp_path: Path, command: str, state: str
) -> None:
    with sshd(tmp_path / "server", f"ForceCommand {command}") as server:
        assert fails(server.target()).state == state


@pytest.mark.case("F33")
def test_a_host_without_sudo_refuses_to_become_root(tmp_path: Path) -> None:
    # the same host with a PATH that holds no sudo, wherever the test runs
    force = 'ForceCommand PATH=/nonexistent; eval "$SSH_ORIGINAL_COMMAND"'
    with sshd(tmp_path / "server", force) as server:
        error = fails(server.target(become=True))
    assert error.state == "become_failed"
    assert "sudo" in error.cause
    assert "NOPASSWD" in error.cure


@pytest.mark.case("F35")
def test_an_answer_of_many_megabytes_survives_new_keys_on_the_way(tmp_path: Path) -> None:
    body = "head -c 5000000 /dev/zero | tr '\\0' x; echo"
    plain = script.questions((), deadline=20)
    big = Questions((), plain.script.replace("say END", f"{body}\nsay END"), plain.nonce)
    with sshd(tmp_path / "server", "RekeyLimit 256K") as server:
        answer = ask(server.target(), big)
    assert b"x" * 5_000_000 + b"\n" in answer.output


# --- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"), [("ed25519", ()), ("ecdsa", ()), ("rsa", ("-b", "3072"))]
)
def test_a_key_of_every_kind_lets_us_in(
    tmp_path: Path, kind: str, options: tuple[str, ...]
) -> None:
    key = keygen(tmp_path / "key", kind, *options)
    with sshd(tmp_path / "server", key=key) as server:
        assert unframed(ask(server.target())) == {}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """A real ssh-agent with seven keys, of which `right` is the sixth."""
    path = tmp_path / "agent"
    process = subprocess.Popen([binary("ssh-agent"), "-D", "-a", str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    names = ["a", "b", "c", "d", "e", "right", "f"]
    files = [str(keygen(tmp_path / name)) for name in names]
    environment = {"SSH_AUTH_SOCK": str(path), "PATH": os.environ["PATH"]}
    subprocess.run([binary("ssh-add"), "-q", *files], check=True, env=environment)
    yield str(path)
    process.terminate()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("kept", ["private", "public"])
@pytest.mark.case("F15")
def test_the_configured_key_is_picked_from_a_full_agent(
    tmp_path: Path, agent: str, kept: str
) -> None:
    right = tmp_path / "right"
    with sshd(tmp_path / "server", "MaxAuthTries 2", "LogLevel VERBOSE", key=right) as server:
        if kept == "public":
            right.unlink()  # the private key is in the agent alone
            target = server.target(key=f"{right}.pub")
        else:
            target = server.target()
        assert unframed(ask(target, credentials=Credentials(agent=agent))) == {}
        assert server.log.count("Failed publickey") == 0


def test_an_rsa_key_of_an_agent_signs_with_sha2(tmp_path: Path, agent: str) -> None:
    key = keygen(tmp_path / "rsa", "rsa", "-b", "2048")
    environment = {"SSH_AUTH_SOCK": agent, "PATH": os.environ["PATH"]}
    subprocess.run([binary("ssh-add"), "-q", str(key)], check=True, env=environment)
    with sshd(tmp_path / "server", key=key) as server:
        target = server.target(key=f"{key}.pub")
        assert unframed(ask(target, credentials=Credentials(agent=agent))) == {}


@pytest.mark.case("F15")
def test_a_full_agent_without_a_chosen_key_is_not_shown_whole(tmp_path: Path, agent: str) -> None:
    (tmp_path / "config").write_text("IdentitiesOnly no\n")
    credentials = Credentials(agent=agent, ssh_config=tmp_path / "config")
    with sshd(tmp_path / "server", "LogLevel VERBOSE", key=tmp_path / "right") as server:
        error = fails(server.target(key=""), credentials)
        assert server.log.count("Failed publickey") == 5
    assert error.state == "auth_failed"
    assert error.cause.count("SHA256:") == 5


@pytest.mark.case("F18")
def test_a_second_factor_is_a_failure_and_never_a_question(tmp_path: Path) -> None:
    methods = "AuthenticationMethods publickey,password"
    with sshd(tmp_path / "server", "PasswordAuthentication yes", methods) as server:
        error = fails(server.target())
    assert error.state == "auth_failed"
    assert "wants also: password" in error.cause


def test_a_certificate_beside_the_key_lets_us_in(tmp_path: Path) -> None:
    authority, key = keygen(tmp_path / "ca"), keygen(tmp_path / "key")
    command = [binary("ssh-keygen"), "-q", "-s", str(authority), "-I", "me", "-n", USER]
    subprocess.run([*command, f"{key}.pub"], check=True)
    with sshd(tmp_path / "server", f"TrustedUserCAKeys {authority}.pub", key=key) as server:
        server.authorized_keys.write_text("")
        assert unframed(ask(server.target())) == {}


# --- trust --------------------------------------------------------------------------------------


@pytest.mark.case("F13")
def test_a_server_of_several_keys_is_asked_for_the_known_one(tmp_path: Path) -> None:
    for kind in ("ecdsa", "rsa"):
        other = keygen(tmp_path / kind, kind)
        with sshd(tmp_path / f"server-{kind}", f"HostKey {other}") as server:
            name, blob = other.with_suffix(".pub").read_text().split()[:2]
            server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {name} {blob}\n")
            assert unframed(ask(server.target())) == {}


@pytest.mark.case("F13")
def test_a_host_certificate_is_sent_to_the_other_road(tmp_path: Path) -> None:
    authority = keygen(tmp_path / "ca")
    with sshd(tmp_path / "server") as server:
        blob = " ".join(authority.with_suffix(".pub").read_text().split()[:2])
        server.known_hosts.write_text(f"@cert-authority * {blob}\n")
        error = fails(server.target())
    assert error.state == "host_key_unknown"
    assert "OpenSSH" in error.cure


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "sntrup761x25519-sha512@openssh.com"),
        ("Ciphers chacha20-poly1305@openssh.com", "chacha20-poly1305@openssh.com"),
        ("Ciphers aes256-ctr\nMACs umac-128@openssh.com", "umac-128@openssh.com"),
    ],
)
@pytest.mark.case("F12")
def test_a_server_without_common_algorithms_is_told_with_both_lists(
    tmp_path: Path, setting: str, told: str
) -> None:
    with sshd(tmp_path / "server", setting) as server:
        error = fails(server.target())
    assert (error.state, error.stage) == ("kex_incompatible", "kex")
    assert f"it offers {told}" in error.cause
    assert "; we have " in error.cause


# --- the way ------------------------------------------------------------------------------------


@pytest.mark.case("F36")
def test_a_jump_host_is_passed_with_its_own_trust_and_login(tmp_path: Path) -> None:
    with sshd(tmp_path / "jump") as jump, sshd(tmp_path / "host", key=jump.key) as host:
        known = [str(jump.known_hosts), str(host.known_hosts)]
        target = host.target(jump=[f"{USER}@127.0.0.1:{jump.port}"], known_hosts=known)
        assert unframed(ask(target)) == {}
        assert "Accepted publickey" in jump.log
        error = fails(host.target(jump=target.jump))
    assert error.state == "host_key_unknown"
    assert error.cause.startswith("jump host 127.0.0.1: ")


def test_a_jump_host_from_the_ssh_configuration_is_passed(tmp_path: Path) -> None:
    with sshd(tmp_path / "jump") as jump, sshd(tmp_path / "host", key=jump.key) as host:
        config = tmp_path / "config"
        known = tmp_path / "known"
        known.write_text(jump.known_hosts.read_text() + host.known_hosts.read_text())
        config.write_text(
            f"Host web\n HostName 127.0.0.1\n Port {host.port}\n ProxyJump bastion\n"
            f"Host bastion\n HostName 127.0.0.1\n Port {jump.port}\n"
            f"Host *\n IdentityFile {jump.key}\n User {USER}\n UserKnownHostsFile {known}\n"
        )
        credentials = Credentials(agent="", ssh_config=config)
        assert unframed(ask(Target(name="web", road="ssh"), credentials=credentials)) == {}
        assert "Accepted publickey" in jump.log


@pytest.mark.case("F36")
def test_a_jump_host_that_does_not_forward_is_told(tmp_path: Path) -> None:
    with (
        sshd(tmp_path / "jump", "AllowTcpForwarding no") as jump,
        sshd(tmp_path / "host", key=jump.key) as host,
    ):
        known = [str(jump.known_hosts), str(host.known_hosts)]
        jumps = [f"{USER}@127.0.0.1:{jump.port}"]
        error = fails(host.target(jump=jumps, known_hosts=known))
    assert (error.state, error.stage) == ("unreachable", "via_bastion")
    assert error.cause.startswith("via 127.0.0.1: it does not forward")


@pytest.mark.case("F36")
def test_a_jump_host_that_is_down_is_told(tmp_path: Path, server: OpenSsh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = fails(server.target(jump=[f"127.0.0.1:{port}"]))
    assert (error.state, error.stage) == ("unreachable", "via_bastion")
    assert error.cause.startswith("jump host 127.0.0.1: unreachable at tcp: ")


@pytest.mark.case("F10")
def test_a_server_at_its_limit_of_new_connections_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road, "_WAIT", (0.5, 0.6))
    with sshd(tmp_path / "server", "MaxStartups 1:100:1") as server, ExitStack() as stack:
        held = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        held.recv(64)
        release = threading.Timer(0.3, held.close)
        release.start()
        assert unframed(ask(server.target())) == {}
        release.join()
        assert "MaxStartups" in server.log


# --- cuts ---------------------------------------------------------------------------------------


@pytest.mark.case("F23")
@pytest.mark.parametrize("count", [24, pytest.param(200, marks=pytest.mark.long)])
def test_a_stream_that_is_cut_anywhere_is_never_taken_for_an_answer(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road, "_WAIT", (0.0, 0.0))
    body = "head -c 20000 /dev/zero | tr '\\0' x; echo"
    plain = script.questions((), deadline=20)
    asked = Questions((), plain.script.replace("say END", f"{body}\nsay END"), plain.nonce)
    credentials = Credentials(agent="")
    with ExitStack() as stack:
        server = stack.enter_context(sshd(tmp_path / "server", "MaxStartups 1000"))
        proxies = [stack.enter_context(Proxy(server.port)) for _ in range(8)]
        key = server.known_hosts.read_text().split(maxsplit=1)[1]
        known = [f"[127.0.0.1]:{proxy.port} {key}" for proxy in proxies]
        server.known_hosts.write_text("\n".join(known))
        whole = ask(server.target(port=proxies[0].port), asked, credentials)
        time.sleep(0.1)
        total = proxies[0].passed

        def cut(proxy: Proxy, places: list[int]) -> set[str]:
            found = set()
            for number, place in enumerate(places):
                proxy.harm = "rst" if number % 2 else "fin"
                proxy.allowed = place
                with pytest.raises(MachineError) as caught:
                    ask(server.target(port=proxy.port), asked, credentials)
                found.add(caught.value.state)
            return found

        chance = random.Random(2026)
        places = [chance.randrange(1, total - 200) for _ in range(count)]
        shares = [places[number :: len(proxies)] for number in range(len(proxies))]
        with ThreadPoolExecutor(len(proxies)) as pool:
            states = set().union(*pool.map(cut, proxies, shares))
    assert whole.status == 0
    assert states <= {"unreachable", "auth_failed", "no_shell", "incomplete", "not_ssh"}
    assert "incomplete" in states


# --- the far side -------------------------------------------------------------------------------


def processes(word: str) -> list[str]:
    """The command lines on this machine that have the word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [line] if word in line else []
    return found


@pytest.mark.case("F28")
@pytest.mark.parametrize(
    ("ours", "theirs", "seconds"), [(20.0, 2, "7654.25"), (1.5, 4, "7654.75")], ids=["its", "ours"]
)
def test_what_hangs_on_the_host_is_gone_soon_after_its_own_deadline_or_ours(
    tmp_path: Path, ours: float, theirs: int, seconds: str
) -> None:
    plain = script.questions((), deadline=theirs)
    text = plain.script.replace("say END", f"sleep {seconds}\nsay END")
    hanging = Questions((), text, plain.nonce)
    with sshd(tmp_path / "server") as server:
        limits = Limits(deadline=ours, connect=5, handshake=10, first_byte=20, idle=20)
        with pytest.raises(MachineError) as caught:
            Ssh(server.target(), Credentials(agent="")).ask(hanging, limits)
        ends = time.monotonic() + theirs + 5
        while processes(seconds):
            assert time.monotonic() < ends, processes(seconds)
            time.sleep(0.1)
    assert caught.value.state in ("incomplete", "timeout")


@pytest.mark.case("F30")
@pytest.mark.parametrize(
    ("bashrc", "state"),
    [
        ("echo noise; printf 'no newline'", ""),
        ("alias sh='echo no'; alias sed=false", ""),
        ("sh() { echo overridden; }", "forced_command"),
        ("exit 3", "no_shell"),
    ],
)
def test_a_real_start_file_of_bash_does_what_it_may(
    tmp_path: Path, bashrc: str, state: str
) -> None:
    (tmp_path / ".bashrc").write_text(f"{bashrc}\n")
    # as sshd starts a login shell: bash reads .bashrc for it when SHLVL is not set
    run = 'bash -c "$SSH_ORIGINAL_COMMAND"'
    force = f"ForceCommand exec env -u SHLVL HOME={tmp_path} {run}"
    with sshd(tmp_path / "server", force) as server:
        if state:
            assert fails(server.target()).state == state
        else:
            output = ask(server.target()).output
            assert f"{NOTHING.nonce} END\n".encode() in output


@pytest.mark.case("F32")
def test_a_key_that_is_restricted_to_commands_is_enough(tmp_path: Path) -> None:
    with sshd(tmp_path / "server", "DisableForwarding yes", "PermitTTY no") as server:
        line = server.authorized_keys.read_text()
        server.authorized_keys.write_text(f'restrict,from="127.0.0.0/8" {line}')
        assert unframed(ask(server.target())) == {}
        server.authorized_keys.write_text(f'restrict,from="192.0.2.1" {line}')
        assert fails(server.target()).state == "auth_failed"


@pytest.mark.case("L10")
@pytest.mark.long
def test_two_hundred_hosts_behind_one_jump_host_are_all_answered(tmp_path: Path) -> None:
    credentials = Credentials(agent="")
    limits = Limits(deadline=300, connect=60, handshake=100, login=100, first_byte=100, idle=100)
    with (
        sshd(tmp_path / "jump", "MaxStartups 10:30:100") as jump,
        sshd(tmp_path / "host", "MaxStartups 1000", key=jump.key) as host,
        ThreadPoolExecutor(32) as pool,
    ):
        known = [str(jump.known_hosts), str(host.known_hosts)]
        target = host.target(jump=[f"{USER}@127.0.0.1:{jump.port}"], known_hosts=known)
        machines = [Ssh(target, credentials) for _ in range(200)]
        answers = list(pool.map(lambda machine: machine.ask(NOTHING, limits), machines))
    assert [unframed(answer) for answer in answers] == [{}] * 200
