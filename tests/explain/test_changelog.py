"""Changelogs captured from the lab's web-b, and text that no changelog should be."""

import gzip
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import sanitize
from driftscan.explain import changelog as changelogs
from driftscan.explain.changelog import Changelog, Entry, entries
from driftscan.explain.delta import between, headline, judged, sentence
from driftscan.explain.symptom import find
from driftscan.explain.windows import culprits, window, windows

CAPTURED = Path(__file__).parent / "captured"
IMAGEMAGICK = "8:6.9.11.60+dfsg-1.6+deb12u"


def _read(source: str) -> Changelog:
    data = gzip.decompress((CAPTURED / f"{source}.changelog.gz").read_bytes())
    return entries(sanitize.lines(data), source)


def _entry(version: str, *bullets: str, suite: str = "bookworm", urgency: str = "medium") -> Entry:
    return Entry(
        version=version,
        distributions=(suite,),
        urgency=urgency,
        date="2026-01-02T03:04:05Z",
        bullets=bullets,
    )


def _changelog(*found: Entry) -> Changelog:
    return Changelog(source="some", entries=found)


def _kinds(*bullets: str) -> list[str]:
    return [bullet.kind for bullet in judged(_entry("1", *bullets))]


# --- reading -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "count", "first", "date", "last"),
    [
        ("imagemagick", 25, f"{IMAGEMAGICK}15", "2026-10-29T09:34:49Z", "8:6.9.11.24+dfsg-1"),
        ("openjdk-17", 104, "17.0.21.1+2-1~deb12u1", "2026-11-19T08:07:27Z", "14~6-0ubuntu1"),
        ("ca-certificates", 11, "20250419~deb12u2", "2026-10-20T19:45:34Z", "20200601"),
        ("php8.2", 120, "8.2.36-1~deb12u1", "2026-11-18T20:02:04Z", "7.3.7-1"),
        ("openssl", 55, "3.0.22-1~deb12u2", "2026-10-21T09:54:24Z", "1.1.1d-1"),
        ("tzdata", 49, "2026f-0+deb12u1", "2026-10-29T10:32:16Z", "2019b-2"),
        ("brotli", 9, "1.0.9-2+deb12u1", "2026-10-23T13:13:41Z", "1.0.7-3"),
    ],
)
def test_every_line_of_a_captured_changelog_is_understood(source, count, first, date, last):
    read = _read(source)

    assert (len(read.entries), read.unread, read.cut) == (count, 0, False)
    assert (read.entries[0].version, read.entries[0].date) == (first, date)
    assert read.entries[-1].version == last
    assert all(entry.date and entry.bullets and entry.distributions for entry in read.entries)


def test_continuations_and_nested_bullets_are_joined_and_names_of_people_are_no_bullets():
    read = _read("ca-certificates")

    assert read.entries[0].bullets == (
        "Non-maintainer upload.",
        'Blacklist "emSign ECC Root CA - G3" and "Comodo AAA Services root" (Closes: #1151413)',
    )
    assert len(read.entries[1].bullets) == 9
    assert read.entries[1].bullets[2].endswith("- SwissSign Silver CA - G2")
    assert read.entries[1].bullets[-1] == "Use standard dh sequence (closes: #1050112)"


def test_the_formats_of_1996_and_editors_marks_are_counted_and_end_no_entry():
    read = _read("gzip")

    assert (len(read.entries), read.unread) == (78, 22)
    assert read.entries[-1].version == "1.2.4-12"
    assert read.entries[-1].bullets == ("New packag format.",)
    assert read.entries[-3].distributions == ("stable", "frozen", "unstable")


def test_a_changelog_that_ends_in_the_middle_keeps_what_it_said():
    lines = ["a (1.2-3) stable security; urgency=HIGH, binary-only=yes", "", "  * Fix", "    it"]

    (entry,) = entries(lines, "a").entries

    assert entry == Entry(
        version="1.2-3",
        distributions=("stable", "security"),
        urgency="high",
        bullets=("Fix it",),
    )


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("Thu, 29 Oct 2026 10:34:49 +0100", "2026-10-29T09:34:49Z"),
        ("Mon,  8 Dec 1997 23:42:49 -0730", "1997-12-09T07:12:49Z"),
        ("8 December 1997 23:42 GMT", "1997-12-08T23:42:00Z"),
        ("Thu, 31 Feb 2026 10:34:49 +0100", ""),
        ("Thu, 01 Jan 0001 00:00:00 +2300", ""),
        ("Thu, 29 Okt 2026 10:34:49 +0100", ""),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_dates_are_in_utc_and_a_wrong_one_is_none(written, moment):
    lines = ["a (1) s; urgency=low", "  * b", f" -- Jo <jo@example.org>  {written}"]

    assert entries(lines, "a").entries[0].date == moment


