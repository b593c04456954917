"""What changed between the versions: what is asked, what is told, and what it is worth."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import diff, sanitize
from driftscan.explain import engine
from driftscan.explain.symptom import find, parts
from driftscan.model import Headline, Side, Want, Window
from tests import recorded
from tests.build import explained, fingerprint, package, transaction

CAPTURED = Path(__file__).parent / "captured"
MAGICK = "8:6.9.11.60+dfsg-1.6+deb12u"
SYMPTOM = "unable to open image"
CORE = "/usr/lib/x86_64-linux-gnu/libMagickCore-6.Q16.so.6.0.0"


def _captured(name):
    return list(sanitize.lines(gzip.decompress((CAPTURED / name).read_bytes())))


def _changelog(name, version):
    lines = _captured(f"{name}.changelog.gz")
    return {"version": version, "package": name, "origin": "web-b", "lines": lines, "news": []}


LOADED = {
    "/usr/sbin/php-fpm8.2|php8.2-fpm.service": {
        "count": 3,
        "loads": {CORE: "libmagickcore-6.q16-6", "/usr/sbin/php-fpm8.2": "php8.2-fpm"},
    }
}
COMMAND = transaction("apt-get install imagemagick", install={"imagemagick": f"{MAGICK}11"})


def _magick(version):
    names = ("imagemagick", "libmagickcore-6.q16-6")
    found = {name: package(version, "imagemagick") for name in names}
    return {**found, "openssl": package("3.0.20-1~deb12u2"), "same": package("1")}


def _story(symptom="", processes=LOADED, version=f"{MAGICK}11", details=True):
    """The host of the story and the image's versions, with the changelogs captured in the lab."""
    theirs = {**_magick(f"{MAGICK}15"), "openssl": package("3.0.22-1~deb12u2")}
    asked = {
        "changelogs": {
            "imagemagick": _changelog("imagemagick", f"{MAGICK}15"),
            "openssl": _changelog("openssl", "3.0.22-1~deb12u2"),
        }
    }
    symbols = {
        side: {"libmagickcore-6.q16-6": {"lines": _captured(f"libmagickcore-{side}.symbols.gz")}}
        for side in ("web-a", "web-b")
    }
    evidence = {"apt-history": {"0": COMMAND}}
    if processes is not None:
        evidence["processes"] = processes
    return explained(
        fingerprint(
            "web-a",
            _magick(version),
            evidence=evidence,
            details={"symbols": symbols["web-a"]} if details else {},
        ),
        fingerprint(
            "web-b", theirs, details={**asked, "symbols": symbols["web-b"]} if details else {}
        ),
        symptom=symptom,
    )


def _finding(report, name):
    return next(finding for finding in report.findings if finding.id == name)


def _wants(ours, theirs, **more):
    subject, reference = Side(fingerprint=ours), Side(fingerprint=theirs)
    return engine.wants(subject, reference, diff.compare(ours, theirs), **more)


def _of(kind, wants):
    return [want for want in wants if want.kind == kind]


def test_the_changelog_is_asked_of_the_newer_side_with_all_binaries_of_the_source():
    ours = {"tool": package("1-1", "src"), "tool-common": package("1-1", "src")}
    theirs = {"tool": package("1-2", "src"), "tool-common": package("1-2", "src")}

    wants = _wants(fingerprint("a", ours), fingerprint("b", theirs))

    assert _of("changelogs", wants) == [
        Want(
            side="reference",
            kind="changelogs",
            name="src",
            names=("tool", "tool-common"),
            version="1-2",
        )
    ]


def test_where_the_subject_is_newer_it_is_asked_itself():
    wants = _wants(
        fingerprint("a", {"tool": package("2-1")}), fingerprint("b", {"tool": package("1-1")})
    )

    assert [(w.side, w.version) for w in _of("changelogs", wants)] == [("subject", "2-1")]


def test_a_rebuild_of_the_same_source_has_no_changelog_to_ask_for():
    ours = {"tool": {**package("1-1+b1"), "source_version": "1-1"}}
    theirs = {"tool": {**package("1-1+b2"), "source_version": "1-1"}}

    assert _of("changelogs", _wants(fingerprint("a", ours), fingerprint("b", theirs))) == []


def test_symbols_are_asked_of_both_sides_for_libraries_and_not_for_headers():
    names = ("libx1", "libx-dev", "libx-doc", "x-tools")
    ours = {name: package("1", "x") for name in names}
    theirs = {name: package("2", "x") for name in names}

    wants = _of("symbols", _wants(fingerprint("a", ours), fingerprint("b", theirs)))

    assert [(w.side, w.name) for w in wants] == [("reference", "libx1"), ("subject", "libx1")]


