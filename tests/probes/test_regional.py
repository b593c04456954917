"""The regional probe: time zone, locale and time servers as the machine's own shell reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Partial
from driftscan.probes import regional
from tests.probes.texts import answer


def parsed(files=None, *localtime):
    return regional.parse(answer(files, localtime=localtime))


def zone(files, *localtime):
    return parsed(files, *localtime)["timezone"].items["zone"]["zone"]


def servers(path, *lines):
    return parsed({path: lines})["time-servers"].items


def test_zone_and_locale_are_what_the_machine_says(captured, oracle):
    link, *variables = oracle("regional", "furnished")
    sections = regional.parse(captured("regional", "furnished"))
    name = link.removeprefix("/usr/share/zoneinfo/")
    assert sections["timezone"].items == {"zone": {"zone": name}}
    expected = {key: {"value": value} for key, value in (v.split("=") for v in variables)}
    assert sections["locale"].items == expected


def test_time_servers_are_told_with_their_program(captured):
    section = regional.parse(captured("regional", "furnished"))["time-servers"]
    assert section.items == {"timesyncd": {"servers": ["ntp1.example.net", "ntp2.example.net"]}}
    assert servers("/etc/chrony.conf", "pool a iburst", "server b", "! server c", "rtcsync") == {
        "chrony": {"servers": ["a", "b"]}
    }
    assert servers("/etc/ntp.conf", "#server x", "server y prefer") == {"ntp": {"servers": ["y"]}}
    assert servers("/etc/systemd/timesyncd.conf", "[Time]", "#NTP=") == {
        "timesyncd": {"servers": []}
    }


@pytest.mark.parametrize(
    ("files", "localtime", "name"),
    [
        ({}, ["link /usr/share/zoneinfo/Europe/Paris"], "Europe/Paris"),
        ({}, ["link ../usr/share/zoneinfo/Etc/UTC"], "UTC"),
        ({}, [], "UTC"),
        ({"/etc/timezone": ["Etc/UTC"]}, [], "UTC"),
        ({"/etc/timezone": ["Asia/Tokyo"]}, [f"sum {'a' * 64}  /etc/localtime"], "Asia/Tokyo"),
        ({}, [f"sum {'a' * 64}  /etc/localtime"], "sha256:" + "a" * 16),
    ],
)
def test_the_zone_has_one_name_however_it_is_set(files, localtime, name):
    assert zone(files, *localtime) == name


def test_a_closed_file_is_a_gap():
    section = regional.parse(answer({}, "/etc/ntpsec"))["time-servers"]
    assert section == Partial(items={}, gaps=["/etc/ntpsec: denied"])


def test_an_unknown_answer_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        parsed({}, "nonsense")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)
FILES = st.sampled_from(["/etc/timezone", "/etc/locale.conf", "/etc/chrony.conf"])


LINKS = st.lists(TEXT.map("link {}".format))


@given(st.dictionaries(FILES | TEXT, st.lists(TEXT, max_size=4)), LINKS)
def test_whatever_a_host_says_only_parse_errors_escape(files, localtime):
    try:
        sections = parsed(files, *localtime)
    except ParseError:
        return
    assert set(sections) == {about.name for about in regional.GIVES}