def test_lines_between_entries_belong_to_none():
    lines = [
        "# a comment",
        "vim:set et:",
        "  * lost",
        "a (1) s;",
        "nothing",
        "  * kept",
        " -- J <j>",
    ]
    lines += ["  * lost too", " -- nobody <n>"]

    read = entries(lines, "a")

    assert [entry.bullets for entry in read.entries] == [("kept",)]
    assert read.unread == 5


def test_bullets_of_other_marks_and_plain_paragraphs_are_told_apart():
    lines = [
        "a (1) s;",
        "  - one",
        "  - two",
        "    * under two",
        "",
        "  three",
        "  still three",
        "",
    ]
    lines += ["  four", "  *", "  * five\\x0d"]

    assert entries(lines, "a").entries[0].bullets == (
        "one",
        "two * under two",
        "three still three",
        "four",
        "five",
    )


def test_a_file_over_the_limit_is_read_up_to_it(monkeypatch):
    monkeypatch.setattr(changelogs, "MAX_SIZE", 60)
    lines = ["a (2) s;", "  * new", " --", "a (1) s;", "  * old", "x" * 60]

    read = entries(lines, "a")

    assert read.cut
    assert [entry.version for entry in read.entries] == ["2", "1"]
    assert read.unread == 0


def test_a_flood_of_entries_is_read_up_to_its_limit(monkeypatch):
    monkeypatch.setattr(changelogs, "MAX_ENTRIES", 3)

    read = entries((f"a ({n}) s;\n" for n in range(99, 0, -1)), "a")

    assert read.cut
    assert [entry.version for entry in read.entries] == ["99", "98", "97", "96"]


# --- between two versions ------------------------------------------------------------------


def test_imagemagick_is_cut_exactly_at_the_host_s_version():
    delta = between(_read("imagemagick"), f"{IMAGEMAGICK}11", f"{IMAGEMAGICK}15")

    assert [e.version for e in delta.entries] == [f"{IMAGEMAGICK}{n}" for n in (15, 14, 13, 12)]
    assert (delta.cut, delta.complete, len(delta.past)) == ("exact", True, 21)
    assert delta.past[0].version == f"{IMAGEMAGICK}11"
    assert delta.counts == {
        "regression": 2,
        "behaviour": 4,
        "security": 101,
        "fix": 3,
        "other": 1,
    }
    assert sum(name.startswith("CVE-") for name in delta.ids) == 97
    assert delta.distributions == ["bookworm-security"]
    assert delta.urgency == "high"
    assert delta.bugs == ["#1147176", "#1149974", "#1150224", "#1150337", "#1150802"]


def test_openjdk_has_no_entry_of_the_host_s_version_and_is_cut_by_order():
    """Its stable branch has no such entry: a search for the version would return all 104."""
    delta = between(_read("openjdk-17"), "17.0.19+10-1~deb12u2", "17.0.21.1+2-1~deb12u1")

    assert (delta.cut, delta.complete, len(delta.entries)) == ("by order", True, 14)
    assert delta.entries[1].version == "17.0.21.1+2-1"
    assert delta.entries[-1].version == "17.0.20~5ea-1"
    assert delta.past[0].version == "17.0.19+10-1"
    assert delta.distributions == ["bookworm-security", "unstable"]
    assert delta.counts["security"] == 5


def test_a_native_source_with_dates_as_versions_is_cut_at_its_stable_update():
    delta = between(_read("ca-certificates"), "20230311+deb12u1", "20250419~deb12u2")

    assert [entry.version for entry in delta.entries] == [
        "20250419~deb12u2",
        "20250419~deb12u1",
        "20250419",
        "20241223",
        "20240203",
    ]
    assert delta.cut == "exact"
    assert headline(delta) == (
        "20250419~deb12u2",
        'Blacklist "emSign ECC Root CA - G3" and "Comodo AAA Services root"',
        ["#1151413"],
    )


