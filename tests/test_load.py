"""Many machines at once, honest and hostile: bounded in time and memory, nothing left behind."""

import json
import random
import re
import socket
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack

import pytest

from driftscan import diff
from driftscan.explain import engine
from driftscan.machines import share
from driftscan.model import Side
from driftscan.policy.verdict import judge
from driftscan.report.table import FORMS, Look, render
from tests.made import fingerprint
from tests.mixed import ROOT, serving

DEADLINE = 8.0
HONEST = 48
RUDE = 66
GROWTH = 64 << 20

# The client is a process of its own, so that its memory and its threads are nobody else's.
CLIENT = """
import json, os, resource, sys, threading, time
import msgspec
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Fingerprint, Limits, Target
from driftscan.probes.table import PROBES
from driftscan.scan import Job, scan

def rss(what):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(what))

def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

targets = msgspec.json.decode(sys.stdin.readline(), type=list[Target])
options = json.loads(sys.argv[1])
probes = [probe for probe in PROBES if probe.NAME in ("host", "os", "dpkg")]
most, output = options["deadline"], options["output"]
limits = Limits(deadline=most, handshake=most, first_byte=most, output=output)
credentials = Credentials(agent="")

ends, start = {}, time.monotonic()

def run(some):
    jobs = [Job(t.name, "host", t.address, Ssh(t, credentials)) for t in some]
    workers = options["workers"] or len(jobs)
    for name, found in scan(jobs, probes=probes, limits=limits, workers=workers):
        whole = isinstance(found, Fingerprint)
        states[name] = (len(found.facts["dpkg"].items) if whole else found.state)
        ends[name] = round(time.monotonic() - start, 2)
        if states[name] == "internal_error":
            faults[name] = found.cause

states, faults = {}, {}
run(targets[:1])
rounds = []
before, used, began = rss("VmRSS"), cpu(), time.monotonic()
for _ in range(options["rounds"]):
    run(targets)
    rounds.append([rss("VmRSS"), threading.active_count(), len(os.listdir("/proc/self/fd"))])
seconds, used = time.monotonic() - began, cpu() - used
print(json.dumps({
    "states": states,
    "seconds": round(seconds, 2),
    "cpu": round(used / len(targets) / options["rounds"] * 1000, 1),
    "growth": rss("VmHWM") - before,
    "threads": sorted(t.name for t in threading.enumerate()),
    "rounds": rounds,
    "faults": faults,
    "last": sorted(ends.items(), key=lambda end: end[1])[-5:],
}))
"""


def asked(targets, deadline, *, output=4 << 20, workers=0, rounds=1):
    """What a client in a process of its own made of these targets; prints it for the record."""
    options = {"deadline": deadline, "output": output, "workers": workers, "rounds": rounds}
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, json.dumps(options)],
        input=json.dumps(targets) + "\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = json.loads(done.stdout)
    states = told.pop("states")
    ends = Counter(str(state) if isinstance(state, str) else "whole" for state in states.values())
    print({**told, "rounds": told["rounds"][-1]}, dict(ends))  # noqa: T201
    return told, states


def repeated(targets, count, name):
    """So many targets that are few servers: a server is as busy as if it were many."""
    return [{**targets[n % len(targets)], "name": f"{name}-{n:04}"} for n in range(count)]


@pytest.mark.soak
@pytest.mark.case("L03")
def test_114_machines_of_which_66_are_hostile(tmp_path):
    with ExitStack() as stack:
        honest = stack.enter_context(serving(tmp_path, "honest", HONEST))
        rude = stack.enter_context(serving(tmp_path, "rude", RUDE))
        mixed = [t for pair in zip(honest, rude, strict=False) for t in pair] + rude[HONEST:]
        told, states = asked(mixed, DEADLINE)

    assert len(states) == HONEST + RUDE
    good = {name: state for name, state in states.items() if name.startswith("honest")}
    assert [name for name, packages in good.items() if not isinstance(packages, int)] == []
    bad = [state for name, state in states.items() if name.startswith("rude")]
    assert all(re.fullmatch(r"[a-z_]+", str(state)) for state in bad)
    assert told["faults"] == {}
    assert told["threads"] == ["MainThread"]
    assert told["growth"] < GROWTH
    assert told["seconds"] < DEADLINE + 2


