"""A machine whose first process is systemd: web-b with services of its own, in a container.

It needs an engine that gives a container SYS_ADMIN and the control groups of its host; where none
does, `started` raises LabError, and the captured answers (`tests/probes/captured/booted`) serve.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.engine import Engine
from tests.lab.settings import PREFIX, RECIPES, LabError

BASE = f"{PREFIX}/web-b:latest"
_GROUPS = ("--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw")
_PLACES = ("--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp")
_PATIENCE = 60.0


@contextmanager
def started(chosen: Engine, name: str) -> Iterator[str]:
    """The machine, booted: all that it starts has started or failed. Gone afterwards."""
    image = f"{PREFIX}/booted:{name}"
    volume = f"{RECIPES}:/dev/lab:ro"
    try:
        chosen.run("run", "--name", name, "--volume", volume, BASE, "sh", "/dev/lab/booted.sh")
        chosen.run("commit", name, image)
        chosen.run("rm", name)
        words = ("--detach", "--name", name, "--network", "none", "--cap-add", "SYS_ADMIN")
        first = ("--env", "container=docker", "--entrypoint", "/lib/systemd/systemd", image)
        chosen.run("run", *words, *_GROUPS, *_PLACES, *first)
        _wait(chosen, name)
        yield name
    finally:
        chosen.succeeds("rm", "-f", name)
        chosen.succeeds("rmi", "-f", image)


def _wait(chosen: Engine, name: str) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        # its exit status tells of failed units: one has to fail here
        told = chosen.run("exec", name, "sh", "-c", "systemctl is-system-running || :").strip()
        if told in ("running", "degraded"):
            return
        time.sleep(0.5)
    raise LabError("systemd did not come up as the first process of a container")
