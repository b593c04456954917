"""Key files and agents: what is wrong with one is told plainly, and the right one is picked."""

import base64
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftscan.errors import MachineError
from driftscan.machines import agent, keys, ssh
from driftscan.machines.openssh_config import Hop
from driftscan.machines.ssh import Credentials
from driftscan.machines.trip import Trip
from driftscan.machines.wire import Login

PHRASE = "open sesame"


def made(path: Path, kind: str = "ed25519", *options: str, passphrase: str = "") -> Path:
    """A key as ssh-keygen writes it."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path), *options]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def blob_of(path: Path) -> bytes:
    """The public key that ssh-keygen wrote beside a private one."""
    return base64.b64decode(Path(f"{path}.pub").read_text().split()[1])


def hop(*paths: Path, chosen: bool = True, agent_at: str = "", only_files: bool = False) -> Hop:
    return Hop("h", "127.0.0.1", 22, "u", paths, chosen, only_files, agent_at, "", ())


def logins(place: Hop) -> list[Login]:
    with Trip(5) as trip:
        return Credentials(agent="").logins(place, trip)


def wrong(place: Hop) -> MachineError:
    with pytest.raises(MachineError) as caught:
        logins(place)
    assert caught.value.state == "key_unusable"
    return caught.value


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ed25519", ()),
        ("ecdsa", ()),
        ("rsa", ("-b", "2048")),
        ("rsa", ("-b", "2048", "-m", "PEM")),
        ("ecdsa", ("-m", "PEM")),
    ],
)
def test_a_key_of_every_usual_kind_is_loaded(
    tmp_path: Path, kind: str, options: tuple[str, ...]
) -> None:
    path = made(tmp_path / "key", kind, *options)
    assert keys.read(path).public == blob_of(path)
    (login,) = logins(hop(path))
    assert login.asbytes() == blob_of(path)


@pytest.mark.parametrize("options", [(), ("-m", "PEM")])
@pytest.mark.case("F17")
def test_a_key_with_a_passphrase_is_not_asked_for_and_ssh_add_is_named(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = made(tmp_path / "key", "ecdsa", *options, passphrase=PHRASE)
    error = wrong(hop(path))
    assert "needs its passphrase" in error.cause
    assert f"ssh-add {path}" in error.cure


@pytest.mark.case("F17")
@pytest.mark.parametrize(
    "kind", ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"]
)
def test_a_key_on_a_token_is_told_and_serves_from_an_agent(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ssh-keygen -t ed25519-sk writes it (PROTOCOL.key, PROTOCOL.u2f of OpenSSH)."""

    def text(*parts: bytes) -> bytes:
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    public = text(kind.encode(), bytes(32), b"ssh:")
    data = b"openssh-key-v1\0" + text(b"none", b"none", b"") + b"\0\0\0\1" + text(public, bytes(96))
    body = base64.encodebytes(data).decode()
    path = tmp_path / "key"
    path.write_text(
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n"
    )
    path.chmod(0o600)

    error = wrong(hop(path))
    assert error.cause == f"key {path} is on a security token"
    assert "ssh-add" in error.cure
    assert "road: openssh" in error.cure

    monkeypatch.setattr(agent, "identities", lambda _path: (public,))
    (login,) = logins(hop(path, agent_at=str(tmp_path / "agent")))
    assert login.asbytes() == public


@pytest.mark.case("F17")
def test_a_missing_key_is_told(tmp_path: Path) -> None:
    assert "does not exist" in wrong(hop(tmp_path / "none")).cause


@pytest.mark.case("F17")
def test_a_public_key_without_an_agent_is_told(tmp_path: Path) -> None:
    path = made(tmp_path / "key")
    error = wrong(hop(Path(f"{path}.pub")))
    assert "is a public key, and no agent holds its private key" in error.cause


@pytest.mark.case("F17")
def test_a_key_that_others_may_read_is_refused_as_ssh_does(tmp_path: Path) -> None:
    path = made(tmp_path / "key")
    path.chmod(0o644)
    error = wrong(hop(path))
    assert "mode 0644" in error.cause
    assert f"chmod 600 {path}" in error.cure


@pytest.mark.case("F17")
def test_a_file_that_is_no_key_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    for content in (b"", b"hello\n", b"\xff\xfe\0", b"PuTTY-User-Key-File-3: ssh-ed25519\n"):
        path.write_bytes(content)
        assert "is not a private key" in wrong(hop(path)).cause


