"""One image over every road: a running container, the engine's layers, its archive, its root."""

import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from driftscan import baseline as baselines
from driftscan import scan, script
from driftscan.errors import EngineError
from driftscan.machines import engine as engines
from driftscan.machines import image_tree
from driftscan.machines.any_image import AnyImage
from driftscan.machines.container import Container
from driftscan.machines.contract import Machine
from driftscan.machines.directory import at
from driftscan.machines.engine import Engine
from driftscan.machines.openssh import OpenSsh
from driftscan.machines.reading import Reader
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Answer, Collected, Fingerprint, Limits, Questions
from driftscan.probes.table import PROBES
from tests.openssh import sshd

pytestmark = pytest.mark.lab

LIMITS = Limits(deadline=300)
# Bookworm with much beside its packages, trixie, and machines of apk, rpm and pacman; the image of
# the baseline has a test of its own.
IMAGES = (
    "driftscan-lab/web-p:latest",
    "driftscan-lab/web-t:latest",
    "driftscan-lab/alpine:latest",
    "driftscan-lab/rpm:latest",
    "driftscan-lab/arch:latest",
)


@pytest.fixture(scope="module")
def engine(environment: Mapping[str, str]) -> Iterator[Engine]:
    """The lab's engine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DOCKER_HOST", "DRIFTSCAN_ENGINE"):
            if name in environment:
                patch.setenv(name, environment[name])
        yield engines.find()


def asked(machine: Machine) -> Fingerprint:
    questions = script.questions(PROBES, deadline=LIMITS.deadline)
    answer = machine.ask(questions, LIMITS)
    return scan.fingerprint(
        answer, questions, PROBES, target="x", kind="image", address="x", taken="x"
    )


@contextmanager
def container(engine: Engine, image: str) -> Iterator[str]:
    """A container of the image in which nothing runs but `sleep`, gone afterwards."""
    words = ["run", "--detach", "--network", "none", "--entrypoint", "sleep", image, "900"]
    name = engine.call(*words).decode().strip()
    try:
        yield name
    finally:
        engine.remove_container(name)


class WithEnv(msgspec.Struct):
    """A machine with the ENV that an exported root has lost."""

    machine: Machine
    environment: tuple[str, ...]

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        answer = self.machine.ask(questions, limits)
        return msgspec.structs.replace(answer, environment=self.environment)


def roads(engine: Engine, image: str, folder: Path) -> Iterator[tuple[str, Fingerprint]]:
    """The fingerprint of one image over each road."""
    with container(engine, image) as name:
        yield "container", asked(Container(engine, name, user="0"))
        environment = engine.environment(name)
        exported, root = folder / "export.tar", folder / "root"
        engine.call("export", "--output", str(exported), name, deadline=300)
    yield "image", asked(AnyImage(engine, image))
    yield "layers", asked(AnyImage(engine, image, read=True))
    saved = folder / "image.tar"
    engine.call("image", "save", "--output", str(saved), image, deadline=300)
    yield "archive", asked(Reader(partial(image_tree.of_archive, str(saved))))
    saved.unlink()
    yield "tar", asked(WithEnv(Reader(partial(image_tree.of_archive, str(exported))), environment))
    root.mkdir()
    with tarfile.open(exported) as tar:
        tar.extractall(root, filter="fully_trusted")  # noqa: S202 - the lab's own image
    yield "root", asked(WithEnv(Reader(partial(at, str(root))), environment))


def same_on_every_road(engine: Engine, image: str, folder: Path) -> None:
    found = dict(roads(engine, image, folder))
    facts = {road: msgspec.json.encode(one.facts, order="sorted") for road, one in found.items()}
    for road, fingerprint in found.items():
        assert fingerprint.facts == found["container"].facts, road
        assert facts[road] == facts["container"], road
        managers = ("dpkg", "apk", "rpm", "pacman")
        assert [m for m in managers if isinstance(fingerprint.facts[m], Collected)], road


@pytest.mark.long
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_gives_the_same_facts_over_every_road(
    engine: Engine, tmp_path: Path, image: str
) -> None:
    same_on_every_road(engine, image, tmp_path)


@pytest.mark.long
def test_the_baselines_image_gives_the_same_facts_over_every_road(
    engine: Engine, tmp_path: Path, baseline: dict[str, object]
) -> None:
    same_on_every_road(engine, str(baseline["image"]), tmp_path)


@pytest.mark.sshd
@pytest.mark.parametrize("program", [False, True], ids=["paramiko", "ssh"])
def test_a_container_on_another_host_gives_the_facts_that_it_gives_here(
    engine: Engine, environment: Mapping[str, str], tmp_path: Path, program: bool
) -> None:
    image = IMAGES[0]
    settings = [f"SetEnv DOCKER_HOST={environment.get('DOCKER_HOST', '')}"]
    with container(engine, image) as name, sshd(tmp_path / "server", *settings) as server:
        target = server.target(engine=engine.kind, container=name[:12])
        machine = OpenSsh(target) if program else Ssh(target, Credentials(agent=""))
        assert asked(machine).facts == asked(Container(engine, name)).facts


SCRATCH = """FROM driftscan-lab/web-b:latest AS full
FROM scratch
COPY --from=full /etc/os-release /etc/os-release
COPY --from=full /var/lib/dpkg/status /var/lib/dpkg/status
ENV GREETING=hello
"""


@pytest.mark.parametrize("builder", ["0", "1"])
def test_a_baseline_of_an_image_without_a_shell_is_built_by_reading(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builder: str
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", builder)
    (tmp_path / "Dockerfile").write_text(SCRATCH)
    try:
        built = baselines.build(tmp_path, engine=engine, cached=True)
    except EngineError as error:
        if "buildx" not in str(error):
            raise
        pytest.skip(f"this engine does not have the builder: {error}")
    facts = built.fingerprint.facts
    assert isinstance(facts["dpkg"], Collected)
    assert "imagemagick" in facts["dpkg"].items
    assert facts["environment"] == Collected(items={"system/GREETING": {"value": "hello"}})
    assert built.places[built.attributions["imagemagick"].brought_by].line == 4
