"""Answers made to be too much: bounded in memory, told as cut, and no worse than linear."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from driftscan import framing, versions
from driftscan.model import Payload
from driftscan.probes import dpkg

NONCE = "0" * 32

# A process of its own, so that its memory is nobody else's.
FLOODED = """
import json, sys
from driftscan import framing, scan, script
from driftscan.model import Answer
from driftscan.probes import dpkg
import driftscan.diff

def rss():
    lines = open("/proc/self/status").read().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines if "Vm" in line}

N = "0" * 32
kind = sys.argv[1]
if kind == "packages":  # ten million of the shortest lines
    body = b" Package: a\\n" + b" x\\n" * 10_000_000
elif kind == "records":
    record = " Package: p{}\\n Status: install ok installed\\n Architecture: all\\n Version: 1\\n"
    body = "".join(record.format(n) for n in range(10**6)).encode()[:60_000_000]
elif kind == "line":
    body = b" Package: " + b"a" * 60_000_000 + b"\\n"
elif kind == "name":
    body = (b" Package: " + b"a" * 1_000_000
            + b"\\n Status: install ok installed\\n Architecture: all\\n Version: 1\\n")
else:
    body = (b" Package: a\\n Status: install ok installed\\n Architecture: all\\n Version: "
            + b"1" * 1_000_000 + b"\\n")
empty = f"\\n{N} . 0\\n"
database = " 1700000000 81a4 0 0 9 /var/lib/dpkg/status\\n"
ends = f"{empty}{N} C times\\n{empty}{N} C database\\n{database}{empty}{N} END\\n"
output = f"{N} BEGIN 1\\n{N} S dpkg\\n{N} C status\\n".encode() + body + ends.encode()
del body
questions = script.questions([dpkg], deadline=9, nonce=N)
before = rss()["VmRSS"]
found = scan.fingerprint(Answer(output, b"", 0, 0.1), questions, [dpkg],
    target="a", kind="host", address="a", taken="2026-11-25T00:00:00Z")
section = found.facts["dpkg"]
print(json.dumps({
    "size": len(output),
    "growth": rss()["VmHWM"] - before,
    "kind": type(section).__name__,
    "count": len(getattr(section, "items", {})),
    "longest": max((len(s) for s in json.dumps(repr(section)).split("'")), default=0),
}))
"""


def flooded(kind):
    done = subprocess.run(
        [sys.executable, "-c", FLOODED, kind],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
@pytest.mark.case("H14", "H35")
@pytest.mark.parametrize("kind", ["packages", "records", "line", "name", "version"])
def test_a_flood_of_packages_lines_and_names_is_bounded(kind):
    told = flooded(kind)
    print(kind, told)  # noqa: T201
    assert told["growth"] < 512 << 20
    assert told["longest"] < 10_000
    assert told["kind"] != "Collected" or kind == "version"


@pytest.mark.case("H14")
def test_more_lines_than_any_machine_has_are_cut_and_told(monkeypatch):
    monkeypatch.setattr(framing, "MAX_LINES", 3)
    for count in (3, 4, 5):
        body = b"".join(b" %d\n" % n for n in range(count))
        payload = framing._payload(body, b". 0\n", 1 << 20)
        assert payload == Payload(("0", "1", "2"), 0, count > 3)


# --- versions -----------------------------------------------------------------------------------

ECOSYSTEMS = sorted(versions._ORDERS)
ATTACKS = {
    "digits": "1{}",
    "tildes": "1~",
    "zeros": "1.0",
    "dots": "1.",
    "letters": "1a",
    "turns": "1a1.~+",
    "suffixes": "1_p",
    "dashes": "1-",
}


def steps(work):
    """How many calls and lines of Python a piece of work takes."""
    count = 0

    def trace(_frame, _event, _argument):
        nonlocal count
        count += 1
        return trace

    old = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(old)
    return count


@pytest.mark.case("H34")
@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_the_steps_of_a_comparison_grow_with_the_length_and_no_faster(ecosystem, attack):
    compare = versions.compare.__wrapped__
    piece = ATTACKS[attack].replace("{}", "1")

    def version(length, end):
        return (piece * length)[: length - 1] + end

    compare(ecosystem, "1.2", "1.3")  # what is imported and compiled once
    counts = []
    for length in (60, 120, 240):
        a, b = version(length, "1"), version(length, "2")
        counts.append(steps(lambda a=a, b=b: compare(ecosystem, a, b)))
        for what in (versions.level, versions.upstream):
            what(ecosystem, *([a, b] if what is versions.level else [a]))
    assert counts[2] <= 2.5 * max(counts[1], 200)
    assert counts[1] <= 2.5 * max(counts[0], 200)


@pytest.mark.case("H34")
@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
@pytest.mark.parametrize("length", [257, 10_000, 1_000_000])
def test_a_version_that_no_package_has_is_not_compared(ecosystem, length):
    long = "1" * length
    assert versions.direction(ecosystem, long, "1") == "unknown"
    assert versions.direction(ecosystem, "1", long) == "unknown"
    assert versions.upstream(ecosystem, long) == long


def test_the_probe_that_is_flooded_is_the_one_of_packages():
    assert [ask.name for ask in dpkg.ASK] == ["status", "times", "database"]
