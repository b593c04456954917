"""Versions that differ though the repositories are the same: who did it, if anybody did."""

import pytest

from driftscan.model import Side
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
