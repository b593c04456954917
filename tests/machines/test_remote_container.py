"""Containers on a remote host, over both roads: the command, its ENV, what an engine refuses."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from driftscan import framing, script
from driftscan.errors import MachineError
from driftscan.machines import answers
from driftscan.machines.contract import Machine
from driftscan.machines.openssh import OpenSsh as Program
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Limits, Target
from tests.openssh import OpenSsh, sshd

LIMITS = Limits(deadline=30)
NOTHING = script.questions((), deadline=20)

# What `docker` does for us, run here in place of a container.
CLIENT = """#!/bin/sh
echo "$@" >> "${0%/*}/calls"
case "$*" in
  'container inspect '*) [ "$5" = web ] || { echo "Error: No such container: $5" >&2; exit 1; }
    echo '["A=b c","PATH=/opt/bin"]' ;;
  'exec -i '*) exec sh -s ;;
esac
"""


def program(target: Target, folder: Path) -> Machine:
    (folder / "ssh_config").write_text("")
    return Program(target, config=folder / "ssh_config")


def paramiko(target: Target, _folder: Path) -> Machine:
    return Ssh(target, Credentials(agent=""))


BOTH = pytest.mark.parametrize("road", [paramiko, program])
Road = Callable[[Target, Path], Machine]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSsh]:
    tools = tmp_path / "tools"
    tools.mkdir()
    path = f"{tools}:/usr/local/bin:/usr/bin:/bin"
    with sshd(tmp_path / "server", f"SetEnv PATH={path}", "MaxSessions 1") as running:
        yield running


def client(server: OpenSsh, text: str, name: str = "docker") -> Path:
    path = server.folder.parent / "tools" / name
    path.write_text(text)
    path.chmod(0o755)
    return path.parent / "calls"


@pytest.mark.sshd
@BOTH
@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_container_is_asked_in_the_hosts_one_session_and_tells_its_env(
    server: OpenSsh, tmp_path: Path, road: Road, engine: str
) -> None:
    calls = client(server, CLIENT, engine)
    machine = road(server.target(engine=engine, container="web"), tmp_path)
    answer = machine.ask(NOTHING, LIMITS)
    assert framing.unframe(answer.output, NOTHING.nonce, ()) == {}
    assert answer.environment == ("A=b c", "PATH=/opt/bin")
    assert calls.read_text().splitlines() == [
        "container inspect --format {{json .Config.Env}} web",
        "exec -i web sh -s",
    ]
    assert server.log.count("Accepted publickey") == 1


@pytest.mark.sshd
@BOTH
@pytest.mark.parametrize(
    ("text", "container", "told", "cure"),
    [
        (CLIENT, "gone", "No such container: gone", "look at `docker ps -a` there"),
        (
            "#!/bin/sh\necho 'permission denied while trying to connect to the docker API at unix:"
            "///var/run/docker.sock' >&2; exit 1\n",
            "web",
            "permission denied",
            "usermod -aG docker",
        ),
        (
            "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n",
            "web",
            "Cannot connect",
            "start the engine there",
        ),
        (
            "#!/bin/sh\necho 'sh: 1: docker: not found' >&2; exit 127\n",
            "web",
            "docker: not found",
            "is docker installed there",
        ),
    ],
)
def test_what_the_engine_refuses_is_told_with_its_cure(
    server: OpenSsh, tmp_path: Path, road: Road, text: str, container: str, told: str, cure: str
) -> None:
    client(server, text)
    machine = road(server.target(engine="docker", container=container), tmp_path)
    with pytest.raises(MachineError) as caught:
        machine.ask(NOTHING, LIMITS)
    assert (caught.value.state, caught.value.stage) == ("unreachable", "engine")
    assert told in caught.value.cause
    assert cure in caught.value.cure


def test_with_become_the_engine_is_asked_through_sudo_and_the_container_as_root() -> None:
    target = Target(name="h", road="ssh", engine="podman", container="web-1", become=True)
    assert answers.command(target) == (
        "sudo -n podman container inspect --format '{{json .Config.Env}}' web-1 &&"
        " sudo -n podman exec -i --user 0 web-1 sh -s"
    )


@pytest.mark.parametrize("name", ["", "-v", "a;id", "a b", "$(id)", "a\nb", "a'b", "../x"])
def test_a_name_that_could_be_more_than_a_name_never_reaches_the_host(name: str) -> None:
    target = Target(name="h", road="ssh", engine="docker", container=name)
    with pytest.raises(ValueError, match="not the name of a container"):
        answers.command(target)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) is None


@pytest.mark.case("H26")
@pytest.mark.parametrize(
    "before",
    [b"", b"[\n", b"[1\n", b"null\n", b"Welcome\n", b"[]\n\xff\n", b"[" * 200_000 + b"\n"],
)
def test_what_is_printed_before_the_answer_may_be_anything(before: bytes) -> None:
    target = Target(name="h", road="ssh", engine="docker", container="web")
    answer = answers.Answer(before + f"{NOTHING.nonce} BEGIN 1\n".encode(), b"", 0, 1.0)
    assert answers.judged(answer, NOTHING, target).environment in (None, ())
