"""Many machines at once, honest and hostile: bounded in time and memory, nothing left behind."""

import json
import re
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.mixed import ROOT, serving

DEADLINE = 8.0
HONEST = 48
RUDE = 66
GROWTH = 64 << 20

# The client is a process of its own, so that its memory and its threads are nobody else's.
CLIENT = """
import json, sys, threading, time
import msgspec
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Fingerprint, Limits, Target
from driftscan.probes.table import PROBES
from driftscan.scan import Job, scan

def rss():
    lines = open("/proc/self/status").read().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines if "Vm" in line}

targets = msgspec.json.decode(sys.stdin.readline(), type=list[Target])
probes = [probe for probe in PROBES if probe.NAME in ("host", "os", "dpkg")]
deadline, output = float(sys.argv[1]), int(sys.argv[2])
limits = Limits(deadline=deadline, handshake=deadline, first_byte=deadline, output=output)
credentials = Credentials(agent="")

def run(some):
    jobs = [Job(t.name, "host", t.address, Ssh(t, credentials)) for t in some]
    for name, found in scan(jobs, probes=probes, limits=limits, workers=len(jobs)):
        whole = isinstance(found, Fingerprint)
        states[name] = (len(found.facts["dpkg"].items) if whole else found.state)

states = {}
run(targets[:1])
before, began = rss()["VmRSS"], time.monotonic()
run(targets)
seconds = time.monotonic() - began
time.sleep(0.5)
print(json.dumps({
    "states": states,
    "seconds": round(seconds, 2),
    "growth": rss()["VmHWM"] - before,
    "threads": sorted(t.name for t in threading.enumerate()),
}))
"""


def asked(targets, deadline, output=4 << 20):
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(deadline), str(output)],
        input=json.dumps(targets) + "\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.soak
@pytest.mark.case("L03")
def test_114_machines_of_which_66_are_hostile(tmp_path):
    with ExitStack() as stack:
        honest = stack.enter_context(serving(tmp_path, "honest", HONEST))
        rude = stack.enter_context(serving(tmp_path, "rude", RUDE))
        mixed = [t for pair in zip(honest, rude, strict=False) for t in pair] + rude[HONEST:]
        told = asked(mixed, DEADLINE)

    states = told.pop("states")
    print(told, {s: list(states.values()).count(s) for s in sorted(map(str, states.values()))})  # noqa: T201
    assert len(states) == HONEST + RUDE
    good = {name: state for name, state in states.items() if name.startswith("honest")}
    assert [name for name, packages in good.items() if not isinstance(packages, int)] == []
    bad = [state for name, state in states.items() if name.startswith("rude")]
    assert all(re.fullmatch(r"[a-z_]+", str(state)) for state in bad)
    assert "internal_error" not in bad
    assert told["threads"] == ["MainThread"]
    assert told["growth"] < GROWTH
    assert told["seconds"] < DEADLINE + 2
