"""The apt-history probe against apt's and dpkg's own words, other people's logs, and bad input."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.model import Absent, Collected, Denied, Partial, Payload, Raw
from driftscan.probes import apt_history

HISTORY = "/var/log/apt/history.log"
STATES = "/var/lib/apt/extended_states"


def history(*lines, rotated=(), files=None, gaps=None, cut=False):
    """The section apt-history of a host whose log has these lines."""
    raw = Raw(
        {HISTORY: Payload(lines, cut=cut), **(files or {})},
        {"history-rotated": Payload(rotated)},
        gaps or {},
    )
    return apt_history.parse(raw)["apt-history"]


def log(*lines, rotated=(), arch=()):
    """The section dpkg-log of a host whose log has these lines."""
    files = {"/var/lib/dpkg/arch": Payload(arch)} if arch else {}
    raw = Raw(files, {"events": Payload(lines), "events-rotated": Payload(rotated)})
    return apt_history.parse(raw)["dpkg-log"]


def test_the_operations_of_the_lab_are_told_with_time_user_and_command(captured):
    section = apt_history.parse(captured("apt-history", "web-a"))["apt-history"]
    assert isinstance(section, Collected)
    told = [(item["command"], item.get("user"), item.get("uid")) for item in section.items.values()]
    plumbing = "openssh-server sudo python3 curl ca-certificates cron procps logrotate"
    assert told == [
        (f"apt-get install -y {plumbing}", None, None),
        ("apt-get install -y imagemagick ghostscript", "deploy", 1000),
        ("apt-get install -y php-fpm php-imagick", "deploy", 1000),
        ("apt-get install -y openjdk-17-jre-headless", "deploy", 1000),
    ]


@pytest.mark.parametrize("machine", ["web-a", "snowflake"])
def test_apt_and_dpkg_logged_the_same_changes(captured, machine):
    sections = apt_history.parse(captured("apt-history", machine))
    logged = sections["dpkg-log"].items
    checked = 0
    for item in sections["apt-history"].items.values():
        if "end" not in item or "error" in item:
            continue
        for action in ("install", "upgrade", "remove", "purge"):
            for package, version in item.get(action, {}).items():
                versions = version.split(" -> ") if action == "upgrade" else [version]
                word = "remove" if action == "purge" else action
                events = [event.split(" ") for event in logged[package]["events"]]
                assert any(
                    item["start"] <= f"{day} {time}" <= item["end"]
                    and name == word
                    and set(versions) <= {old, new}
                    for day, time, name, old, new in events
                ), (package, action, version, logged[package])
                checked += 1
    assert checked > 150


@pytest.mark.parametrize("machine", ["web-a", "snowflake"])
def test_automatic_packages_are_those_that_apt_mark_shows(captured, oracle, machine):
    section = apt_history.parse(captured("apt-history", machine))["apt-auto"]
    shown = set(oracle("apt-auto", machine))
    # apt forgets the mark of a removed package late, and shows only what is installed.
    assert shown <= set(section.items)
    assert len(set(section.items) - shown) < 10
    assert all(item == {"auto": True} for item in section.items.values())


def test_every_kind_of_transaction_is_read_across_two_rotations(captured):
    section = apt_history.parse(captured("apt-history", "snowflake"))["apt-history"]
    assert isinstance(section, Collected)
    found = [
        (action, sorted(item[action]), item.get("user"))
        for item in section.items.values()
        for action in ("reinstall", "remove", "purge", "upgrade", "downgrade")
        if action in item
    ]
    assert found == [
        ("reinstall", ["ghostscript"], "deploy"),
        ("remove", ["php-imagick"], None),
        ("purge", ["cron"], None),
        ("upgrade", ["libpng16-16"], "ops"),
        ("downgrade", ["libpng16-16"], None),
        ("remove", ["imagemagick", "imagemagick-6.q16"], None),
    ]


def test_an_upgrade_and_its_downgrade_name_both_versions_the_other_way_round(captured):
    items = apt_history.parse(captured("apt-history", "snowflake"))["apt-history"].items.values()
    (up,) = [item["upgrade"]["libpng16-16"] for item in items if "upgrade" in item]
    (down,) = [item["downgrade"]["libpng16-16"] for item in items if "downgrade" in item]
    assert up.split(" -> ") == down.split(" -> ")[::-1]


def test_a_failed_transaction_keeps_its_error(captured):
    items = apt_history.parse(captured("apt-history", "snowflake"))["apt-history"].items.values()
    errors = [item["error"] for item in items if "error" in item]
    assert errors == ["Sub-process /usr/bin/dpkg returned an error code (1)"]


def test_a_foreign_package_is_named_with_its_architecture_in_both_logs(captured):
    sections = apt_history.parse(captured("apt-history", "snowflake"))
    installs = [item.get("install", {}) for item in sections["apt-history"].items.values()]
    assert [names["tool:i386"] for names in installs if "tool:i386" in names] == ["1:2.0-1"]
    assert "tool:i386" in sections["dpkg-log"].items
    assert not [key for key in sections["dpkg-log"].items if key.endswith((":amd64", ":all"))]


def test_a_stanza_that_the_host_never_finished_has_no_end(captured):
    items = apt_history.parse(captured("apt-history", "snowflake"))["apt-history"].items
    assert items["2026-11-30 10:00:00#00"] == {
        "start": "2026-11-30 10:00:00",
        "command": "apt-get install -y lib",
    }


def test_what_an_unprivileged_account_may_not_read_is_named_and_the_rest_stands(captured):
    sections = apt_history.parse(captured("apt-history", "unprivileged"))
    assert isinstance(sections["apt-history"], Partial)
    assert sections["apt-history"].gaps == ["/var/log/apt/history.log: denied"]
    assert sections["apt-history"].items
    assert isinstance(sections["dpkg-log"], Partial)
    assert sections["dpkg-log"].gaps == [
        "/var/log/dpkg.log.1: denied",
        "/var/log/dpkg.log.2.gz: denied",
    ]
    assert isinstance(sections["apt-auto"], Denied)


def test_the_log_of_a_debian_9_cloud_host_is_read_whole(fixtures):
    path = fixtures / "plaso/test_data/apt_history.log"
    text = path.read_text().split("\n")
    section = history(*text)
    assert isinstance(section, Collected)
    assert len(section.items) == sum(line.startswith("Start-Date:") for line in text)
    for field, name in (("Install", "install"), ("Upgrade", "upgrade"), ("Purge", "purge")):
        words = sum(line.count("), ") + 1 for line in text if line.startswith(f"{field}: "))
        assert sum(len(item.get(name, {})) for item in section.items.values()) == words
    automatic = Counter(re.findall(r"\(([^)]*), automatic\)", "\n".join(text)))
    assert sum(len(i.get("automatic", [])) for i in section.items.values()) == automatic.total()


def test_a_log_of_2009_gives_its_one_install_and_counts_no_other_line_as_strange(fixtures):
    lines = (fixtures / "plaso/test_data/dpkg.log").read_text().splitlines()
    kept = [line for line in lines if re.search(apt_history._EVENTS, line)]
    assert log(*kept) == Collected(
        items={"base-passwd": {"events": ["2016-08-06 17:35:39 install <none> 3.5.33"]}}
    )


def test_transactions_of_one_second_stay_in_the_order_of_the_log():
    stanza = ["Start-Date: 2026-01-02  03:04:05", "Commandline: apt-get install a", ""]
    second = [stanza[0], "Commandline: apt-get install b", ""]
    section = history(*stanza, *second)
    assert [(key, item["command"]) for key, item in section.items.items()] == [
        ("2026-01-02 03:04:05#00", "apt-get install a"),
        ("2026-01-02 03:04:05#01", "apt-get install b"),
    ]


def test_rotations_come_before_the_current_log_whatever_their_order():
    newer = ["Start-Date: 2026-03-01  00:00:00", ""]
    older = ["Start-Date: 2026-01-01  00:00:00", ""]
    section = history("Start-Date: 2026-05-01  00:00:00", rotated=(*newer, *older))
    assert [key[:7] for key in section.items] == ["2026-01", "2026-03", "2026-05"]


def test_lines_that_are_not_understood_are_counted_and_the_rest_stands():
    section = history(
        "garbage",
        "Start-Date: 2026-01-01  00:00:00",
        "Install: good:amd64 (1.0), broken:amd64 (), alsogood:amd64 (2.0, automatic)",
        "Colour: red",
        "",
        "Commandline: a stanza whose start was cut off",
    )
    assert section == Partial(
        items={
            "2026-01-01 00:00:00#00": {
                "start": "2026-01-01 00:00:00",
                "install": {"good": "1.0", "alsogood": "2.0"},
                "automatic": ["alsogood"],
            }
        },
        gaps=[
            f"2 lines not understood in {HISTORY}",
            f"1 packages not understood in {HISTORY}",
            f"1 transactions without a start in {HISTORY}",
        ],
    )


def test_a_line_that_was_cut_loses_its_last_package_only():
    words = ", ".join(f"p{number}:amd64 (1.{number})" for number in range(5))
    line = f"Install: {words}"[:-4] + "[line cut]"
    section = history("Start-Date: 2026-01-01  00:00:00", line)
    assert isinstance(section, Partial)
    assert list(section.items["2026-01-01 00:00:00#00"]["install"]) == ["p0", "p1", "p2", "p3"]
    assert section.gaps == [f"1 packages not understood in {HISTORY}"]


def test_a_log_larger_than_the_limit_is_partial():
    section = history("Start-Date: 2026-01-01  00:00:00", cut=True)
    assert isinstance(section, Partial)
    assert section.gaps == [f"{HISTORY}: larger than the limit, the rest was not read"]


def test_rotations_that_another_tool_packed_or_that_are_damaged_are_named():
    rotated = (f"packed {HISTORY}.1.xz", "Start-Date: 2026-01-01  00:00:00", f"damaged {HISTORY}")
    section = history(rotated=rotated)
    assert isinstance(section, Partial)
    assert section.gaps == [
        f"{HISTORY}.1.xz: compressed by another tool than gzip",
        f"{HISTORY}: damaged",
    ]
    assert list(section.items) == ["2026-01-01 00:00:00#00"]


def test_a_host_without_logs_has_none():
    raw = Raw({}, {name: Payload(()) for name in ("events", "events-rotated", "history-rotated")})
    assert set(apt_history.parse(raw).values()) == {Absent()}


def test_logs_behind_a_closed_directory_are_denied_not_empty():
    raw = Raw({}, {"events": Payload(())}, {"/var/log": "denied", "/var/lib/apt": "denied"})
    sections = apt_history.parse(raw)
    assert {type(section) for section in sections.values()} == {Denied}


def test_architectures_are_dropped_only_where_they_are_the_machines_own():
    lines = (
        "2026-01-01 00:00:00 install own:arm64 <none> 1",
        "2026-01-01 00:00:01 install foreign:amd64 <none> 1",
        "2026-01-01 00:00:02 install every:all <none> 1",
        "2026-01-01 00:00:03 install ancient <none> 1",
    )
    assert set(log(*lines, arch=("arm64", "amd64")).items) == {
        "own",
        "foreign:amd64",
        "every",
        "ancient",
    }


def test_marks_count_only_where_they_say_automatic():
    states = Payload(
        (
            "Package: a",
            "Architecture: amd64",
            "Auto-Installed: 1",
            "",
            "Package: b",
            "Auto-Installed: 0",
            "",
            "no stanza",
        )
    )
    raw = Raw({STATES: states}, {"events": Payload(())})
    assert apt_history.parse(raw)["apt-auto"] == Partial(
        items={"a": {"auto": True}}, gaps=[f"1 stanzas not understood in {STATES}"]
    )


WORDS = st.sampled_from(
    [
        "Start-Date: 2026-01-01  00:00:00",
        "Install: a:amd64 (1, automatic), b:amd64 (",
        "Upgrade: a:amd64 (1, 2), ",
        "Requested-By: deploy (1000)",
        "Requested-By: (x)",
        "2026-01-01 00:00:00 install a:amd64 <none> 1",
        "denied /var/log/dpkg.log",
        "Package: a",
        " continued",
        "",
    ]
)
LINES = st.lists(WORDS | st.text(max_size=40).map(lambda t: t.replace("\n", "")), max_size=12)


@given(LINES, LINES, LINES, LINES)
def test_logs_may_hold_anything_and_still_give_sections(current, rotated, events, states):
    raw = Raw(
        {HISTORY: Payload(tuple(current)), STATES: Payload(tuple(states))},
        {
            "history-rotated": Payload(tuple(rotated)),
            "events": Payload(tuple(events)),
            "events-rotated": Payload(tuple(rotated)),
        },
    )
    sections = apt_history.parse(raw)
    assert list(sections) == [about.name for about in apt_history.GIVES]
