"""The acceptance list of trust is whole: every case has a test, or a reason why not."""

import re

import pytest

from tests import cases, conftest

LISTED = {case for group in cases.GROUPS for case in cases.listed()[group]}


def test_the_list_has_every_case_by_its_number():
    counts = {"F": 42, "H": 40, "D": 15, "E": 8, "P": 7, "L": 12}
    assert {f"{letter}{n:02}" for letter, most in counts.items() for n in range(1, most + 1)} == (
        LISTED
    )


def test_every_case_has_a_test_or_a_reason():
    assert cases.untold() == []


def test_markers_reasons_and_formats_name_cases_of_the_list():
    known = cases.listed()
    named = {*cases.tied(), *known["not_built"], *known["lacks"], *known["formats"]}
    assert named - LISTED == set()


def test_a_marker_is_read_wherever_it_stands(tmp_path):
    path = cases.TESTS / "test_example.py"
    source = """
pytestmark = [pytest.mark.lab, pytest.mark.case("F01")]
class TestX:
    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.case("F02"))])
    @pytest.mark.case("F03", "F04")
    def test_a_b(self, x): ...
"""
    (test,) = cases.read(source, path)
    assert (test.sentence, test.road) == ("a b", "make test")
    assert test.cases == {"F01", "F02", "F03", "F04"}


def test_the_page_has_a_row_a_case():
    rows = re.findall(r"^\| ([A-Z]\d\d) \|(?:(?:\\\||[^|])*\|){4}$", cases.reliability(), re.M)
    assert set(rows) == LISTED


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ({}, "not run"),
        ({"a": "passed 2026-11-25 abc"}, "passed 2026-11-25 abc; 1 not run"),
        ({"a": "passed 2026-11-25 abc", "b": "passed 2026-11-20 def"}, "passed 2026-11-20 def"),
        ({"a": "failed 2026-11-25 abc", "b": "passed 2026-11-20 def"}, "failed 2026-11-25 abc;"),
        ({"a": "skipped: no sshd 2026-11-25 abc"}, "skipped: no sshd 2026-11-25 abc; 1 not run"),
    ],
)
def test_a_row_tells_what_is_bad_first_and_how_old_the_oldest_good_result_is(ended, told):
    tests = [cases.Test("f.py", name, frozenset(), frozenset()) for name in ("a", "b")]
    results = {f"f.py::{name}": end for name, end in ended.items()}
    assert cases._result("F01", tests, cases.listed(), results).startswith(told)


def test_what_a_case_lacks_stands_beside_its_result_and_every_such_case_has_tests():
    for case, why in cases.listed()["lacks"].items():
        tests = sorted(cases.tied()[case])
        ended = {test.id: "passed 2026-11-25 abc" for test in tests}
        told = cases._result(case, tests, cases.listed(), ended)
        assert told == f"passed 2026-11-25 abc; without: {why}"


@pytest.mark.parametrize("when", ["setup", "call"])
def test_a_skip_is_never_reported_as_passed(when):
    kept = conftest._CasesReport()
    for phase in ("setup", "call", "teardown"):
        skipped = phase == when
        kept.pytest_runtest_logreport(
            pytest.TestReport(
                nodeid="f.py::test_x[1]",
                location=("f.py", 1, "test_x"),
                keywords={"case": 1},
                outcome="skipped" if skipped else "passed",
                longrepr=("f.py", 1, "Skipped: needs root") if skipped else None,
                when=phase,
            )
        )
    assert kept.ended == {"f.py::test_x": "skipped: needs root"}
