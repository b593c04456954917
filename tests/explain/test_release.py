"""Another release: one cause, the command that moved the host, and what was lost by it."""

import pytest

from tests import recorded
from tests.build import explained, image, package, transaction
from tests.explain.test_package_causes import FACTS, causes, history, host, texts

TRIXIE = {
    "release": {"id": "debian", "version_id": "13", "codename": "trixie", "pretty": "Debian 13"}
}


def upgraded(evidence=None, **more):
    """A host that was moved to Debian 13, and the image of Debian 12 it was made from."""
    upgrade = transaction(
        "apt-get dist-upgrade -y",
        upgrade={
            **{f"p{n}": "1 -> 2" for n in range(39)},
            "base-files": "12.4+deb12u15 -> 13.8+deb13u1",
        },
        install={"libmagick-7": "7"},
        remove={"php8.2-fpm": "8.2", "libmagick-6": "6"},
        automatic=["libmagick-7"],
    )
    ours = host(
        "web-t",
        {
            **{f"p{n}": package("2") for n in range(40)},
            "php-fpm": package("2"),
            "libmagick-7": package("7", "imagemagick"),
            "old": package("1+deb12u1"),
            **more,
        },
        os=TRIXIE,
        evidence={"apt-history": history(upgrade)} if evidence is None else evidence,
    )
    reference = image(
        {
            **{f"p{n}": package("1") for n in range(40)},
            "php-fpm": package("1"),
            "php8.2-fpm": package("8.2"),
            "libmagick-6": package("6", "imagemagick"),
            "old": package("1+deb12u2"),
        },
        {4: "RUN apt-get install -y php-fpm"},
        {"php-fpm": 4, "php8.2-fpm": 4, "libmagick-6": 4},
        facts=FACTS,
        evidence={"dpkg-needs": {"php-fpm": {"depends": "php8.2-fpm"}, "php8.2-fpm": {}}},
    )
    return explained(ours, reference)


def test_a_release_upgrade_is_one_cause_with_its_command_and_what_it_lost_breaks():
    report = upgraded()

    release, lost = report.causes
    assert (lost.id, lost.level, lost.claims) == (
        "removed:php8.2-fpm",
        "breaks",
        ["dpkg:php8.2-fpm"],
    )
    assert lost.also == ["release-differs:os"]
    assert texts(lost)[1] == "web/Dockerfile:4 asks for php-fpm, which needs php8.2-fpm"
    assert release.text == (
        "web-t runs Debian 13, image web Debian 12: `apt-get dist-upgrade -y` of "
        "2026-10-21 14:02 moved it there; rebuild it rather than converge package by package. "
        "Still of Debian 12: old; another name: libmagick-6 is libmagick-7"
    )
    assert len(release.claims) > 0.95 * (len(release.claims) + len(lost.claims))
    assert texts(release)[1:] == [
        "deploy: `apt-get dist-upgrade -y` of 2026-10-21 14:02: "
        "40 upgraded, 1 installed, 2 removed",
        "still of Debian 12: old",
        "another name: libmagick-6 is libmagick-7",
    ]
    assert report.findings[0].id == "dpkg:php8.2-fpm"


def test_what_has_a_successor_in_the_other_release_is_not_lost():
    report = upgraded(**{"php8.4-fpm": package("8.4")})

    assert list(causes(report)) == ["release-differs:os"]


def test_another_release_without_logs_names_no_command():
    report = upgraded(evidence={})

    release = next(c for c in report.causes if c.type == "release-differs")
    assert release.host_record is None
    assert "moved" not in release.text


@pytest.mark.parametrize(
    ("package", "versions", "moves"),
    [
        ("base-files", "12.4+deb12u9 -> 12.4+deb12u15", False),
        ("base-files", "12.4 -> 12.4+deb12u15", False),
        ("base-files", "12.4+deb12u15 -> 13.8+deb13u1", True),
        ("base-files", "12ubuntu4.6 -> 12ubuntu4.7", False),
        ("base-files", "12ubuntu4.6 -> 13ubuntu10", True),
        ("centos-linux-release.noarch", "8.4-1.2105.el8 -> 8.5-1.2111.el8", True),
        ("fedora-release-common.noarch", "40-39 -> 40-40", False),
        ("alpine-release", "3.22.1-r0 -> 3.23.0-r0", True),
        ("php", "1 -> 2", False),
    ],
)
def test_only_what_upgrades_the_release_itself_moved_the_host(package, versions, moves):
    others = {f"p{n}": "1 -> 2" for n in range(40)}
    upgrade = transaction("apt-get dist-upgrade -y", upgrade={**others, package: versions})

    release = next(
        cause
        for cause in upgraded(evidence={"apt-history": history(upgrade)}).causes
        if cause.type == "release-differs"
    )

    assert ("moved it there" in release.text) == moves
    assert (release.host_record is not None) == moves