@pytest.mark.parametrize("older", ["1.0.9-2+b6", "1.0.9-2"])
def test_a_rebuild_of_brotli_holds_what_its_source_holds(older):
    delta = between(_read("brotli"), older, "1.0.9-2+deb12u1")

    assert [entry.version for entry in delta.entries] == ["1.0.9-2+deb12u1"]
    assert (delta.older, delta.cut, delta.complete) == ("1.0.9-2", "exact", True)
    assert delta.ids == ["CVE-2026-111497"]


@pytest.mark.parametrize(
    ("source", "older", "newer", "versions", "told"),
    [
        (
            "php8.2",
            "8.2.32-1~deb12u1",
            "8.2.36-1~deb12u1",
            [f"8.2.{n}-1~deb12u1" for n in (36, 35, 34, 33)],
            "New upstream version 8.2.36: + [CGI] Fix CVE-2026-129538: PHP-CGI out-of-bounds read "
            "and write during PATH_INFO...",
        ),
        (
            "openssl",
            "3.0.20-1~deb12u2",
            "3.0.22-1~deb12u2",
            ["3.0.22-1~deb12u2", "3.0.22-1~deb12u1"],
            'CVE-2026-84782 ("DTLS Retransmits Handshake Messages From a Stale Buffer Offset")',
        ),
        (
            "tzdata",
            "2026b-0+deb12u1",
            "2026f-0+deb12u1",
            ["2026f-0+deb12u1", "2026e-0+deb12u1", "2026c-0+deb12u1"],
            "Revert POSIX conformance of old SysV names EST5EDT, CST6CDT, MST7MDT and PST8PDT "
            "(from Aurelien Jarno)",
        ),
    ],
)
def test_the_lab_s_other_sources_are_cut_exactly_and_told(source, older, newer, versions, told):
    delta = between(_read(source), older, newer)

    assert [entry.version for entry in delta.entries] == versions
    assert (delta.cut, delta.complete) == ("exact", True)
    assert headline(delta)[1] == told


def test_a_version_inside_another_is_not_mistaken_for_it():
    found = _changelog(_entry("1.0-10", "b"), _entry("1.0-2", "a"), _entry("1.0-1", "z"))

    assert [e.version for e in between(found, "1.0-1", "1.0-10").entries] == ["1.0-10", "1.0-2"]


def test_entries_newer_than_asked_for_are_left_out():
    found = _changelog(_entry("3", "c"), _entry("2", "b"), _entry("1", "a"))
    delta = between(found, "1", "2")

    assert ([e.version for e in delta.entries], delta.complete) == (["2"], True)


def test_a_changelog_that_lacks_either_end_is_incomplete():
    found = _changelog(_entry("3", "c"), _entry("2", "b"))

    assert not between(found, "1", "3").complete
    assert between(found, "1", "3").cut == "by order"
    assert not between(found, "2", "4").complete
    assert between(found, "2", "3").complete


def test_the_cut_stops_at_the_first_entry_the_host_holds():
    found = _changelog(_entry("3", "c"), _entry("1", "a"), _entry("2", "merged late"))

    assert [entry.version for entry in between(found, "1", "3").entries] == ["3"]


def test_a_version_without_order_stands_nowhere_and_is_counted():
    found = _changelog(_entry("2", "b"), _entry("not_a_version", "?"), _entry("1", "a"))
    delta = between(found, "1", "2")

    assert ([entry.version for entry in delta.entries], delta.unordered) == (["2"], 1)


@pytest.mark.parametrize(("older", "newer"), [("2", "1"), ("2", "2"), ("?", "2"), ("1", "")])
def test_nothing_is_between_versions_that_do_not_rise(older, newer):
    found = _changelog(_entry("2", "Fix regression in 1"), _entry("1", "a"))
    delta = between(found, older, newer)

    assert (delta.entries, delta.complete, headline(delta)) == ((), False, None)
    assert window(found, older, newer) is None
    assert find({"a": delta}, "regression") == {}


