"""What the package manager did on the recorded servers, as the explainer tells it."""

import pytest

from driftscan import policy
from driftscan.report import text
from tests import recorded
from tests.recorded import explained as report


def cause(name, id):
    return next(c for c in report(name).causes if c.id == id)


def versions(name, id):
    explains = cause(name, id).explains
    return explains.differences, explains.of


def test_web_a_lacks_one_repository_and_that_explains_every_version():
    ours, every = versions("web-a", "repository-missing:bookworm-security")

    assert ours == every > 25
    assert cause("web-a", "repository-missing:bookworm-security").image_record.line == 5


def test_the_one_line_of_a_group_names_its_worst_member():
    told = policy.judge({"web-a": report("web-a")}, "installed")

    first = text.render(told, brief=True).splitlines()[2]

    assert first.startswith("BREAKS")
    assert "18 sources). Worst: imagemagick.  [repository-missing:" in first


def test_web_b_differs_in_no_version():
    assert not [d for d in recorded.pair("web-b")[2].divergences if d.kind == "changed"]


def test_web_p_s_hold_and_pin_stand_before_the_missing_repository():
    hold, pin = cause("web-p", "hold:libpng1.6"), cause("web-p", "pin:ghostscript")

    assert hold.claims == ["dpkg:libpng16-16"]
    assert [c for c in pin.claims if c.startswith("dpkg:")] == [
        "dpkg:ghostscript",
        "dpkg:libgs-common",
        "dpkg:libgs10",
        "dpkg:libgs10-common",
    ]
    assert "/etc/apt/preferences.d/gs:1" in pin.text
    assert hold.also == pin.also == ["repository-missing:bookworm-security"]
    assert (hold.host_record, hold.image_record.line) == (None, 9)


def test_web_p_s_backports_are_named_with_what_came_from_them():
    backports = cause("web-p", "repository-foreign:Debian Backports/bookworm-backports")

    assert "/etc/apt/sources.list.d/backports.list:1" in backports.text
    assert [e.text for e in backports.evidence[1:]] == [
        "the versions of curl, libcurl4 carry its mark"
    ]


def test_web_t_is_one_cause_and_the_service_it_lost_breaks():
    release, lost = cause("web-t", "release-differs:os"), cause("web-t", "removed:php8.2-fpm")
    claimed = [claim for c in report("web-t").causes for claim in c.claims]

    assert len(release.claims) >= 0.95 * len(claimed) > 200
    assert "`apt-get dist-upgrade" in release.text
    assert release.host_record.user == "deploy"
    assert lost.level == "breaks"
    assert [e.text for e in lost.evidence[1:]] == [
        "inventories/demo/web/Dockerfile:12 asks for php-fpm, which needs php8.2-fpm",
        "inventories/demo/web/Dockerfile:20 starts php-fpm8.2",
    ]
    php = next(f for f in report("web-t").findings if f.id == "dpkg:php8.2")
    assert (php.cause, php.level) == ("removed:php8.2-fpm", "breaks")


def test_web_u_was_upgraded_in_part():
    behind = cause("web-u", "behind:packages")

    assert (behind.confidence, behind.host_record.user) == ("recorded", "ops")
    assert behind.text.startswith(
        "only a part of web-u was upgraded, by `apt-get install -y --only-upgrade"
    )
    assert versions("web-u", "behind:packages")[0] > 20


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_each_difference_is_claimed_once_and_no_package_is_left_unexplained(name):
    claims = [claim for c in report(name).causes for claim in c.claims]

    assert sorted(set(claims)) == sorted(claims)
    assert not [c.id for c in report(name).causes if c.id == "unexplained:dpkg"]


@pytest.mark.parametrize("name", recorded.HOSTS)
def test_what_came_with_the_setup_of_the_host_is_expected(name):
    setup = [
        c.id for c in report(name).causes if c.host_record and "openssh" in c.host_record.command
    ]

    assert setup == []
