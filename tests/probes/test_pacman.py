"""The pacman probe against real databases, pacman's own words, and bad input."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Denied, Failed, Payload, Raw
from driftscan.probes import pacman

PLACE = "/var/lib/pacman/local"
GREET = ("%NAME%", "greet", "%VERSION%", "1:0.9-2", "%DEPENDS%", "libgreet.so=1-64", "sh>2")
LIB = (
    "%NAME%",
    "lib",
    "%VERSION%",
    "1-1",
    "%REASON%",
    "1",
    "%PROVIDES%",
    "libgreet.so=1-64",
    "l=1",
)


def raw(*lines, folders=(), conf=None, gaps=None, cut=False):
    stats = [f"7 41ed 0 0 9 {PLACE}/{name}" for name in folders]
    return Raw(
        files={} if conf is None else {"/etc/pacman.conf": Payload(tuple(conf.split("\n")))},
        outputs={"desc": Payload(tuple(lines), cut=cut), "folders": Payload(tuple(stats))},
        gaps=gaps or {},
    )


def told_by_pacman(lines):
    """What `pacman -Qi` prints, by package."""
    found, item = {}, {}
    for line in lines:
        key, colon, value = line.partition(" : ")
        if not line:
            item = {}
        elif colon and key.strip():
            item[key.strip()] = value.strip()
            if key.strip() == "Name":
                found[value.strip()] = item
    return found


def test_every_package_reads_as_pacman_says_it(captured, oracle):
    sections = pacman.parse(captured("pacman", "arch"))
    told = told_by_pacman(oracle("pacman", "arch"))
    items = sections["pacman"].items
    assert {name: (item["version"], item["architecture"]) for name, item in items.items()} == {
        name: (item["Version"], item["Architecture"]) for name, item in told.items()
    }
    asked = {n for n, i in told.items() if i["Install Reason"] == "Explicitly installed"}
    assert set(sections["pacman-auto"].items) == set(told) - asked
    assert {n for n, i in sections["pacman-origins"].items.items() if i.get("asked")} == asked
    assert asked != set(told)
    needs = sections["pacman-needs"].items
    for name, item in told.items():
        depends = [] if item["Depends On"] == "None" else item["Depends On"].split()
        assert needs[name].get("depends", "") == ", ".join(depends)
    assert len(told) == 8


def test_what_may_not_be_upgraded_is_held_and_a_rule_is_a_pin(captured):
    sections = pacman.parse(captured("pacman", "arch"))
    held = {name for name, item in sections["pacman"].items.items() if item.get("want") == "hold"}
    assert held == {"relay", "tool-git", "linux-lab"}
    assert sections["pacman-pins"].items == {
        "*-git": {"rule": "IgnorePkg"},
        "kernels": {"rule": "IgnoreGroup"},
    }


def test_times_are_the_ones_of_the_database(captured):
    times = pacman.parse(captured("pacman", "arch"))["pacman-times"].items
    assert times["relay"] == {"changed": 1794335400, "built": 1770000000}


def test_needs_are_packages_that_are_here():
    needs = pacman.parse(raw(*GREET, *LIB))["pacman-needs"].items
    assert needs == {"greet": {"depends": "lib, sh"}, "lib": {"provides": "l"}}


def test_a_lost_package_is_damage(captured):
    for section in pacman.parse(captured("pacman", "arch-damaged")).values():
        reason = f"{PLACE} is damaged: no package was read in relay-4.1-7"
        assert section == Failed(reason=reason)


def test_what_may_not_be_read_is_denied(captured):
    for section in pacman.parse(captured("pacman", "arch-closed")).values():
        assert isinstance(section, Denied)


def test_a_machine_without_pacman_has_no_packages_of_it(captured):
    sections = pacman.parse(captured("pacman", "web-b"))
    assert sections == {about.name: Absent() for about in pacman.GIVES}


def test_a_database_over_the_limit_fails():
    section = pacman.parse(raw(*GREET, cut=True))["pacman"]
    assert section == Failed(reason=f"{PLACE} is larger than the limit")


@pytest.mark.parametrize(
    "lines",
    [
        ("greet",),
        ("%NAME%", "a", "%NAME%", "b"),
        ("%VERSION%", "1"),
        (*GREET, *GREET),
        (*GREET, "%VERSION%", "2"),
        ("%NAME%", "../a", "%VERSION%", "1"),
        (*GREET, "%INSTALLDATE%", "soon"),
    ],
)
def test_a_package_that_pacman_would_not_write_is_named(lines):
    with pytest.raises(ParseError, match=r"twice|a package|INSTALLDATE|expected a field"):
        pacman.parse(raw(*lines))


SYFT = "syft/syft/pkg/cataloger/arch/testdata/installed/var/lib/pacman/local"
NAMES = ("emacs-29.3-3", "gmp-6.2.1-2", "fuzzy-1.2-3", "madeup-20.30-4", "tree-sitter-0.22.6-1")
FILES = [
    *(f"{SYFT}/{name}/desc" for name in NAMES),
    "osv-scalibr/extractor/filesystem/os/pacman/testdata/valid",
]


def lines_of(path):
    """What the question would be answered for this file: its own regex picks the lines."""
    asked = re.compile(pacman.ASK[0].regex)
    return [line for line in path.read_text().split("\n") if asked.search(line)]


def test_packages_of_other_projects_give_what_their_text_gives(fixtures):
    """All files as one answer, as the question gives them."""
    answer, told = [], {}
    for name in FILES:
        text = (fixtures / name).read_text()
        fields = dict(re.findall(r"^%(NAME|VERSION|BASE|ARCH)%\n(.+)$", text, re.MULTILINE))
        told[fields["NAME"]] = (fields["VERSION"], fields.get("BASE", fields["NAME"]))
        answer += lines_of(fixtures / name)
    items = pacman.parse(raw(*answer))["pacman"].items
    assert {name: (item["version"], item["source"]) for name, item in items.items()} == told
    assert len(told) >= 5


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
MARK = st.sampled_from(["%NAME%", "%VERSION%", "%REASON%", "%INSTALLDATE%", "a", "1"])


@given(st.lists(LINE | MARK), LINE, st.lists(LINE))
def test_whatever_a_host_says_only_parse_errors_escape(lines, conf, folders):
    try:
        sections = pacman.parse(raw(*lines, conf=conf, folders=folders))
    except ParseError:
        return
    assert set(sections) == {about.name for about in pacman.GIVES}
