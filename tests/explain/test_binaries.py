"""What files that no package owns tell of themselves, beside the cause that they differ."""

from msgspec.structs import replace

from driftscan import diff
from driftscan.explain import engine
from driftscan.model import Collected, Side
from tests.build import explained, fingerprint

PLACE = "/opt/shop"


def machine(name, files, details=None):
    made = fingerprint(name, {}, facts={"software": {PLACE: {"files": files}}})
    items = {f"{PLACE}/{file}": item for file, item in (details or {}).items()}
    return replace(made, details={"binaries": Collected(items=items)} if details else {})


def told(ours, theirs):
    (cause,) = explained(ours, theirs).causes
    return [evidence.text for evidence in cause.evidence]


def test_each_side_is_asked_about_its_own_files_that_differ_and_no_path_that_is_not_plain():
    ours = machine("a", {"x.jar": "1", "same": "2", "a b": "3"})
    theirs = machine("b", {"x.jar": "2", "same": "2", "old": "3"})
    sides = Side(fingerprint=ours), Side(fingerprint=theirs)
    wants = engine.wants(*sides, diff.compare(ours, theirs))
    found = {(w.side, w.name) for w in wants if w.kind == "binaries"}
    assert found == {
        ("subject", f"{PLACE}/x.jar"),
        ("reference", f"{PLACE}/x.jar"),
        ("reference", f"{PLACE}/old"),
    }


def test_versions_of_manifests_and_builds_are_told_of_both_sides():
    ours = machine(
        "a",
        {"x.jar": "1", "y": "1"},
        {"x.jar": {"bundle": "1.1", "implementation": "1.2"}, "y": {"build_id": "aa"}},
    )
    theirs = machine(
        "b", {"x.jar": "2", "y": "2"}, {"x.jar": {"bundle": "1.3"}, "y": {"build_id": "aa"}}
    )
    found = told(ours, theirs)
    assert f"{PLACE}/x.jar is version 1.2 on a, 1.3 on b" in found
    assert f"{PLACE}/y has the build-id aa on both" in found


def test_the_same_bytes_under_another_name_are_told():
    ours = machine("a", {"new": "1"}, {"new": {"digest": "d1"}})
    theirs = machine("b", {"old": "1"}, {"old": {"digest": "d1"}})
    assert f"the same bytes elsewhere on b: {PLACE}/new is {PLACE}/old" in told(ours, theirs)


def test_other_bytes_of_the_same_length_are_a_cause_where_all_was_summed():
    path = f"{PLACE}/big"
    ours, theirs = (
        fingerprint(
            name,
            {},
            facts={
                "software": {PLACE: {"files": {"big": "2000000"}}},
                "verified-software": {path: {"digest": digest}},
            },
        )
        for name, digest in (("a", "d1"), ("b", "d2"))
    )
    (cause,) = explained(ours, theirs).causes
    assert cause.id == f"unpackaged:{PLACE}"
    assert cause.text == f"a and b differ in one file that no package owns below {PLACE}: big"
    assert f"{path} has other bytes on a than on b" in told(ours, theirs)


def test_a_file_that_one_side_lacks_is_one_difference_summed_or_not():
    path = f"{PLACE}/big"
    ours = fingerprint(
        "a",
        {},
        facts={
            "software": {PLACE: {"files": {"big": "2000000"}}},
            "verified-software": {path: {"digest": "d1"}},
        },
    )
    theirs = fingerprint("b", {}, facts={"software": {}, "verified-software": {}})
    report = explained(ours, theirs)
    assert [finding.id for finding in report.findings] == [f"software:{PLACE}"]


def test_without_a_second_trip_nothing_is_told_of_it():
    assert not [t for t in told(machine("a", {"x": "1"}), machine("b", {})) if "build-id" in t]
