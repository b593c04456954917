"""The four hosts that were made from web-a: each kind of damage is named, on the real servers."""

import re

import pytest

pytestmark = pytest.mark.lab

CAUSES = {
    "web-c": {"library-shadowed", "program-shadowed", "repository-missing", "host-only"},
    "web-p": {
        "alternative",
        "hold",
        "linker-variable",
        "pin",
        "pip-over-apt",
        "repository-foreign",
        "repository-missing",
        "vendored",
    },
    "web-t": {"release-differs"},
    "web-u": {"behind", "stale-process"},
}


@pytest.fixture(scope="module")
def reports(driftscan, baseline):
    """The report of each, from one run over all of them."""
    done = driftscan("check", *CAUSES, "-f", "json")
    assert done.code == 1, done.err
    return done.report["hosts"]


def caused(host: dict, kind: str) -> dict:
    return next(cause for cause in host["causes"] if cause["type"] == kind)


@pytest.mark.parametrize("name", CAUSES)
def test_what_was_done_to_the_host_is_named(reports, name):
    types = {cause["type"] for cause in reports[name]["causes"]}
    assert sorted(CAUSES[name] - types) == []
    assert "unexplained" not in types
    assert reports[name]["trips"] == 2


def test_the_library_that_shadows_comes_first_with_the_processes_that_map_it(reports):
    worst = reports["web-c"]["causes"][0]
    proof = " ".join(evidence["text"] for evidence in worst["evidence"])
    assert (worst["type"], worst["level"]) == ("library-shadowed", "breaks")
    assert re.search(r"php-fpm\S+ maps /usr/local/lib/libMagick.* \(\d+ processes\)", proof)


def test_the_java_that_is_too_old_breaks(reports):
    java = caused(reports["web-p"], "alternative")
    assert java["level"] == "breaks"
    assert "/opt/jdk-11" in java["text"]


def test_hold_and_pin_keep_their_packages_from_the_missing_repository(reports):
    missing = caused(reports["web-p"], "repository-missing")
    assert "dpkg:libpng16-16" in caused(reports["web-p"], "hold")["claims"]
    assert "dpkg:libpng16-16" not in missing["claims"]
    assert "dpkg:ghostscript" not in missing["claims"]


def test_php_that_the_other_release_took_breaks(reports):
    moved = reports["web-t"]["causes"][0]
    removed = [
        finding
        for finding in reports["web-t"]["findings"]
        if any(member["key"] == "php8.2-fpm" for member in finding["members"])
    ]
    assert moved["type"] == "release-differs"
    assert "dist-upgrade" in moved["text"]
    assert "breaks" in {finding["level"] for finding in removed}


def test_the_process_that_runs_the_old_library_is_named(reports):
    stale = caused(reports["web-u"], "stale-process")
    assert stale["level"] == "breaks"
    assert "(deleted)" in " ".join(evidence["text"] for evidence in stale["evidence"])
    assert stale["host_record"]["user"] == "ops"
