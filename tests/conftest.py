"""What all tests need: signals that reach the programs they start, and how many examples."""

import os
import signal
from datetime import UTC, datetime

from hypothesis import settings

from tests import cases

# A shell that runs the tests in the background ignores these, and programs inherit that.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(
            _number,
            signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL,
        )

# Shared machines are slow at times: no example of a property test fails by the clock.
settings.register_profile("driftscan", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "driftscan"))


# --- how the tests of the acceptance list ended: `make reliability` ------------------------------


def pytest_addoption(parser):
    parser.addoption(
        "--cases-report", action="store_true", help="keep in tests/cases.json how cases ended"
    )


def pytest_configure(config):
    if config.getoption("--cases-report"):
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
            day = datetime.now(UTC).strftime("%Y-%m-%d")
            cases.keep({name: f"{end} {day}" for name, end in self.ended.items()})
