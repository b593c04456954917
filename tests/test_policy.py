"""The verdict of a run: exit codes of design.md, and never 0 on missing data."""

import pytest

from driftscan.model import Expected, Finding, Gap, HostReport, Meta, Unreached
from driftscan.policy import judge

META = Meta(target="x", kind="host", address="x", taken="2026-11-23T17:20:00Z", privilege="root")
LOST = Unreached(target="x", state="timeout", stage="connect", cause="no answer")


def compared(*levels, blocks=None, **fields):
    """A pair with a finding of each level, and a gap that blocks or not."""
    gaps = [] if blocks is None else [Gap(what="dpkg", side="x", why="denied", blocks=blocks)]
    found = [
        Finding(section="dpkg", key=level, kind="extra", level=level, members=[], cause="c")
        for level in levels
    ]
    sides = {"subject": META, "reference": META}
    return HostReport(state="x", findings=found, unknown=gaps, **sides, **fields)


GOOD = compared()
UNREACHED = HostReport(state="timeout", unreached=LOST)


@pytest.mark.parametrize(
    ("hosts", "fail_on", "code"),
    [
        ({}, "installed", 2),
        ({"a": GOOD}, "installed", 0),
        ({"a": GOOD, "b": compared("installed")}, "installed", 1),
        ({"a": GOOD, "b": compared("expected")}, "installed", 0),
        ({"a": compared("installed")}, "in-use", 0),
        ({"a": compared("in-use")}, "in-use", 1),
        ({"a": compared("in-use", "installed")}, "breaks", 0),
        ({"a": compared("breaks")}, "breaks", 1),
        ({"a": compared("breaks")}, "never", 0),
        ({"a": GOOD, "b": UNREACHED}, "installed", 3),
        ({"a": GOOD, "b": UNREACHED}, "never", 3),
        ({"a": compared("installed"), "b": UNREACHED}, "installed", 4),
        ({"a": UNREACHED}, "installed", 3),
        ({"a": HostReport(state="?")}, "installed", 3),
        ({"a": compared(blocks=True)}, "installed", 3),
        ({"a": compared(blocks=False)}, "installed", 0),
        ({"a": compared("installed", blocks=True)}, "installed", 4),
        ({"a": compared("installed", blocks=True)}, "breaks", 3),
    ],
)
def test_the_exit_code_tells_drift_and_whether_all_was_seen(hosts, fail_on, code):
    report = judge(hosts, fail_on)
    assert report.exit_code == code
    assert report.complete == (code in (0, 1))


def test_the_counts_tell_hosts_and_findings_and_the_hosts_are_sorted():
    awaited = [Expected(rule="r", reason="why", members=["dpkg:cron", "dpkg:sudo"])]
    hosts = {
        "d": UNREACHED,
        "c": compared("breaks", "breaks", "installed", expected=awaited),
        "b": compared("in-use", blocks=True),
        "a": GOOD,
    }
    report = judge(hosts, "breaks")
    assert list(report.hosts) == ["a", "b", "c", "d"]
    assert report.counts == {
        "hosts": 4,
        "compared": 3,
        "unreached": 1,
        "incomplete": 1,
        "drifted": 1,
        "causes": 0,
        "accepted": 0,
        "breaks": 2,
        "in-use": 1,
        "installed": 1,
        "expected": 2,
    }
