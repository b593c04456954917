"""Until when a host was as it should be, from its own log alone."""

from driftscan.model import Partial
from tests.build import explained, image, package, transaction
from tests.explain.test_package_causes import FACTS, history, host

SETUP = transaction(
    "apt-get install php",
    "2026-10-21 14:02:13",
    install={"php": "1", "lib": "1"},
    automatic=["lib"],
)
UPGRADE = transaction(
    "/usr/bin/unattended-upgrade", "2026-10-25 11:00:00", upgrade={"lib": "1 -> 2"}, user=""
)
LATER = transaction("apt-get upgrade", "2026-10-30 08:00:00", upgrade={"lib": "2 -> 3"})
IMAGE = image({"php": package("1"), "lib": package("1")}, {}, {}, facts=FACTS)


def since(*transactions, packages=None, evidence=None):
    packages = packages or {"php": package("1"), "lib": package("3")}
    clock = {"host": {"self": {"zone": "CET"}}}
    given = {"apt-history": history(*transactions)} if evidence is None else evidence
    return explained(host("web-a", packages, evidence={**clock, **given}), IMAGE).since


def test_the_last_moment_at_which_a_host_equalled_the_image_is_told():
    found = since(SETUP, UPGRADE, LATER)

    assert found.text == (
        "web-a had the packages of image web until 2026-10-25 11:00 CET, when root or unknown ran "
        "`/usr/bin/unattended-upgrade` and moved lib"
    )
    assert found.confidence == "recorded"
    assert found.cites == [
        "reference/dpkg:lib",
        "subject/apt-history:1",
        "subject/apt-history:2",
        "subject/dpkg:lib",
        "subject/host:self",
    ]


def test_a_removal_and_an_addition_are_undone_too():
    swap = transaction("apt-get install nginx php-", install={"nginx": "1"}, remove={"php": "1"})
    packages = {"nginx": package("1"), "lib": package("1")}

    found = since(SETUP, {**swap, "start": "2026-11-01 10:00:00"}, packages=packages)

    assert found.text.endswith("and moved nginx, php")


def test_a_log_that_does_not_reach_back_tells_no_moment():
    assert since(LATER) is None


def test_a_step_that_does_not_lead_to_what_is_there_tells_no_moment():
    forged = {**UPGRADE, "upgrade": {"lib": "1 -> 2.5"}}

    assert since(SETUP, forged, LATER) is None


def test_a_host_that_never_was_as_the_image_has_no_such_moment():
    older = {**SETUP, "install": {"php": "1", "lib": "0"}}
    upgrade = {**UPGRADE, "upgrade": {"lib": "0 -> 3"}}

    assert since(older, upgrade) is None


def test_a_package_of_unknown_origin_tells_no_moment():
    packages = {"php": package("1"), "lib": package("3"), "stray": package("1")}

    assert since(SETUP, UPGRADE, LATER, packages=packages) is None


def test_a_log_with_gaps_makes_the_moment_probable_and_no_log_none():
    cut = Partial(items=history(SETUP, UPGRADE, LATER), gaps=["damaged"])

    assert since(evidence={"apt-history": cut}).confidence == "inferred"
    assert since(evidence={}) is None
