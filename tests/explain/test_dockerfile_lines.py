"""Which line of the Dockerfile is named: the one that did it, not one that has its name in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import dockerfile
from tests.build import explained, image, package
from tests.explain.test_package_causes import BOOKWORM, FACTS, MAIN, causes, host

LINES = {
    5: "RUN echo 'deb http://security.debian.org/debian-security bookworm-security main' > "
    "/etc/apt/sources.list.d/security.list",
    6: "RUN apt-get update && apt-get -y upgrade",
    7: "COPY vendor.sources /etc/apt/sources.list.d/",
    17: "ENV JAVA_HOME=/usr/lib/jvm KEEP=1",
    18: "ENV KEEP 2",
}


def line(key, sources=None, **more):
    """The line that is named for the repository that only the image has."""
    reference = image(
        {},
        LINES,
        {},
        facts={"os": BOOKWORM, "repositories": {**MAIN, key: {"position": 1}}},
        evidence={"repository-sources": {key: sources} if sources else {}},
    )
    (cause,) = explained(host("web-a", {}), reference).causes
    return cause.image_record.line if cause.image_record else None


@pytest.mark.parametrize(
    ("key", "sources", "expected"),
    [
        (
            "Debian/bookworm-security/main",
            {"urls": ["http://security.debian.org/debian-security"]},
            5,
        ),
        ("Debian/bookworm-security/main", {"urls": ["http://mirror.example.com/security"]}, 5),
        ("Debian/bookworm-security/main", None, 5),
        ("Acme/main/x", None, None),
        ("Acme/update/x", None, None),
        ("Debian/bookworm/contrib", None, None),
        ("Acme/prod/main", {"places": ["/etc/apt/sources.list.d/vendor.sources:1"]}, 7),
    ],
)
def test_a_repository_is_added_by_the_line_that_has_its_address_its_file_or_its_owner(
    key, sources, expected
):
    assert line(key, sources) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("system/KEEP", 18),
        ("system/JAVA_HOME", 17),
        ("system/HOME", None),
        ("unit:a.service/KEEP", None),
    ],
)
def test_a_variable_is_set_by_the_last_env_that_has_its_very_name_and_no_unit_s_is(key, expected):
    facts = {**FACTS, "environment": {key: {"value": "x"}}}

    (cause,) = explained(
        host("web-a", {}, environment={}), image({}, LINES, {}, facts=facts)
    ).causes

    assert (cause.image_record.line if cause.image_record else None) == expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ENV A=1 B='x C=2' D=\"y\"", ["A", "B", "D"]),
        ("env A the rest B=2", ["A"]),
        ("RUN A=1 make", []),
        ("ENV", []),
    ],
)
def test_the_names_that_an_env_sets_are_read_as_a_builder_reads_them(text, names):
    assert dockerfile.sets(text) == names


@given(st.text())
def test_no_text_of_a_line_makes_its_names_fail(text):
    assert all(isinstance(name, str) for name in dockerfile.sets(text))
    assert isinstance(dockerfile.sets(f"ENV {text}"), list)


def test_a_repository_does_not_claim_what_the_image_had_before_the_line_that_adds_it():
    new = {"base": package("2+deb12u1"), "early": package("2"), "late": package("2+deb12u1")}
    old = {name: package("1") for name in new}
    security = {**MAIN, "Debian/bookworm-security/main": {"position": 1}}
    reference = image(
        new,
        {3: "RUN apt-get install early", **LINES},
        {"early": 3, "late": 6},
        facts={"os": BOOKWORM, "repositories": security},
    )

    report = explained(host("web-a", old), reference)

    assert causes(report) == {
        "repository-missing:bookworm-security": [
            "dpkg:late",
            "repositories:Debian/bookworm-security/main",
        ],
        "unexplained:dpkg": ["dpkg:base", "dpkg:early"],
    }
