"""Record machines of other package managers and of Debian 11: answer, baseline, second trip."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from driftscan import baseline as baselines
from driftscan import diff, resolve, script, store
from driftscan.demo.server import RECORDED_NONCE
from driftscan.explain import engine as explaining
from driftscan.machines import engine as engines
from driftscan.machines.container import Container
from driftscan.machines.engine import Engine
from driftscan.model import Baseline, Limits, Side, Target, Want
from driftscan.probes.table import PROBES
from tests import recorded
from tests.lab import alpine, bullseye, engine, rpm_machine
from tests.lab.settings import RECIPES
from tests.lab.settings import say as told

Write = Callable[[Path, str, bytes], None]


def record(write: Write) -> None:
    """Write what each machine says now; the web baseline is the one that is recorded already."""
    chosen = engine.current()
    ours = engines.find()
    for name, machine in (("rpm", rpm_machine), ("alpine", alpine)):
        write(recorded.PLACE, name, _answer(ours, machine.ensure(chosen)))
        built = _baseline(ours, RECIPES / name)
        try:
            write(recorded.PLACE, f"{name}-{recorded.BASELINE}", store.encode(built))
            details = _details(ours, name, machine.ensure(chosen), built)
            write(recorded.PLACE, f"{name}-{recorded.DETAILS}", details)
        finally:
            chosen.succeeds("rmi", built.image)
    write(recorded.PLACE, bullseye.NAME, _answer(ours, bullseye.ensure(chosen).container))


def _answer(ours: Engine, container: str) -> bytes:
    """What the machine says to all questions, as root, with the recorded nonce."""
    questions = script.questions(PROBES, deadline=60, nonce=RECORDED_NONCE.decode())
    return Container(ours, container, user="0").ask(questions, Limits()).output


def _baseline(ours: Engine, recipe: Path) -> Baseline:
    """What the machine's Dockerfile gives today."""
    told(f"{recipe.name}: building its baseline")
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        folder = Path("web")  # relative, as a user names it: reports tell it
        folder.mkdir()
        shutil.copy(recipe / "Dockerfile", folder)
        return baselines.build(folder, engine=ours, cached=True, network="none")


def _details(ours: Engine, name: str, container: str, built: Baseline) -> bytes:
    """What the second trip to both brings, by side of the pair."""
    subject, reference = recorded.side(name), Side(fingerprint=built.fingerprint, baseline=built)
    compared = diff.compare(subject.fingerprint, reference.fingerprint)
    wants = explaining.wants(subject, reference, compared, "")
    target = Target(name=name, road="docker", container=container)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "baseline.json"
        path.write_bytes(store.encode(built))
        image = Target(name="baseline", road="baseline", path=str(path))
        wanting = resolve.Wanting()
        for side, one, other in (("subject", target, subject), ("reference", image, reference)):
            wanting.see(one, other)
            wanting.want(one, other, _of(wants, side))
        options = resolve.Options(engine=ours.client, cache=str(Path(scratch) / "cache"))
        needs, _ = resolve.learn(wanting, options)
    found = {
        side: needs.sections(one.name, _of(wants, side))
        for side, one in (("subject", target), ("reference", image))
    }
    return msgspec.json.encode(found, order="sorted")


def _of(wants: list[Want], side: str) -> list[Want]:
    return [want for want in wants if want.side == side]


if __name__ == "__main__":
    from tests.lab.record import packed

    record(packed)