def test_distributions_urgencies_and_bugs_of_all_entries_are_gathered():
    found = _changelog(
        _entry("3", "c (LP: #7, #8)", suite="unstable", urgency="low"),
        _entry("2", "b (closes: Bug#12, 13)", suite="bookworm", urgency="critical"),
        _entry("1", "a (Closes: #99)", urgency="emergency"),
    )
    delta = between(found, "1", "3")

    assert delta.distributions == ["bookworm", "unstable"]
    assert delta.urgency == "critical"
    assert delta.bugs == ["#12", "#13", "LP: #7", "LP: #8"]


# --- what kind of change -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("regression", "Fix regression of CVE-2026-25971: SVG <image> with data: URI fails"),
        ("regression", "Revert POSIX conformance of old SysV names EST5EDT and CST6CDT"),
        ("regression", "Repair the option that 1.2 broke"),
        ("regression", "Loading fails since 1.2"),
        ("security", "Fix CVE-2026-105083: a policy bypass vulnerability in LoadPolicyCache"),
        ("security", "Fix CVE-2026-1234: broke the sandbox; add a regression test"),
        ("security", "Fix GHSA-p6j5-2qwh-6486: Trim ps/pdf labels"),
        ("security", "Update of DSA-1234-1, DLA-3456-2 and USN-5678-1"),
        ("security", "New upstream version 8.2.35: + Fix CVE-2026-109618: State corruption"),
        ("behaviour", "Backport MagickCore/policy to 6.9.13.59"),
        ("behaviour", "New upstream version 1.0.9"),
        ("behaviour", "Disable TLS 1.0 by default"),
        ("behaviour", "Drop support for SSLv3 (Closes: #4)"),
        ("fix", "Allow long names (Closes: #1150224)"),
        ("fix", "Fix upstream bug 8994: Memory leak in PolaroidImage"),
        ("packaging", "d/copyright: Fix the licence"),
        ("packaging", "Rebuild for bookworm."),
        ("packaging", "Standards-Version: 4.6.2"),
        ("packaging", "Refresh d/patches."),
        ("packaging", "Enable Salsa CI using default template. So that it can catch regressions"),
        ("packaging", "d/tests/954257-regression: Fix the test, python module has removed API"),
        ("packaging", "For release, revert platform-specific test case"),
        ("packaging", "Backport patch to fix unit test failure on buildd"),
        ("packaging", "Fix FTBFS on armhf"),
        (
            "behaviour",
            "Disable utmp support, not y2038 safe. utmp support in tmux has been disabled, so "
            "autopkgtest should no longer break",
        ),
        ("behaviour", "New upstream release: - drop the 0019-upstream-fix-cli-tests patch"),
        ("security", "Fix CVE-2026-1234 in the test suite"),
        ("regression", "Revert POSIX conformance of old SysV names EST5EDT"),
        ("other", "Cuba will not fall back to -05 on 2026-11-01"),
        ("other", "Drop patches that were applied upstream"),
        ("other", "Add a regression test for long names"),
    ],
)
def test_each_kind_of_change_is_told_by_its_words(kind, text):
    assert _kinds(text) == [kind]


def test_ids_are_named_once_in_one_spelling_and_never_by_their_beginning():
    text = "cve-2026-25971, CVE-2026-2597, CVE-2026-25971 and ghsa-PVF6-h68q-qh7g"
    (bullet,) = judged(_entry("1", text))

    assert bullet.ids == ("CVE-2026-25971", "CVE-2026-2597", "GHSA-pvf6-h68q-qh7g")


def test_the_headline_prefers_a_regression_somebody_reported_to_security_and_fixes():
    found = _changelog(
        _entry("4", "Fix a typo (Closes: #1)", "CVE-2026-1234: overflow"),
        _entry("3", "Fix a regression nobody saw"),
        _entry("2", "Fix the regression everybody saw. Thanks to A. Smith. (Closes: #2, #3)"),
        _entry("1", "Fix a regression long ago (Closes: #4)"),
    )

    assert headline(between(found, "1", "4")) == (
        "2",
        "Fix the regression everybody saw",
        ["#2", "#3"],
    )
    assert headline(between(found, "3", "4"))[1] == "CVE-2026-1234: overflow"


def test_a_new_upstream_version_alone_is_no_headline_where_there_is_security():
    found = _changelog(_entry("2", "New upstream version 2", "CVE-2026-1234"), _entry("1", "a"))

    assert headline(between(found, "1", "2"))[1] == "CVE-2026-1234"