@pytest.mark.long
@pytest.mark.case("L01")
def test_300_honest_machines_with_100_workers(tmp_path):
    with serving(tmp_path, "honest", 30) as servers:
        told, states = asked(repeated(servers, 300, "host"), 120.0, workers=100)
    assert all(isinstance(state, int) for state in states.values())
    assert len(states) == 300
    assert told["growth"] < 300 << 20


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.case("L02")
def test_a_thousand_machines_of_which_a_tenth_does_not_answer_are_all_accounted_for(tmp_path):
    with serving(tmp_path, "honest", 20) as servers, ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
        closed = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        dead = [{**servers[0], "port": sock.getsockname()[1]} for sock in (silent, closed)]
        closed.close()
        mixed = repeated(servers, 900, "host") + repeated(dead, 100, "dead")
        random.Random(2026).shuffle(mixed)
        told, states = asked(mixed, 10.0, workers=64)
    good = [state for name, state in states.items() if name.startswith("host")]
    assert all(isinstance(state, int) for state in good)
    bad = [state for name, state in states.items() if name.startswith("dead")]
    assert (len(good), len(bad)) == (900, 100)
    assert set(bad) == {"timeout", "unreachable"}
    assert told["threads"] == ["MainThread"]


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.case("L04")
def test_forty_machines_at_the_limit_of_their_answers_take_less_than_a_gigabyte(tmp_path):
    with serving(tmp_path, "flood", 4) as servers:
        told, states = asked(repeated(servers, 40, "host"), 60.0, output=64 << 20)
    assert set(states.values()) <= {"output_limit", "timeout"}
    assert told["growth"] < 1 << 30


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.case("L08")
def test_twenty_rounds_of_twenty_machines_of_which_four_fail_leave_nothing(tmp_path):
    """In the small: what a day of scans would show."""
    with serving(tmp_path, "honest", 16) as honest, serving(tmp_path, "rude", 22) as rude:
        told, _ = asked([*honest, *rude[3:5], *rude[20:22]], 3.0, rounds=20)
    sizes, threads, files = zip(*told["rounds"], strict=True)
    assert set(threads) == {1}
    assert max(files[5:]) <= files[4]
    assert sizes[-1] - sizes[4] < 16 << 20


@pytest.mark.case("L06")
@pytest.mark.long
def test_20000_packages_of_which_2000_differ_are_compared_and_told_in_every_form():
    ours = {f"p{n:05}": "1.0-1" for n in range(20_000)}
    theirs = {**ours, **{f"p{n:05}": "1.0-2" for n in range(0, 20_000, 10)}}
    subject, reference = fingerprint("a", **ours), fingerprint("b", **theirs)
    comparison = diff.compare(subject, reference)
    assert len(comparison.divergences) == 2000
    report = engine.explain(Side(fingerprint=subject), Side(fingerprint=reference), comparison)
    whole = judge({"a": report}, "installed")
    sizes = {form: len(render(form, whole, Look())) for form in FORMS}
    print(sizes)  # noqa: T201
    assert whole.exit_code == 1
    assert max(sizes.values()) < 10 << 20
    assert sizes["text"] < 20_000


@pytest.mark.case("L04")
def test_a_machine_that_says_little_has_its_part_whatever_others_say(monkeypatch):
    monkeypatch.setattr(share, "MOST", 100)
    monkeypatch.setattr(share, "OWN", 10)
    with share.Share() as hog, share.Share() as small:
        assert hog.grow(95)
        assert not hog.grow(10)
        assert small.grow(10)
        assert not small.grow(1)
    with share.Share() as again:
        assert again.grow(100)
        assert not again.grow(1)
