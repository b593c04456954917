"""Containers and images as machines: what the client's failures mean. The lab has real ones."""

import threading
import time

import pytest

from driftscan import framing, script
from driftscan.errors import InputError, MachineError
from driftscan.machines.container import CONFINED, Container, Image, reaching
from driftscan.machines.engine import Engine
from driftscan.model import Limits
from driftscan.probes import dpkg, host

QUESTIONS = script.questions((host, dpkg), deadline=60)
LIMITS = Limits(deadline=20)


@pytest.fixture
def engine(tmp_path):
    """An engine whose client is these lines of sh, and that logs how it was called."""

    def engine(lines):
        path = tmp_path / "docker"
        path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{lines}\n')
        path.chmod(0o755)
        return Engine(str(path), "docker")

    return engine


def failure(machine, limits=LIMITS):
    with pytest.raises(MachineError) as error:
        machine.ask(QUESTIONS, limits)
    return error.value


def test_the_script_goes_through_standard_input_and_its_answer_comes_back(engine):
    lines = """case $1 in container) echo '["A=b"]' ;; *) exec "$4" "$5" ;; esac"""
    answer = Container(engine(lines), "web").ask(QUESTIONS, LIMITS)
    assert (answer.status, answer.environment) == (0, ("A=b",))
    raws = framing.unframe(answer.output, QUESTIONS.nonce, (host, dpkg))
    assert raws["dpkg"].outputs["status"].lines


@pytest.mark.case("H36")
def test_an_image_is_confined_named_by_us_and_never_started_by_its_own_words(engine, tmp_path):
    Image(engine("exec sh -s"), "sha256:12ab").ask(QUESTIONS, LIMITS)
    [call] = (tmp_path / "calls").read_text().splitlines()
    name = call.split()[2]
    assert name.startswith("driftscan-")
    assert call == f"run --name {name} -i --rm {' '.join(CONFINED)} sha256:12ab -s"
    assert " ".join(CONFINED) == (
        "--user 0 --network none --read-only --cap-drop ALL --cap-add DAC_READ_SEARCH "
        "--security-opt no-new-privileges --pids-limit 256 --entrypoint /bin/sh"
    )


def test_a_container_that_fetches_packages_has_a_network_and_writes_in_memory_alone(
    engine, tmp_path, monkeypatch
):
    monkeypatch.setenv("http_proxy", "http://user:secret@proxy:3128")
    monkeypatch.delenv("https_proxy", raising=False)
    Image(engine("exec sh -s"), "sha256:12ab", options=reaching("host")).ask(QUESTIONS, LIMITS)
    [call] = (tmp_path / "calls").read_text().splitlines()
    options = call.partition(" -i --rm ")[2].removesuffix(" sha256:12ab -s")
    assert options == (
        "--user 0 --read-only --tmpfs /tmp:rw,nosuid,nodev,size=1g --cap-drop ALL "
        "--security-opt no-new-privileges --pids-limit 256 --entrypoint /bin/sh "
        "--network host --env http_proxy"
    )
    with pytest.raises(InputError, match="not the name of a network: '--privileged'"):
        reaching("--privileged")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("Error: No such container: web", "unreachable"),
        ("Error response from daemon: Container 0f is not running", "unreachable"),
        ("Cannot connect to the Docker daemon. Is the docker daemon running?", "unreachable"),
        (
            "Got permission denied while trying to connect to the Docker daemon socket",
            "unreachable",
        ),
        ('exec: "sh": executable file not found in $PATH: unknown', "no_shell"),
        ('exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown', "no_shell"),
        ("exec /bin/sh: exec format error", "no_shell"),
        ("something that nobody has seen", "unreachable"),
    ],
)
def test_what_the_client_complains_of_is_a_state_with_its_words(engine, said, state):
    error = failure(Container(engine(f"cat > /dev/null; echo '{said}' >&2; exit 126"), "web"))
    assert error.state == state
    assert error.cause == said


def test_a_script_that_is_killed_on_its_way_is_no_answer(engine):
    error = failure(
        Container(engine('head -c 99999 | sed "s/^say END/kill -9 \\$\\$/" | sh'), "web")
    )
    assert error.state == "collector_failed"


@pytest.mark.parametrize(
    ("lines", "limits", "state"),
    [
        ("sleep 60", Limits(deadline=0.3), "timeout"),
        ("yes", Limits(deadline=20, output=1 << 16), "output_limit"),
        ("echo no >&2; exit 125", LIMITS, "unreachable"),
    ],
)
def test_the_throw_away_container_is_removed_on_every_way_out(
    engine, tmp_path, lines, limits, state
):
    asked = Image(engine(f"[ $1 = rm ] && exit 0; {lines}"), "sha256:12ab")
    assert failure(asked, limits).state == state
    run, *removed = (tmp_path / "calls").read_text().splitlines()
    assert removed == [f"rm --force --volumes {run.split()[2]}"]


def test_a_container_that_the_engine_was_still_making_is_removed_too(engine, tmp_path):
    lines = f"""[ $1 = run ] && sleep 60
[ -e {tmp_path}/once ] && exit 0
: > {tmp_path}/once; echo Error: No such container >&2; exit 1"""
    failure(Image(engine(lines), "sha256:12ab"), Limits(deadline=0.3))
    assert (tmp_path / "calls").read_text().count("rm --force") == 2


def test_closing_ends_what_is_under_way_from_another_thread(engine):
    machine = Container(engine("sleep 60"), "web")
    timer = threading.Timer(0.3, machine.close)
    began = time.monotonic()
    timer.start()
    assert failure(machine, Limits(deadline=30)).state == "interrupted"
    assert time.monotonic() - began < 10
    timer.join()


@pytest.mark.case("H24")
@pytest.mark.parametrize("name", ["", "-v", "a b", "a;id", "a\n", "$(id)", "--privileged"])
def test_a_name_that_could_be_an_option_is_refused(engine, name):
    with pytest.raises(InputError):
        Container(engine(""), name)
    with pytest.raises(InputError):
        Image(engine(""), name)


def test_a_client_that_is_not_there_is_unreachable():
    error = failure(Container(Engine("/nonexistent/docker", "docker"), "web"))
    assert (error.state, error.stage) == ("unreachable", "engine")
