"""One name in full: what it is on both sides, why it is there, who needs it; also if equal."""

import pytest
from msgspec.structs import replace

from driftscan import diff
from driftscan.errors import InputError
from driftscan.explain.about import chain
from driftscan.explain.engine import explain, wants
from driftscan.explain.needs import Graph
from driftscan.model import Collected, Report, Side
from driftscan.report import text
from tests import recorded
from tests.build import fingerprint, image, package, transaction

NEEDS = {
    "imagemagick": {"depends": "imagemagick-6.q16"},
    "imagemagick-6.q16": {"depends": "libmagickcore, libc6", "recommends": "ghostscript"},
    "libmagickcore": {"depends": "libc6"},
    "ghostscript": {"depends": "libc6"},
    "libc6": {},
    "lonely": {},
}
PACKAGES = {name: package("1") for name in NEEDS}
LIBRARIES = {
    "libMagickCore.so.6|x86-64|/usr/lib": {"position": 0, "owner": "libmagickcore"},
    "libMagickCore.so.6|x86-64|/usr/local/lib": {"position": 1, "owner": ""},
}


def about(name, *, reference=None):
    history = {"1": transaction("apt-get install imagemagick", install={"imagemagick": "1"})}
    ours = Side(
        fingerprint=fingerprint(
            "web-a",
            PACKAGES,
            facts={"libraries": LIBRARIES},
            evidence={"dpkg-needs": NEEDS, "apt-history": history},
        )
    )
    theirs = image(
        reference or PACKAGES,
        {3: "RUN apt-get install -y ghostscript"},
        {"ghostscript": 3, "libmagickcore": 3},
        facts={"libraries": LIBRARIES},
        evidence={"dpkg-needs": NEEDS},
    )
    return explain(ours, theirs, diff.compare(ours.fingerprint, theirs.fingerprint), about=name)


def standing(report, side="subject"):
    return next(s for s in report.about.standings if s.side == side)


def page(report):
    whole = Report(complete=True, exit_code=0, counts={}, hosts={"web-a": report})
    return " ".join(text.render(whole, everything=True).split())


def test_the_shortest_chain_begins_with_what_was_asked_for():
    told = standing(about("libmagickcore"))
    assert told.chain == ["imagemagick", "imagemagick-6.q16", "libmagickcore"]
    assert "why here imagemagick needs imagemagick-6.q16 needs libmagickcore" in page(
        about("libmagickcore")
    )


def test_recommendations_lead_there_only_where_dependencies_do_not():
    graph = Graph(NEEDS)
    assert chain(graph, {"imagemagick"}.__contains__, "ghostscript") == [
        "imagemagick",
        "imagemagick-6.q16",
        "ghostscript",
    ]
    assert chain(graph, {"imagemagick", "lonely"}.__contains__, "lonely") == ["lonely"]
    assert chain(graph, {"imagemagick"}.__contains__, "lonely") == []


def test_each_side_has_its_own_reason_and_its_own_record():
    report = about("ghostscript")
    ours, theirs = standing(report), standing(report, "reference")
    assert (ours.chain[0], theirs.chain) == ("imagemagick", ["ghostscript"])
    assert theirs.brought_by.line == 3
    assert "asked for by its name (on image)" in page(report)


def test_who_needs_it_is_told():
    assert standing(about("libc6")).dependents == [
        "ghostscript",
        "imagemagick-6.q16",
        "libmagickcore",
    ]


def test_a_library_leads_to_its_package_and_to_every_copy():
    report = about("libMagickCore.so.6")
    assert {s.package for s in report.about.standings} == {"libmagickcore"}
    assert [item.key for item in report.about.items] == sorted(LIBRARIES)
    assert report.findings == []
    assert "libMagickCore.so.6 does not differ: all 3 items are the same on both sides." in page(
        report
    )


def test_a_library_whose_package_differs_brings_the_finding():
    newer = {**PACKAGES, "libmagickcore": package("2")}
    report = about("libMagickCore.so.6", reference=newer)
    assert [finding.id for finding in report.findings] == ["dpkg:libmagickcore"]


def test_a_name_on_neither_side_is_one_sentence_with_the_nearest_name():
    with pytest.raises(InputError, match="nothing recorded of web-a or image web is called 'libc'"):
        about("libc")
    with pytest.raises(InputError, match="did you mean 'ghostscript'"):
        about("ghostscrip")


def test_a_name_that_only_one_side_has_and_a_rule_expects_says_why():
    subject, reference, comparison = recorded.pair("web-a")
    report = explain(subject, reference, comparison, about="openssh-server")
    assert "openssh-server differs as it should: a host is reached over SSH" in page(report)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("imagick.so", "php8.2-imagick"),
        ("java", "openjdk-17-jre-headless"),
        ("/usr/lib/x86_64-linux-gnu/libssl.so.3", "libssl3"),
        ("dpkg:imagemagick", "imagemagick"),
    ],
)
def test_modules_runtimes_paths_and_ids_lead_to_their_package_on_a_real_host(name, package):
    subject, reference, comparison = recorded.pair("web-a")
    report = explain(subject, reference, comparison, about=name)
    assert report.about.standings[0].package == package
    assert "ABOUT" in page(report)


@pytest.mark.parametrize("name", ["convert", "/usr/bin/convert", "convert-im6.q16"])
def test_a_program_leads_to_the_package_that_brings_it(name):
    report = explain(*recorded.pair("web-p"), about=name)
    assert [finding.id for finding in report.findings] == ["dpkg:imagemagick"]
    assert "/usr/bin/convert-im6.q16 of imagemagick-6.q16" in page(report)
    guessed = name != "convert-im6.q16"
    assert ("is an alternative, probably" in page(report)) is guessed


def test_what_the_second_trip_told_of_an_alternative_is_sure_and_no_part_of_its_name():
    subject, reference, comparison = recorded.pair("web-a")
    told = {"awk": {"target": "/usr/bin/mawk", "programs": {"/usr/bin/mawk": "mawk"}}}
    ours = replace(
        subject.fingerprint,
        details={**subject.fingerprint.details, "owners": Collected(items=told)},
    )
    report = explain(replace(subject, fingerprint=ours), reference, comparison, about="awk")
    assert "awk is an alternative: /usr/bin/mawk of mawk" in page(report)


def test_who_owns_a_program_is_asked_on_both_sides_unless_it_is_a_package():
    sides = recorded.pair("web-a")
    asked = [want.side for want in wants(*sides, about="convert") if want.kind == "owners"]
    assert asked == ["reference", "subject"]
    assert [want for want in wants(*sides, about="imagemagick") if want.kind == "owners"] == []


def test_a_name_brings_what_answers_to_it_and_what_its_items_differ_by():
    causes = {cause.id for cause in explain(*recorded.pair("web-p"), about="requests").causes}
    assert {"pip-over-apt:requests", "host-only:python3-pip"} <= causes
