"""Root by a rule of sudo that names one file by its digest, on a real host of the lab."""

from collections.abc import Iterator

import msgspec
import pytest

from driftscan import collector, privileges, scan, script
from driftscan.errors import MachineError
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Answer, Collected, Fingerprint, Limits, Target
from driftscan.probes.table import PROBES
from tests.lab import hosts

pytestmark = pytest.mark.lab

LIMITS = Limits(deadline=60)
ASKED = script.questions(PROBES, deadline=60, installed=True)
# The lines that a report prints.
LINES = privileges.sudoers(["driftscan"], collector.PATH, collector.digest(PROBES))
RULES = "".join(f"{line}\n" for line in LINES)


def put(host: hosts.Running, path: str, text: str, mode: str) -> None:
    """Write a file there, as root."""
    words = (
        "exec",
        "--interactive",
        host.container,
        "sh",
        "-c",
        f"cat > {path}; chmod {mode} {path}",
    )
    host.engine.run(*words, stdin=text)


@pytest.fixture(scope="module")
def guarded(environment: dict[str, str]) -> Iterator[hosts.Running]:
    """A host with an account that may do one thing."""
    setup = [
        "useradd --create-home --shell /bin/sh --password '*' driftscan",
        "mkdir -m 755 -p /usr/local/libexec; mkdir -m 700 ~driftscan/.ssh",
        "cp ~deploy/.ssh/authorized_keys ~driftscan/.ssh/",
        "sed -i 's,^,restrict ,' ~driftscan/.ssh/authorized_keys",
        "chown -R driftscan: ~driftscan/.ssh",
    ]
    with hosts.start("privileges", setup_commands=setup) as host:
        put(host, collector.PATH, collector.text(PROBES), "755")
        put(host, "/etc/sudoers.d/driftscan", RULES, "440")
        yield host


def target(host: hosts.Running, **more: object) -> Target:
    fields = {
        "name": host.name,
        "road": "ssh",
        "address": hosts.ADDRESS,
        "port": host.port,
        "user": "driftscan",
        "key": str(hosts.client_key()),
        "known_hosts": [str(host.inventory.parent / "known_hosts")],
    }
    return msgspec.convert({**fields, **more}, Target)


def ask(asked: Target) -> Answer:
    return Ssh(asked, Credentials(agent="")).ask(ASKED, LIMITS)


def found(asked: Target) -> Fingerprint:
    return scan.fingerprint(
        *(ask(asked), ASKED, PROBES),
        target="web-a",
        kind="host",
        address="",
        taken="2026-11-25T00:00:00Z",
    )


def test_visudo_takes_the_rules(guarded: hosts.Running) -> None:
    assert "parsed OK" in guarded.shell("visudo -cf /etc/sudoers.d/driftscan")


def test_root_through_the_rule_sees_all_and_the_account_alone_does_not(
    guarded: hosts.Running,
) -> None:
    plain = found(target(guarded, collector=collector.PATH))
    root = found(target(guarded, collector=collector.PATH, become=True))

    assert (plain.meta.privilege, root.meta.privilege) == ("user driftscan", "root")
    assert isinstance(root.facts["dpkg"], Collected)
    assert root.facts["dpkg"] == plain.facts["dpkg"]


@pytest.mark.case("F33")
def test_the_rule_gives_no_other_command_as_root(guarded: hosts.Running) -> None:
    for words in (
        "sh -s",
        "id",
        f"{collector.PATH} x",
        "-u root sh",
        f"--preserve-env {collector.PATH}",
    ):
        told = guarded.shell(f"su driftscan -c 'sudo -n {words} < /dev/null' 2>&1 || true")
        assert told.strip().startswith("sudo:") or "not allowed" in told, (words, told)
    with pytest.raises(MachineError) as caught:
        ask(target(guarded, become=True))
    assert caught.value.state == "become_failed"


@pytest.mark.case("F33")
def test_root_is_lost_with_the_first_byte_of_the_file_that_changes(guarded: hosts.Running) -> None:
    put(guarded, collector.PATH, collector.text(PROBES) + "#\n", "755")
    try:
        with pytest.raises(MachineError) as caught:
            ask(target(guarded, collector=collector.PATH, become=True))
        assert caught.value.state == "become_failed"
        assert f"allow this account `{collector.PATH}` without" in caught.value.cure
        with pytest.raises(MachineError) as changed:
            found(target(guarded, collector=collector.PATH))
        assert changed.value.state == "collector_changed"
    finally:
        put(guarded, collector.PATH, collector.text(PROBES), "755")