def test_a_sentence_is_cut_at_a_word_and_a_long_word_anywhere():
    assert sentence("word " * 40) == "word " * 22 + "word..."
    assert sentence("w" * 200) == "w" * 117 + "..."
    assert sentence("Closes: #1") == "Closes: #1"


# --- broken windows ------------------------------------------------------------------------


@pytest.mark.parametrize("update", [9, 10, 11, 13])
def test_imagemagick_is_broken_from_deb12u9_until_deb12u14(update):
    found = window(_read("imagemagick"), f"{IMAGEMAGICK}{update}", f"{IMAGEMAGICK}15")

    assert (found.introduced, found.introduced_date) == (f"{IMAGEMAGICK}9", "2026-04-25T14:03:16Z")
    assert (found.fixed, found.fixed_date) == (f"{IMAGEMAGICK}14", "2026-10-24T22:59:51Z")
    assert found.reference == "CVE-2026-25971"
    assert found.text.startswith("Fix regression of CVE-2026-25971: SVG <image> with data: URI")
    assert found.text.endswith('fails ("unable to open image")')
    assert (found.bugs, found.cut) == (("#1150224",), "exact")


@pytest.mark.parametrize(("update", "newer"), [(8, 15), (14, 15), (15, 15), (11, 13)])
def test_a_host_before_the_fault_or_after_its_fix_is_in_no_window(update, newer):
    found = window(_read("imagemagick"), f"{IMAGEMAGICK}{update}", f"{IMAGEMAGICK}{newer}")

    assert found is None


def test_each_regression_of_imagemagick_has_its_own_window():
    found = windows(_read("imagemagick"), f"{IMAGEMAGICK}9", f"{IMAGEMAGICK}15")

    assert [(w.fixed.removeprefix(IMAGEMAGICK), w.reference) for w in found] == [
        ("14", "CVE-2026-25971"),
        ("10", "CVE-2026-33901"),
    ]


@pytest.mark.parametrize("source", ["openjdk-17", "php8.2", "openssl", "tzdata", "brotli"])
def test_no_window_is_seen_in_the_lab_s_other_sources(source):
    read = _read(source)

    found = [windows(read, entry.version, read.entries[0].version) for entry in read.entries[1:12]]

    assert not any(found)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Fix regression of CVE-2026-25971: SVG fails", ["CVE-2026-25971"]),
        ("Fix CVE-2026-33901 regression: Previous fix breaks files", ["CVE-2026-33901"]),
        ("Fix regression caused by the fix for #123 (Closes: #456)", ["#123"]),
        ("Fix a regression introduced by LP: #123", ["LP: #123"]),
        ("Fix zipfile.Path regression introduced by 3.11.2-6+deb12u3", ["3.11.2-6+deb12u3"]),
        ("Fix regressions from the last update (+deb12u3).", ["deb12u3"]),
        ("Fix mapped segments. Regression since 2:2.1.0-1. (Closes: #935702)", ["2:2.1.0-1"]),
        ("Fix a regression in the PNG coder (Closes: #123)", []),
        ("Fix a regression in the coder. Fix CVE-2026-1234", []),
        ("Add regression tests for CVE-2026-1234", []),
        ("Fix an autopkgtest regression with perl 5.32", []),
        ("Fix GHSA-pvf6-h68q-qh7g (wand regression)", []),
        ("Fix CVE-2026-1234", []),
    ],
)
def test_the_origin_of_a_regression_is_what_the_change_says_it_is(text, named):
    assert culprits(text) == named


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ("#77", "Shorten names (Closes: #77)"),
        ("LP: #77", "Shorten names (LP: #77)"),
        ("1:2.0-1+deb12u1", "Shorten names"),
        ("2.0-1+deb12u1", "Shorten names"),
        ("deb12u1", "Shorten names"),
        ("2.0", "Shorten names"),
        ("CVE-2026-1234", "Shorten names, which fixes CVE-2026-1234"),
    ],
)
def test_the_origin_may_be_a_bug_an_advisory_or_a_version(origin, told):
    found = _changelog(
        _entry("1:2.0-1+deb12u3", f"Long names again: regression of {origin}"),
        _entry("1:2.0-1+deb12u2", "Other"),
        _entry("1:2.0-1+deb12u1", told),
        _entry("1:1.9-1", "First"),
    )

    seen = window(found, "1:2.0-1+deb12u2", "1:2.0-1+deb12u3")

    assert (seen.introduced, seen.fixed) == ("1:2.0-1+deb12u1", "1:2.0-1+deb12u3")
    assert window(found, "1:1.9-1", "1:2.0-1+deb12u3") is None


