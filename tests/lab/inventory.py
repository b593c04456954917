"""Writes .run for driftscan and make: inventory, client key, known hosts, environment."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.lab import base, hosts
from tests.lab.engine import Engine, container_url
from tests.lab.settings import DOCKERFILES, RUN, folder

HEADER = (
    "# Written by `python -m tests.lab up`: the lab's hosts. Paths are relative to this file.\n"
)


def content(place: Path, running: Iterable[hosts.Running]) -> dict[str, Any]:
    """The inventory as data."""
    rows = list(running)
    groups = {
        group: {
            "baseline": os.path.relpath(DOCKERFILES / group, place),
            "hosts": [row.name for row in rows if row.group == group],
        }
        for group in sorted({row.group for row in rows})
    }
    return {
        "defaults": {"user": "deploy", "key": "id_ed25519", "known_hosts": "known_hosts"},
        "groups": groups,
        "hosts": {
            row.name: {"address": hosts.ADDRESS, "port": row.port, "become": True} for row in rows
        },
    }


def write(place: Path, running: Iterable[hosts.Running]) -> Path:
    """Write inventory, key and known hosts into a folder; gives the inventory's path."""
    rows = list(running)
    folder(place)
    key = place / "id_ed25519"
    key.unlink(missing_ok=True)
    shutil.copy2(hosts.client_key(), key)
    key.chmod(0o600)
    lines = [line for row in rows for line in row.known_hosts()]
    replace(place / "known_hosts", "".join(f"{line}\n" for line in lines))
    text = yaml.safe_dump(content(place, rows), sort_keys=False, default_flow_style=None)
    replace(place / "inventory.yml", HEADER + text)
    return place / "inventory.yml"


def write_environment(engine: Engine, proxy_port: int) -> Path:
    """Write env.sh, for `. tests/lab/.run/env.sh`."""
    values = {
        **engine.environment(),
        "DRIFTSCAN_ENGINE": engine.client,
        "DRIFTSCAN_LAB_PROXY": container_url(proxy_port),
        "DRIFTSCAN_LAB_BASE": f"{base.IMAGE}:latest",
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items())]
    replace(RUN / "env.sh", "".join(f"{line}\n" for line in lines))
    return RUN / "env.sh"


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.replace(path)