def test_a_library_with_another_soname_is_asked_under_both_names():
    ours, theirs = {"libx2": package("2", "x")}, {"libx1": package("1", "x")}

    wants = _of("symbols", _wants(fingerprint("a", ours), fingerprint("b", theirs)))

    assert [(w.side, w.name) for w in wants] == [("reference", "libx1"), ("subject", "libx2")]


def test_between_two_releases_only_what_was_asked_for_is_asked_about():
    def host(name, codename, version):
        return fingerprint(
            name,
            {"tool": package(version), "other": package(version)},
            facts={"os": {"release": {"id": "debian", "codename": codename}}},
            evidence={
                "apt-history": {"0": {"start": "2026-01-01 00:00", "install": {"tool": "1"}}}
            },
        )

    wants = _wants(host("a", "trixie", "2"), host("b", "bookworm", "1"))

    assert [want.name for want in _of("changelogs", wants)] == ["tool"]


# --- what it tells -------------------------------------------------------------------------


def test_the_window_of_the_story_is_named_and_the_symptom_hits_exactly_that_change():
    finding = _story(SYMPTOM).findings[0]

    assert finding.id == "dpkg:imagemagick"
    assert finding.windows == [
        Window(
            of="CVE-2026-25971",
            introduced=f"{MAGICK}9",
            introduced_date="2026-04-25",
            fixed=f"{MAGICK}14",
            fixed_date="2026-10-24",
            inside=True,
            cites=["reference/changelogs:imagemagick"],
        )
    ]
    assert (finding.match.version, finding.match.hits, finding.match.searched) == (
        f"{MAGICK}14",
        1,
        2,
    )
    assert finding.changes.headline == Headline(
        version=f"{MAGICK}14",
        kind="regression",
        text="Fix regression of CVE-2026-25971: SVG <image> with data: URI fails "
        '("unable to open image")',
        bugs=["#1150224"],
    )
    assert (finding.changes.entries, finding.changes.complete) == (4, True)
    assert len(finding.symbols.gained) == 5
    assert finding.symbols.lost == []


def test_the_story_scores_26_with_the_symptom_and_16_without():
    assert [(f.id, f.level, f.score) for f in _story(SYMPTOM).findings] == [
        ("dpkg:imagemagick", "breaks", 26),
        ("dpkg:openssl", "installed", 3),
    ]
    assert _story().findings[0].score == 16


def test_each_proof_of_the_break_cites_the_changelog_and_who_loads_it():
    proof = _story(SYMPTOM).findings[0].proof

    assert [evidence.cites for evidence in proof] == [
        ["reference/changelogs:imagemagick"],
        [
            "reference/changelogs:imagemagick",
            "subject/processes:/usr/sbin/php-fpm8.2|php8.2-fpm.service",
        ],
    ]


def test_a_window_alone_breaks_only_what_a_process_loads():
    assert _story().findings[0].level == "breaks"
    assert _story(processes={}).findings[0].level == "in-use"
    assert _story(processes=None).findings[0].level == "in-use"


def test_without_the_second_trip_nothing_is_said_to_break():
    finding = _finding(_story(SYMPTOM, details=False), "dpkg:imagemagick")

    assert (finding.level, finding.changes, finding.windows) == ("in-use", None, [])
    assert (finding.match, finding.symbols, finding.proof) == (None, None, [])


def test_a_host_before_the_fault_is_in_no_window():
    finding = _finding(_story(version=f"{MAGICK}8"), "dpkg:imagemagick")

    assert (finding.windows, finding.level) == ([], "in-use")


def test_a_change_only_the_subject_has_does_not_prove_that_it_fails():
    changelog = _changelog("imagemagick", f"{MAGICK}15")
    ours = fingerprint(
        "a",
        _magick(f"{MAGICK}15"),
        evidence={"processes": LOADED},
        details={"changelogs": {"imagemagick": changelog}},
    )
    finding = explained(ours, fingerprint("b", _magick(f"{MAGICK}11")), SYMPTOM).findings[0]

    assert finding.match.version == f"{MAGICK}14"
    assert [window.inside for window in finding.windows] == [False]
    assert (finding.level, finding.proof) == ("in-use", [])


def test_the_changelog_of_leftovers_that_nothing_uses_proves_nothing():
    """After an upgrade to another release the old library stays, and another is loaded."""
    newer = {"imagemagick": package("8:7.1.1", "imagemagick")}
    evidence = {"processes": {}, "apt-history": {"0": COMMAND}}
    ours = fingerprint("a", {**_magick(f"{MAGICK}11"), **newer}, evidence=evidence)
    changelog = {"changelogs": {"imagemagick": _changelog("imagemagick", f"{MAGICK}15")}}
    finding = explained(
        ours, fingerprint("b", _magick(f"{MAGICK}15"), details=changelog), SYMPTOM
    ).findings[0]

    assert (finding.level, finding.proof, finding.score) == ("in-use", [], 6)


