"""The conffiles probe against dpkg's own check, and bad input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Failed, Partial, Payload, Raw
from driftscan.probes import conffiles

INI = "/etc/php/8.2/fpm/php.ini"
SUM = "0" * 32


def answered(*lines):
    return conffiles.parse(Raw(outputs={"edited": Payload(lines)}))


def test_what_dpkg_finds_changed_or_missing_is_told_and_what_ucf_manages_too(captured, oracle):
    section = conffiles.parse(captured("conffiles", "handmade"))["conffiles"]
    assert isinstance(section, Collected)
    told = {line.split()[-1]: line.split()[0] for line in oracle("conffiles", "handmade")}
    states = {"missing": "missing", "??5??????": "edited"}
    assert {p: i["state"] for p, i in section.items.items() if p != INI} == {
        path: states[state] for path, state in told.items()
    }
    assert section.items[INI]["package"] == "php8.2-fpm"
    assert section.items["/etc/cron.d/e2scrub_all"] == {"state": "missing", "package": "e2fsprogs"}


def test_what_an_upgrade_left_beside_is_evidence(captured):
    items = conffiles.parse(captured("conffiles", "handmade"))["conffile-times"].items
    assert items["/etc/ImageMagick-6/policy.xml"]["beside"] == ["dpkg-dist"]
    assert items["/etc/ImageMagick-6/policy.xml"]["uid"] == 0
    assert items[INI]["changed"] > 1_700_000_000


def test_a_host_where_nothing_was_edited_has_an_empty_section(captured):
    for machine in ("web-a", "web-b"):
        sections = conffiles.parse(captured("conffiles", machine))
        assert sections["conffiles"] == Collected(items={})


def test_files_that_an_account_may_not_read_are_a_gap_and_not_an_edit(captured):
    section = conffiles.parse(captured("conffiles", "handmade-ops"))["conffiles"]
    whole = conffiles.parse(captured("conffiles", "handmade"))["conffiles"]
    assert isinstance(section, Partial)
    assert section.items == whole.items
    assert section.gaps == [
        "4 files not readable by this account: /etc/default/cacerts, /etc/exim4/passwd.client "
        "and 2 more"
    ]


def test_without_dpkg_there_is_nothing_and_without_a_tool_it_is_not_known():
    assert answered()["conffiles"] == Absent()
    status = "/var/lib/dpkg/status"
    denied = answered("have dpkg", f"denied {status}")["conffiles"]
    assert denied == Denied(cure=f"read access to {status}, or --become")
    assert isinstance(answered("have dpkg", "have no md5sum")["conffiles"], Failed)


def test_of_two_packages_that_ship_one_file_the_first_by_name_counts():
    found = answered(
        "have dpkg", f"of b {SUM}  /etc/x y", f"of a {SUM}  /etc/x y", f"is {SUM}  /etc/x y"
    )
    item = {"state": "edited", "package": "a", "sum": SUM}
    assert found["conffiles"] == Collected(items={"/etc/x y": item})


@pytest.mark.parametrize("line", ["of a", "is x  /etc/x", "edited /etc/x", "stat x 0 /etc/x", ""])
def test_a_line_that_the_question_cannot_print_is_named(line):
    with pytest.raises(ParseError, match="expected a configuration file"):
        answered("have dpkg", line)


PIECES = st.sampled_from(
    ["of ", "is ", "stat 1 2 ", "missing ", "closed ", "beside ", SUM, "  ", "/etc/a", ".dpkg-old"]
)
LINES = st.lists(st.lists(PIECES | st.text(max_size=3), max_size=5).map("".join), max_size=8)


@given(LINES)
def test_any_answer_gives_both_sections_or_names_the_line(lines):
    try:
        sections = answered("have dpkg", *lines)
    except ParseError:
        return
    assert set(sections) == {"conffiles", "conffile-times"}
