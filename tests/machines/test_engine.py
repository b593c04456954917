"""The engine's client program: which one, and what its failures say. The lab has the real one."""

import pytest

from driftscan.errors import EngineError
from driftscan.machines import engine
from driftscan.machines.engine import Engine


@pytest.fixture
def client(tmp_path):
    """A program in the place of the client: `client("exit 1")`."""

    def client(script, name="docker"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return client


VERSIONS = 'case "$*" in --version) echo {0} version 9 ;; version*) echo 9.1 ;; esac'


def test_the_named_client_is_taken_and_podman_is_known_by_what_it_says(client):
    # the package podman-docker installs a `docker` that is podman
    found = engine.find(client(VERSIONS.format("podman"), name="docker"))
    assert (found.kind, found.version) == ("podman", "9.1")
    found = engine.find(client(VERSIONS.format("Docker"), name="podman"))
    assert found.kind == "docker"


def test_the_environment_names_the_client_and_the_argument_wins(client, monkeypatch):
    docker = client(VERSIONS.format("Docker"), name="one")
    monkeypatch.setenv("DRIFTSCAN_ENGINE", docker)
    assert engine.find().client == docker
    other = client(VERSIONS.format("Docker"), name="two")
    assert engine.find(other).client == other


def test_docker_that_does_not_answer_leaves_it_to_podman(client, tmp_path, monkeypatch):
    client('[ "$1" = --version ] || { echo Cannot connect >&2; exit 1; }')
    podman = client(VERSIONS.format("podman"), name="podman")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("DRIFTSCAN_ENGINE", raising=False)
    assert engine.find().client == podman


@pytest.mark.case("F42")
def test_without_any_engine_the_reason_of_each_is_told(client, tmp_path, monkeypatch):
    client('[ "$1" = --version ] || { echo "Cannot connect to \x1b[1mit" >&2; exit 1; }')
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DRIFTSCAN_ENGINE", raising=False)
    with pytest.raises(EngineError) as error:
        engine.find()
    assert "Cannot connect to \\x1b[1mit; podman is not installed" in str(error.value)
    assert "--engine or DRIFTSCAN_ENGINE" in str(error.value)


@pytest.mark.case("F42")
def test_a_client_that_hangs_is_ended(client):
    with pytest.raises(EngineError, match=r"`docker info` was not done after 0\.2 s"):
        Engine(client("sleep 60"), "docker").call("info", deadline=0.2)


def test_a_client_that_cannot_be_started_is_told():
    with pytest.raises(EngineError, match="cannot be started"):
        Engine("/nonexistent/docker", "docker").call("info")


def test_an_image_that_is_not_there_is_none_and_any_other_trouble_an_error(client):
    none = Engine(client('echo "Error: No such image: x" >&2; exit 1'), "docker")
    assert none.inspect("x") is None
    with pytest.raises(EngineError, match="daemon is away"):
        Engine(client("echo the daemon is away >&2; exit 1"), "docker").inspect("x")


@pytest.mark.case("F42")
def test_a_build_that_fails_shows_the_last_lines_safe_and_without_secrets(client, tmp_path):
    script = r"""i=0; while [ $i -lt 50 ]; do echo "step $i"; i=$((i+1)); done
printf 'bad \033[31m line\r\n' >&2; echo "curl https://me:hunter2@example.org" ; exit 7"""
    said = []
    with pytest.raises(EngineError) as error:
        Engine(client(script), "docker").build(tmp_path / "Dockerfile", label="x", say=said.append)
    lines = str(error.value).splitlines()
    assert lines[0].endswith("Dockerfile does not build; the builder's last lines:")
    assert lines[-2:] == [
        "  bad \\x1b[31m line",
        "  curl https://[redacted]@example.org",
    ]
    assert len(lines) == 21
    assert said[0] == "step 0"


@pytest.mark.case("F42")
def test_a_build_is_bounded_in_time(client, tmp_path):
    engine = Engine(client("echo first; sleep 60"), "docker")
    with pytest.raises(EngineError, match=r"was not built after 0\.3 s(?s:.*)first"):
        engine.build(tmp_path / "Dockerfile", label="x", deadline=0.3)


def test_the_options_of_a_build_are_the_ones_asked_for(client, tmp_path):
    script = 'printf "%s\\n" "$@" > "$(dirname "$0")/args"; shift; echo sha256:1 > "$2"'
    engine = Engine(client(script), "docker")
    path = tmp_path / "Dockerfile"
    assert engine.build(path, label="web") == "sha256:1"
    args = (tmp_path / "args").read_text().splitlines()
    assert args[0] == "build"
    assert args[3:] == [
        "--label",
        "driftscan.baseline=web",
        "--force-rm",
        "--no-cache",
        "-f",
        str(path),
        str(tmp_path),
    ]
    engine.build(
        path, label="web", cached=True, pull=True, network="host", build_args={"B": "2", "A": "1"}
    )
    args = (tmp_path / "args").read_text().splitlines()[6:-3]
    assert args == ["--pull", "--network", "host", "--build-arg", "A=1", "--build-arg", "B=2"]


def unreadable(engine, deadline=30.0):
    """Read a saved image as a reader does that finds it cut."""
    with engine.saved("x", deadline=deadline) as stream:
        stream.read()
        raise EngineError("the saved image cannot be read: it ends early")


def test_saving_streams_and_its_failure_is_told_rather_than_the_cut_archive(client):
    with Engine(client("printf 12345"), "docker").saved("x") as stream:
        assert stream.read() == b"12345"
    with pytest.raises(EngineError, match="ends early"):
        unreadable(Engine(client("printf 123"), "docker"))
    with pytest.raises(EngineError, match="no such image"):
        unreadable(Engine(client("printf 123; echo no such image >&2; exit 1"), "docker"))
    with pytest.raises(EngineError, match="was not done after"):
        unreadable(Engine(client("sleep 60"), "docker"), deadline=0.2)


def test_each_line_of_a_progress_bar_is_a_line():
    assert engine.last_lines(b"one\n\n two \n\x1b[2Kthree\n", 2) == "two; \\x1b[2Kthree"
