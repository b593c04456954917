"""The second trip as its user sees it: what it brings, what it costs, and what happens without."""

import json
import signal
import subprocess
import sys
import time

import pytest
from msgspec.structs import replace

from driftscan import store
from driftscan.model import Collected
from tests import recorded
from tests.cli.conftest import environment
from tests.cli.test_over_ssh import cut_short, fleet
from tests.sshd import Manners, framed

__all__ = ["fleet"]

OLD = "0.0.1"


class Host:
    """A recorded host, whose second answer is what the test says; keeps the scripts it was sent."""

    def __init__(self, *lines, again=None):
        self.scripts = []
        self._again = again
        body = "".join(f" {line}\n" for line in lines)
        self._body = f"@NONCE@ S changelogs\n@NONCE@ C changelogs\n{body}\n@NONCE@ . 0\n"

    def __call__(self, channel, script, over):
        self.scripts.append(script)
        if "q_changelogs_changelogs" not in script:
            recorded.host(channel, script, over)
        elif self._again:
            self._again(channel, script, over)
        else:
            channel.sendall(framed(script, self._body.encode()))
            channel.send_exit_status(0)
            channel.close()


@pytest.fixture
def newer(driftscan, fleet, work):
    """`newer(host)`: the host, and `old.json`, where only its package dash is older."""

    def newer(host):
        fleet(b=Manners(host))
        (work / "new.json").write_text(driftscan("scan", "b").out)
        found = store.load(work / "new.json")
        items = dict(found.facts["dpkg"].items)
        items["dash"] = {**items["dash"], "version": OLD, "source_version": OLD}
        facts = {**found.facts, "dpkg": Collected(items=items)}
        store.save(work / "old.json", replace(found, facts=facts))
        host.scripts.clear()
        return found.facts["dpkg"].items["dash"]["source_version"]

    return newer


def compared(driftscan, *words, **more):
    done = driftscan("compare", "./old.json", *words, "-f", "json", **more)
    (report,) = json.loads(done.out)["hosts"].values()
    return done, report


def lines(version):
    return ["= dash", "@ dash", f"+dash ({version}) unstable; urgency=low", "+", "+  * Fix it."]


def test_the_newer_side_is_asked_once_more_and_never_again_for_the_same_version(
    driftscan, newer, work
):
    host = Host()
    version = newer(host)
    host._body = Host(*lines(version))._body

    done, first = compared(driftscan, "b")
    assert (done.code, first["trips"], len(host.scripts)) == (1, 2, 2)
    assert "wanted 'dash' 'dash'" in host.scripts[1]
    (kept,) = (work.parent / ".cache" / "driftscan").rglob("*.json")
    assert json.loads(kept.read_text())["item"]["lines"][-1] == "  * Fix it."

    again, report = compared(driftscan, "b")
    assert (again.code, report["trips"], len(host.scripts)) == (1, 1, 3)
    assert report["findings"] == first["findings"]


def test_a_host_that_is_cut_on_the_second_trip_costs_knowledge_and_nothing_else(driftscan, newer):
    host = Host(again=cut_short)
    newer(host)

    done, report = compared(driftscan, "b")
    without, _ = compared(driftscan, "b", "--no-details")

    assert done.code == without.code == 1
    assert (report["state"], report["trips"]) == ("drift", 2)
    (gap,) = [gap for gap in report["unknown"] if gap["what"] == "changelogs"]
    assert (gap["side"], gap["blocks"]) == ("b", False)
    assert gap["why"].startswith("b did not answer again: incomplete: ")
    assert "changelogs of b: b did not answer again" in driftscan("compare", "./old.json", "b").out


def test_without_details_nobody_is_asked_twice(driftscan, newer):
    host = Host()
    newer(host)
    for words, more in ((["--no-details"], {}), ([], {"DRIFTSCAN_DETAILS": "0"})):
        host.scripts.clear()
        done, report = compared(driftscan, "b", *words, **more)
        assert (done.code, report["trips"], len(host.scripts)) == (1, 1, 1)
        assert "changelogs" not in {gap["what"] for gap in report["unknown"]}


def test_equal_hosts_take_one_trip(driftscan, newer):
    host = Host()
    newer(host)
    driftscan("compare", "./new.json", "b")
    assert len(host.scripts) == 1


def test_a_host_of_several_pairs_is_asked_once_for_all(driftscan, newer, work):
    """It is the baseline of two files whose packages differ from it."""
    host = Host()
    newer(host)
    found = store.load(work / "old.json")
    store.save(work / "older.json", found)

    done = driftscan("check", "./old.json", "./older.json", "--baseline", "b", "-f", "json")

    assert len(host.scripts) == 2
    assert {h["trips"] for h in json.loads(done.out)["hosts"].values()} == {2}


def test_saved_fingerprints_are_not_asked_and_that_is_told(driftscan, newer):
    newer(Host())
    done, report = compared(driftscan, "./new.json")
    (gap,) = [gap for gap in report["unknown"] if gap["what"] == "changelogs"]
    assert gap["why"] == "a saved fingerprint answers no more questions"
    assert (done.code, report["trips"]) == (1, 1)


def test_what_an_offline_side_lacks_comes_from_a_host_of_the_same_run(
    driftscan, fleet, newer, work
):
    host = Host()
    version = newer(host)
    host._body = Host(*lines(version))._body

    words = ["./old.json", "b", "--baseline", "./new.json"]
    done = driftscan("check", *words, "-f", "json")

    report = json.loads(done.out)["hosts"]["./old.json"]
    assert len(host.scripts) == 2
    assert [gap for gap in report["unknown"] if gap["what"] == "changelogs"] == []


def hung(_channel, _script, over):
    over.wait()


def test_an_interrupt_ends_the_second_trip_at_once(newer, work, tmp_path):
    host = Host(again=hung)
    newer(host)
    process = subprocess.Popen(
        [sys.executable, "-m", "driftscan", "compare", "./old.json", "b"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=work,
        env=environment(tmp_path),
    )
    deadline = time.monotonic() + 60
    while len(host.scripts) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("driftscan: interrupted\n")


def test_the_deadline_holds_for_the_second_trip_too(driftscan, newer):
    newer(Host(again=hung))
    done, report = compared(driftscan, "b", "--deadline", "3")
    (gap,) = [gap for gap in report["unknown"] if gap["what"] == "changelogs"]
    assert gap["why"].startswith("b did not answer again: timeout: ")
    assert done.code == 1
