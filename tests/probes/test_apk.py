"""The apk probe against real databases, apk's own words, and bad input."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Failed, Payload, Raw
from driftscan.probes import apk

PLACE = "/lib/apk/db/installed"
GREET = ("P:greet", "V:1.0-r0", "A:x86_64", "D:so:libgreet.so.1 !mailx cmd:x>1", "t:7", "o:hello")
LIB = ("P:libgreet", "V:2-r1", "A:x86_64", "p:so:libgreet.so.1=1.0 virtual-greet", "o:hello")
BOTH = (*GREET, "", *LIB, "")


def raw(*lines, world=None, usr=None, size=100, mode="81a4", cut=False):
    """An answer with these lines of the database (`usr`: of the one in /usr/lib)."""
    stats = [f"7 {mode} 0 0 {size} {PLACE}"] if lines or size else []
    stats += [f"7 {mode} 0 0 9 /usr{PLACE}"] if usr is not None else []
    return Raw(
        files={} if world is None else {"/etc/apk/world": Payload(tuple(world))},
        outputs={
            "installed": Payload(tuple(lines), cut=cut),
            "installed-usr": Payload(tuple(usr or ())),
            "database": Payload(tuple(stats)),
        },
    )


def from_file(path):
    """What the question would be answered for this database: its own regex picks the lines."""
    text = path.read_text(encoding="utf-8", errors="backslashreplace").removesuffix("\n")
    asked = re.compile(apk.ASK[0].regex)
    lines = [line for line in text.split("\n") if asked.search(line)]
    return raw(*lines, size=path.stat().st_size)


def test_every_package_reads_as_apk_says_it(captured, oracle):
    items = apk.parse(captured("apk", "alpine-apk"))["apk"].items
    told = [line for line in oracle("apk", "alpine-apk") if not line.startswith(".")]
    assert sorted(f"{name}-{item['version']}" for name, item in items.items()) == sorted(told)
    assert len(told) > 60


def test_what_was_asked_for_is_no_automatic_package_and_may_be_held(captured):
    sections = apk.parse(captured("apk", "alpine-apk"))
    items, automatic = sections["apk"].items, sections["apk-auto"].items
    assert {name for name, item in items.items() if "want" in item} == {"libgreet", "localtool"}
    assert sections["apk-origins"].items["libgreet"]["rule"] == "=1.0-r0"
    assert sections["apk-origins"].items["localtool"]["rule"].startswith("><Q1")
    assert sections["apk-pins"].items == {"mailx": {"rule": "!"}, "motd": {"rule": "@edge"}}
    asked = {n for n, item in sections["apk-origins"].items.items() if item.get("asked")}
    assert asked == set(items) - set(automatic)
    assert {"greet", "libgreet", "motd", "localtool", "curl"}.isdisjoint(automatic)
    assert {"toolchain", "musl", "libcurl"} <= set(automatic)


def test_a_virtual_package_needs_others_and_is_none(captured):
    sections = apk.parse(captured("apk", "alpine-apk"))
    assert ".build-deps" not in sections["apk"].items
    assert sections["apk-needs"].items[".build-deps"] == {"depends": "toolchain"}


def test_needs_are_packages_that_are_here():
    sections = apk.parse(raw(*BOTH))
    assert sections["apk-needs"].items == {
        "greet": {"depends": "libgreet, cmd:x"},
        "libgreet": {"provides": "virtual-greet"},
    }
    assert sections["apk"].items["greet"]["source"] == "hello"
    assert sections["apk-origins"].items == {"greet": {"built": 7}, "libgreet": {}}


@pytest.mark.parametrize(
    ("word", "held", "pins"),
    [
        ("greet", False, {}),
        ("greet=1.0-r0", True, {}),
        ("greet~1.0", True, {}),
        ("greet<2", True, {}),
        ("greet>=1", False, {"greet": {"rule": ">=1"}}),
        ("greet@edge", False, {"greet": {"rule": "@edge"}}),
        ("greet@edge=1.0-r0", True, {}),
        ("greet=1.0-r0@edge", True, {}),
        ("!mailx", False, {"mailx": {"rule": "!"}}),
        ("virtual-greet=1", False, {}),
        (".build-deps=20261125.180007", False, {}),
    ],
)
def test_a_wish_of_world_holds_a_package_or_is_a_rule(word, held, pins):
    sections = apk.parse(raw(*BOTH, world=[word]))
    assert (sections["apk"].items["greet"].get("want") == "hold") is held
    assert sections["apk-pins"].items == pins


def test_a_package_asked_for_by_what_it_provides_is_no_automatic_one():
    assert set(apk.parse(raw(*BOTH, world=["virtual-greet"]))["apk-auto"].items) == {"greet"}


def test_one_database_under_two_names_is_one():
    assert apk.parse(raw(*BOTH, usr=BOTH)) == apk.parse(raw(*BOTH))
    with pytest.raises(ParseError, match="two databases that differ"):
        apk.parse(raw(*BOTH, usr=(*GREET, "")))


def test_a_machine_without_apk_has_no_packages_of_it():
    assert apk.parse(raw(size=0)) == {about.name: Absent() for about in apk.GIVES}


def test_a_database_that_may_not_be_read_is_denied(captured):
    for section in apk.parse(captured("apk", "alpine-closed")).values():
        assert section == Denied(cure=f"read access to {PLACE}, or --become")


def test_a_truncated_database_fails(captured):
    for section in apk.parse(captured("apk", "alpine-damaged")).values():
        assert section == Failed(reason=f"{PLACE} is damaged: it ends within a package")


def test_a_lost_database_is_never_an_empty_one():
    gone = apk.parse(raw(size=0, world=["a", "b"]))["apk"]
    assert gone == Failed(
        reason="there is no database of apk, though /etc/apk/world asks for 2 packages"
    )
    assert apk.parse(raw(*BOTH, cut=True))["apk"] == Failed(
        reason=f"{PLACE} is larger than the limit"
    )


SYFT = "syft/syft/pkg/cataloger/alpine/testdata"
OSV = "osv-scalibr/extractor/filesystem/os/apk/testdata"
WHOLE = ["alpine-quicksand/0.10.1/lib/apk/db/installed", f"{SYFT}/multiple-2/lib/apk/db/installed"]
# Cut by hand, without the blank line that apk writes after each package.
ENDLESS = [
    f"{SYFT}/multiple-1/lib/apk/db/installed",
    *(f"{OSV}/{n}" for n in ("installed", "single")),
]


@pytest.mark.parametrize("path", [*WHOLE, *ENDLESS])
def test_databases_of_other_projects_give_the_set_that_their_text_gives(fixtures, path):
    answer = from_file(fixtures / path)
    assert isinstance(apk.parse(answer)["apk"], Failed) is (path in ENDLESS)
    section = apk.parse(raw(*answer.outputs["installed"].lines, ""))["apk"]
    told = {}
    for stanza in (fixtures / path).read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^([PVAo]):(.*)$", stanza, re.MULTILINE))
        if fields:
            told[fields["P"]] = (fields["V"], fields["A"], fields["o"])
    got = {
        name: (item["version"], item["architecture"], item["source"])
        for name, item in section.items.items()
    }
    assert got == told
    assert told


@pytest.mark.parametrize(
    "lines",
    [
        ("P:a", "V:1", "P:b", ""),
        ("P:a", ""),
        ("V:1", ""),
        ("P:a", "V:1", "", "P:a", "V:1", ""),
        ("P:../a", "V:1", ""),
        ("P:a", "V:1", "t:soon", ""),
    ],
)
def test_a_stanza_that_apk_would_not_write_is_named(lines):
    with pytest.raises(ParseError, match=r"twice|a package|was built"):
        apk.parse(raw(*lines))


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
FIELD = st.builds("{}:{}".format, st.sampled_from("PVAotcDps"), st.sampled_from(["a", "1"]) | LINE)
LINES = st.lists(LINE | FIELD | st.just("")).map(tuple)


@given(LINES, st.lists(LINE), LINES | st.just((f"7 81a4 0 0 9 {PLACE}",)))
def test_whatever_a_host_says_only_parse_errors_escape(lines, world, stats):
    outputs = {"installed": lines, "installed-usr": (), "database": stats}
    answer = Raw(
        files={"/etc/apk/world": Payload(tuple(world))},
        outputs={name: Payload(tuple(told)) for name, told in outputs.items()},
    )
    try:
        sections = apk.parse(answer)
    except ParseError:
        return
    assert set(sections) == {about.name for about in apk.GIVES}


@given(st.integers(0, 200))
def test_a_database_that_lost_its_end_is_never_taken_for_the_whole(kept):
    lines = [line for n in range(40) for line in (f"P:p{n}", "V:1-r0", "A:x86_64", "o:p", "")]
    try:
        section = apk.parse(raw(*lines[:kept], world=["p39"]))["apk"]
    except ParseError:
        return
    whole = kept % 5 == 0 and kept > 0
    assert isinstance(section, Collected) is whole
