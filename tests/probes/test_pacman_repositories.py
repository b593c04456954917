"""Repositories of pacman, from a real machine and in the forms that pacman.conf(5) allows."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Denied, Partial, Payload, Raw
from driftscan.probes import pacman_repositories

MAIN = "/etc/pacman.conf"


def parsed(text, **more):
    files = {MAIN: text, **more}
    raw = Raw(files={path: Payload(tuple(told.split("\n"))) for path, told in files.items()})
    return pacman_repositories.parse(raw)


def test_a_machine_tells_its_repositories_in_order(captured):
    sections = pacman_repositories.parse(captured("pacman-repositories", "arch"))
    assert sections["repositories"].items == {
        "pacman/core": {"position": 0},
        "pacman/extra": {"position": 1},
        "pacman/corp": {"position": 2},
    }
    sources = sections["repository-sources"].items
    assert sources["pacman/core"]["places"] == ["/etc/pacman.d/mirrorlist:2"]
    assert sources["pacman/corp"]["urls"] == ["https://repo.example.org/$repo/$arch"]


def test_an_included_file_may_bring_repositories_and_settings():
    sections = parsed(
        "[options]\nInclude = /etc/pacman.d/more.d/*.conf\n[core]\nServer = https://a  # here",
        **{"/etc/pacman.d/more.d/x.conf": "[extra]\nServer = https://b\r\n"},
    )
    assert list(sections["repositories"].items) == ["pacman/extra", "pacman/core"]


def test_an_included_file_that_is_not_there_is_a_gap(captured):
    sections = pacman_repositories.parse(captured("pacman-repositories", "arch-damaged"))
    gap = "/etc/pacman.d/mirrorlist, which is included, was not read"
    assert isinstance(sections["repositories"], Partial)
    assert sections["repositories"].gaps == [gap]


@pytest.mark.parametrize("lines", [1, 1000])
def test_a_file_that_includes_itself_ends(lines):
    section = parsed("[core]" + f"\nInclude = {MAIN}" * lines)["repositories"]
    assert section.items == {"pacman/core": {"position": 0}}
    assert section.gaps == [f"{MAIN}, which is included, was not read"]


def test_a_setting_outside_any_section_is_named():
    with pytest.raises(ParseError, match=re.escape(f"{MAIN}:2: 'Server = x' stands before any")):
        parsed("# x\nServer = x")


def test_what_may_not_be_read_is_denied(captured):
    sections = pacman_repositories.parse(captured("pacman-repositories", "arch-closed"))
    assert sections["repositories"] == Denied(cure=f"read access to {MAIN}, or --become")


def test_a_machine_without_pacman_has_none():
    sections = pacman_repositories.parse(Raw())
    assert sections == {about.name: Absent() for about in pacman_repositories.GIVES}


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
KNOWN = st.sampled_from(["[options]", "[core]", "Include = *", "IgnorePkg = a", f"Include={MAIN}"])


@given(st.lists(LINE | KNOWN))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        sections = parsed("\n".join(lines))
    except ParseError:
        return
    assert set(sections) == {about.name for about in pacman_repositories.GIVES}
