"""Versions that differ though the repositories are the same: who did it, if anybody did."""

import pytest
from msgspec.structs import replace

from driftscan import policy
from driftscan.explain import mirror
from driftscan.model import NO_LOGS, Collected, Denied, Side
from driftscan.report import table
from tests import recorded
from tests.build import explained, image, package, transaction
from tests.explain.test_package_causes import FACTS, causes, history, host, texts, with_details


def one(report, kind):
    (cause,) = [cause for cause in report.causes if cause.type == kind]
    return cause


def test_nobody_made_a_host_fall_behind_whatever_was_installed_last():
    done = history(
        transaction("apt-get install a", "2026-10-01 10:00:00", install={"a": "1"}),
        transaction("apt-get install java", "2026-10-29 16:31:00", install={"java": "17"}),
    )
    ours = host("web-a", {"a": package("1"), "java": package("17")}, evidence={"apt-history": done})

    cause = one(
        explained(ours, host("web-b", {"a": package("2"), "java": package("17")})), "behind"
    )

    assert cause.host_record is None
    assert cause.text == (
        "web-a has the same repositories and older packages, put there until 2026-10-01 10:00"
    )
    assert not any("java" in text for text in texts(cause))


def test_the_upgrade_that_moved_most_of_the_packages_is_the_one_that_is_named():
    done = history(
        transaction(
            "apt-get dist-upgrade", "2026-10-01 10:00:00", upgrade=dict.fromkeys("ab", "1 -> 2")
        ),
        transaction("apt-get install java", "2026-10-29 16:31:00", install={"java": "17"}),
    )
    names = {"a": package("2"), "b": package("2"), "java": package("17")}
    old = {"a": package("1"), "b": package("1"), "java": package("16")}

    cause = one(
        explained(host("web-b", names, evidence={"apt-history": done}), host("web-a", old)), "ahead"
    )

    assert cause.host_record.command == "apt-get dist-upgrade"
    assert sorted(cause.claims) == ["dpkg:a", "dpkg:b", "dpkg:java"]


def test_a_newer_version_that_no_log_and_no_list_has_is_no_upgrade_and_no_stale_image():
    theirs = image({"a": package("9.1-1")}, {}, {}, facts=FACTS)
    ours = host("web-a", {"a": package("9.1-1acme1")})

    silent = explained(ours, theirs)
    offers = with_details(ours, available={"a": {"versions": ["9.1-1"], "fetched": 1}})
    local = explained(offers, theirs)

    assert causes(silent) == {"unexplained:dpkg": ["dpkg:a"]}
    assert causes(local) == {"local-package:a": ["dpkg:a"]}
    assert one(local, "local-package").confidence == "inferred"
    assert "stale" not in one(local, "local-package").text


@pytest.mark.parametrize("by", ["apt history", "dpkg log", "lists"])
def test_a_newer_version_that_a_log_or_a_list_has_is_ahead(by):
    done = {"apt-history": history(transaction("apt-get upgrade", upgrade={"a": "1 -> 2"}))}
    log = {"dpkg-log": {"a": {"events": ["2026-10-21 14:02:13 upgrade 1 2"]}}}
    evidence = {"apt history": done, "dpkg log": log}.get(by, {})
    ours = Side(fingerprint=host("web-a", {"a": package("2")}, evidence=evidence))
    if by == "lists":
        ours = with_details(ours.fingerprint, available={"a": {"versions": ["2"], "fetched": 1}})

    cause = one(explained(ours, image({"a": package("1")}, {}, {}, facts=FACTS)), "ahead")

    assert cause.claims == ["dpkg:a"]
    assert cause.confidence == ("inferred" if by == "lists" else "recorded")
    assert (cause.host_record is None) == (by == "lists")
    assert cause.text.endswith("the image is stale, rebuild it")


# --- what nothing tells, and a clock that is wrong ------------------------------------------------


def test_a_machine_without_logs_says_that_it_has_no_record():
    empty = {name: {} for name in ("apt-history", "dpkg-log", "dpkg-times")}
    theirs = image({"a": package("2")}, {}, {}, facts=FACTS)

    report = explained(host("web-a", {"a": package("1")}, evidence=empty), theirs)
    page = table.render(
        "text", policy.judge({"web-a": report}, "installed"), table.Look(everything=True)
    )

    assert [(gap.what, gap.side, gap.blocks) for gap in report.unknown] == [
        (NO_LOGS, "web-a", False)
    ]
    assert "no record (no package logs)" in page
    assert "package logs of web-a: empty" in page


