"""Symbols that a program of no package wants and the subject's library lacks: before they bite."""

import pytest

from driftscan.model import Collected, Partial, Side
from tests.build import explained, fingerprint, package

OLD = ["libx.so.1 libx1 #MINVER#", " one@Base 1"]
NEW = [*OLD, " two@X_2 2"]


def host(name, version, lines, imports=None):
    details = {"symbols": {"libx1": {"lines": lines}}}
    if imports is not None:
        details["imports"] = imports
    packages = {"libx1": package(version, source="x")}
    return Side(fingerprint=fingerprint(name, packages, details=details))


def own(needed="libx.so.1 libc.so.6", symbols="one two@X_2", **more):
    return {
        "own": {
            "needed": {"/opt/app/bin/app": needed, **more},
            "symbols": {"/opt/app/bin/app": symbols},
            "unread": [],
        }
    }


def finding(subject, reference):
    report = explained(subject, reference)
    (found,) = (f for f in report.findings if f.section == "dpkg")
    return found, report


def test_a_program_that_wants_a_newer_symbol_breaks():
    found, report = finding(host("a", "1", OLD, own()), host("b", "2", NEW))

    assert found.level == "breaks"
    assert found.symbols.missing == {"/opt/app/bin/app": ["two@X_2"]}
    (proof,) = found.proof
    assert proof.text == "/opt/app/bin/app needs two@X_2, which the libraries of a lack"
    assert proof.cites == [
        "subject/symbols:libx1",
        "reference/symbols:libx1",
        "subject/imports:own",
    ]
    answer = report.hypotheses[0]
    assert (answer.id, answer.answer, answer.confidence) == ("new-feature", "possible", "inferred")


def test_a_program_that_wants_a_symbol_the_newer_subject_dropped_breaks():
    found, _ = finding(host("a", "2", OLD, own()), host("b", "1", NEW))
    assert (found.level, found.symbols.lost) == ("breaks", ["two@X_2"])
    assert found.symbols.missing == {"/opt/app/bin/app": ["two@X_2"]}


def test_a_soname_that_is_not_there_any_more_is_missed_by_what_needs_it():
    gone = ["libx.so.2 libx1 #MINVER#", " one@Base 1"]
    found, _ = finding(host("a", "2", gone, own(symbols="")), host("b", "1", OLD))
    assert found.symbols.missing == {"/opt/app/bin/app": ["libx.so.1"]}


@pytest.mark.parametrize(
    "imports",
    [
        own(needed="libc.so.6"),  # another library's symbol of that name
        own(symbols="one two"),  # of another version
        own(**{"/opt/app/lib/libx.so.1": ""}),  # its own copy
    ],
)
def test_what_is_not_this_library_s_symbol_breaks_nothing(imports):
    found, _ = finding(host("a", "1", OLD, imports), host("b", "2", NEW))
    assert (found.level, found.symbols.missing) == ("installed", {})
    assert found.symbols.read == len(imports["own"]["needed"])


@pytest.mark.parametrize(
    "imports",
    [
        Collected(items={"own": {**own(symbols="")["own"], "unread": ["/opt/x"]}}),
        Partial(items=own(symbols=""), gaps=["/srv is closed to this account"]),
        None,
    ],
)
def test_what_could_not_be_read_whole_is_no_answer(imports):
    found, _ = finding(host("a", "1", OLD, imports), host("b", "2", NEW))
    assert (found.symbols.missing, found.symbols.read) == ({}, None)
