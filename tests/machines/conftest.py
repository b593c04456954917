"""What every test of a road must leave behind: nothing."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_PATIENCE = 5.0


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith("pytest")}


def _descriptors() -> dict[str, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[entry.name] = os.readlink(entry)  # noqa: PTH115 - sockets are no paths
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


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread, no socket or other descriptor and no child process outlives its test."""
    threads, descriptors, children = _threads(), _descriptors(), _children()
    yield
    ends = time.monotonic() + _PATIENCE
    while True:
        left = {
            "threads": [thread.name for thread in _threads() - threads],
            "descriptors": sorted(set(_descriptors().items()) - set(descriptors.items())),
            "children": sorted(_children() - children),
        }
        if not any(left.values()):
            return
        if time.monotonic() > ends:
            pytest.fail(f"left behind: {left}")
        time.sleep(0.02)