def test_another_version_that_runs_in_its_place_is_the_release_s_and_no_loss():
    runs = {"/usr/sbin/php-fpm8.4|": {"count": 1, "loads": {"/usr/sbin/php-fpm8.4": "php8.4-fpm"}}}

    idle = upgraded(evidence={}, **{"php8.4-fpm": package("8.4")})
    running = upgraded(evidence={"processes": runs}, **{"php8.4-fpm": package("8.4")})

    assert "php8.4-fpm runs" not in idle.causes[0].text
    assert "php8.4-fpm runs in place of php8.2-fpm" in running.causes[0].text
    assert "dpkg:php8.2-fpm" in running.causes[0].claims
    assert all(finding.level != "breaks" for finding in running.findings)


def test_on_the_recorded_debian_11_php_7_4_runs_and_is_no_break():
    report = recorded.explained("bullseye")

    assert report.causes[0].id == "release-differs:os"
    assert {"dpkg:php8.2-fpm", "dpkg:php8.2-imagick"} <= {*report.causes[0].claims}
    assert "php7.4-fpm runs in place of php8.2-fpm" in report.causes[0].text
    assert not any("php" in finding.id for finding in report.findings if finding.level == "breaks")


def test_on_one_release_another_version_that_runs_makes_a_missing_service_no_break():
    runs = {"/usr/sbin/php-fpm8.4|": {"count": 1, "loads": {"/usr/sbin/php-fpm8.4": "php8.4-fpm"}}}
    reference = image(
        {"php8.2-fpm": package("8.2")},
        {4: "RUN apt-get install -y php8.2-fpm"},
        {"php8.2-fpm": 4},
        facts=FACTS,
    )

    levels = [
        explained(host("web-a", {"php8.4-fpm": package("8.4")}, evidence=evidence), reference)
        .findings[0]
        .level
        for evidence in ({}, {"processes": runs})
    ]

    assert levels == ["breaks", "in-use"]


# --- what only follows from the other release ---------------------------------------------------

PROFILE = {"/etc/profile": {"digest": "a" * 32}}
SHIPPED = {"/etc/profile.d/70-x.sh": {"package": "systemd", "target": "/usr/lib/x.sh"}}
UNIT = {"value": "/root"}


def settings(release, theirs="2", **more):
    """Two machines that differ in files, a limit and a unit's variable, and maybe in release."""
    packages = {name: package("1") for name in ("base-files", "systemd")}
    ours = host(
        "web-t",
        {name: package(theirs) for name in packages},
        os=release,
        files={"/etc/profile": {"digest": "b" * 32}, **SHIPPED},
        limits={"*/soft/core": {"value": "0"}},
        environment={"unit:emergency.service/HOME": UNIT, "system/OWN": UNIT},
        evidence={
            "tuning-files": {
                "limits:*/soft/core": {"file": "/etc/security/limits.d/10-coredump-debian.conf"}
            }
        },
    )
    nothing = {"limits": {}, "environment": {}}
    reference = image(packages, {}, {}, facts={**FACTS, "files": PROFILE, **nothing})
    return {cause.id for cause in explained(ours, reference).causes}


def test_what_the_other_release_s_packages_set_is_no_cause_of_its_own():
    assert settings(TRIXIE) == {"release-differs:os", "environment:OWN"}


def test_on_the_same_release_only_what_a_changed_package_brought_whole_follows_it():
    found = settings(FACTS["os"])
    assert {"settings-differ:files", "settings-differ:limits"} <= found


def test_recorded_hosts_of_another_release_have_no_settings_of_it_as_causes():
    assert [c.id for c in recorded.explained("web-t").causes if c.type == "settings-differ"] == []
    (left,) = [c for c in recorded.explained("bullseye").causes if c.type == "settings-differ"]
    assert left.claims == ["files:/etc/apt/trusted.gpg.d/driftscan-lab.gpg"]


def test_another_soname_of_a_source_is_told_with_the_library_that_has_it():
    (magick,) = [f for f in recorded.explained("web-t").findings if f.key == "imagemagick"]
    assert "libMagickCore-7.Q16.so.10" in magick.symbols.sonames_gained
    assert magick.symbols.sonames_lost == []  # the old one stayed behind
    assert "subject/libraries:libMagickCore-7.Q16.so.10|libc6,x86-64|/usr/lib/x86_64-linux-gnu" in (
        magick.symbols.cites
    )
    (openssl,) = [f for f in recorded.explained("bullseye").findings if f.key == "openssl"]
    assert openssl.symbols.sonames_lost == ["libcrypto.so.1.1", "libssl.so.1.1"]
    assert openssl.symbols.sonames_gained == ["libcrypto.so.3", "libssl.so.3"]


def test_names_for_compilers_are_no_sonames():
    for finding in recorded.explained("web-c").findings:
        assert finding.symbols is None or finding.symbols.sonames_lost == []


def test_another_release_is_as_bad_as_what_it_led_to():
    release = next(c for c in recorded.explained("web-t").causes if c.type == "release-differs")
    assert release.level == "breaks"
