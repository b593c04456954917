"""Logs that lie, clocks that are wrong, records that are broken: less is said, nothing fails."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from driftscan.model import Collected, Denied, Failed, Partial, Side
from tests.build import explained, image, package, transaction
from tests.explain.test_package_causes import FACTS, SECURITY, history, host

NAMES = st.sampled_from(["a", "b", "a:i386", "$(id)", "../x", "", "unattended-upgrades"])
TEXTS = st.sampled_from(
    (
        *("1", "2 -> 3", "1 -> 2", "apt-get install a", "unattended-upgrade", "0", ""),
        *("2026-10-21 14:02:13", "9999-99-99 99:99:99", "a | b, c", "(a+)+$"),
    )
)
FIELDS = st.one_of(
    TEXTS,
    st.integers(-(10**15), 10**15),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(NAMES, TEXTS, max_size=3),
    st.none(),
)
WORDS = st.sampled_from(
    (
        *("start", "end", "command", "user", "install", "upgrade", "remove", "purge", "automatic"),
        *("events", "changed", "depends", "recommends", "provides", "value", "values", "time"),
        *("lines", "versions", "version", "zone"),
    )
)
ITEMS = st.dictionaries(
    st.one_of(NAMES, TEXTS, st.sampled_from(["self", "log", "upgrade"])),
    st.dictionaries(WORDS, FIELDS, max_size=4),
    max_size=3,
)
SECTION = st.one_of(
    ITEMS.map(lambda items: Collected(items=items)),
    ITEMS.map(lambda items: Partial(items=items, gaps=["cut"])),
    st.just(Denied(cure="x")),
    st.just(Failed(reason="x")),
)
LOGS = (
    *("apt-history", "dpkg-log", "dpkg-times", "apt-auto", "dpkg-needs", "host"),
    *("apt-settings", "automatic-updates", "repository-sources"),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(LOGS), SECTION),
    st.dictionaries(st.sampled_from(["available", "changelogs"]), SECTION),
    st.booleans(),
)
def test_no_record_of_a_host_breaks_the_explanation(evidence, details, against_image):
    ours = host("web-a", {"a": package("1"), "c": package("2")}, evidence=evidence)
    ours = Side(fingerprint=replace(ours, details=details))
    theirs = {"a": package("2+deb12u1"), "b": package("1")}
    other = (
        image(theirs, {2: "RUN apt-get install b"}, {"b": 2}, facts=FACTS)
        if against_image
        else Side(fingerprint=host("web-b", theirs, SECURITY, evidence=evidence))
    )

    report = explained(ours, other)

    claims = [claim for cause in report.causes for claim in cause.claims]
    assert sorted(set(claims)) == sorted(claims)
    assert len({cause.id for cause in report.causes}) == len(report.causes)


def test_a_clock_that_was_wrong_in_between_tells_no_moment():
    ahead = transaction("apt-get install a", "2030-01-01 00:00:00", install={"a": "1"})
    later = transaction("apt-get upgrade", "2026-10-21 10:00:00", upgrade={"a": "1 -> 2"})
    steps = {f"{step['start']}#00": step for step in (ahead, later)}
    ours = host("web-a", {"a": package("2")}, evidence={"apt-history": steps})

    report = explained(ours, image({"a": package("1")}, {}, {}, facts=FACTS))

    assert report.since is None
    assert [cause.id for cause in report.causes] == ["ahead:packages"]


def test_a_line_that_an_image_only_guesses_is_no_record():
    reference = image(
        {"php": package("8")}, {4: "RUN apt-get install -y php"}, {"php": 4}, facts=FACTS
    )
    places = {
        name: replace(place, confidence="inferred")
        for name, place in reference.baseline.places.items()
    }
    reference = replace(reference, baseline=replace(reference.baseline, places=places))
    removed = history(transaction("apt-get remove php", remove={"php": "8"}))

    (cause,) = explained(host("web-a", {}, evidence={"apt-history": removed}), reference).causes

    assert [(e.text, e.confidence) for e in cause.evidence[1:]] == [
        ("web/Dockerfile:4 asks for php", "inferred")
    ]
