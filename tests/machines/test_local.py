"""The road to this machine: the same script, the same limits, nothing left running."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driftscan import framing, script
from driftscan.errors import MachineError
from driftscan.machines.local import Local
from driftscan.model import Limits, Questions, Target
from driftscan.probes import runtimes
from driftscan.probes.table import PROBES

HERE = Local(Target(name="here", road="local"))
LIMITS = Limits(deadline=2)


def asking(body: str) -> Questions:
    """A script that begins and ends as ours does, and does something of its own between."""
    plain = script.questions((), deadline=5)
    return Questions((), plain.script.replace("say END", f"{body}\nsay END"), plain.nonce)


@pytest.mark.long
def test_this_machine_answers_every_probe() -> None:
    questions = script.questions(PROBES, deadline=60)
    answer = HERE.ask(questions, Limits(deadline=60))
    assert answer.status == 0
    assert set(framing.unframe(answer.output, questions.nonce, PROBES)) == {p.NAME for p in PROBES}


def test_the_path_of_who_runs_us_is_not_that_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated = tmp_path / "bin"
    activated.mkdir()
    (activated / "python3").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", f"{activated}:{os.environ['PATH']}")
    questions = script.questions((runtimes,), deadline=60)
    answer = HERE.ask(questions, Limits(deadline=60))
    assert str(activated).encode() not in answer.output


@pytest.mark.parametrize(
    ("body", "limits", "state"),
    [
        ("sleep 30", LIMITS, "timeout"),
        ("exec 4>&- >&- 2>&-; sleep 30", LIMITS, "timeout"),
        ("while :; do echo y; done", Limits(deadline=20, output=1 << 20), "output_limit"),
        ("exit 3", LIMITS, "collector_failed"),
        ("kill -KILL $$", LIMITS, "collector_failed"),
    ],
)
def test_what_goes_wrong_is_told_in_time(body: str, limits: Limits, state: str) -> None:
    started = time.monotonic()
    with pytest.raises(MachineError) as caught:
        HERE.ask(asking(body), limits)
    assert caught.value.state == state
    assert time.monotonic() - started < limits.deadline + 3


def test_a_flood_of_complaints_is_kept_in_part() -> None:
    answer = HERE.ask(asking("head -c 5000000 /dev/zero >&2"), Limits(deadline=20))
    assert answer.errors == b"\0" * Limits().errors


def test_something_left_in_the_background_is_neither_awaited_nor_left() -> None:
    seconds = f"61.{os.getpid()}"  # only ours
    started = time.monotonic()
    answer = HERE.ask(asking(f"sleep {seconds} &"), Limits(deadline=20))
    assert answer.status == 0
    assert time.monotonic() - started < 8
    ends = time.monotonic() + 2
    while _running(f"sleep\0{seconds}\0") and time.monotonic() < ends:
        time.sleep(0.02)  # killed, and on its way out
    assert not _running(f"sleep\0{seconds}\0")


def test_closing_ends_it_at_once_from_another_thread() -> None:
    here = Local(HERE.target)
    timer = threading.Timer(0.3, here.close)
    timer.start()
    started = time.monotonic()
    with pytest.raises(MachineError) as caught:
        here.ask(asking("sleep 62"), Limits(deadline=20))
    timer.join()
    assert caught.value.state == "interrupted"
    assert time.monotonic() - started < 10


def _running(command: str) -> bool:
    return any(command in _command(entry) for entry in Path("/proc").glob("[0-9]*/cmdline"))


def _command(entry: Path) -> str:
    try:
        return entry.read_text()
    except OSError:
        return ""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A `sudo` found first on PATH, made of a few lines."""

    def make(lines: str) -> None:
        path = tmp_path / "sudo"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return make


def test_sudo_is_asked_for_exactly_one_command(tool: Callable[[str], None], tmp_path: Path) -> None:
    tool(f'printf "%s\\n" "$*" > {tmp_path}/asked; shift; exec "$@"')
    here = Local(Target(name="here", road="local", become=True))
    assert here.ask(asking(""), LIMITS).status == 0
    assert (tmp_path / "asked").read_text() == "-n sh -s\n"


@pytest.mark.case("F33")
def test_a_refusal_of_sudo_is_told(
    tool: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Local(Target(name="here", road="local", become=True))
    tool("echo 'sudo: a password is required' >&2; exit 1")
    with pytest.raises(MachineError, match="a password is required") as caught:
        here.ask(asking(""), LIMITS)
    assert caught.value.state == "become_failed"
    (tmp_path / "sudo").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError) as missing:
        here.ask(asking(""), LIMITS)
    assert missing.value.state == "become_failed"