def test_a_number_that_begins_like_the_origin_is_another_one():
    found = _changelog(
        _entry("3", "Fix regression of CVE-2026-2597"), _entry("2", "Fix CVE-2026-25971")
    )

    assert window(found, "2", "3") is None


def test_a_fault_that_was_taken_back_before_the_host_s_version_is_no_window():
    found = _changelog(
        _entry("4", "Fix regression of CVE-2026-1234"),
        _entry("3", "Revert the fix of CVE-2026-1234"),
        _entry("2", "Fix CVE-2026-1234"),
        _entry("1", "a"),
    )

    assert window(found, "3", "4") is None
    assert window(found, "2", "4").introduced == "2"


def test_a_window_of_a_host_whose_version_is_no_entry_is_by_order_only():
    found = _changelog(_entry("3", "Fix regression of CVE-2026-1234"), _entry("1", "CVE-2026-1234"))

    assert window(found, "2", "3").cut == "by order"


def test_a_window_tells_the_nested_item_that_speaks_of_the_regression():
    found = _changelog(
        _entry("3", "Fixes from upstream: - Faster. - Fix regression of #1. - More."),
        _entry("2", "Names (Closes: #1)"),
    )

    assert window(found, "2", "3").text == "Fix regression of #1"


# --- the user's error message --------------------------------------------------------------


@pytest.mark.parametrize(
    "symptom", ["unable to open image", "  Unable to\topen IMAGE ", "`unable to open image'"]
)
def test_the_symptom_hits_exactly_one_change_of_all_captured_sources(symptom):
    pairs = {
        "imagemagick": (f"{IMAGEMAGICK}11", f"{IMAGEMAGICK}15"),
        "openjdk-17": ("17.0.19+10-1~deb12u2", "17.0.21.1+2-1~deb12u1"),
        "ca-certificates": ("20230311+deb12u1", "20250419~deb12u2"),
        "php8.2": ("8.2.32-1~deb12u1", "8.2.36-1~deb12u1"),
        "openssl": ("3.0.20-1~deb12u2", "3.0.22-1~deb12u2"),
        "tzdata": ("2026b-0+deb12u1", "2026f-0+deb12u1"),
        "brotli": ("1.0.9-2+b6", "1.0.9-2+deb12u1"),
    }

    found = find({name: between(_read(name), *pair) for name, pair in pairs.items()}, symptom)

    assert list(found) == ["imagemagick"]
    assert (found["imagemagick"].how, found["imagemagick"].telling) == ("phrase", True)
    assert [(hit.version, hit.bugs) for hit in found["imagemagick"].hits] == [
        (f"{IMAGEMAGICK}14", ("#1150224",))
    ]


def test_words_in_any_order_hit_only_within_one_change_and_where_no_phrase_does():
    found = _changelog(
        _entry("2", "The image is no longer unable to be opened", "cannot open an image"),
        _entry("1", "a"),
    )
    deltas = {"some": between(found, "1", "2")}

    told = find(deltas, "image: cannot open")["some"]
    assert (told.how, [hit.text for hit in told.hits]) == ("words", ["cannot open an image"])
    assert find(deltas, "unable to open") == {}
    assert find(deltas, "pen an ima") == {}


@pytest.mark.parametrize("symptom", ["fix", "fixed", "a fix", "er.ror"])
def test_a_symptom_that_is_too_short_is_not_looked_for(symptom):
    found = _changelog(_entry("2", "fix a fix, fixed er ror"), _entry("1", "a"))
    assert find({"some": between(found, "1", "2")}, symptom) == {}


def test_what_many_sources_speak_of_points_to_none_of_them():
    found = _changelog(_entry("2", "it failed to open the image"), _entry("1", "a"))
    deltas = {f"source{n}": between(found, "1", "2") for n in range(4)}
    assert {told.telling for told in find(deltas, "failed to open").values()} == {False}
    deltas.popitem()
    assert {told.telling for told in find(deltas, "failed to open").values()} == {True}


