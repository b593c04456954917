"""Causes of settings of the machine itself: one a kind, with the file that says so."""

import pytest

from driftscan.explain import expectations, system
from driftscan.model import Side
from driftscan.probes.table import ON_DEMAND, PROBES
from tests.build import explained, fingerprint, image, package

PACKAGES = {"a": package("1")}


def _host(name, evidence=None, **facts):
    return fingerprint(
        name,
        PACKAGES,
        facts={name.replace("_", "-"): items for name, items in facts.items()},
        evidence=evidence,
    )


def test_many_items_of_a_kind_are_one_cause():
    ours = _host("web-a", modules={"a": {}, "b": {"version": "1"}, "c": {}})
    theirs = _host("web-b", modules={"b": {"version": "2"}})

    (cause,) = explained(ours, theirs).causes

    assert cause.id == "settings-differ:modules"
    assert cause.text == (
        "3 kernel modules differ: a is only on web-a, b (version) is 1 on web-a, 2 on web-b"
        " and 1 more"
    )
    assert sorted(cause.claims) == ["modules:a", "modules:b", "modules:c"]


def test_a_setting_that_a_file_sets_and_the_kernel_lacks_was_not_applied():
    key, path = "vm.swappiness", "/etc/sysctl.d/10-app.conf"
    files = {"tuning-files": {f"sysctl-settings:{key}": {"file": path}}}
    told = {key: {"value": "10"}}
    ours = _host("web-a", files, sysctl={key: {"value": "60"}}, sysctl_settings=told)
    theirs = _host("web-b", files, sysctl={key: {"value": "10"}}, sysctl_settings=told)

    (cause,) = explained(ours, theirs).causes

    assert cause.text == f"kernel setting {key} is 60 on web-a, 10 on web-b"
    assert [e.text for e in cause.evidence[1:]] == [
        f"{path} of web-a says {key}=10, but 60 is what runs: it was not applied, "
        "or something else set it since",
        f"{path} of web-b sets it",
    ]
    assert f"subject/tuning-files:sysctl-settings:{key}" in cause.evidence[1].cites


def test_what_runs_and_what_is_set_are_told_once():
    key = "vm.swappiness"
    ours = _host("a", sysctl={key: {"value": "1"}}, sysctl_settings={key: {"value": "1"}})
    theirs = _host("b", sysctl={key: {"value": "2"}}, sysctl_settings={key: {"value": "2"}})

    (cause,) = explained(ours, theirs).causes

    assert cause.claims == ["sysctl:vm.swappiness", "sysctl-settings:vm.swappiness"]
    assert cause.text == "kernel setting vm.swappiness is 1 on a, 2 on b"


@pytest.mark.parametrize("section", ["fstab", "sysctl-settings"])
def test_what_only_a_machine_sets_up_is_expected_of_a_host(section):
    items = {section: {"x": {"value": "1"}}}
    ours = Side(fingerprint=fingerprint("web-a", PACKAGES, facts=items))
    theirs = image(PACKAGES, {}, {}, facts={section: {}})

    report = explained(ours, theirs)

    assert report.findings == []
    assert [group.members for group in report.expected] == [[f"{section}:x"]]


def test_every_section_a_cause_or_rule_names_is_one_that_a_probe_gives():
    given = {about.name for probe in (*PROBES, *ON_DEMAND) for about in probe.GIVES}
    named = {section for kind in system.KINDS.values() for section in kind.sections}
    named |= {rule.section for name in ("host", "container") for rule in expectations.rules(name)}
    assert named - given - {""} == set()  # without one a rule is about packages


def test_a_text_that_differs_is_told_without_its_digests():
    ours = _host("web-a", files={"/etc/app.conf": {"mode": "644", "digest": "a"}})
    theirs = _host("web-b", files={"/etc/app.conf": {"mode": "644", "digest": "b"}})

    (cause,) = explained(ours, theirs).causes

    assert cause.text == "configuration file /etc/app.conf has another text on web-a than on web-b"
