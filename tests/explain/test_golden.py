"""The whole reports of six real hosts, as text and as JSON, and what must hold in each.

When one differs on purpose: `make docs`, and review what changed.
"""

import json
from pathlib import Path

import jsonschema
import pytest

from tests import golden, recorded

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/report.json").read_text())
NEW = "differs: if it is meant to, `make docs` writes it anew"


def host(name):
    (found,) = golden.report(name).hosts.values()
    return found


def of(name, kind):
    return next(cause for cause in host(name).causes if cause.type == kind)


@pytest.mark.parametrize("name", golden.TEXTS)
def test_the_text_is_as_recorded_and_fits_a_screen(name):
    text = golden.text(name)
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) < 60
    assert text == (golden.PLACE / f"{name}.txt").read_text(), f"{name}.txt {NEW}"


@pytest.mark.parametrize("name", golden.REPORTS)
def test_the_json_is_as_recorded_and_as_its_schema_says(name):
    data = golden.data(name)
    jsonschema.validate(json.loads(data), SCHEMA)
    assert data == (golden.PLACE / f"{name}.json").read_text(), f"{name}.json {NEW}"


@pytest.mark.parametrize("name", recorded.FAMILIES)
def test_the_json_of_another_family_is_as_its_schema_says(name):
    jsonschema.validate(json.loads(golden.data(name)), SCHEMA)


def test_one_cause_explains_every_version_of_another_release():
    release = of("bullseye", "release-differs")
    assert release.explains.differences == release.explains.of > 100
    assert "moved it there" not in release.text  # its dist-upgrade was of Debian 11 itself


def test_machines_of_rpm_and_apk_name_what_stands_in_the_way():
    assert {"repository-missing:updates", "hold:nginx-core", "removed:php-opcache.x86_64"} <= {
        cause.id for cause in host("rpm").causes
    }
    assert {"removed:legacy", "pin:motd", "hold:greet", "repository-foreign:edge/lab"} <= {
        cause.id for cause in host("alpine").causes
    }


def test_the_missing_repository_of_web_a_claims_every_version_and_imagemagick_is_worst():
    missing = of("web-a", "repository-missing")
    assert len(host("web-a").causes) <= 3
    assert missing.explains.differences == missing.explains.of > 0
    assert host("web-a").findings[0].id == "dpkg:imagemagick"


def test_the_symptom_hits_one_changelog_entry_inside_a_broken_window():
    worst = host("web-a-symptom").findings[0]
    assert worst.id == "dpkg:imagemagick"
    assert worst.match.hits == 1
    assert worst.match.searched >= 15
    assert golden.SYMPTOM in worst.match.text
    assert [window.inside for window in worst.windows] == [True]


def test_web_b_has_no_version_difference():
    assert host("web-b").findings == []
    assert host("web-b").causes == []


def test_the_library_built_on_web_c_is_the_break_and_its_processes_are_named():
    worst = host("web-c").causes[0]
    assert (worst.type, worst.level) == ("library-shadowed", "breaks")
    assert any("php-fpm8.2 maps /usr/local/lib" in e.text for e in worst.evidence)


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("hold", "libpng1.6"),
        ("pin", "ghostscript"),
        ("alternative", "java"),
        ("pip-over-apt", "requests"),
        ("vendored", "/srv/app/lib"),
        ("linker-variable", "LD_LIBRARY_PATH"),
        ("repository-foreign", "Debian Backports/bookworm-backports"),
    ],
)
def test_each_thing_done_by_hand_to_web_p_is_a_cause(kind, subject):
    assert f"{kind}:{subject}" in {cause.id for cause in host("web-p").causes}


def test_java_of_web_p_is_too_old_for_the_application():
    assert of("web-p", "alternative").level == "breaks"
    assert any(
        "UnsupportedClassVersionError" in e.text for e in of("web-p", "alternative").evidence
    )


def test_one_cause_has_nearly_all_differences_of_web_t_and_the_loss_of_php_breaks():
    release = of("web-t", "release-differs")
    counts = [len(cause.claims) for cause in host("web-t").causes]
    assert len(release.claims) / sum(counts) >= 0.95
    (php,) = [f for f in host("web-t").findings if f.key == "php8.2"]
    assert php.level == "breaks"


def test_web_u_runs_what_was_replaced():
    assert of("web-u", "stale-process").subject == "php-fpm8.2"
