"""Baselines on a real engine: what each line brought is proven by building the Dockerfile cut."""

import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from driftscan import baseline, dockerfile, framing, script
from driftscan.errors import EngineError, MachineError
from driftscan.machines import engine as engines
from driftscan.machines import image_layers
from driftscan.machines.container import Container, Image
from driftscan.machines.engine import Engine
from driftscan.model import Baseline, Collected, Limits, Questions
from driftscan.probes.table import PROBES
from tests.lab.conftest import DEMO, ROOT

pytestmark = pytest.mark.lab

HARD = ROOT / "tests" / "machines" / "captured" / "hard"
STATUS = "var/lib/dpkg/status"
Packages = dict[str, str]


@pytest.fixture(scope="module")
def lab(environment: dict[str, str]) -> Iterator[Mapping[str, str]]:
    """The lab's environment as our own, for what runs inside this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DOCKER_HOST", "DRIFTSCAN_ENGINE"):
            if name in environment:
                patch.setenv(name, environment[name])
        yield environment


@pytest.fixture
def engine(lab: Mapping[str, str]) -> Engine:
    return engines.find()


@pytest.fixture(params=["0", "1"], ids=["legacy", "buildkit"])
def builder(request: pytest.FixtureRequest, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each builder of docker; podman has but its own."""
    if engine.kind == "podman":
        if request.param == "1":
            pytest.skip("podman has one builder only")
        return "podman"
    monkeypatch.setenv("DOCKER_BUILDKIT", request.param)
    try:
        engine.call("build", "--help")
    except EngineError as error:
        pytest.skip(f"this engine does not have the builder: {error}")
    return "docker buildkit" if request.param == "1" else "docker legacy"


class Lab(msgspec.Struct):
    """Builds Dockerfiles the way the lab needs it: its base, its archive, its network."""

    engine: Engine
    environment: Mapping[str, str]

    @property
    def arguments(self) -> dict[str, str]:
        return {
            "BASE": self.environment["DRIFTSCAN_LAB_BASE"],
            "http_proxy": self.environment["DRIFTSCAN_LAB_PROXY"],
        }

    def baseline(self, folder: Path, *, cached: bool = False) -> Baseline:
        return baseline.build(
            folder,
            engine=self.engine,
            cached=cached,
            build_args=self.arguments,
            network="host",
        )

    def image(self, folder: Path, text: str = "") -> str:
        """The image of a folder's Dockerfile, or of this text in the folder."""
        path = folder / "Dockerfile"
        if text:
            path.write_text(text)
        return self.engine.build(
            path, label="test", cached=True, build_args=self.arguments, network="host"
        )

    def run(self, image: str, *command: str) -> str:
        entry, *rest = command
        options = ["run", "--rm", "--network", "none", "--user", "0", "--entrypoint", entry]
        return self.engine.call(*options, image, *rest).decode()

    def containers(self, image: str) -> list[str]:
        """Those of an image; other tests may be starting containers of theirs."""
        return self.engine.call("ps", "-aq", "--filter", f"ancestor={image}").decode().split()

    def building(self, words: str) -> list[str]:
        """The containers in which a builder runs a command with these words."""
        told = self.engine.call("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Command}}")
        return [line for line in told.decode().splitlines() if words in line]

    def packages(self, image: str) -> Packages:
        """What dpkg-query says, under the keys of the probe."""
        native = self.run(image, "dpkg", "--print-architecture").strip()
        form = "${Package} ${Architecture} ${db:Status-Status} ${Version}\\n"
        found = {}
        for line in self.run(image, "dpkg-query", "-W", "-f", form).splitlines():
            name, architecture, status, version = line.split(" ")
            if status == "installed":
                own = architecture in (native, "all")
                found[name if own else f"{name}:{architecture}"] = version
        return found


@pytest.fixture
def made(engine: Engine, lab: Mapping[str, str]) -> Lab:
    return Lab(engine, lab)


def cut_after_each(made: Lab, folder: Path, scratch: Path) -> Iterator[tuple[str, Packages]]:
    """The place and the packages of the Dockerfile cut after FROM and after each instruction."""
    text = (folder / "Dockerfile").read_text()
    shutil.copytree(folder, scratch, dirs_exist_ok=True)
    chain = dockerfile.final_chain(dockerfile.parse(text), made.arguments)
    for instruction in chain:
        lines = text.splitlines(keepends=True)[: instruction.end_line]
        place = "base" if instruction.keyword == "FROM" else f"line {instruction.line}"
        yield place, made.packages(made.image(scratch, "".join(lines)))