def test_headers_rank_last_however_many_advisories_they_name():
    names = ("tool", "linux-libc-dev")
    bullets = [f"  * CVE-2026-{number}" for number in range(10_000, 10_726)]
    text = {
        name: {"lines": [f"{name} (2) s; urgency=high", *bullets, f"{name} (1) s; urgency=low"]}
        for name in names
    }
    report = explained(
        fingerprint("a", {name: package("1") for name in names}),
        fingerprint("b", {name: package("2") for name in names}, details={"changelogs": text}),
    )

    assert [finding.id for finding in report.findings] == ["dpkg:tool", "dpkg:linux-libc-dev"]
    assert len(report.findings[1].changes.ids) == 726
    assert report.findings[1].score == 0


def news_of(*news):
    item = {"lines": ["a (2) s;", "  * b", "a (1) s;"], "news": [*news]}
    ours, theirs = fingerprint("a", {"a": package("1")}), {"a": package("2")}
    (finding,) = explained(
        ours, fingerprint("b", theirs, details={"changelogs": {"a": item}})
    ).findings
    return finding.changes.news


def test_what_an_administrator_has_to_mind_is_told_from_the_news_of_this_way_only():
    assert news_of("a (2) s;", "", "  The default is off now.", "", "a (1) s;", "  Old.") == [
        "2: The default is off now"
    ]


def test_lines_to_type_are_no_news_of_their_own():
    """As pam 1.7.0 has them in NEWS.Debian, its tabs made printable."""
    assert news_of(
        *("a (2) s;", "", "  Limits are kept. To reset them, replace:", ""),
        *("  session required\\t\\tpam_limits.so", "", "  with:", ""),
        *("  session required pam_limits.so set_all", "", "  Umask\\tfollows the group."),
    ) == ["2: Limits are kept", "2: Umask follows the group"]


# --- the user's message ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "convert-im6.q16: unable to open image `image/png;base64,iVBORw0KGgo': "
        "No such file or directory @ error/blob.c/OpenBlob/2924.",
        "PHP Fatal error: Uncaught ImagickException: unable to open image "
        "'image/png;base64,AA==' in /srv/app/thumb.php:12",
        "2026-11-23 17:00:01 [error] Unable to open image!",
        "\u201cunable  to open\timage\u201d",
    ],
)
def test_paths_numbers_and_quoted_parts_of_a_message_do_not_hide_the_match(message):
    finding = _story(message).findings[0]

    assert (finding.id, finding.match.version) == ("dpkg:imagemagick", f"{MAGICK}14")
    assert finding.match.confidence == "recorded"


@pytest.mark.parametrize("message", ["error", "No such file or directory", "Permission denied"])
def test_what_every_program_says_proves_nothing(message):
    report = _story(message, processes={})

    assert [finding.level for finding in report.findings] == ["in-use", "installed"]


def test_an_apostrophe_is_no_quote():
    assert parts("can't open the file, isn't it there") == ["can't open the file", "isn't it there"]


@given(st.text())
def test_no_message_raises(message):
    assert all(len(part.split()) > 2 for part in parts(message))
    assert find({}, message) == {}


# --- the four questions ------------------------------------------------------------------------


def _answers(report):
    return {h.id: (h.answer, h.confidence) for h in report.hypotheses}


def test_the_four_questions_of_the_story():
    assert _answers(_story(SYMPTOM)) == {
        "new-feature": ("no", "recorded"),
        "version": ("yes", "recorded"),
        "dependency": ("unknown", "unknown"),
        "service": ("not needed", "inferred"),
    }


@pytest.mark.parametrize(("other", "which"), [("1", "0 of 1"), ("2", "1 of 1")])
def test_without_a_replay_a_dependency_is_unlikely_at_best(other, which):
    def host(name, version, library, **details):
        return fingerprint(
            name,
            {"tool": package(version), "libx": package(library)},
            evidence={"dpkg-needs": {"tool": {"depends": "libx"}, "libx": {}}},
            details=details,
        )

    lines = ["tool (1.9) s;", "  * Tool does not work at all", "tool (1) s;"]
    theirs = host("b", "1.9", other, changelogs={"tool": {"lines": lines}})
    report = explained(host("a", "1", "1"), theirs, "does not work")

    told = next(h for h in report.hypotheses if h.id == "dependency")
    assert (told.answer, told.confidence) == ("unlikely", "inferred")
    assert told.because[0].text.startswith(f"{which} packages it needs differ")


