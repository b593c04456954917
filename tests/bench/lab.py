"""What the script costs hosts of the lab, with every process that it starts there."""

import gzip
from collections.abc import Sequence

from msgspec import Struct

from driftscan import script
from driftscan.probes.contract import Asks
from driftscan.probes.table import PROBES
from tests.lab import hosts
from tests.lab.engine import Engine
from tests.lab.settings import LabError

HOSTS = ("web-a", "web-p")
# Packages of any manager, the system, libraries, runtimes; and all there is.
BASIC = ("os", "dpkg", "distroless", "rpm", "apk", "pacman", "libraries", "runtimes")
SETS = (
    ("basic", tuple(probe for probe in PROBES if probe.NAME in BASIC), "150 ms"),
    ("full", PROBES, "1000 ms"),
)
_RUNS = 5
_TIMED = "TIMEFORMAT='driftscan %U %S'; time sh -s"


class Cost(Struct):
    """The least of some runs in ms of CPU, and the answer in bytes, plain and packed."""

    name: str
    cpu: float
    goal: str
    plain: int
    packed: int


def running() -> list[str]:
    """The hosts that are measured and run now."""
    try:
        return [host.name for host in hosts.running() if host.name in HOSTS]
    except LabError:
        return []


def costs(name: str) -> list[Cost]:
    """Of each set of probes, as root of that host."""
    (host,) = (host for host in hosts.running() if host.name == name)
    return [_cost(host.engine, host.container, *one) for one in SETS]


def _cost(on: Engine, container: str, name: str, probes: Sequence[Asks], goal: str) -> Cost:
    asked = script.questions(probes, deadline=120)
    runs = [_timed(on, container, asked.script) for _ in range(_RUNS)]
    answer = runs[-1][1].encode(errors="replace")
    least = min(used for used, _ in runs)
    return Cost(name, least, goal, len(answer), len(gzip.compress(answer, 1)))


def _timed(on: Engine, container: str, text: str) -> tuple[float, str]:
    """Milliseconds of user and system time of the script and all it waited for; its answer."""
    said = on.run("exec", "-i", container, "bash", "-c", f"{{ {_TIMED}; }} 2>&1", stdin=text)
    answer, _, times = said.rpartition("driftscan ")
    return sum(float(word) for word in times.split()) * 1000, answer
