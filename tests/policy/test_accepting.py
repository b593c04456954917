"""What a rule accepts, on which host, until which day, and what is told of the rules."""

from datetime import date

import pytest
from msgspec.structs import replace

from driftscan.model import Divergence, Finding, Gap, HostReport, Meta, Rule, Rules, Unreached
from driftscan.policy import accept, pins
from driftscan.policy.accepting import digest

META = Meta(target="x", kind="host", address="x", taken="2026-11-23T17:20:00Z", privilege="root")
DAY = date(2026, 12, 1)


def member(key, ours="1", theirs="2"):
    return Divergence(
        section="dpkg",
        key=key,
        kind="changed",
        subject={"version": ours},
        reference={"version": theirs},
        changes={"version": [ours, theirs]},
        group=key,
    )


def finding(key, *members, cause="hold:x"):
    found = list(members) or [member(key)]
    return Finding(
        section="dpkg", key=key, kind="changed", level="installed", members=found, cause=cause
    )


def host(*findings, **fields):
    return HostReport(
        state="drift", subject=META, reference=META, findings=list(findings), **fields
    )


def rule(name, *reports, until="2026-12-01", **scope):
    values = [pin for report in reports for pin in pins(name, report)]
    return Rule(id=name, reason="r", owner="o", until=until, values=values, line=2, **scope)


def accepted(hosts, *rules, today=DAY, groups=None, whole=True):
    judged, notes = accept(
        hosts, Rules(path="f", rules=list(rules)), today, groups or {}, whole=whole
    )
    states = {
        name: sorted((entry.state, tuple(entry.members)) for entry in report.accepted)
        for name, report in judged.items()
    }
    return states, notes


CURL = host(finding("curl"))


@pytest.mark.parametrize(
    ("today", "state"),
    [
        (date(2026, 11, 30), "active"),
        (date(2026, 12, 1), "active"),
        (date(2026, 12, 2), "expired"),
    ],
)
def test_a_rule_ends_with_its_last_day(today, state):
    states, notes = accepted({"a": CURL}, rule("dpkg:curl", CURL), today=today)
    assert states == {"a": [(state, ("dpkg:curl",))]}
    assert bool(notes) == (state == "expired")


def test_a_rule_for_a_group_is_for_its_hosts_only():
    groups = {"a": ["web"], "b": ["db"]}
    states, notes = accepted(
        {"a": CURL, "b": CURL}, rule("dpkg:curl", CURL, group="web"), groups=groups
    )
    assert (states, notes) == ({"a": [("active", ("dpkg:curl",))], "b": []}, [])


def test_a_rule_for_a_host_or_group_that_is_not_here_is_not_told():
    rules = rule("dpkg:curl", CURL, group="db"), rule("dpkg:curl", CURL, host="z")
    assert accepted({"a": CURL}, *rules) == ({"a": []}, [])


def test_a_new_member_of_a_finding_reopens_it():
    more = host(finding("curl", member("curl"), member("libcurl4")))
    states, _ = accepted({"a": more}, rule("dpkg:curl", CURL))
    assert states == {"a": [("changed", ("dpkg:curl",))]}


def test_a_member_that_was_repaired_does_not_reopen_it():
    more = host(finding("curl", member("curl"), member("libcurl4")))
    states, _ = accepted({"a": CURL}, rule("dpkg:curl", more))
    assert states == {"a": [("active", ("dpkg:curl",))]}


def test_a_new_finding_of_an_accepted_cause_is_not_accepted():
    more = host(finding("bash"), finding("curl"))
    states, _ = accepted({"a": more}, rule("hold:x", CURL))
    assert states == {"a": [("active", ("dpkg:curl",)), ("changed", ("dpkg:bash",))]}


def test_the_same_difference_for_another_reason_is_not_accepted_by_the_cause():
    other = host(finding("curl", cause="pin:x"))
    states, notes = accepted({"a": other}, rule("hold:x", CURL))
    assert states == {"a": []}
    assert notes == ["f:2: the rule for hold:x matches nothing: remove it"]


def test_a_value_under_another_id_accepts_nothing():
    smuggled = replace(rule("dpkg:curl", CURL), id="dpkg:bash")
    states, _ = accepted({"a": host(finding("bash"), finding("curl"))}, smuggled)
    assert states == {"a": [("changed", ("dpkg:bash",))]}


@pytest.mark.parametrize(
    "unseen",
    [
        HostReport(
            state="timeout",
            unreached=Unreached(target="b", state="timeout", stage="connect", cause="no"),
        ),
        host(unknown=[Gap(what="dpkg", side="b", why="denied")]),
    ],
)
def test_a_rule_is_not_called_useless_when_its_hosts_were_not_all_seen(unseen):
    assert accepted({"a": host(), "b": unseen}, rule("dpkg:curl", CURL))[1] == []
    assert accepted({"a": host()}, rule("dpkg:curl", CURL), whole=False)[1] == []
    assert accepted({"a": host()}, rule("dpkg:curl", CURL))[1] != []


def test_a_rule_that_is_over_and_matches_nothing_is_told_as_both():
    _, notes = accepted({"a": host()}, rule("dpkg:curl", CURL, until="2026-11-01"))
    assert notes == [
        "f:2: the rule for dpkg:curl matches nothing and ended on 2026-11-01: remove it"
    ]


def test_the_digest_tells_values_apart_and_nothing_else():
    one = member("curl")
    moved = replace(one, subject={"version": "1", "x": 1}, reference={"version": "2", "x": 1})
    extra = replace(one, kind="extra", changes={}, reference=None)
    placed = replace(extra, subject={"version": "1", "position": 3})
    assert digest(one) == digest(moved)
    assert digest(extra) == digest(placed)
    different = [one, extra, member("curl", "1", "3"), member("curl", "0"), member("bash")]
    assert len({digest(d) for d in different}) == len(different)