@pytest.mark.parametrize("symptom", ["", "  ", "a", "to", "'\"", ".*", "(", "\\"])
def test_a_symptom_without_a_word_hits_nothing(symptom):
    found = _changelog(_entry("2", "a to .* ( \\ '"), _entry("1", "a"))

    assert find({"some": between(found, "1", "2")}, symptom) == {}


# --- any text ------------------------------------------------------------------------------

_WORD = st.text("abcXYZ019.,:'\"<>#é", min_size=1, max_size=8).filter(str.isprintable)
_LINE = st.lists(_WORD, min_size=1, max_size=6).map(" ".join)
_MOMENT = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_ENTRY = st.builds(
    Entry,
    version=st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "0:", "2:"]),
        st.integers(0, 999),
        st.sampled_from(["", ".0", ".7", ".19"]),
        st.sampled_from(["", "-1", "-9+deb10u1", "-3+deb12u9"]),
    ),
    distributions=st.lists(st.sampled_from(["unstable", "bookworm"]), max_size=2).map(tuple),
    urgency=st.sampled_from(["low", "high", ""]),
    date=_MOMENT.map(lambda m: m.strftime("%Y-%m-%dT%H:%M:%SZ")),
    bullets=st.lists(_LINE, max_size=4).map(tuple),
)
_PIECE = st.sampled_from([
    "a (1) s;", "a (2", "  * ", "    - x", "  [ Jo ]", " -- Jo <j>  ", "\t", "--", "(2)",
    "Mon, 1 Jan 2026 00:00:00 +0000", "regression of ", "in 1.2-3 ", "CVE-2026-1234",
    "Closes: #1, ", "lp: #", "\n", "\x00", "\u0663", "A. B", "d/", "revert ",
])  # fmt: skip
_ANY = st.lists(st.one_of(st.text(), st.lists(_PIECE).map("".join)), max_size=12)


def _render(entry: Entry) -> list[str]:
    """As deb-changelog(5) writes it, long bullets on several lines."""
    lines = [f"a ({entry.version}) {' '.join(entry.distributions)}; urgency={entry.urgency}", ""]
    for bullet in entry.bullets:
        first, *rest = bullet.split(" ")
        lines += [f"  * {first}", *(f"    {word}" for word in rest)]
    moment = datetime.fromisoformat(entry.date)
    return [*lines, "", f" -- Jo Doe <jo@example.org>  {format_datetime(moment)}", ""]


@given(st.lists(_ENTRY, max_size=4))
def test_entries_come_back_as_they_were_written(written):
    lines = [line for entry in written for line in _render(entry)]

    assert entries(lines, "a") == Changelog(source="a", entries=tuple(written))


@given(_ANY, st.text(), st.text(), st.text())
def test_no_text_raises(lines, older, newer, symptom):
    read = entries(lines, "a")
    delta = between(read, older, newer)

    assert len(windows(read, older, newer)) <= len(delta.bullets)
    assert all(
        len(told.hits) <= len(delta.bullets) for told in find({"a": delta}, symptom).values()
    )


@given(_ANY, _ANY, st.text())
def test_no_text_inside_a_changelog_raises(ours, theirs, symptom):
    read = entries(["a (2) s;", *ours, "a (1) s;", *theirs], "a")
    delta = between(read, "1", "2")

    assert "2" in {entry.version for entry in delta.entries} or delta.past
    assert all(found.fixed and found.introduced for found in windows(read, "1", "2"))
    assert all(hit.text for told in find({"a": delta}, symptom).values() for hit in told.hits)
    assert headline(delta) is None or 0 < len(headline(delta)[1]) <= 120


@given(st.lists(_ENTRY, max_size=8), st.data())
def test_a_delta_and_the_host_share_no_entry(found, data):
    versions = [entry.version for entry in found] or ["1"]
    older, newer = data.draw(st.sampled_from(versions)), data.draw(st.sampled_from(versions))
    delta = between(_changelog(*found), older, newer)

    assert not {e.version for e in delta.entries} & {e.version for e in delta.past}
    assert sum(delta.counts.values()) == sum(len(entry.bullets) for entry in delta.entries)
