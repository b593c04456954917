"""An empty or collapsed package database is suspect: never drift, never in sync."""

import pytest
from msgspec.structs import replace

from driftscan import diff, plausible
from driftscan.explain import engine
from driftscan.model import Absent, Collected, Failed, Partial, Side
from driftscan.policy.verdict import judge
from tests.made import fingerprint

MANY = {f"p{n}": "1" for n in range(400)}
EMPTY = Collected(items={})
WHY = Failed(reason="suspect: the package database lists no package")


def few(count):
    return {f"p{n}": "1" for n in range(count)}


def judged(subject, reference):
    comparison = diff.compare(subject, reference)
    report = engine.explain(Side(fingerprint=subject), Side(fingerprint=reference), comparison)
    return judge({"a": report}, "installed")


@pytest.mark.case("H33")
@pytest.mark.parametrize("manager", plausible.PACKAGES)
def test_a_package_database_without_a_package_is_a_failed_answer(manager):
    assert plausible.facts({manager: EMPTY}) == {manager: WHY}


@pytest.mark.parametrize("other", [Collected(items={"a": {}}), Partial(items={"a": {}}, gaps=[])])
def test_the_tool_of_another_distribution_may_have_an_empty_database(other):
    facts = {"dpkg": other, "rpm": EMPTY, "apk": Absent()}
    assert plausible.facts(facts)["rpm"] == (EMPTY if isinstance(other, Collected) else WHY)


@pytest.mark.case("H33")
@pytest.mark.parametrize("count", [0, 1, 40])
def test_packages_that_fell_to_a_tenth_of_the_reference_s_are_suspect_and_no_drift(count):
    subject, reference = fingerprint("a", **few(count)), fingerprint("b", **MANY)
    report = judged(subject, reference)

    (gap,) = report.hosts["a"].unknown
    assert (report.exit_code, report.hosts["a"].state) == (3, "suspect")
    assert report.hosts["a"].findings == []
    assert (gap.what, gap.side) == ("dpkg", "a")
    assert gap.why.startswith(f"suspect: {count} package")
    assert gap.why.endswith("where b has 400")


@pytest.mark.case("H33")
def test_the_reference_is_doubted_as_the_subject_is():
    report = judged(fingerprint("a", **MANY), fingerprint("b", **few(3)))
    assert (report.exit_code, report.hosts["a"].unknown[0].side) == (3, "b")


@pytest.mark.parametrize(
    ("count", "kind", "other"),
    [
        (41, "host", "host"),  # a change, however large
        (3, "image", "host"),  # a small image beside a large host is one
        (3, "container", "host"),
        (3, "image", "container"),
        (3, "image", "image"),
    ],
)
def test_fewer_packages_are_drift_where_that_can_be(count, kind, other):
    report = judged(fingerprint("a", kind=kind, **few(count)), fingerprint("b", kind=other, **MANY))
    assert report.exit_code == 1


def test_a_machine_of_few_packages_may_lose_them():
    report = judged(fingerprint("a"), fingerprint("b", **few(50)))
    assert report.exit_code == 1


@pytest.mark.case("H33")
def test_packages_that_fell_since_the_last_time_are_kept_and_none_is_called_missing():
    now, last = fingerprint("a", **{**few(3), "new": "1"}), fingerprint("a", **MANY)
    facts = plausible.beside(now, last)
    why = "suspect: 4 packages, where there were 400 on 2026-11-23T17:20:00Z"
    assert facts == {"dpkg": Partial(items=now.facts["dpkg"].items, gaps=[why])}

    report = judged(replace(now, facts=facts), fingerprint("b", **few(30)))
    assert (report.exit_code, [f.key for f in report.hosts["a"].findings]) == (4, ["new"])


def test_what_did_not_fall_is_left_as_it_is():
    now, last = fingerprint("a", **few(41)), fingerprint("a", **MANY)
    assert plausible.beside(now, last) == now.facts
    assert plausible.beside(replace(now, facts={"dpkg": Absent()}), last) == {"dpkg": Absent()}


# --- who it is ----------------------------------------------------------------------------------


def meta(name, machine):
    return replace(fingerprint(name).meta, machine=machine)


@pytest.mark.case("H32")
def test_names_of_one_machine_are_told_together_and_once():
    metas = [meta("c", "1"), meta("a", "1"), meta("b", "2"), meta("a", "1"), meta("d", "")]
    assert plausible.twins([*metas, meta("e", "")]) == [
        "a and c are one machine: look at their addresses in the inventory"
    ]
