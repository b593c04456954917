"""What .dockerignore leaves out, by the engine's own word: what its builders put into an image."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from driftscan import context
from driftscan.errors import EngineError
from driftscan.machines import engine as engines
from driftscan.machines import image_tree
from driftscan.machines.engine import Engine
from tests.test_context import IGNORES, TREE

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def engine(environment: Mapping[str, str]) -> Iterator[Engine]:
    """The lab's engine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DOCKER_HOST", "DRIFTSCAN_ENGINE"):
            if name in environment:
                patch.setenv(name, environment[name])
        yield engines.find()


def copied(engine: Engine, folder: Path) -> list[str]:
    """The files of an image that is `COPY . /` of the folder."""
    identity = folder.parent / f"{folder.name}.id"
    engine.call("build", "--quiet", "--iidfile", str(identity), str(folder), deadline=120)
    image = identity.read_text().strip()
    try:
        with engine.saved(image) as archive:
            found = image_tree.load(archive, io.BytesIO(), lambda: None)
            return sorted(_files(found, ""))
    finally:
        engine.call("image", "rm", "--force", image)


def _files(found: image_tree.Layers, directory: str) -> Iterator[str]:
    for name in found.names(f"/{directory}"):
        path = f"{directory}/{name}".lstrip("/")
        node = found.node(f"/{path}")
        if node is not None and node.mode >> 12 == 0o4:
            yield from _files(found, path)
        else:
            yield path


@pytest.mark.parametrize("builder", ["0", "1"], ids=["legacy", "buildkit"])
@pytest.mark.parametrize("name", IGNORES)
def test_the_files_that_count_are_those_the_engine_copies(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, builder: str
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", builder)
    try:
        engine.call("build", "--help")
    except EngineError as error:
        pytest.skip(f"this engine does not have the builder: {error}")
    for path in TREE:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("1")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (tmp_path / ".dockerignore").write_text(IGNORES[name])
    ours = [entry.path for entry in context.files(tmp_path / "Dockerfile", [""])]
    theirs = [
        path for path in copied(engine, tmp_path) if path not in ("Dockerfile", ".dockerignore")
    ]
    assert ours == theirs