def test_where_a_log_has_a_line_or_could_not_be_read_it_is_not_called_empty():
    logs = {"apt-history": {}, "dpkg-times": {"b": {"changed": 1}}}
    denied = {"apt-history": Denied(cure="root"), "dpkg-times": {}}
    theirs = image({"a": package("2")}, {}, {}, facts=FACTS)

    for evidence in (logs, denied):
        report = explained(host("web-a", {"a": package("1")}, evidence=evidence), theirs)
        assert NO_LOGS not in [gap.what for gap in report.unknown]


@pytest.mark.parametrize("days", [-400, 400])
def test_a_wrong_clock_weakens_every_record_and_compares_no_dates(days):
    subject, reference, _ = recorded.pair("web-a")
    found = subject.fingerprint
    told = dict(found.evidence["host"].items["self"])
    told["clock"] = str(int(told["clock"]) + days * 86400)
    skewed = replace(found, evidence={**found.evidence, "host": Collected(items={"self": told})})

    right = recorded.explained("web-a")
    wrong = explained(replace(subject, fingerprint=skewed), reference)

    (before, after) = ([f.host_record for f in r.findings if f.host_record] for r in (right, wrong))
    assert {record.confidence for record in after} == {"inferred"}
    assert "recorded" in {record.confidence for record in before}
    assert any(text.startswith("not age") for text in texts(one(right, "repository-missing")))
    assert not any(text.startswith("not age") for text in texts(one(wrong, "repository-missing")))


# --- an image as the subject --------------------------------------------------------------------


def test_an_image_with_newer_packages_is_not_built_anew_and_the_host_s_cause_is_told():
    subject, reference, _ = recorded.pair("web-a")

    report = explained(reference, subject)

    assert report.remedies == []
    seen = mirror.mirror(report, recorded.explained("web-a"))
    assert seen.cause == "repository-missing:bookworm-security"
    assert seen.command == "driftscan compare web-a baseline://web"
    newer = explained(
        image({"a": package("1")}, {}, {}, facts=FACTS), host("b", {"a": package("2")})
    )
    assert [remedy.id for remedy in newer.remedies] == ["rebuild:image"]


# --- who set what no log has ---------------------------------------------------------------------


def _set(path, evidence=None, **facts):
    """A host with one setting of its own, and the time of the file that makes it."""
    times = {path: {"changed": 1794244916, "uid": 1000}}
    installed = history(transaction("apt-get install a", install={"a": "1"}))
    ours = host(
        "web-p",
        {"a": package("1")},
        evidence={"apt-history": installed, "set-times": times, **(evidence or {})},
        **facts,
    )
    empty = {name: {} for name in facts if name != "repositories"}
    return explained(ours, host("b", {"a": package("2")}, **empty))


SETTINGS = [
    (
        "pin",
        "/etc/apt/preferences.d/gs",
        {"apt-pin-files": {"a|version 1*": {"place": "/etc/apt/preferences.d/gs:1"}}},
        {"apt-pins": {"a|version 1*": {"priority": "1001"}}},
    ),
    (
        "repository-foreign",
        "/etc/apt/sources.list.d/b.list",
        {"repository-sources": {"X/x/main": {"places": ["/etc/apt/sources.list.d/b.list:1"]}}},
        {"repositories": {**FACTS["repositories"], "X/x/main": {"position": 1}}},
    ),
    (
        "linker-variable",
        "/etc/systemd/system/php.service.d/app.conf",
        {},
        {"environment": {"unit:php.service/LD_LIBRARY_PATH": {"value": "/srv"}}},
    ),
    (
        "environment",
        "/etc/systemd/system/php.service",
        {},
        {"environment": {"unit:php.service/KEEP": {"value": "1"}}},
    ),
]


@pytest.mark.parametrize(("kind", "path", "evidence", "facts"), SETTINGS)
def test_what_no_log_has_is_recorded_by_the_time_of_its_own_file(kind, path, evidence, facts):
    record = one(_set(path, evidence, **facts), kind).host_record
    other = one(_set("/etc/apt/other", evidence, **facts), kind).host_record

    assert (record.time, record.user, record.source) == (
        "2026-11-09 17:21",
        "uid 1000",
        "file time",
    )
    named_by = [f"subject/{section}:{key}" for section, items in evidence.items() for key in items]
    assert record.cites == [*named_by, f"subject/set-times:{path}"]
    assert record.confidence == "inferred"
    assert other is None


def test_a_hold_has_no_record_of_its_own_and_says_so():
    installed = history(transaction("apt-get install a", install={"a": "1"}))
    ours = host("web-p", {"a": package("1", want="hold")}, evidence={"apt-history": installed})

    hold = one(explained(ours, host("b", {"a": package("2")})), "hold")

    assert hold.host_record is None
    assert hold.text.endswith("no upgrade moves it; nothing logs when that was set")
    assert texts(hold)[1] == (
        "the version it keeps came by: apt history 2026-10-21 14:02 deploy: apt-get install a"
    )
