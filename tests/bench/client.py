"""The client of one measurement, a process of its own: `python -m tests.bench.client HOW TARGETS`.

HOW is `transport` (every host's answer, no more) or `whole` (fingerprints). Prints JSON.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from driftscan import scan, script
from driftscan.machines.ssh import Credentials
from driftscan.model import Answer, Fingerprint, Limits, Target
from driftscan.probes.table import PROBES
from tests.bench import cpu
from tests.bench.fleet import jobs

LIMITS = Limits(deadline=300, handshake=120, first_byte=120, idle=120)


class Cost(msgspec.Struct):
    """What a run used (ms of CPU, its start and imports included) and moved (bytes a host)."""

    cpu: float
    wall: float
    hosts: int
    sent: int
    received: int


def transport(asked: list[scan.Job]) -> Cost:
    """Every host's whole answer, through the same threads a scan has, but not looked at."""
    began = time.monotonic()
    questions = script.questions(PROBES, deadline=LIMITS.deadline)

    def ask(job: scan.Job) -> Answer:
        return job.machine.ask(questions, LIMITS)

    with ThreadPoolExecutor(min(scan.MOST_WORKERS, len(asked))) as pool:
        sizes = [len(answer.output) for answer in pool.map(ask, asked)]
    wall = time.monotonic() - began
    mean = sum(sizes) // len(sizes)
    return Cost(cpu.own(), wall, len(asked), len(questions.script), mean)


def whole(asked: list[scan.Job]) -> Cost:
    """Every host's fingerprint."""
    began = time.monotonic()
    results = dict(scan.scan(asked, probes=PROBES, limits=LIMITS))
    wall = time.monotonic() - began
    failed = [result for result in results.values() if not isinstance(result, Fingerprint)]
    if failed:
        raise RuntimeError(str(failed[0]))
    sent = len(script.questions(PROBES, deadline=LIMITS.deadline).script)
    sizes = [r.meta.size for r in results.values() if isinstance(r, Fingerprint)]
    return Cost(cpu.own(), wall, len(asked), sent, sum(sizes) // len(sizes))


def main() -> None:
    how, path = sys.argv[1:]
    targets = msgspec.json.decode(Path(path).read_bytes(), type=list[Target])
    asked = jobs(targets, Credentials())
    cost = whole(asked) if how == "whole" else transport(asked)
    sys.stdout.write(msgspec.json.encode(cost).decode())


if __name__ == "__main__":
    main()
