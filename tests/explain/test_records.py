"""What a host's logs say was done: events, who, when, and how sure."""

import pytest

from driftscan.explain.records import Records
from driftscan.probes import apt_history
from tests.build import fingerprint, package, transaction
from tests.probes.conftest import read_captured, read_transcript


def records(evidence, side="subject"):
    return Records(fingerprint("web-a", {"a": package("1")}, evidence=evidence), side)


def captured(machine):
    raw = read_transcript(read_captured(machine, "apt-history"))["apt-history"]
    return apt_history.parse(raw)


def test_a_real_unattended_upgrade_is_one_event_though_apt_logged_each_of_its_steps():
    sections = captured("updates")
    blocks = [
        key
        for key, item in sections["apt-history"].items.items()
        if item["command"] == "/usr/bin/unattended-upgrade -v"
    ]
    assert len(blocks) > 15

    events = [t for t in records(sections).transactions if t.unattended]

    assert [t.keys for t in events] == [tuple(blocks)]
    moved = {n for key in blocks for n in sections["apt-history"].items[key].get("upgrade", {})}
    assert set(events[0].operations) == moved


def test_two_runs_on_two_days_are_two_events():
    days = {
        day: transaction("unattended-upgrade", f"2026-10-2{day} 06:00:00", upgrade={"a": "1 -> 2"})
        for day in "12"
    }  # fmt: skip

    assert len(records({"apt-history": days}).transactions) == 2


def test_the_same_command_of_a_person_twice_is_two_events():
    runs = {
        str(n): transaction("apt-get install a", f"2026-10-21 06:0{n}:00", install={"a": "1"})
        for n in range(2)
    }

    assert len(records({"apt-history": runs}).transactions) == 2


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("apt-get install -y im gs=1 lib:i386 x/bookworm", ["im", "gs", "lib", "x"]),
        ("apt-get install --only-upgrade a", []),
        ("apt-get remove a", []),
        ("apt-get install ./tool.deb", []),
        ("apt-get -o X=y install a", ["a"]),
        ("", []),
    ],
)  # fmt: skip
def test_what_a_command_line_asks_for(command, named):
    found = records({"apt-history": {"1": transaction(command)}}).transactions[0].named

    assert found == named


def test_a_purge_of_what_was_left_is_not_the_removal():
    steps = {
        "1": transaction("apt-get install php", "2026-10-01 10:00:00", install={"php": "1"}),
        "2": transaction("apt-get remove php", "2026-10-02 10:00:00", remove={"php": "1"}),
        "3": transaction("apt-get purge php", "2026-10-03 10:00:00", purge={"php": "1"}),
    }

    assert records({"apt-history": steps}).record("php", removed=True).time == "2026-10-02 10:00"


def test_records_are_told_with_the_zone_of_the_host_and_cite_it():
    evidence = {
        "apt-history": {"1": transaction("apt-get install a", install={"a": "1"}, user="")},
        "host": {"self": {"zone": "CEST", "offset": "+0200"}},
    }

    record = records(evidence, "reference").record("a")

    assert (record.zone, record.user) == ("CEST", "root or unknown")
    assert record.cites == ["reference/apt-history:1", "reference/host:self"]


@pytest.mark.parametrize("events", [["junk"], ["2026-10-01 10:00:00 explode 1 2"], [], "text"])
def test_a_forged_or_broken_line_of_a_log_is_no_record(events):
    assert records({"dpkg-log": {"a": {"events": events}}}).record("a") is None