def attributed_by_cuts(cuts: Iterator[tuple[str, Packages]]) -> dict[str, tuple[str, str]]:
    """Package to the places that brought it and last changed it, from what dpkg-query said."""
    brought: dict[str, str] = {}
    changed: dict[str, str] = {}
    before: Packages = {}
    for place, packages in cuts:
        for package, version in packages.items():
            if package not in before:
                brought[package] = place
            if before.get(package) != version:
                changed[package] = place
        before = packages
    return {package: (brought[package], changed[package]) for package in before}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("folder", [HARD, ROOT / DEMO], ids=["hard", "demo"])
def test_each_package_is_attributed_to_the_line_that_cut_builds_prove(
    made: Lab, builder: str, folder: Path, tmp_path: Path
) -> None:
    found = made.baseline(folder, cached=True)
    assert found.builder == builder
    attributed = {
        package: (attribution.brought_by, attribution.changed_by)
        for package, attribution in found.attributions.items()
    }
    proven = attributed_by_cuts(cut_after_each(made, folder, tmp_path))
    assert attributed == proven
    dpkg = found.fingerprint.facts["dpkg"]
    assert isinstance(dpkg, Collected)
    assert proven.keys() == dpkg.items.keys()
    # every kind of attribution is among them: of the base, changed later, brought by a line
    kinds = {(b == "base", b == c) for b, c in proven.values()}
    assert kinds >= {(True, True), (False, True)}
    assert {(True, False), (False, False)} & kinds
    assert {place.confidence for place in found.places.values()} == {"recorded"}


def test_the_same_image_gives_the_same_baseline_to_the_byte(made: Lab, builder: str) -> None:
    first, again = (made.baseline(HARD, cached=True) for _ in range(2))
    assert first.image == again.image
    assert msgspec.json.encode(first) == msgspec.json.encode(again)


def test_an_image_has_facts_and_its_env_and_neither_logs_nor_processes(made: Lab) -> None:
    found = made.baseline(HARD, cached=True)
    environment = found.fingerprint.facts["environment"]
    assert isinstance(environment, Collected)
    assert environment.items["system/OTHER"] == {"value": "two words"}
    live = {about.name for probe in PROBES for about in probe.GIVES if about.live}
    assert not live & found.fingerprint.facts.keys()
    assert found.fingerprint.evidence.keys() <= baseline.KEPT_EVIDENCE
    assert found.fingerprint.evidence.keys() >= {"dpkg-times", "dpkg-needs", "apt-auto"}
    failed = {k: v for k, v in found.fingerprint.facts.items() if not isinstance(v, Collected)}
    assert {type(section).__name__ for section in failed.values()} <= {"Absent"}, failed


def test_without_the_cache_every_instruction_runs_again_and_a_local_base_is_not_pulled(
    made: Lab, builder: str, tmp_path: Path
) -> None:
    shutil.copytree(HARD, tmp_path, dirs_exist_ok=True)
    said: list[str] = []
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    found = baseline.build(
        tmp_path / "Dockerfile",
        engine=made.engine,
        build_args=made.arguments,
        network="host",
        say=said.append,
    )
    made.engine.call("rmi", found.image)
    lines = [place for place in found.lines if place.text.startswith("RUN")]
    assert all(place.built >= moment for place in lines)
    assert found.built >= moment
    assert any("was made on this machine: no base image is pulled" in line for line in said)
    assert any("alpha (2.0)" in line for line in said)


@pytest.mark.case("D09", "F42")
def test_a_failed_build_tells_the_builders_last_lines_and_leaves_the_old_baseline(
    made: Lab, builder: str, driftscan, tmp_path: Path
) -> None:
    old = b'{"not": "even a baseline"}\n'
    (tmp_path / "baseline.json").write_bytes(old)
    base = made.arguments["BASE"]
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nRUN echo one >&2; echo boom; exit 41\n")
    done = driftscan("baseline", "build", str(tmp_path))
    assert done.code == 2
    assert done.out == ""
    assert "does not build" in done.err
    assert "boom" in done.err
    assert "41" in done.err
    assert (tmp_path / "baseline.json").read_bytes() == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Dockerfile", "baseline.json"]
    assert made.building("echo boom") == []


def asked(made: Lab, image: str, body: str, seconds: float = 60) -> str:
    """What a script of our own prints in the confined container of an image."""
    questions = Questions((), f"echo 'nonce BEGIN 1'; {body}\n", "nonce")
    return Image(made.engine, image).ask(questions, Limits(deadline=seconds)).output.decode()


