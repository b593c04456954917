"""The host probe against a real machine and bad input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Collected, Payload, Raw
from driftscan.probes import host


def parse(*lines):
    return host.parse(Raw(outputs={"self": Payload(lines)}))["host"]


def test_a_machine_tells_who_answers_and_what_its_clock_says(captured):
    section = host.parse(captured("host", "web-a"))["host"]
    assert isinstance(section, Collected)
    item = dict(section.items["self"])
    assert int(str(item.pop("clock"))) > 1_700_000_000
    assert item == {
        "uid": "0",
        "user": "root",
        "offset": "+0000",
        "zone": "UTC",
        "name": "web-a",
    }


@pytest.mark.parametrize("line", ["uid", "nonsense 1", "", " uid 0", "user " + "x" * 201])
def test_an_unknown_line_is_named(line):
    with pytest.raises(ParseError, match="expected 'name value'"):
        parse("uid 0", line)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"))))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        section = parse(*lines)
    except ParseError:
        return
    assert isinstance(section, Collected)
