"""The dpkg probe against real databases, dpkg-query's own words, and bad input."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Failed, Partial, Payload, Raw
from driftscan.probes import dpkg

READABLE = "100 81a4 0 0 5000 /var/lib/dpkg/status"
CURL = (
    "Package: curl",
    "Status: install ok installed",
    "Architecture: amd64",
    "Version: 7.88.1-10+deb12u12",
    "Depends: libc6 (>= 2.34), libcurl4 (= 7.88.1-10+deb12u12)",
)


def raw(*lines, lists=(), database=(READABLE,), gaps=None, cut=False):
    """An answer with these lines of the status file and these names of lists."""
    stats = [f"7 81a4 0 0 5 /var/lib/dpkg/info/{name}.list" for name in lists]
    return Raw(
        outputs={
            "status": Payload(tuple(lines), cut=cut),
            "times": Payload(tuple(stats)),
            "database": Payload(tuple(database)),
        },
        gaps=gaps or {},
    )


def from_file(path):
    """What the question would be answered for this status file: its own regex picks the lines."""
    text = path.read_text(encoding="utf-8", errors="backslashreplace")
    asked = re.compile(dpkg.ASK[0].regex)
    lines = [line for line in text.split("\n") if asked.search(line)]
    return dpkg.parse(raw(*lines))["dpkg"]


def told_by_dpkg(lines):
    """The items as `dpkg-query -W` tells them, without what only left its configuration."""
    items, times = {}, {}
    for line in lines:
        name, architecture, version, source, source_version, state, *changed = line.split("\t")
        key = name if architecture in ("amd64", "all") else f"{name}:{architecture}"
        want, _, status = state.split(" ")
        if status == "config-files":
            continue
        items[key] = {
            "version": version,
            "source": source,
            "source_version": source_version,
            "architecture": architecture,
            "want": want,
            "status": "installed" if status.startswith("triggers-") else status,
        }
        if changed and changed[0]:
            times[key] = {"changed": int(changed[0])}
    return items, times


@pytest.mark.parametrize(
    ("machine", "count"), [("web-a", 250), ("web-b", 250), ("trixie", 70), ("odd", 70)]
)
def test_every_package_reads_as_dpkg_query_says_it(captured, oracle, machine, count):
    sections = dpkg.parse(captured("dpkg", machine))
    items, times = told_by_dpkg(oracle("dpkg", machine))
    assert isinstance(sections["dpkg"], Collected)
    assert len(items) > count
    if machine == "odd":
        # dpkg-query knows no source of a package that was never unpacked whole.
        items["odd-half-installed"] |= {"source_version": "1.0-1"}
    assert sections["dpkg"].items == items
    assert sections["dpkg-times"].items == times
    assert set(sections["dpkg-needs"].items) == set(items)


def test_unusual_states_are_told_apart(captured):
    """A machine where each was made with dpkg itself: hold, removed, broken, waiting, foreign."""
    items = dpkg.parse(captured("dpkg", "odd"))["dpkg"].items
    assert items["bash"]["want"] == "hold"
    assert "nano" not in items  # removed, its configuration left
    assert items["odd-half-configured"]["status"] == "half-configured"
    assert items["odd-half-installed"]["status"] == "half-installed"
    assert items["odd-unpacked"]["status"] == "unpacked"
    assert items["odd-awaiting"]["status"] == "installed"
    assert items["odd-triggered"]["status"] == "installed"
    assert items["odd-foreign"]["architecture"] == "amd64"
    assert items["odd-foreign:i386"]["architecture"] == "i386"


def test_a_rebuild_keeps_the_version_of_its_source(captured):
    items = dpkg.parse(captured("dpkg", "odd"))["dpkg"].items
    assert items["bash"]["version"].startswith(items["bash"]["source_version"] + "+b")
    assert items["odd-unpacked"]["source"] == "odd-unpacked-src"
    assert items["odd-unpacked"]["source_version"] == "1.0-1"


def test_needs_are_pre_depends_and_depends_together():
    section = dpkg.parse(raw(*CURL, "Pre-Depends: dpkg", "Recommends: x", "Provides: y"))
    assert section["dpkg-needs"].items == {
        "curl": {
            "depends": "dpkg, libc6 (>= 2.34), libcurl4 (= 7.88.1-10+deb12u12)",
            "recommends": "x",
            "provides": "y",
        }
    }


def test_a_truncated_database_fails_naming_what_it_lost(captured):
    """There the status file was cut in its middle while all lists of files stayed."""
    for section in dpkg.parse(captured("dpkg", "truncated")).values():
        assert isinstance(section, Failed)
        assert re.search(r"damaged: it lacks [a-z0-9.+-]+, .* and \d+ more", section.reason)


@pytest.mark.parametrize(
    ("machine", "reason"),
    [("emptied", "holds no package in its 0 bytes"), ("removed", "is missing, though")],
)
def test_a_lost_database_is_never_an_empty_one(captured, machine, reason):
    for section in dpkg.parse(captured("dpkg", machine)).values():
        assert isinstance(section, Failed)
        assert reason in section.reason


def test_a_database_of_zeroes_is_damaged_not_denied():
    section = dpkg.parse(raw())["dpkg"]
    assert section == Failed(reason="/var/lib/dpkg/status holds no package in its 5000 bytes")


@pytest.mark.parametrize("machine", ["unreadable", "closed"])
def test_a_database_that_may_not_be_read_is_denied(captured, machine):
    for section in dpkg.parse(captured("dpkg", machine)).values():
        assert isinstance(section, Denied)
        assert "/var/lib/dpkg/status" in section.cure


def test_a_machine_without_dpkg_has_no_packages_of_it(captured):
    sections = dpkg.parse(captured("dpkg", "alpine"))
    assert sections == {about.name: Absent() for about in dpkg.GIVES}


def test_an_unprivileged_account_sees_the_same_packages(captured):
    root, user = (dpkg.parse(captured("dpkg", name)) for name in ("web-a", "web-a-ops"))
    assert user == root


def test_closed_lists_only_hide_the_times():
    sections = dpkg.parse(raw(*CURL, gaps={"/var/lib/dpkg/info": "denied"}))
    assert list(sections["dpkg"].items) == ["curl"]
    assert isinstance(sections["dpkg-times"], Denied)


def test_times_over_the_limit_are_partial():
    cut = raw(*CURL, lists=["curl"])
    outputs = {**cut.outputs, "times": Payload(cut.outputs["times"].lines, cut=True)}
    section = dpkg.parse(Raw(outputs=outputs))["dpkg-times"]
    assert isinstance(section, Partial)
    assert section.items == {"curl": {"changed": 7}}


def test_a_database_over_the_limit_fails():
    section = dpkg.parse(raw(*CURL, cut=True))["dpkg"]
    assert section == Failed(reason="/var/lib/dpkg/status is larger than the limit")


@pytest.mark.parametrize(
    "path",
    [
        "claircore/dpkg/testdata/postgresql.status",
        "claircore/dpkg/testdata/debian-only.status",
        "osv-scalibr/extractor/filesystem/os/dpkg/testdata/dpkg/single",
        "osv-scalibr/extractor/filesystem/os/dpkg/testdata/dpkg/valid",
        "osv-scalibr/extractor/filesystem/os/dpkg/testdata/dpkg/trailingnewlines",
        "osv-scalibr/extractor/filesystem/os/dpkg/testdata/dpkg/transitional",
        "syft/syft/pkg/cataloger/debian/testdata/image-dpkg/var/lib/dpkg/status",
    ],
)
def test_status_files_of_other_projects_are_read(fixtures, path):
    section = from_file(fixtures / path)
    assert isinstance(section, Collected)
    text = (fixtures / path).read_text(encoding="utf-8")
    named = re.findall(r"^Package: (\S+)$", text, re.MULTILINE)
    assert sorted(section.items) == sorted(named) != []


@pytest.mark.parametrize(
    ("path", "named"),
    [
        # Written by vcpkg, not by dpkg: its stanzas have no version of a package.
        ("claircore/dpkg/testdata/vcpkg.status", "curl"),
        # Made for a test, without what dpkg always writes: an architecture, a name, a version.
        ("osv-scalibr/extractor/filesystem/os/dpkg/testdata/dpkg/statusfield", "wantinstall"),
        ("osv-scalibr/extractor/filesystem/os/dpkg/testdata/dpkg/nopackage", "foo"),
        ("osv-scalibr/extractor/filesystem/os/dpkg/testdata/dpkg/noversion", "foo"),
    ],
)
def test_status_files_that_dpkg_never_wrote_are_refused(fixtures, path, named):
    with pytest.raises(ParseError, match=named):
        from_file(fixtures / path)


@pytest.mark.parametrize(
    "lines",
    [
        ("Version: 1",),
        (*CURL, "Version: 2"),
        (*CURL, *CURL),
        ("Package: curl", "Status: install ok"),
        ("Package: curl", "Status: install ok dancing"),
        ("Package: curl", "Status: maybe ok installed"),
        ("Package: ../curl", *CURL[1:]),
        (*CURL, "Source: a b c"),
        CURL[:3],
    ],
)
def test_a_stanza_that_dpkg_would_not_write_is_named(lines):
    with pytest.raises(ParseError, match=r"dpkg status|twice"):
        dpkg.parse(raw(*lines))


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
FIELDS = ["Package", "Status", "Architecture", "Version", "Source", "Depends", "Provides"]
VALUES = st.sampled_from(["a", "install ok installed", "amd64", "1", "a (1)", "deinstall ok x"])
FIELD = st.builds("{}: {}".format, st.sampled_from(FIELDS), VALUES | LINE)
LINES = st.lists(LINE | FIELD).map(tuple)


@given(LINES, LINES, LINES | st.just((READABLE,)))
def test_whatever_a_host_says_only_parse_errors_escape(lines, times, database):
    outputs = {"status": lines, "times": times, "database": database}
    try:
        sections = dpkg.parse(Raw(outputs={name: Payload(told) for name, told in outputs.items()}))
    except ParseError:
        return
    assert set(sections) == {about.name for about in dpkg.GIVES}


@given(st.lists(st.integers(0, 400), max_size=3))
def test_a_database_that_lost_lines_is_never_taken_for_the_whole(lost):
    """Any package whose stanza is gone has its list left: no loss goes unnoticed."""
    names = [f"p{number}" for number in range(100)]
    stanzas = [(f"Package: {name}", *CURL[1:4]) for name in names]
    lines = [line for stanza in stanzas for line in stanza]
    kept = [line for number, line in enumerate(lines) if number not in lost]
    try:
        section = dpkg.parse(raw(*kept, lists=names))["dpkg"]
    except ParseError:
        assert len(kept) < len(lines)
        return
    if isinstance(section, Failed):
        assert len(kept) < len(lines)
    else:
        assert len(section.items) == 100