def _hidden(loads):
    """A library of /usr/local before a package's, and what a program maps of the two."""
    soname = "libx.so.1|libc6,x86-64|"
    libraries = {
        f"{soname}/usr/local/lib": {"owner": "", "target": "", "position": 0},
        f"{soname}/usr/lib": {"owner": "libx1", "target": "", "position": 1},
    }
    runs = {"/usr/bin/app|app.service": {"count": 1, "loads": dict.fromkeys(loads, "")}}
    needs = {"libx1": {"depends": "liby"}, "liby": {}}
    ours = fingerprint(
        "a",
        {"libx1": package("1", "x"), "liby": package("1")},
        facts={"libraries": libraries},
        evidence={"processes": runs, "dpkg-needs": needs},
    )
    packaged = {key: {**item, "position": 0} for key, item in libraries.items() if item["owner"]}
    names = {"libx1": package("1", "x"), "liby": package("1")}
    return explained(ours, fingerprint("b", names, facts={"libraries": packaged}))


def test_a_copy_that_a_program_maps_is_the_answer_to_which_version_and_no_library_is_ruled_out():
    report = _hidden(["/usr/local/lib/libx.so.1"])

    assert [h.question for h in report.hypotheses][1] == "x's version, or copy?"
    assert _answers(report) == {
        "new-feature": ("unknown", "unknown"),
        "version": ("yes", "proven"),
        "dependency": ("unlikely", "inferred"),
        "service": ("not needed", "inferred"),
    }


def test_a_library_that_hides_another_is_asked_about_without_a_changelog():
    assert _answers(_hidden([])) == {
        "new-feature": ("unknown", "unknown"),
        "version": ("unknown", "unknown"),
        "dependency": ("possible", "inferred"),
        "service": ("unknown", "unknown"),
    }


def test_where_nothing_is_proven_to_fail_the_questions_stay_open_and_say_why():
    unread, outside = _story(SYMPTOM, details=False), _story(version=f"{MAGICK}8")

    for report in (unread, outside):
        assert {h.answer for h in report.hypotheses} == {"unknown"}
        assert len(report.hypotheses) == 4
    assert "no changelog was read" in unread.hypotheses[0].because[0].text
    assert "nothing shows that it breaks" in outside.hypotheses[0].because[0].text


def test_a_fault_that_is_not_the_symptom_is_told_and_is_not_the_answer():
    report = _story("segmentation fault in foo")

    assert _answers(report)["version"] == ("possible", "inferred")
    assert _answers(report)["service"][0] != "not needed"
    (first, fault) = next(h.because for h in report.hypotheses if h.id == "version")
    assert first.text == (
        "not what you searched for: its changelog does not speak of 'segmentation fault in foo'"
    )
    assert "broken since" in fault.text


def test_no_answer_about_a_library_of_a_recorded_server_is_more_than_unlikely():
    for name in (*recorded.HOSTS, *recorded.FAMILIES):
        for symptom in ("", SYMPTOM):
            asked = recorded.explained(name, symptom).hypotheses
            for h in (h for h in asked if h.id == "dependency"):
                assert h.answer in ("unlikely", "possible", "unknown", "not needed"), name
                assert h.confidence in ("inferred", "unknown"), name


def test_a_program_that_runs_an_old_version_is_asked_about_that_version():
    asked = {h.id: h for h in recorded.explained("web-u").hypotheses}

    assert asked["version"].question == "imagemagick's version?"
    assert (asked["version"].answer, asked["version"].confidence) == ("yes", "recorded")
    assert "what runs lies between" in asked["version"].because[0].text
    assert (asked["dependency"].answer, asked["service"].answer) == ("unlikely", "not needed")


# --- any text ----------------------------------------------------------------------------------

_LINES = st.lists(
    st.one_of(st.text(), st.sampled_from(["a (2) s;", "a (1) s;", "  * regression of #1", " --"]))
)


@given(_LINES, _LINES, _LINES, st.text())
def test_no_changelog_and_no_symbols_file_stops_a_report(lines, news, symbols, message):
    item = {"lines": lines, "news": news, "origin": "x"}
    names = ("liba1", "a")
    report = explained(
        fingerprint(
            "a",
            {name: package("1", "a") for name in names},
            details={"symbols": {"liba1": {"lines": symbols}}},
        ),
        fingerprint(
            "b",
            {name: package("2", "a") for name in names},
            details={"changelogs": {"a": item}, "symbols": {"liba1": {"lines": lines}}},
        ),
        symptom=message,
    )

    assert [finding.id for finding in report.findings] == ["dpkg:a"]
