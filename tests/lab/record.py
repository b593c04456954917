"""Record the lab's answers anew, for `driftscan demo` and the tests that need no engine."""

import lzma
import os
import sys
from pathlib import Path

from driftscan import script
from driftscan.demo.server import RECORDED_NONCE
from driftscan.demo.story import HOSTS
from driftscan.inventory import native
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Limits
from driftscan.probes.table import PROBES
from tests import recorded
from tests.lab.images import HOSTS as LAB

_ROOT = Path(__file__).parents[2]
_DEMO = _ROOT / "driftscan" / "demo" / "recorded"
_INVENTORY = _ROOT / "tests" / "lab" / ".run" / "inventory.yml"
_BASELINE = _ROOT / "inventories" / "demo" / "web" / "baseline.json"


def answer(name: str) -> bytes:
    """What the lab host says to all questions, with the recorded nonce."""
    questions = script.questions(PROBES, deadline=60, nonce=RECORDED_NONCE.decode())
    target = native.load(_INVENTORY).hosts[name]
    return Ssh(target, Credentials()).ask(questions, Limits()).output


def main() -> None:
    """Write the packed answers of the hosts, and the baseline that was built last.

    Those of the demo go with the program, the others to the tests.
    """
    names = sys.argv[1:] or [host.name for host in LAB]
    for name in names:
        _write(_DEMO if name in HOSTS else recorded.PLACE, name, answer(name))
    _write(_DEMO, "baseline.json", _BASELINE.read_bytes())


def _write(place: Path, name: str, data: bytes) -> None:
    path = place / f"{name}.xz"
    path.write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    os.write(1, f"{path.relative_to(_ROOT)}: {path.stat().st_size} bytes\n".encode())


if __name__ == "__main__":
    main()
