"""The script on a real server's file system: no file changes, read-only or not, in any shell."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from driftscan import scan, script
from driftscan.model import Answer, Collected, Fingerprint
from driftscan.probes.table import PROBES
from tests.lab import alpine, arch, engine, hosts, images, rpm_machine
from tests.lab.conftest import Program

pytestmark = pytest.mark.lab

IMAGE = "driftscan-lab/web-a:latest"
ASKED = script.questions(PROBES, deadline=120)
# What differs between two moments of the same machine.
LIVE = {"host", "processes"}
BUSYBOX = "/dev/busybox"
SHELLS = (["dash"], ["bash", "--posix"], [BUSYBOX, "sh"])


@contextmanager
def container(name: str, *options: str, image: str = IMAGE) -> Iterator[str]:
    """A container of web-a's image or another, in which only `sleep` runs; gone afterwards."""
    chosen = engine.current()
    whole = f"driftscan-lab-test-{name}-{os.getpid()}"
    words = ["--name", whole, "--network", "none", *chosen.limits(), *options]
    chosen.run("run", "--detach", *words, image, "sleep", "3600")
    try:
        yield whole
    finally:
        chosen.succeeds("rm", "-f", whole)


def asked(name: str, user: str, shell: Sequence[str] = ("sh",)) -> Fingerprint:
    """What the script finds in a container, as that account and in that shell."""
    words = ["exec", "--interactive", "--user", user, name, *shell, "-s"]
    output = engine.current().run(*words, stdin=ASKED.script)
    answer = Answer(output.encode(), b"", 0, 1.0)
    return scan.fingerprint(
        answer,
        ASKED,
        PROBES,
        target="web-a",
        kind="host",
        address=name,
        taken="2026-11-23T17:20:00Z",
    )


def changes(name: str) -> list[str]:
    """What the engine says differs between the container's files and its image's."""
    return sorted(engine.current().run("diff", name).splitlines())


def lasting(found: Fingerprint) -> dict[str, object]:
    """The sections that do not depend on the moment."""
    sections = {**found.facts, **found.evidence}
    return {name: section for name, section in sections.items() if name not in LIVE}


@pytest.fixture(scope="module", autouse=True)
def lab(environment: dict[str, str]) -> None:
    """The lab's images are built."""


@pytest.mark.case("P03")
@pytest.mark.parametrize("user", ["root", "ops"])
def test_no_file_of_the_host_changes(user: str) -> None:
    with container(f"diff-{user}") as name:
        before = changes(name)
        found = asked(name, user)

        assert changes(name) == before
    assert isinstance(found.facts["dpkg"], Collected)
    assert found.meta.privilege == ("root" if user == "root" else f"user {user}")


FAMILIES = {"rpm": rpm_machine, "alpine": alpine, "arch": arch}


@pytest.mark.case("P01", "P02", "P03")
@pytest.mark.parametrize("host", [*(host.name for host in images.HOSTS), *FAMILIES])
def test_no_file_of_any_image_of_the_lab_changes_for_root_or_for_another_account(host: str) -> None:
    if host in FAMILIES:
        FAMILIES[host].ensure(engine.current())
    with container(f"image-{host}", image=f"driftscan-lab/{host}:latest") as name:
        before = changes(name)
        for user in ("0", "65534"):
            assert (asked(name, user).meta.privilege == "root") == (user == "0")
            assert changes(name) == before


def test_a_change_of_a_file_would_be_seen() -> None:
    with container("changed") as name:
        before = changes(name)
        engine.current().run("exec", name, "touch", "/etc/hostname2")

        assert changes(name) != before


@pytest.mark.case("P03")
@pytest.mark.parametrize("user", ["root", "ops"])
def test_a_read_only_host_gives_the_same_answer(user: str) -> None:
    with container(f"rw-{user}") as name:
        expected = lasting(asked(name, user))
    with container(f"ro-{user}", "--read-only") as name:
        found = lasting(asked(name, user))

    # That it is read-only is all that differs.
    assert found.pop("mounts").items["/"]["options"] == ["ro"]
    assert expected.pop("mounts").items["/"]["options"] == []
    assert found == expected


def test_every_shell_gives_the_same_answer() -> None:
    busybox = shutil.which("busybox")
    mounted = ["--volume", f"{busybox}:{BUSYBOX}:ro"] if busybox else []
    with container("shells", *mounted) as name:
        expected = lasting(asked(name, "ops"))
        for shell in SHELLS if busybox else SHELLS[:2]:
            assert (shell, lasting(asked(name, "ops", shell))) == (shell, expected)


def test_nothing_of_the_script_runs_afterwards() -> None:
    with container("left") as name:
        asked(name, "root")
        chosen = engine.current()
        shown = chosen.run("exec", name, "sh", "-c", "cat /proc/[0-9]*/comm")

    assert sorted(shown.split()) == ["sh", "sleep"]


@pytest.mark.case("P03")
def test_the_running_hosts_are_asked_without_a_change() -> None:
    """A login writes wtmp and lastlog, which is sshd's doing: when nobody does nothing changes."""
    for host in hosts.running():
        assert told_when_nobody_logs_in(host.container) == []


# What sshd, PAM and sudo write about any login, whatever it does.
_LOGIN = re.compile(r"[AC] /(run|var|var/log|var/log/(wtmp|lastlog|btmp|auth\.log)|run/.*)")


def told_when_nobody_logs_in(name: str) -> list[str]:
    """What changes while the script runs; looked at again if somebody may have logged in."""
    for _ in range(20):
        before = changes(name)
        asked(name, "root")
        new = sorted({*changes(name)} ^ {*before})
        if not all(_LOGIN.fullmatch(line) for line in new) or not new:
            break
    return new


@pytest.mark.case("P04")
def test_a_scan_over_ssh_changes_only_what_a_login_changes(driftscan: Program) -> None:
    for host in hosts.running():
        before = changes(host.container)
        done = driftscan("scan", host.name)
        new = sorted({*changes(host.container)} - {*before})

        assert done.code in (0, 3), done.err
        assert [line for line in new if not _LOGIN.fullmatch(line)] == []
