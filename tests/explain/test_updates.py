"""Why a host that could update itself did not."""

import pytest

from tests.build import explained, package
from tests.explain.test_package_causes import host

ON = {"APT::Periodic::Unattended-Upgrade": {"value": "1", "place": "/etc/apt/apt.conf.d/20:1"}}
OFF = {"APT::Periodic::Unattended-Upgrade": {"value": "0", "place": "/etc/apt/apt.conf.d/20:1"}}
BARRED = {"Unattended-Upgrade::Package-Blacklist": {"values": ["(a+)+$", "lib.*"], "place": "x:1"}}
STAMP = {"upgrade": {"time": 1_792_476_000}}


def log(*lines):
    return {"log": {"lines": [f"2026-11-24 13:23:46,299 {line}" for line in lines]}}


BROKEN = log("INFO Starting", "ERROR Cache has broken packages, exiting")
MENDED = log("ERROR Cache has broken packages, exiting", "INFO All upgrades installed")


def told(settings, runs, installed=True):
    packages = {"libx": package("1")}
    if installed:
        packages["unattended-upgrades"] = package("2")
    theirs = {name: package("2") for name in packages}
    evidence = {"apt-settings": settings, "automatic-updates": runs}
    ours = host("web-a", packages, evidence={k: v for k, v in evidence.items() if v is not None})
    (cause,) = explained(ours, host("web-b", theirs)).causes
    return [(e.text, e.cites[0]) for e in cause.evidence[1:]]


@pytest.mark.parametrize(
    ("settings", "runs", "expected", "cites"),
    [
        (
            OFF,
            {},
            "automatic updates are off on web-a: APT::Periodic::Unattended-Upgrade "
            '"0" (/etc/apt/apt.conf.d/20:1)',
            "subject/apt-settings:APT::Periodic::Unattended-Upgrade",
        ),
        (
            {},
            {},
            "automatic updates are off on web-a: APT::Periodic::Unattended-Upgrade is not set",
            "subject/dpkg:unattended-upgrades",
        ),
        (
            ON,
            {},
            "automatic updates of web-a are on and never ran: apt left no stamp of a run",
            "subject/apt-settings:APT::Periodic::Unattended-Upgrade",
        ),
        (
            ON,
            STAMP,
            "automatic updates of web-a last ran on 2026-10-20 06:00 UTC",
            "subject/automatic-updates:upgrade",
        ),
    ],
)
def test_why_nothing_came_by_itself_is_told(settings, runs, expected, cites):
    assert told(settings, runs) == [(expected, cites)]


def test_a_run_that_fails_says_its_last_error_and_one_that_works_again_none():
    assert told(ON, {**BROKEN, **STAMP})[0] == (
        "automatic updates of web-a fail: Cache has broken packages, exiting (2026-11-24)",
        "subject/automatic-updates:log",
    )
    assert len(told(ON, {**MENDED, **STAMP})) == 1


def test_a_package_that_the_settings_leave_out_is_named_and_no_pattern_of_a_host_is_run():
    assert told({**ON, **BARRED}, STAMP)[0][0] == (
        "automatic updates of web-a leave out libx (Unattended-Upgrade::Package-Blacklist)"
    )


def test_without_the_package_nothing_updates_the_host():
    assert told({}, {}, installed=False)[0][0] == (
        "nothing updates web-a by itself: unattended-upgrades is not installed"
    )


def test_where_nobody_could_look_nothing_is_said():
    assert told(None, None) == []
