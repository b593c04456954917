"""Times of the files that set something for the whole machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Collected, Partial, Payload, Raw
from driftscan.probes import set_times


def told(*lines, cut=False, gaps=None):
    raw = Raw(outputs={"changed": Payload(tuple(lines), cut=cut)}, gaps=gaps or {})
    return set_times.parse(raw)["set-times"]


def test_a_machine_tells_the_files_of_repositories_pins_and_drop_ins(captured):
    section = set_times.parse(captured("set-times", "web-p"))["set-times"]

    assert isinstance(section, Collected)
    assert section.items == {
        "/etc/apt/preferences.d/gs": {"changed": 1793613764, "uid": 0},
        "/etc/apt/sources.list": {"changed": 1793963143, "uid": 0},
        "/etc/apt/sources.list.d/backports.list": {"changed": 1795628831, "uid": 0},
        "/etc/systemd/system/php8.2-fpm.service.d/app.conf": {"changed": 1794244916, "uid": 0},
    }


def test_folders_and_links_have_no_time_that_tells_anything():
    assert told("1 41ed 0 0 4096 /etc/apt/x.d", "1 a1ff 0 0 9 /etc/systemd/system/a.service") == (
        Collected(items={})
    )


def test_what_is_shut_or_does_not_fit_is_a_gap_and_the_rest_is_told():
    line = "7 81a4 1000 0 9 /etc/apt/sources.list"

    shut = told(line, gaps={"/etc/apt/preferences.d": "denied"})

    items = {"/etc/apt/sources.list": {"changed": 7, "uid": 1000}}
    assert shut == Partial(items=items, gaps=["/etc/apt/preferences.d: denied"])
    assert told(line, cut=True).gaps == ["there is more than fits"]


@given(st.lists(st.text(), max_size=3))
def test_any_answer_is_read_or_refused_by_naming_the_line(lines):
    try:
        section = told(*lines)
    except ParseError:
        return
    assert isinstance(section, Collected)


@pytest.mark.parametrize("line", ["x", "1 zz 0 0 0 /a", "1 81a4 0 0 0 a"])
def test_a_line_that_is_none_is_named(line):
    with pytest.raises(ParseError, match="expected"):
        told(line)
