"""What this process holds open: threads, descriptors and children, which a test must give back."""

import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

_PATIENCE = 5.0


class Held(NamedTuple):
    """All of it at one moment."""

    threads: set[threading.Thread]
    descriptors: set[tuple[str, str]]
    children: set[str]


def held() -> Held:
    """What is held now."""
    return Held(_threads(), _descriptors(), _children())


def left(before: Held) -> dict[str, list[str]]:
    """What came since and is still there after a while; empty when nothing is."""
    ends = time.monotonic() + _PATIENCE
    while True:
        now = held()
        found = {
            "threads": sorted(thread.name for thread in now.threads - before.threads),
            "descriptors": sorted(map(str, now.descriptors - before.descriptors)),
            "children": sorted(now.children - before.children),
        }
        if not any(found.values()):
            return {}
        if time.monotonic() > ends:
            return found
        time.sleep(0.02)


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith("pytest")}


def _descriptors() -> set[tuple[str, str]]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add((entry.name, os.readlink(entry)))  # noqa: PTH115 - sockets are no paths
        except FileNotFoundError:
            continue  # the one that lists this directory
    return found


def _children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            found.update((task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that has just ended
    return found
