"""What tests on real servers need: the lab running, its baseline built, the program run whole."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests" / "lab" / ".run"
DEMO = "inventories/demo/web"


class Done(msgspec.Struct):
    """One run of the program."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report it printed."""
        return json.loads(self.out)


Program = Callable[..., Done]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The lab's environment; starts the lab when it is not running."""
    if os.environ.get("DRIFTSCAN_LAB") == "off":
        pytest.skip("DRIFTSCAN_LAB=off: no real servers on this machine")
    subprocess.run([sys.executable, "-m", "tests.lab", "up"], cwd=ROOT, check=True)
    exports = re.findall(r"^export (\w+)=(.*)$", (RUN / "env.sh").read_text(), re.MULTILINE)
    return {**os.environ, **{name: value.strip("'\"") for name, value in exports}}


@pytest.fixture(scope="session")
def driftscan(environment: dict[str, str]) -> Program:
    """Run the whole program as a user does: `driftscan("check", "web-a")`."""

    def run(*argv: str, inventory: Path = RUN / "inventory.yml") -> Done:
        env = {**environment, "DRIFTSCAN_INVENTORY": str(inventory)}
        done = subprocess.run(
            [sys.executable, "-m", "driftscan", *argv],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=500,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def baseline(driftscan: Program, environment: dict[str, str]) -> dict[str, Any]:
    """The demo's baseline, built from the lab's base image (layers cached)."""
    done = driftscan(
        "baseline",
        "build",
        DEMO,
        "--cached",
        "--network",
        "host",
        "--build-arg",
        f"BASE={environment['DRIFTSCAN_LAB_BASE']}",
        "--build-arg",
        f"http_proxy={environment['DRIFTSCAN_LAB_PROXY']}",
    )
    assert done.code == 0, done.err
    return json.loads((ROOT / DEMO / "baseline.json").read_text())
