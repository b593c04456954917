"""What a simulation is made of and how apt's answer is read; the container itself is in the lab."""

import shlex

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import simulate
from driftscan.errors import EngineError
from driftscan.model import Collected, Failed, Side
from driftscan.report import fix
from tests.build import explained, fingerprint, package

MAIN = {"Debian/bookworm/main": {"position": 0}}
SOURCES = {"Debian/bookworm/main": {"urls": ["http://deb.debian.org/debian"]}}
# apt-get 2.6 of Debian 12
ANSWER = """\
== update
Get:1 http://deb.debian.org/debian bookworm InRelease [837 B]
== status 0
== install
Inst libpng16-16 [1.6.39-2+deb12u5] (1.6.39-2+deb12u6 Debian-Security:12/oldstable [amd64]) []
Inst imagemagick-6-common [8:6.9-1+u11] (8:6.9-1+u15 Debian-Security:12/oldstable [all])
Remv telnetd [0.17]
Inst libnew (1.0 Debian:12.15/oldstable [amd64])
Conf libpng16-16 (1.6.39-2+deb12u6 Debian-Security:12/oldstable [amd64])
== status 0
== upgrade
Inst libpng16-16 [1.6.39-2+deb12u5] (1.6.39-2+deb12u6 Debian-Security:12/oldstable [amd64])
Inst tzdata [2026b] (2026f Debian-Security:12/oldstable [all])
== status 0
"""
HAVE = {"libpng16-16": "1.6.39-2+deb12u5", "imagemagick-6-common": "8:6.9-1+u11"}
WANT = {"libpng16-16": "1.6.39-2+deb12u6", "imagemagick-6-common": "8:6.9-1+u15"}


def side(name, versions, *, details=None, **facts):
    packages = {key: package(version) for key, version in versions.items()}
    made = fingerprint(
        name,
        packages,
        facts={"repositories": MAIN, **facts},
        evidence={"repository-sources": SOURCES},
    )
    return Side(fingerprint=msgspec.structs.replace(made, details=details or {}))


def remedy(ours, theirs):
    return explained(ours, theirs).remedies[0]


def no_engine():
    raise EngineError("no container engine answers")


def told(ours, theirs):
    """The remedy after a simulation that finds no engine."""
    road = simulate.Road(engine=no_engine)
    return simulate.simulated(explained(ours, theirs), ours, theirs, road).remedies[0].simulated


def judged(ours, theirs, answer):
    report = explained(ours, theirs)
    gone = simulate._asked_away(report.remedies[0])
    found = simulate._judged(report, ours, simulate._blocks(answer.split("\n")), gone)
    return simulate._with(report.remedies[0], found)


STATUS = {"status": Collected(items={"dpkg": {"lines": ["Package: a", ""]}})}


@pytest.mark.parametrize(
    ("details", "why"),
    [
        ({}, "the package database of web-a was not asked for"),
        ({"status": Failed(reason="denied")}, "the package database of web-a is not known: denied"),
        (STATUS, "no container engine answers"),
    ],
)
def test_why_nothing_was_simulated_is_told(details, why):
    ours, theirs = side("web-a", HAVE, details=details), side("web-b", WANT)

    assert told(ours, theirs) == f"not simulated: {why}"


def test_what_apt_would_do_is_counted_against_the_differences():
    ours, theirs = side("web-a", HAVE | {"telnetd": "0.17"}), side("web-b", WANT | {"libnew": "1"})

    found = judged(ours, theirs, ANSWER)

    assert found.simulated == (
        "simulated: 2 upgraded, 1 newly installed, 1 removed, 1 differences left"
    )
    assert found.simulation.removed == ["telnetd"]
    assert found.simulation.beyond == ["tzdata"]
    assert "a plain dist-upgrade would change 1 packages beyond these: tzdata" in found.notes
    assert found.recommended


def test_a_remedy_that_would_remove_what_nobody_asked_for_is_not_recommended_nor_written():
    ours, theirs = side("web-a", HAVE | {"telnetd": "1"}), side("web-b", WANT | {"telnetd": "1"})

    found = judged(ours, theirs, ANSWER)
    report = msgspec.structs.replace(explained(ours, theirs), remedies=[found])

    assert not found.recommended
    assert found.notes[0] == "do not run it: apt would also remove telnetd"
    assert fix.files("web-a", report) == {}


def test_older_versions_are_counted_as_downgrades():
    answer = ANSWER.replace("1.6.39-2+deb12u6 D", "1.6.38-1 D")

    found = judged(side("web-a", HAVE), side("web-b", WANT), answer)

    assert "1 upgraded, 1 downgraded" in found.simulated


def test_a_hold_that_the_remedy_lifts_is_lifted_in_the_database_too():
    stanza = ["Package: a", "Status: hold ok installed", ""]
    other = ["Package: b", "Status: hold ok installed", ""]
    items = {"dpkg": {"lines": [*stanza, *other]}}
    ours = side("web-a", {}, details={"status": Collected(items=items)})

    assert simulate._status(ours, {"a"}).decode() == (
        "Package: a\nStatus: install ok installed\n\nPackage: b\nStatus: hold ok installed\n\n\n"
    )


def test_apt_is_given_the_host_s_own_sources_and_pins_and_the_remedy_s():
    pins = {"gs|version 10*": {"priority": "1001"}}
    ours = side("web-a", HAVE, **{"apt-pins": pins})
    security = "Debian/bookworm-security/main"
    theirs = fingerprint(
        "web-b",
        {key: package(version) for key, version in WANT.items()},
        facts={"repositories": {**MAIN, security: {"position": 1}}, "apt-pins": pins},
        evidence={"repository-sources": {security: {"urls": ["http://security.debian.org/d"]}}},
    )
    theirs = Side(fingerprint=theirs)

    script = simulate._script(remedy(ours, theirs), explained(ours, theirs), ours, theirs)

    assert (
        "printf '%s\\n' 'deb http://deb.debian.org/debian bookworm main' "
        "'deb http://security.debian.org/d bookworm-security main' > sources.list" in script
    )
    assert "Package: gs\nPin: version 10*\nPin-Priority: 1001\n" in script
    assert "-s install --only-upgrade --no-install-recommends" in script


def test_packages_that_go_are_not_asked_for_in_the_same_command():
    runs = [["apt-get", "install", "--only-upgrade", "a=2", "b=2"], ["apt-get", "remove", "b"]]

    assert simulate._joined(runs) == ["install", "--only-upgrade", "a=2", "b-"]


@pytest.mark.case("H25")
@given(st.text(max_size=20), st.text(max_size=20))
def test_no_pin_of_a_host_is_more_than_a_word_of_the_script(name, value):
    ours = side("web-a", HAVE, **{"apt-pins": {f"{name}|{value}": {"priority": value}}})
    theirs = side("web-b", WANT)

    script = simulate._script(remedy(ours, theirs), explained(ours, theirs), ours, theirs)

    line = script.partition("> preferences")[0]
    assert len(shlex.split(line.rpartition("\nprintf '%s' ")[2])) == 1
