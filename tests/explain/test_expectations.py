"""What is expected of a host, of a container and of an image, each rule with its reason."""

from importlib import resources

import pytest

from driftscan.explain import expectations
from driftscan.model import Side
from tests.build import explained, fingerprint, image, package, transaction
from tests.explain.test_package_causes import FACTS, causes, history, host

PROFILES = ("host", "container", "image")
IMAGE = image({}, {}, {}, facts=FACTS)


def expected(report):
    return {group.rule: group.members for group in report.expected}


def test_every_profile_is_known_and_every_rule_says_why():
    files = {p.name for p in resources.files("driftscan.expected").iterdir()}

    assert {name for name in files if name.endswith(".yml")} == {f"{p}.yml" for p in PROFILES}
    for profile in PROFILES:
        rules = expectations.rules(profile)
        assert len({rule.id for rule in rules}) == len(rules)
        assert all(len(rule.reason) > 20 and (rule.packages or rule.keys) for rule in rules)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("linux-image-6.1.0-31-amd64", "kernel"),
        ("linux-headers-6.1.0-31-amd64", "kernel-headers"),
        ("systemd-sysv", "init"),
        ("openssh-server", "ssh-server"),
        ("cron", "scheduler"),
        ("cloud-init", "cloud"),
        ("prometheus-node-exporter", "monitoring"),
        ("puppet-agent", "management"),
        ("fail2ban", "protection"),
        ("imagemagick-doc", "documentation"),
        ("locales-all", "locales"),
        ("restic", "backup"),
    ],
)
def test_what_a_host_has_for_its_own_sake_is_expected(name, rule):
    report = explained(host("web-a", {name: package("1")}), IMAGE)

    assert (expected(report), report.state) == ({rule: [f"dpkg:{name}"]}, "in-sync")


def test_in_a_container_cron_is_drift_and_its_own_name_is_not():
    container = fingerprint(
        "app",
        {"cron": package("1")},
        kind="container",
        facts={**FACTS, "environment": {"system/HOSTNAME": {"value": "app"}}},
    )
    reference = image({}, {}, {}, facts={**FACTS, "environment": {}})

    report = explained(container, reference)

    assert expected(report) == {"engine-variables": ["environment:system/HOSTNAME"]}
    assert [finding.id for finding in report.findings] == ["dpkg:cron"]


def test_the_init_of_an_image_is_expected_to_be_missing_on_a_host():
    lines = {3: "RUN apt-get install -y tini"}
    reference = image({"tini": package("1")}, lines, {"tini": 3}, facts=FACTS)

    report = explained(host("web-a", {}), reference)

    assert (expected(report), report.causes) == ({"container-init": ["dpkg:tini"]}, [])


def test_what_came_along_with_plumbing_is_expected_though_something_else_needs_it_too():
    setup = transaction(
        "apt-get install cron curl", install={"cron": "1", "lib": "1"}, automatic=["lib"]
    )
    needs = {"cron": {"depends": "lib"}, "telnetd": {"depends": "lib"}, "lib": {}}
    later = transaction("apt-get install telnetd", "2026-11-01 10:00:00", install={"telnetd": "1"})
    ours = host(
        "web-a",
        {name: package("1") for name in needs},
        evidence={"apt-history": history(setup, later), "dpkg-needs": needs},
    )

    report = explained(ours, IMAGE)

    assert expected(report)["needed-by-those"] == ["dpkg:lib"]
    assert causes(report) == {"host-only:telnetd": ["dpkg:telnetd"]}


@pytest.mark.parametrize(
    ("profile", "drift"),
    [("", []), ("host", []), ("container", ["dpkg:cron"]), ("none", ["dpkg:cron", "kernel:x"])],
)
def test_the_profile_of_a_host_decides_whose_rules_count(profile, drift):
    facts = {"kernel": {"x": {"value": "1"}}}
    ours = host("web-a", {"cron": package("1")}, **facts)

    report = explained(
        Side(fingerprint=ours, profile=profile), image({}, {}, {}, facts={**FACTS, "kernel": {}})
    )

    assert sorted(finding.id for finding in report.findings) == drift


def test_a_container_may_be_used_like_a_host():
    ours = fingerprint("app", {"cron": package("1")}, kind="container", facts=FACTS)

    report = explained(Side(fingerprint=ours, profile="host"), IMAGE)

    assert report.findings == []
