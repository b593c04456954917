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


@pytest.mark.case("H32")
def test_a_machine_is_known_by_a_hash_of_its_name_its_id_and_its_boot():
    words = ("name web-a", "machine-id 0a1b", "boot_id 2c3d")

    def machine(*lines):
        return parse(*lines).items["self"].get("machine")

    same = machine(*words)
    assert len(same) == 16
    assert machine(*words) == same
    others = {machine(*words[:2], "boot_id x"), machine("name web-b", *words[1:])}
    others.add(machine(words[0], "machine-id x", words[2]))
    assert len({same, *others}) == 4
    assert machine(*words[:2]) is None
    assert "0a1b" not in repr(parse(*words))
    assert "2c3d" not in repr(parse(*words))
