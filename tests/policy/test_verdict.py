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
        "excused": 0,
        "incomplete": 1,
        "drifted": 1,
        "causes": 0,
        "accepted": 0,
        "breaks": 2,
        "in-use": 1,
        "installed": 1,
        "expected": 2,
    }


# --- hosts that may be missing -----------------------------------------------------------------


def lost(name, state="timeout", target=""):
    cause = Unreached(target=target or name, state=state, stage="connect", cause="no answer")
    return HostReport(state=state, unreached=cause)


@pytest.mark.parametrize(
    ("allow", "missing", "code"),
    [
        ("0", 1, 3),
        ("1", 1, 0),
        ("1", 2, 3),
        ("2", 2, 0),
        ("9%", 1, 3),
        ("10%", 1, 0),
        ("19%", 2, 3),
        ("100%", 9, 0),
        ("100%", 10, 3),
        ("10", 10, 3),
    ],
)
def test_so_many_hosts_may_be_missing_and_one_has_to_be_seen(allow, missing, code):
    names = [f"h{number}" for number in range(10)]
    hosts = {name: lost(name) if i < missing else GOOD for i, name in enumerate(names)}

    report = judge(hosts, "installed", allow_unreachable=allow)

    assert (report.exit_code, report.complete) == (code, False)
    assert report.counts["unreached"] == missing
    assert report.counts["excused"] == (missing if code == 0 else 0)
    assert any("h0" in note for note in report.notes) == (code == 0)


def test_a_missing_host_does_not_hide_the_drift_of_another():
    hosts = {"a": lost("a"), "b": compared("installed")}
    assert judge(hosts, "installed", allow_unreachable="1").exit_code == 1


@pytest.mark.parametrize(
    "host",
    [
        lost("a", "host_key_mismatch"),
        lost("a", "internal_error"),
        lost("a", target="image://web"),
        compared(blocks=True),
    ],
)
def test_what_is_no_missing_host_is_never_allowed(host):
    assert judge({"a": host, "b": GOOD}, "installed", allow_unreachable="50%").exit_code == 3