@pytest.mark.parametrize(
    "body", ["", "AAAA", "b3BlbnNzaC1rZXktdjEA", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmX/////", "!!!!"]
)
@pytest.mark.case("F17")
def test_a_damaged_key_is_told(tmp_path: Path, body: str) -> None:
    path = tmp_path / "key"
    path.write_text(
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    path.chmod(0o600)
    assert "is damaged" in wrong(hop(path)).cause


def test_a_key_whose_private_part_is_damaged_is_told(tmp_path: Path) -> None:
    path = made(tmp_path / "key")
    lines = path.read_text().split("\n")
    path.write_text("\n".join(lines[:3] + lines[-2:]))
    error = wrong(hop(path))
    assert "is not a key that can be used" in error.cause


def test_a_form_that_is_not_read_is_told_with_the_command_that_rewrites_it(tmp_path: Path) -> None:
    path = made(tmp_path / "key", "rsa", "-b", "2048", "-m", "PKCS8")
    assert "ssh-keygen -p" in wrong(hop(path)).cure


def test_a_fifo_in_place_of_a_key_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key", 0o600)
    assert "is not a regular file" in wrong(hop(tmp_path / "key")).cause


def test_a_key_is_loaded_once_for_all_hosts_and_its_failure_too(tmp_path: Path) -> None:
    path = made(tmp_path / "key")
    credentials = Credentials(agent="")
    found: list[Login] = []
    with Trip(5) as trip:
        threads = [
            threading.Thread(target=lambda: found.extend(credentials.logins(hop(path), trip)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id(login) for login in found}) == 1
        missing = hop(tmp_path / "late")
        for _ in range(2):
            with pytest.raises(MachineError, match="does not exist"):
                credentials.logins(missing, trip)
            made(tmp_path / "late") if not (tmp_path / "late").exists() else None


def test_of_keys_that_ssh_tries_by_itself_those_there_are_used(tmp_path: Path) -> None:
    path = made(tmp_path / "id_ed25519")
    (login,) = logins(hop(tmp_path / "id_rsa", path, chosen=False))
    assert login.asbytes() == blob_of(path)
    assert "there is no key to log in with" in wrong(hop(tmp_path / "id_rsa", chosen=False)).cause


# --- agents -------------------------------------------------------------------------------------


@pytest.fixture
def running_agent(tmp_path: Path) -> Iterator[str]:
    """A real ssh-agent that holds nothing yet: its socket."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield str(path)
    process.terminate()
    process.wait()
    process.stdout.close()


def add(path: Path, socket_path: str, passphrase: str = "") -> None:
    """Give a key to the agent, its passphrase told by a program, as ssh-add wants it."""
    helper = path.parent / "askpass"
    helper.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
    helper.chmod(0o700)
    environment = {
        "SSH_AUTH_SOCK": socket_path,
        "SSH_ASKPASS": str(helper),
        "SSH_ASKPASS_REQUIRE": "force",
        "PATH": os.environ["PATH"],
    }
    command = ["ssh-add", "-q", str(path)]
    subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL)


@pytest.mark.case("F15")
def test_the_configured_key_is_picked_among_those_of_the_agent(
    tmp_path: Path, running_agent: str
) -> None:
    many = [made(tmp_path / f"key{number}") for number in range(7)]
    for path in many:
        add(path, running_agent)
    assert agent.identities(running_agent) == tuple(blob_of(path) for path in many)
    for named in (many[5], Path(f"{many[5]}.pub")):
        (login,) = logins(hop(named, agent_at=running_agent))
        assert isinstance(login, agent.AgentKey)
        assert login.asbytes() == blob_of(many[5])
        assert login.get_name() == "ssh-ed25519"


def test_a_key_with_a_passphrase_serves_from_the_agent(tmp_path: Path, running_agent: str) -> None:
    path = made(tmp_path / "key", passphrase=PHRASE)
    add(path, running_agent, PHRASE)
    (login,) = logins(hop(path, agent_at=running_agent))
    assert isinstance(login, agent.AgentKey)


def test_without_a_chosen_key_all_of_the_agent_are_offered_unless_files_alone_count(
    tmp_path: Path, running_agent: str
) -> None:
    held, file = made(tmp_path / "held"), made(tmp_path / "id_ed25519")
    add(held, running_agent)
    offered = logins(hop(file, chosen=False, agent_at=running_agent))
    assert [login.asbytes() for login in offered] == [blob_of(held), blob_of(file)]
    offered = logins(hop(file, chosen=False, agent_at=running_agent, only_files=True))
    assert [login.asbytes() for login in offered] == [blob_of(file)]


@pytest.mark.case("F16")
def test_an_absent_agent_does_not_matter_where_a_key_file_can_be_read(tmp_path: Path) -> None:
    path = made(tmp_path / "key")
    gone = str(tmp_path / "gone")
    for chosen in (True, False):
        (login,) = logins(hop(path, chosen=chosen, agent_at=gone))
        assert login.asbytes() == blob_of(path)
    error = wrong(hop(tmp_path / "id_rsa", chosen=False, agent_at=gone))
    assert "no such file or directory" in error.cause


@pytest.mark.parametrize(
    "answer", [b"", b"\0\0\0\x01\x05", b"\xff\xff\xff\xff", b"\0\0\0\x09\x0c\0\0\0\x01\0\0\0\xff"]
)
@pytest.mark.case("F16")
def test_an_agent_that_answers_nonsense_is_told(tmp_path: Path, answer: bytes) -> None:
    path = str(tmp_path / "agent")

    def talk(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(64)
            sock.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=talk, args=(listener,))
        thread.start()
        with pytest.raises(MachineError) as caught:
            agent.identities(path)
        thread.join()
    assert "cannot be used" in caught.value.cause


@pytest.mark.case("F16")
def test_an_agent_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_SECONDS", 0.2)
    path = str(tmp_path / "agent")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with pytest.raises(MachineError) as caught:
            agent.identities(path)
    assert "timed out" in caught.value.cause


@pytest.mark.case("F16")
def test_a_locked_agent_fails_the_signature_with_its_reason(
    tmp_path: Path, running_agent: str
) -> None:
    path = made(tmp_path / "key")
    with Trip(5) as trip:
        key = agent.AgentKey(running_agent, blob_of(path), trip.hold)
        with pytest.raises(agent.AgentError, match="refuses"):
            key.sign_ssh_data(b"data", "ssh-ed25519")


def test_a_file_that_never_comes_holds_up_only_who_needs_it():
    """A dead file server: its reader stays where it is, in whatever thread."""
    once, asked, dead = ssh._Once(), threading.Event(), threading.Event()

    def never():
        asked.set()
        dead.wait()
        return "late"

    reader = threading.Thread(target=once.get, args=("dead", never))
    reader.start()
    try:
        asked.wait()
        assert once.get("other", lambda: "at once") == "at once"
        assert once.get("other", lambda: "again") == "at once"
    finally:
        dead.set()
        reader.join()
    assert once.get("dead", lambda: "again") == "late"
