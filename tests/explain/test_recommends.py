"""Recommended packages: there on the side that takes them, whoever that is."""

from tests.build import explained, image, package, transaction
from tests.explain.test_package_causes import FACTS, causes, history, host, texts

NEEDS = {
    "php": {"depends": "php-common", "recommends": "ghost"},
    "php-common": {},
    "ghost": {"depends": "libghost"},
    "libghost": {},
}
BOTH = {"php": package("8"), "php-common": package("8")}
EVERY = {**BOTH, "ghost": package("1"), "libghost": package("1")}


def test_what_a_package_of_both_recommends_is_told_with_the_switch_of_the_dockerfile():
    install = transaction(
        "apt-get install php",
        install={"php": "8", "php-common": "8", "ghost": "1", "libghost": "1"},
        automatic=["php-common", "ghost", "libghost"],
    )
    evidence = {"apt-history": history(install), "dpkg-needs": NEEDS}
    lines = {3: "RUN apt-get install -y --no-install-recommends php"}
    reference = image(BOTH, lines, {"php": 3, "php-common": 3}, facts=FACTS)

    (cause,) = explained(host("web-a", EVERY, evidence=evidence), reference).causes

    assert (cause.id, cause.confidence) == ("recommends:ghost", "recorded")
    assert cause.claims == ["dpkg:ghost", "dpkg:libghost"]
    assert cause.text == (
        "ghost, libghost were installed on web-a as recommended by php; image web did not take them"
    )
    assert texts(cause)[:2] == [
        "php of both sides recommends ghost",
        "web/Dockerfile:3 installs php with --no-install-recommends",
    ]


def test_the_other_way_round_the_command_of_the_host_is_the_switch():
    install = transaction(
        "apt-get install --no-install-recommends php", install={"php": "8", "php-common": "8"}
    )
    lines = {3: "RUN apt-get install -y php"}
    reference = image(
        EVERY, lines, dict.fromkeys(EVERY, 3), facts=FACTS, evidence={"dpkg-needs": NEEDS}
    )
    ours = host("web-a", BOTH, evidence={"apt-history": history(install)})

    (cause,) = explained(ours, reference).causes

    assert (cause.id, cause.confidence) == ("recommends:ghost", "recorded")
    assert cause.image_record.line == 3


def test_without_a_switch_it_is_only_inferred():
    install = transaction(
        "apt-get install php",
        install={"ghost": "1", "libghost": "1"},
        automatic=["ghost", "libghost"],
    )
    evidence = {"apt-history": history(install), "dpkg-needs": NEEDS}

    (cause,) = explained(
        host("web-a", EVERY, evidence=evidence), image(BOTH, {}, {}, facts=FACTS)
    ).causes

    assert (cause.id, cause.confidence) == ("recommends:ghost", "inferred")


def test_what_something_else_needs_or_somebody_asked_for_is_no_recommendation():
    asked = transaction(
        "apt-get install ghost", install={"ghost": "1", "libghost": "1"}, automatic=["libghost"]
    )
    asked_for = host("web-a", EVERY, evidence={"apt-history": history(asked), "dpkg-needs": NEEDS})
    needing = {**NEEDS, "viewer": {"depends": "ghost"}}
    install = transaction(
        "apt-get install viewer",
        install={"viewer": "1", "ghost": "1", "libghost": "1"},
        automatic=["ghost", "libghost"],
    )
    needed = host(
        "web-a",
        {**EVERY, "viewer": package("1")},
        evidence={"apt-history": history(install), "dpkg-needs": needing},
    )
    reference = image(BOTH, {}, {}, facts=FACTS)

    assert list(causes(explained(asked_for, reference))) == ["host-only:ghost"]
    assert list(causes(explained(needed, reference))) == ["host-only:viewer"]
