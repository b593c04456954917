"""The whole program as its user runs it: a process of its own, in an empty folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from driftscan import store
from driftscan.model import Attribution, Baseline, Collected, Fingerprint, Meta, Place

ROOT = Path(__file__).parents[2]


class Done(NamedTuple):
    """What a run of the program left."""

    code: int
    out: str
    err: str


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder that the program runs in, and the test with it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the account that runs the tests: no configuration, no agent, no engine."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    return {**kept, "LANG": "C.UTF-8", **more}


@pytest.fixture
def driftscan(work: Path, tmp_path: Path) -> Callable[..., Done]:
    """`driftscan("compare", "a", "b", NO_COLOR="1")`: run it; words are arguments, the rest is
    the environment."""

    def driftscan(*words: str | Path, **more: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "driftscan", *map(str, words)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=work,
            env=environment(tmp_path, **more),
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return driftscan


def package(version: str, source: str = "") -> dict[str, str]:
    """The facts of one Debian package."""
    return {
        "version": version,
        "source": source or "x",
        "source_version": version,
        "architecture": "amd64",
        "want": "install",
        "status": "installed",
    }


def fingerprint(name: str, kind: str = "host", **versions: str) -> Fingerprint:
    """A machine with these Debian packages and nothing else."""
    items = {key: package(version, key) for key, version in sorted(versions.items())}
    meta = Meta(
        target=name, kind=kind, address=name, taken="2026-11-23T17:20:00Z", privilege="root"
    )
    return Fingerprint(meta=meta, facts={"dpkg": Collected(items=items)}, evidence={})


@pytest.fixture
def machine(work: Path) -> Callable[..., str]:
    """`machine("a", curl="1")`: the word for the fingerprint file of such a machine."""

    def machine(name: str, **versions: str) -> str:
        store.save(work / f"{name}.json", fingerprint(name, **versions))
        return f"{name}.json"

    return machine


@pytest.fixture
def baseline(work: Path) -> Callable[..., Path]:
    """`baseline("web", curl="1")`: the folder of such a baseline, Dockerfile and all."""

    def baseline(name: str, **versions: str) -> Path:
        folder = work / name
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM debian\nRUN apt-get install -y curl\n")
        line = Place(kind="line", file=f"{name}/Dockerfile", line=2, text="RUN apt-get install")
        noun = Baseline(
            name=name,
            image="sha256:0f0f0f0f0f0f0f0f0f",
            built="2026-11-23T16:43:59Z",
            builder="docker legacy",
            dockerfile=f"{name}/Dockerfile",
            digest="sha256:c7ef28d7",
            text="FROM debian\nRUN apt-get install -y curl\n",
            attributions={
                key: Attribution(brought_by="2", changed_by="2") for key in sorted(versions)
            },
            places={"2": line},
            fingerprint=fingerprint(name, kind="image", **versions),
        )
        store.save(folder / "baseline.json", noun)
        return folder

    return baseline
