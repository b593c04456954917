"""What a scan is doing, on a terminal only: hosts done, the slowest one, how many failed."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

    from driftscan.scan import Event, OnEvent


@contextmanager
def shown(total: int, *, quiet: bool) -> "Iterator[OnEvent]":
    """A callable for `scan`'s events; draws on standard error while it is a terminal."""
    state = State(total)
    if quiet or not total or not sys.stderr.isatty():
        yield state.on_event
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn
    from rich.text import Text

    class Told(ProgressColumn):
        """Names come from the user's inventory: as text, never as markup."""

        def render(self, task: "Task") -> "Text":  # noqa: ARG002 - rich's form
            return Text(state.line())

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with Progress(BarColumn(24), Told(), console=console, transient=True) as bar:
        task = bar.add_task("", total=total)

        def on_event(name: str, event: "Event", text: str) -> None:
            state.on_event(name, event, text)
            bar.update(task, completed=state.done)

        yield on_event


class State:
    """What is known of the machines of a run, told from many threads."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self._running: dict[str, float] = {}
        self._lock = threading.Lock()

    def on_event(self, name: str, event: "Event", _text: str) -> None:
        """Note what a machine did."""
        with self._lock:
            if event == "started":
                self._running[name] = time.monotonic()
                return
            self._running.pop(name, None)
            self.done += 1
            self.failed += event == "failed"

    def line(self) -> str:
        """`12 of 50 done, 2 failed, slowest web-a (12 s)`."""
        with self._lock:
            parts = [f"{self.done} of {self.total} done"]
            if self.failed:
                parts.append(f"{self.failed} failed")
            if self._running:
                name, since = min(self._running.items(), key=lambda entry: entry[1])
                parts.append(f"slowest {name} ({time.monotonic() - since:.0f} s)")
        return ", ".join(parts)
