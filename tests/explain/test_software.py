"""Causes of software that no package owns: one a place, with a guess that says it is one."""

from tests.build import explained, fingerprint, package

PACKAGES = {"a": package("1")}
NOON = 1_700_000_000


def _host(name, evidence=None, **facts):
    return fingerprint(name, PACKAGES, facts=facts, evidence=evidence)


def _files(*paths):
    return {"software-files": {path: {"changed": NOON, "uid": 0} for path in paths}}


def test_all_of_a_place_is_one_cause_and_one_finding():
    names = ["app", "b", "c"]
    ours = _host(
        "web-a",
        _files("/opt/app/bin/app", "/opt/app/bin/b", "/opt/app/bin/c", "/opt/app/lib/libz.so.1"),
        software={
            "/opt/app/bin": {"files": dict.fromkeys(names, "1 x")},
            "/opt/app/lib": {"files": {"libz.so.1": "1 x"}},
        },
    )
    theirs = _host("web-b", software={})

    report = explained(ours, theirs)

    (cause,) = report.causes
    assert cause.id == "unpackaged:/opt/app"
    assert cause.text == (
        "web-a has 4 files that no package owns below /opt/app: bin/app, bin/b, bin/c and 1 more; "
        "web-b has not"
    )
    (guess,) = [e for e in cause.evidence if e.confidence == "inferred"]
    assert "probably unpacked" in guess.text
    assert (cause.host_record.time, cause.host_record.confidence) == (
        "2023-11-14 22:13",
        "inferred",
    )
    assert len(report.findings) == 1


def test_only_what_differs_is_named():
    ours = _host("a", software={"/opt/x/bin": {"files": {"one": "1 a", "two": "2 b"}}})
    theirs = _host("b", software={"/opt/x/bin": {"files": {"one": "1 a", "two": "2 c"}}})

    (cause,) = explained(ours, theirs).causes

    assert cause.text == "a and b differ in one file that no package owns below /opt/x: bin/two"


def test_a_copied_archive_is_called_that():
    files = {"/srv/jars": {"files": {"app.jar": "1 x"}}}
    ours = _host("a", _files("/srv/jars/app.jar"), software=files)

    (cause,) = explained(ours, _host("b", software={})).causes

    assert "probably copied there" in cause.evidence[-1].text


def test_a_place_that_another_cause_tells_of_is_not_told_twice():
    ours = _host(
        "a",
        software={"/srv/x/lib": {"files": {"libz.so.1": "1 x"}}},
        vendored={"/srv/x/lib": {"libraries": ["libz.so.1"]}},
    )
    theirs = _host("b", software={}, vendored={})

    report = explained(ours, theirs)

    assert [cause.type for cause in report.causes] == ["vendored"]
    (finding,) = report.findings
    assert [d.id for d in finding.members] == ["vendored:/srv/x/lib", "software:/srv/x/lib"]


def test_a_drop_in_that_sets_a_variable_is_told_by_the_variable():
    ours = _host(
        "a",
        units={"x.service": {"state": "enabled", "dropins": ["env.conf"]}},
        environment={"unit:x.service/LANG": {"value": "C"}},
    )
    theirs = _host("b", units={"x.service": {"state": "enabled"}}, environment={})

    report = explained(ours, theirs)

    assert [cause.id for cause in report.causes] == ["environment:LANG"]


def test_an_archive_is_told_among_the_software_of_its_directory():
    ours = _host(
        "a",
        software={"/srv/x": {"files": {"app.jar": "1 x"}}},
        jars={"jar//app@/srv/x": {"version": "", "size": 1, "owner": ""}},
    )

    report = explained(ours, _host("b", software={}, jars={}))

    assert [cause.id for cause in report.causes] == ["unpackaged:/srv/x"]
    assert len(report.findings) == 1
