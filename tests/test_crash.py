"""Killed at any moment, or on a full disk: what was stored is whole, and the next run works."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from driftscan import folder, store
from driftscan.model import Fingerprint
from tests.cli.conftest import environment
from tests.mixed import serving

HOSTS = 2
KILLS = 40
YEAR = "20"
# a dozen programs at once on a busy machine: no limit of time is what ends one here
PATIENT = [
    "--deadline=500",
    *(f"--timeout={stage}=400" for stage in ("kex", "login", "first-byte")),
]


@pytest.fixture
def fleet(tmp_path):
    """Real answers of this machine; the inventory of them lies in `tmp_path`."""
    with served(tmp_path, "real") as names:
        yield names


@contextmanager
def served(tmp_path, kind):
    """Hosts of that kind, by name; the inventory of them lies in `tmp_path`."""
    with serving(tmp_path, kind, HOSTS) as targets:
        rows = {
            t["name"]: {key: t[key] for key in ("address", "port", "user", "key", "known_hosts")}
            for t in targets
        }
        for row in rows.values():
            (row["known_hosts"],) = row["known_hosts"]
        (tmp_path / "inventory.yml").write_text(json.dumps({"hosts": rows}))
        yield sorted(rows)


def start(tmp_path, out, *names):
    where = [] if out is None else ["-o", str(out)]
    return subprocess.Popen(
        [sys.executable, "-m", "driftscan", "scan", *names, *where],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path),
    )


def stored(out):
    """Every fingerprint of the folder, each of which can be read."""
    found = {}
    for path in out.glob("[!.]*"):
        assert path.suffix == ".json", path.name
        noun = store.load(path)
        assert isinstance(noun, Fingerprint)
        found[path.stem] = noun
    return found


def await_new(out, process):
    """Until a part of a file or a newer file is there, or the process has ended."""
    old = {path.name: path.stat().st_ino for path in out.iterdir()}
    while process.poll() is None:
        try:
            if {path.name: path.stat().st_ino for path in out.iterdir()} != old:
                return
        except FileNotFoundError:
            return
        time.sleep(0.001)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.case("D01", "F40")
def test_killed_at_forty_random_moments_every_host_has_a_whole_fingerprint(tmp_path, fleet):
    out = tmp_path / "out"
    began = time.monotonic()
    first = start(tmp_path, out)
    first.communicate()
    most = time.monotonic() - began
    assert sorted(stored(out)) == fleet

    chance, moments = random.Random(2026), []
    for number in range(KILLS):
        before = stored(out)
        process = start(tmp_path, out)
        if number % 2:
            time.sleep(chance.uniform(0.2, most))
        else:  # while results are written: anywhere from the first new file on
            await_new(out, process)
            time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        after = stored(out)
        moments.append(sum(after[name].meta.taken != before[name].meta.taken for name in fleet))
        assert sorted(after) == fleet
        assert all(after[name].meta.taken >= before[name].meta.taken for name in fleet)

    last = start(tmp_path, out)
    _, err = last.communicate()
    assert last.returncode in (0, 3), err
    print({n: moments.count(n) for n in range(HOSTS + 1)}, "hosts stored before the kill")  # noqa: T201
    assert 0 < sum(moments) < HOSTS * KILLS
    assert list(out.glob(".*.part")) == []
    assert all(noun.meta.taken > before[name].meta.taken for name, noun in stored(out).items())


@contextmanager
def small_disk(place, size):
    """A file system of that size at the place."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(place)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no right to mount a small file system here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.long
@pytest.mark.case("D02")
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to mount a small file system")
def test_a_full_disk_loses_nothing_and_is_named_and_once_freed_all_works(tmp_path, fleet):
    with small_disk(tmp_path / "disk", "24m") as disk:
        out = disk / "out"
        start(tmp_path, out).communicate()
        before = {path.name: path.read_bytes() for path in out.glob("[!.]*")}
        assert len(before) == HOSTS

        filler = disk / "filler"
        free = os.statvfs(disk)
        filler.write_bytes(b"x" * (free.f_bavail * free.f_frsize - 65536))
        full = start(tmp_path, out)
        _, err = full.communicate()

        assert full.returncode == 2, err
        assert f"driftscan: {out}/" in err
        assert "No space left on device" in err
        assert {path.name: path.read_bytes() for path in out.glob("[!.]*")} == before
        assert list(out.glob(".*.part")) == []

        filler.unlink()
        again = start(tmp_path, out)
        _, err = again.communicate()
        assert again.returncode in (0, 3), err
        assert sorted(stored(out)) == fleet


@pytest.mark.long
@pytest.mark.case("L09", "D04")
def test_two_runs_and_others_beside_them_lose_no_result(tmp_path):
    """Two of the whole fleet, one that would write where the first does, and some of one host."""
    with served(tmp_path, "honest") as fleet:
        beside_each_other(tmp_path, fleet)


def beside_each_other(tmp_path, fleet):
    first = start(tmp_path, tmp_path / "one", *PATIENT)
    second = start(tmp_path, tmp_path / "two", *PATIENT)
    while not (tmp_path / "one" / folder.RUN).exists() and first.poll() is None:
        time.sleep(0.01)
    same = start(tmp_path, tmp_path / "one", *PATIENT)
    single = [start(tmp_path, None, name, *PATIENT) for name in fleet * 2]

    for process, out in ((first, "one"), (second, "two")):
        _, err = process.communicate()
        assert process.returncode in (0, 3), err  # 3: what this account may not read here
        assert sorted(stored(tmp_path / out)) == fleet
    for process, name in zip(single, fleet * 2, strict=True):
        told, err = process.communicate()
        assert process.returncode in (0, 3), err
        assert json.loads(told)["meta"]["target"] == name
    _, err = same.communicate()
    if same.returncode == 2:  # else it came when the first was done
        assert f"one: another driftscan writes there since {YEAR}" in err
        assert f"(process {first.pid})" in err
    assert list(tmp_path.rglob("*.part")) == []


@pytest.mark.case("D04", "L09")
def test_many_processes_may_fill_one_cache(tmp_path):
    code = """
import sys
from pathlib import Path
from driftscan.details.cache import at
from driftscan.model import Want
cache = at(sys.argv[1])
for number in range(80):
    want = Want(side="subject", kind="changelogs", name=f"p{number % 20}", version="1")
    cache.keep(want, {"text": "x" * 20_000})
    assert cache.recall(want)["text"] == "x" * 20_000
"""
    words = [sys.executable, "-c", code, str(tmp_path / "cache")]
    running = [subprocess.Popen(words, cwd=Path(__file__).parents[1]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert len(list(tmp_path.rglob("*.json"))) == 20
    assert list(tmp_path.rglob("*.part")) == []
