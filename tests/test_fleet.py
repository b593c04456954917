"""Fifty real servers scanned at once in one process: all collected, nothing left behind."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from driftscan.machines.ssh import Credentials
from driftscan.model import Collected, Fingerprint, Limits, Target
from driftscan.probes import dpkg, host
from driftscan.probes import os as os_release
from driftscan.probes.contract import Probe
from driftscan.probes.table import PROBES
from driftscan.scan import Result, scan
from tests.bench.fleet import fleet, jobs
from tests.lab.settings import LabError

pytestmark = pytest.mark.sshd

COUNT = 50
PATIENCE = 10.0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Target]]:
    if os.environ.get("DRIFTSCAN_LAB") == "off":
        pytest.skip("DRIFTSCAN_LAB=off: no real servers on this machine")
    try:
        with fleet(COUNT, tmp_path_factory.mktemp("fleet")) as targets:
            yield targets
    except LabError as error:
        pytest.fail(str(error))


def scanned(
    targets: list[Target], credentials: Credentials, probes: Sequence[Probe] = PROBES
) -> dict[str, Result]:
    """Every host asked all at once."""
    asked = jobs(targets, credentials)
    # two cores run fifty servers and their scripts here: time is not what is tested
    limits = Limits(deadline=300, handshake=120, first_byte=120, idle=120)
    return dict(scan(asked, probes=probes, limits=limits, workers=len(asked)))


def threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate())


def descriptors() -> list[str]:
    """What this process holds open; the listing's own descriptor is gone when it is read."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(f"{entry.name} {os.readlink(entry)}")  # noqa: PTH115 - sockets are no paths
        except FileNotFoundError:
            continue
    return sorted(found)


def visitors(targets: list[Target]) -> list[str]:
    """The processes that live in a session with one of the servers, by what sshd told them."""
    marks = [f" {target.port}\0".encode() for target in targets]
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "environ").read_bytes() + b"\0"
            told = words.partition(b"SSH_CONNECTION=")[2].partition(b"\0")[0] + b"\0"
            if any(told.endswith(mark) for mark in marks):
                found.append(f"{process.name} {(process / 'cmdline').read_bytes()!r}")
        except OSError:
            continue  # ended meanwhile, or not ours
    return found


def soon(left: Callable[[], object], nothing: object) -> object:
    """What is left, as soon as it is nothing, or when patience ends."""
    until = time.monotonic() + PATIENCE
    while left() != nothing and time.monotonic() < until:
        time.sleep(0.05)
    return left()


def test_fifty_servers_at_once_are_all_collected_and_nothing_is_left(
    servers: list[Target],
) -> None:
    few = (host, os_release, dpkg)
    scanned(
        servers[:1], Credentials(), few
    )  # what is imported and cached for good stays in `before`
    before = threads(), descriptors()
    most = 0
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.2):
            most = max(most, len(visitors(servers)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    results = scanned(servers, Credentials(), few)
    over.set()
    watcher.join()

    assert sorted(results) == [target.name for target in servers]
    assert [r for r in results.values() if not isinstance(r, Fingerprint)] == []
    assert most > 1, "the servers were not asked at once, or their sessions cannot be seen"
    assert soon(threads, before[0]) == before[0]
    assert soon(descriptors, before[1]) == before[1]
    assert soon(lambda: visitors(servers), []) == []


def test_all_servers_of_one_machine_have_the_same_facts(servers: list[Target]) -> None:
    for _ in range(3):  # what mounts or starts on this machine meanwhile is no difference
        results = scanned(servers[:4], Credentials())
        facts = [r.facts for r in results.values() if isinstance(r, Fingerprint)]
        if all(one == facts[0] for one in facts):
            break
    assert len(facts) == 4
    assert all(one == facts[0] for one in facts)
    assert isinstance(facts[0]["os"], Collected)
