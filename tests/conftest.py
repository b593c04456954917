"""What all tests need: signals that reach their programs, few examples, and nothing left behind."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import cases, leaks

# A shell that runs the tests in the background ignores these, and programs inherit that.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(
            _number,
            signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL,
        )

# Shared machines are slow at times: no example of a property test fails by the clock.
# `make check` takes the same few examples each time, `make test` looks for others.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _PATIENT, max_examples=15, derandomize=True, database=None)
settings.register_profile("full", _PATIENT, max_examples=100)
settings.register_profile("thorough", _PATIENT, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


# --- how the tests of the acceptance list ended: `make reliability` ------------------------------


def pytest_addoption(parser):
    parser.addoption(
        "--cases-report", action="store_true", help="keep in tests/cases.json how cases ended"
    )


def pytest_configure(config):
    if config.getoption("--cases-report") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_CasesReport())


class _CasesReport:
    """Keeps the worst outcome of each test that is marked with a case."""

    def __init__(self):
        self.ended = {}

    def pytest_runtest_logreport(self, report):
        if "case" in report.keywords:
            name, told = report.nodeid.partition("[")[0], report.outcome
            if report.skipped:
                told = f"skipped: {report.longrepr[2].removeprefix('Skipped: ')}"
            ends = (self.ended.get(name, "passed"), told)
            self.ended[name] = max(ends, key=lambda end: (end == "failed", end != "passed"))

    def pytest_sessionfinish(self):
        if self.ended:
            ran = f"{datetime.now(UTC):%Y-%m-%d} {_commit()}"
            cases.keep({name: f"{end} {ran}" for name, end in self.ended.items()})


def _commit() -> str:
    """What was tested; with a plus where files are not as that commit has them."""
    made = [":!tests/cases.json", ":!docs/reliability.md"]
    head = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *made)
    return f"{head or '(no commit)'}{'+' if changed else ''}"


def _git(*words: str) -> str:
    command = ["git", "-C", str(cases.TESTS.parent), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _cases(node: pytest.Item) -> list[str]:
    return [case for mark in node.iter_markers("case") for case in mark.args]


@pytest.fixture(autouse=True)
def nothing_is_left(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """No thread, descriptor, child or temporary file outlives a test of a fault or of a road."""
    faulty = any(case.startswith("F") for case in _cases(request.node))
    if not faulty and "machines" not in request.node.path.parts:
        yield
        return
    temporary: Path = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = leaks.held()
    yield
    left = leaks.left(before)
    files = sorted(path.name for path in temporary.iterdir())
    assert not left, f"left behind: {left}"
    assert not files, f"left behind: {files}"