@pytest.mark.case("H36")
def test_the_throw_away_container_can_read_every_file_and_nothing_else(
    made: Lab, tmp_path: Path
) -> None:
    # neither the image's user nor its entry point count, and what nobody may read is read
    text = """ARG BASE
FROM ${BASE}
RUN echo secret > /closed && chmod 0 /closed && chown 12345 /closed
USER nobody
ENTRYPOINT ["/bin/false"]
CMD ["/bin/false"]
"""
    said = asked(
        made,
        made.image(tmp_path, text),
        "id -u; cat /closed; touch /x /tmp/x /dev/shm/x 2>&1; chown 0 /closed 2>&1"
        "; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; ls /sys/class/net"
        "; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; true",
    )
    lines = said.splitlines()
    assert lines[1:3] == ["0", "secret"]
    assert said.count("Read-only file system") >= 2
    assert "CapEff:\t0000000000000004" in lines
    assert "CapBnd:\t0000000000000004" in lines
    assert "NoNewPrivs:\t1" in lines
    assert "lo" in lines
    assert "eth0" not in lines
    assert "256" in lines


@pytest.mark.case("H36")
def test_an_image_whose_shell_hangs_is_removed_at_the_deadline(made: Lab, tmp_path: Path) -> None:
    text = """ARG BASE
FROM ${BASE}
RUN printf '#!/bin/bash\\necho begun; sleep 1000\\n' > /s && chmod 755 /s && mv /s /bin/sh
"""
    image = made.image(tmp_path, text)
    began = time.monotonic()
    with pytest.raises(MachineError) as error:
        Image(made.engine, image).ask(
            script.questions(PROBES, deadline=5), Limits(deadline=5, first_byte=5)
        )
    assert error.value.state == "timeout"
    assert time.monotonic() - began < 60
    assert made.containers(image) == []
    with pytest.raises(EngineError, match="could not be asked: timeout"):
        baseline.ask(made.engine, image, name="web", limits=Limits(deadline=2))
    assert made.containers(image) == []


@pytest.mark.case("H36")
def test_an_image_without_a_shell_says_so(made: Lab, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    image = made.image(tmp_path, "FROM scratch\nCOPY x /\n")
    with pytest.raises(MachineError) as error:
        asked(made, image, "true")
    assert error.value.state == "no_shell"
    assert made.containers(image) == []


def test_a_running_container_answers_and_one_that_is_not_there_is_unreachable(made: Lab) -> None:
    questions = script.questions(PROBES, deadline=60)
    answer = Container(made.engine, "driftscan-lab-web-a", user="0").ask(questions, Limits())
    raws = framing.unframe(answer.output, questions.nonce, PROBES)
    assert any(line == "Package: imagemagick" for line in raws["dpkg"].outputs["status"].lines)
    with pytest.raises(MachineError) as error:
        Container(made.engine, "driftscan-lab-nowhere").ask(questions, Limits())
    assert error.value.state == "unreachable"


def test_what_a_layer_removes_is_gone_as_the_engine_itself_shows_it(
    made: Lab, builder: str, tmp_path: Path
) -> None:
    text = """ARG BASE
FROM ${BASE}
RUN cp -a /var/lib/dpkg /kept && rm -rf /var/lib/dpkg
RUN cp -a /kept /var/lib/dpkg && echo >> /var/lib/dpkg/status
RUN rm -rf /var/lib/dpkg && mkdir /var/lib/dpkg && touch /var/lib/dpkg/other
RUN cp /kept/status /var/lib/dpkg/status
RUN rm /var/lib/dpkg/status
RUN ln -s /kept/status /var/lib/dpkg/status
"""
    lines = text.splitlines(keepends=True)
    with made.engine.saved(made.image(tmp_path, text)) as archive:
        saved = image_layers.read(archive, [STATUS])
    told = list(image_layers.states(saved.layers, STATUS))[-6:]
    for count, state in enumerate(told[:-1], 3):
        image = made.image(tmp_path, "".join(lines[:count]))
        shown = made.run(image, "sh", "-c", f"cat /{STATUS} 2>/dev/null || echo gone")
        assert shown == ("gone\n" if state is None else bytes(state).decode())
    assert isinstance(told[-1], str)
    assert [state is None for state in told] == [True, False, True, False, True, False]


def test_the_program_builds_and_shows_a_baseline(
    made: Lab, driftscan, lab: Mapping[str, str], tmp_path: Path
) -> None:
    shutil.copytree(HARD, tmp_path, dirs_exist_ok=True)
    argv = ["--cached", "--network", "host", "--build-arg", f"BASE={made.arguments['BASE']}"]
    done = driftscan("baseline", "build", str(tmp_path), *argv)
    assert (done.code, done.out) == (0, ""), done.err
    shown = driftscan("baseline", "show", str(tmp_path))
    assert shown.code == 0, shown.err
    assert re.search(r"14\b.*alpha", shown.out, re.DOTALL)
