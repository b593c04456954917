"""Machines that lack what the script would like to have: told by name, never taken for empty."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from driftscan import scan, script
from driftscan.errors import MachineError
from driftscan.model import Absent, Answer, Collected, Failed, Fingerprint, Section
from driftscan.probes import host
from driftscan.probes import os as os_release
from driftscan.probes.contract import Probe
from driftscan.probes.table import PROBES

pytestmark = pytest.mark.case("F34")

SCRIPT_PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
EVERYTHING = ("sed", "head", "sleep", "find", "grep", "stat", "awk", "sort", "readlink", "ls")
MORE = ("cut", "tr", "id", "uname", "date", "cat", "hostname", "renice", "wc", "ldconfig")


def asked(
    folder: Path, tools: tuple[str, ...], *shell: str, probes: Sequence[Probe] = PROBES
) -> Fingerprint:
    """This machine as the script sees it where only these tools are."""
    for tool in tools:
        path = shutil.which(tool, path=f"{os.environ['PATH']}:/sbin:/usr/sbin")
        if path is not None:
            (folder / tool).symlink_to(path)
    questions = script.questions(probes, deadline=60)
    assert SCRIPT_PATH in questions.script
    text = questions.script.replace(SCRIPT_PATH, f"PATH={folder}")
    done = subprocess.run(
        shell or ("sh", "-s"), input=text.encode(), capture_output=True, start_new_session=True
    )
    answer = Answer(done.stdout, done.stderr, done.returncode, 0.1)
    return scan.fingerprint(
        answer,
        questions,
        probes,
        target="bare",
        kind="host",
        address="",
        taken="2026-11-23T17:20:00Z",
    )


def sections(found: Fingerprint) -> dict[str, Section]:
    return {**found.facts, **found.evidence}


def empty(found: Fingerprint) -> set[str]:
    """The sections that say: there is nothing."""
    return {
        name
        for name, section in sections(found).items()
        if isinstance(section, Absent) or section == Collected(items={})
    }


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fingerprint]:
    """This machine with every tool. Something listens all the while: else the comparison would
    hang on whether another program happens to."""
    with socket.create_server(("127.0.0.1", 0)):
        yield asked(tmp_path_factory.mktemp("usual"), EVERYTHING + MORE)


def test_without_python_and_perl_everything_is_answered(usual: Fingerprint) -> None:
    failed = {n: s for n, s in sections(usual).items() if isinstance(s, Failed)}
    assert {n for n, s in failed.items() if "has no" in s.reason} == set()
    assert "Failed" not in type(usual.facts["os"]).__name__


@pytest.mark.parametrize(
    "tool",
    ["find", *(pytest.param(name, marks=pytest.mark.long) for name in ("grep", "stat", "awk"))],
)
def test_without_a_tool_no_section_becomes_empty_that_was_not(
    tmp_path: Path, tool: str, usual: Fingerprint
) -> None:
    tools = tuple(name for name in EVERYTHING + MORE if name != tool)
    found = asked(tmp_path, tools)
    assert empty(found) <= empty(usual)
    lost = Failed(reason=f"this machine has no {tool}")
    assert lost in sections(found).values(), "nothing needs it: take it out of the list"
    assert isinstance(found.facts["os"], type(usual.facts["os"]))


@pytest.mark.parametrize("tool", ["sed", "head"])
def test_without_what_the_answer_itself_needs_there_is_none_and_its_name_is_told(
    tmp_path: Path, tool: str
) -> None:
    tools = tuple(name for name in EVERYTHING + MORE if name != tool)
    with pytest.raises(MachineError, match=f"this machine lacks {tool}"):
        asked(tmp_path, tools, probes=(host, os_release))


def test_without_sleep_there_is_no_watchdog_but_an_answer(tmp_path: Path) -> None:
    tools = tuple(name for name in EVERYTHING + MORE if name != "sleep")
    found = asked(tmp_path, tools, probes=(host, os_release))
    assert isinstance(found.facts["os"], Collected)


@pytest.mark.sshd
def test_without_proc_and_on_a_file_system_that_takes_no_writes_the_rest_is_answered(
    tmp_path: Path, usual: Fingerprint
) -> None:
    bare = "mount -o remount,ro,bind / && mount -t tmpfs -o ro none /proc && exec sh -s"
    user = () if os.getuid() == 0 else ("-r",)
    found = asked(tmp_path, EVERYTHING + MORE, "unshare", *user, "-m", "sh", "-c", bare)
    assert found.evidence["processes"] == Failed(reason="/proc is not mounted")
    assert empty(found) <= empty(usual)
    assert found.facts["dpkg"] == usual.facts["dpkg"]
