"""Record the lab's answers anew, for `driftscan demo` and the tests that need no engine."""

import lzma
import os
import tempfile
from pathlib import Path

import msgspec
from msgspec.structs import replace

from driftscan import diff, resolve, script, store
from driftscan.demo.server import RECORDED_NONCE
from driftscan.demo.story import HOSTS
from driftscan.details.asking import questions_for
from driftscan.explain import engine
from driftscan.inventory import native
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Limits, Side, Target, Want
from driftscan.probes.table import PROBES
from tests import recorded
from tests.lab import record_families
from tests.lab.images import HOSTS as LAB
from tests.lab.settings import cache

SYMPTOM = "unable to open image"
_ROOT = Path(__file__).parents[2]
_DEMO = _ROOT / "driftscan" / "demo" / "recorded"
_INVENTORY = _ROOT / "tests" / "lab" / ".run" / "inventory.yml"
_BASELINE = _ROOT / "inventories" / "demo" / "web" / "baseline.json"


def answer(name: str) -> bytes:
    """What the lab host says to all questions, with the recorded nonce."""
    questions = script.questions(PROBES, deadline=60, nonce=RECORDED_NONCE.decode())
    target = native.load(_INVENTORY).hosts[name]
    return Ssh(target, Credentials()).ask(questions, Limits()).output


def details() -> bytes:
    """What the second trip of one run over all hosts brings, by host and side of its pair."""
    inventory = native.load(_INVENTORY)
    wanting = resolve.Wanting()
    image = Target(name="baseline", road="baseline", path=str(_BASELINE))
    reference = recorded.baseline()
    wants: dict[str, list[Want]] = {}
    for name in recorded.HOSTS:
        subject, target = recorded.side(name), inventory.hosts[name]
        compared = diff.compare(subject.fingerprint, reference.fingerprint)
        wants[name] = [
            want
            for symptom in ("", SYMPTOM)
            for want in engine.wants(subject, reference, compared, symptom)
        ]
        wanting.see(target, subject)
        wanting.want(target, subject, [want for want in wants[name] if want.side == "subject"])
        wanting.want(image, reference, [want for want in wants[name] if want.side == "reference"])
    needs, _ = resolve.learn(wanting, resolve.Options())
    found = {
        name: {
            side: needs.sections(target, [want for want in wanted if want.side == side])
            for side, target in (("subject", name), ("reference", image.name))
        }
        for name, wanted in wants.items()
    }
    return msgspec.json.encode(found, order="sorted")


def again(name: str) -> bytes:
    """What a host of the demo says on the second trip to every want of every pair of the story."""
    ours = recorded.side(name)
    wants: set[Want] = set()
    for other in [recorded.baseline(), *(recorded.side(host) for host in HOSTS if host != name)]:
        wants |= _about(("subject", ours, other)) | _about(("reference", other, ours))
    questions = questions_for(sorted(wants), deadline=60, nonce=RECORDED_NONCE.decode())
    target = native.load(_INVENTORY).hosts[name]
    return Ssh(target, Credentials()).ask(questions, Limits()).output


def _about(pair: tuple[str, Side, Side]) -> set[Want]:
    """What explaining a pair wants to know of one of its sides."""
    name, subject, reference = pair
    compared = diff.compare(subject.fingerprint, reference.fingerprint)
    return {
        want
        for symptom in ("", SYMPTOM)
        for want in engine.wants(subject, reference, compared, symptom)
        if want.side == name
    }


def demo_baseline() -> bytes:
    """The baseline with the symbols that its pairs want: the demo has no engine to ask for them."""
    side = recorded.baseline()
    assert side.baseline is not None
    symbols = recorded.pair("web-a")[1].fingerprint.details["symbols"]
    fingerprint = replace(side.fingerprint, details={"symbols": symbols})
    return store.encode(replace(side.baseline, fingerprint=fingerprint))


def main() -> None:
    """Write the packed answers of the hosts, the baseline that was built last, and the details.

    Those of the demo go with the program, the others to the tests.
    """
    for name in (host.name for host in LAB):
        packed(_DEMO if name in HOSTS else recorded.PLACE, name, answer(name))
    packed(_DEMO, "baseline.json", _BASELINE.read_bytes())
    os.environ["DRIFTSCAN_LAB_CACHE"] = str(cache())
    with tempfile.TemporaryDirectory() as empty:
        os.environ["XDG_CACHE_HOME"] = empty  # all is asked anew
        packed(recorded.PLACE, recorded.DETAILS, details())
        for name in HOSTS:
            packed(_DEMO, f"{name}-again", again(name))
        packed(_DEMO, "baseline.json", demo_baseline())
        record_families.record(packed)


def packed(place: Path, name: str, data: bytes) -> None:
    path = place / f"{name}.xz"
    path.write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    os.write(1, f"{path.relative_to(_ROOT)}: {path.stat().st_size} bytes\n".encode())


if __name__ == "__main__":
    main()
