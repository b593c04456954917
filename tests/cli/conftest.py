"""The whole program as its user runs it, in an empty folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from driftscan.cli.main import execute
from tests import made

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
def driftscan(
    work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., Done]:
    """`driftscan("compare", "a", "b", NO_COLOR="1")`: run the program in this process.

    Words are arguments, the rest is the environment. What a process of its own is needed for
    (signals, terminals, what is imported) starts `python -m driftscan` with `environment`.
    """

    def driftscan(*words: str | Path, **more: str) -> Done:
        with monkeypatch.context() as patch:
            for name in os.environ.keys() - environment(tmp_path).keys():
                patch.delenv(name)
            for name, value in environment(tmp_path, **more).items():
                patch.setenv(name, value)
            code = execute([str(word) for word in words])
        return Done(code, *capfd.readouterr())

    return driftscan


@pytest.fixture
def machine(work: Path) -> Callable[..., str]:
    """`machine("a", curl="1")`: the word for the fingerprint file of such a machine."""
    return lambda name, **versions: made.machine(work, name, **versions).name


@pytest.fixture
def baseline(work: Path) -> Callable[..., Path]:
    """`baseline("web", curl="1")`: the folder of such a baseline, Dockerfile and all."""
    return lambda name, **versions: made.baseline(work, name, **versions)
