"""What a key may do, at each of the levels of docs/privileges.md, on a real OpenSSH server."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftscan import collector, scan, script
from driftscan.details.asking import questions_for
from driftscan.errors import MachineError
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Answer, Collected, Limits, Questions, Target, Want
from driftscan.probes import host, os
from tests.openssh import OpenSsh, binary, sshd

pytestmark = pytest.mark.sshd

LIMITS = Limits(deadline=30, connect=5, handshake=10, first_byte=10, idle=10)
PROBES = (host, os)
ASKED = script.questions(PROBES, deadline=20, installed=True)


def ask(target: Target, questions: Questions = ASKED) -> Answer:
    return Ssh(target, Credentials(agent="")).ask(questions, LIMITS)


def states(target: Target) -> dict[str, type]:
    fingerprint = scan.fingerprint(
        *(ask(target), ASKED, PROBES),
        target="host",
        kind="host",
        address="host",
        taken="2026-11-25T00:00:00Z",
    )
    return {name: type(section) for name, section in fingerprint.facts.items()}


def allow(server: OpenSsh, options: str) -> None:
    """What authorized_keys says of the key."""
    server.authorized_keys.write_text(f"{options} {Path(f'{server.key}.pub').read_text()}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSsh]:
    """As docs/privileges.md asks for it."""
    settings = ("MaxSessions 1", "PermitTTY no", "DisableForwarding yes")
    methods = ("AuthenticationMethods publickey", "PermitUserRC no")
    with sshd(tmp_path / "server", *settings, *methods) as running:
        yield running


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "driftscan-collect"
    path.write_text(collector.text(PROBES))
    path.chmod(0o755)
    return path


def shell(server: OpenSsh, command: str, data: str = "") -> subprocess.CompletedProcess[str]:
    """What somebody who stole the key tries with OpenSSH's client."""
    words = [binary("ssh"), "-p", str(server.port), "-i", str(server.key), "-o", "BatchMode=yes"]
    words += ["-o", f"UserKnownHostsFile={server.known_hosts}", "127.0.0.1", command]
    return subprocess.run(words, input=data, capture_output=True, text=True, timeout=60)


# --- level 1: a plain account -------------------------------------------------------------------


def test_a_restricted_key_is_enough_for_the_script(server: OpenSsh) -> None:
    allow(server, 'restrict,from="127.0.0.1"')

    assert states(server.target())["os"] is Collected


def test_a_key_from_another_address_is_not_let_in(server: OpenSsh) -> None:
    allow(server, 'restrict,from="192.0.2.1"')

    with pytest.raises(MachineError) as caught:
        ask(server.target())
    assert caught.value.state == "auth_failed"


# --- level 2: an installed collector ------------------------------------------------------------


def test_a_collector_behind_the_key_answers_the_same_facts(server: OpenSsh, program: Path) -> None:
    plain = scan.unframed(ask(server.target()), ASKED, PROBES)
    allow(server, f'restrict,from="127.0.0.1",command="{program}"')
    found = scan.unframed(ask(server.target(collector=str(program))), ASKED, PROBES)

    assert found["os"] == plain["os"]
    assert found["host"].outputs.keys() == plain["host"].outputs.keys()


@pytest.mark.case("F32")
def test_a_stolen_key_runs_nothing_but_the_collector(
    server: OpenSsh, program: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    allow(server, f'restrict,command="{program}"')
    for command, data in (
        (f"touch {mark}", ""),
        ("sh -s", f"touch {mark}\n"),
        (f"{program}; touch {mark}", ""),
        (f"{program}", f"driftscan $(touch {mark}) 20\n"),
        ("", f"touch {mark}\n"),
    ):
        done = shell(server, command, data)
        assert (done.returncode, done.stdout, mark.exists()) == (64, "", False), command
    assert shell(server, "x", ASKED.order).stdout.startswith(f"{ASKED.nonce} BEGIN 1 collector ")


def test_a_script_sent_to_a_key_that_has_a_collector_is_told_with_the_cure(
    server: OpenSsh, program: Path
) -> None:
    allow(server, f'restrict,command="{program}"')

    with pytest.raises(MachineError) as caught:
        ask(server.target())
    assert (caught.value.state, caught.value.cure) == (
        "forced_command",
        "give this host `collector: PATH` in the inventory",
    )


def test_a_collector_that_is_not_there_is_told_with_the_cure(server: OpenSsh) -> None:
    with pytest.raises(MachineError) as caught:
        ask(server.target(collector="/usr/local/libexec/not-there"))
    assert caught.value.state == "no_collector"
    assert caught.value.cure.startswith("install there what `driftscan script --collector` prints")


def test_a_collector_is_asked_nothing_it_does_not_have_and_nobody_connects_for_it(
    server: OpenSsh, program: Path
) -> None:
    want = Want(side="subject", kind="changelogs", name="bash", names=("bash",), version="1")

    with pytest.raises(MachineError) as caught:
        ask(server.target(collector=str(program)), questions_for([want], deadline=20))
    assert caught.value.state == "collector_only"
    assert server.log.count("Accepted publickey") == 0


def test_an_older_collector_leaves_unknown_what_it_does_not_ask(
    server: OpenSsh, program: Path
) -> None:
    program.write_text(collector.text((host,)))
    allow(server, f'restrict,command="{program}"')
    raws = scan.unframed(ask(server.target(collector=str(program))), ASKED, PROBES)

    assert "does not ask this" in raws["os"].strange
    assert raws["host"].strange == ""
