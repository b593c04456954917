"""Every form of the report: readable by its readers, and no text of a host is more than text."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from driftscan.cli import configuration
from driftscan.model import (
    Accepted,
    Cause,
    Evidence,
    Gap,
    HostReport,
    Hypothesis,
    Place,
    Report,
    Unreached,
)
from driftscan.policy import judge
from driftscan.report import github, markdown
from driftscan.report.inert import inert
from driftscan.report.table import FORMS, Look, render
from driftscan.sanitize import safe
from tests.report.hostile import CORPUS, MARK, META, RECORD, attacked, finding

# --- what each reader makes of it --------------------------------------------------------------


def _read_text(_text):
    """For people: the common rules are all there is."""


def _read_json(text):
    assert set(json.loads(text)) == set(Report.__struct_fields__)


# What both Ant's schema (JUnit.xsd of Windy Road) and Jenkins' (junit-10.xsd) allow: per element
# the attributes it must have and those it may have, and its children in their order.
_SCHEMA = {
    "testsuites": (set(), set(), "(testsuite )*"),
    "testsuite": (
        {"name", "package", "id", "hostname", "timestamp", "tests", "failures", "errors", "time"},
        {"skipped"},
        "properties (testcase )*system-out system-err ",
    ),
    "properties": (set(), set(), "(property )*"),
    "testcase": ({"name", "classname", "time"}, set(), "((skipped|error|failure) )?"),
    "skipped": (set(), {"type", "message"}, ""),
    "error": ({"type"}, {"message"}, ""),
    "failure": ({"type"}, {"message"}, ""),
    "system-out": (set(), set(), ""),
    "system-err": (set(), set(), ""),
}


def _assert_valid(element):
    needed, more, children = _SCHEMA[element.tag]
    assert needed <= set(element.attrib) <= needed | more
    assert re.fullmatch(children, "".join(f"{child.tag} " for child in element))
    for child in element:
        _assert_valid(child)


def _read_junit(text):
    root = ET.fromstring(text.encode())  # noqa: S314 - the text is our own
    assert root.tag == "testsuites"
    _assert_valid(root)
    for number, suite in enumerate(root):
        cases = suite.findall("testcase")
        assert suite.get("id") == str(number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        assert suite.get("name")
        assert suite.get("hostname")
        assert int(suite.get("tests")) == len(cases) > 0
        for kind, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.get(count)) == sum(case.find(kind) is not None for case in cases)


_PLAIN = {
    *("heading", "paragraph", "bullet_list", "list_item", "strong"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_LEAVES = {"inline", "text", "softbreak", "code_inline", "fence"}


def _read_markdown(text):
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    flat = [inner for token in tokens for inner in (token, *(token.children or ()))]
    for token in flat:
        assert token.type.removesuffix("_open").removesuffix("_close") in _PLAIN | _LEAVES
        if token.type == "text":
            assert MARK not in token.content
        if token.type == "fence":
            assert token.info == "sh"
    cells = [token.type for token in tokens if token.type in ("tr_open", "th_open", "td_open")]
    assert set(re.findall(r"r((?:[hd])+)", "".join(kind[1] for kind in cells))) <= {
        "h" * 6,
        "d" * 6,
    }
    source = [line for line in text.splitlines() if line.startswith("| `")]
    assert all(line.count("|") == 7 for line in source)


_COMMAND = re.compile(
    r"::(?:error|warning|notice) (?:file=[^,:]+,)?(?:line=\d+,)?title=[^,:]*::([^\r\n]*)"
)


def _read_github(text):
    for line in text.splitlines():
        assert _COMMAND.fullmatch(line) or line.startswith("driftscan: ")
        if line.startswith("driftscan: "):
            assert MARK not in line


READERS = {
    "text": _read_text,
    "json": _read_json,
    "junit": _read_junit,
    "markdown": _read_markdown,
    "github": _read_github,
}


# --- attacks -----------------------------------------------------------------------------------


def test_every_form_has_a_reader_here_and_a_name_on_the_command_line():
    assert [*READERS] == [*FORMS] == [*configuration.FORMATS]


@pytest.mark.case("H15", "H16", "H17", "H19", "H20", "H39")
@pytest.mark.parametrize("everything", [True, False], ids=["all", "usual"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("attack", CORPUS)
def test_an_attack_in_any_field_stays_text_in_every_form(form, attack, everything):
    written = render(form, attacked(CORPUS[attack]), Look(everything=everything))

    for line in written.split("\n"):
        assert safe(line) == line
        command = line.lstrip().startswith("::")
        assert not command or form == "github"
        assert re.search(r"##\w*\[", line) is None
    assert written.endswith("\n")
    written.encode()
    READERS[form](written)


def test_a_report_without_anything_unusual_is_not_copied():
    report = Report(complete=True, exit_code=0, counts={}, hosts={"web-a": _host()})
    assert inert(report) is report


def test_an_honest_text_survives_its_escapes():
    report = Report(
        complete=True,
        exit_code=1,
        counts={},
        hosts={"web-a": replace(_host(), state="größer std::string ::1 100% a,b:c")},
    )
    assert inert(report) == report


# --- what is told ------------------------------------------------------------------------------


def _host(**fields):
    found = [finding("a", "breaks"), finding("b", "installed")]
    sides = {"subject": META, "reference": META}
    return HostReport(state="drift", findings=found, equal={"dpkg": 5}, **sides, **fields)


def _accepted(state="active"):
    return Accepted(
        id="dpkg:a",
        state=state,
        reason="migration",
        owner="ops",
        until="2026-12-01",
        ticket="INC-42",
        members=["dpkg:a"],
    )


def _run(fail_on="installed", **hosts):
    return Report(
        complete=True,
        exit_code=1,
        fail_on=fail_on,
        counts={"hosts": len(hosts), "compared": len(hosts), "drifted": 1},
        hosts=hosts,
    )


def _cases(report):
    root = ET.fromstring(render("junit", report, Look()).encode())  # noqa: S314
    return {
        (case.get("classname"), case.get("name")): [(c.tag, c.get("message")) for c in case]
        for case in root.iter("testcase")
    }


@pytest.mark.case("E02")
def test_junit_fails_what_is_drift_skips_what_is_accepted_and_passes_the_rest():
    host = _host(accepted=[_accepted()])
    whole = _cases(_run(web_a=host))
    lenient = _cases(_run("in-use", web_a=host, web_b=replace(_host(), findings=[])))

    ((kind, message),) = whole["web_a", "dpkg:a"]
    assert kind == "skipped"
    assert "accepted until 2026-12-01 by ops (INC-42): migration" in message
    assert [kind for kind, _ in whole["web_a", "dpkg:b"]] == ["failure"]
    assert lenient["web_a", "dpkg:b"] == []
    assert lenient["web_b", "in sync"] == []


def _sorry(fail_on="installed"):
    """Drift, a section unknown, a host away, a host in order: the run that every form must tell."""
    gap = Gap(what="apt-sources", side="dim", why="not readable by this account", cure="sudo")
    lost = Unreached(target="gone", state="timeout", stage="tcp", cause="no answer", cure="call")
    quiet = replace(_host(), state="in-sync", findings=[])
    hosts = {
        "bad": _host(),
        "dim": replace(quiet, state="incomplete", unknown=[gap]),
        "gone": HostReport(state="timeout", unreached=lost),
        "good": quiet,
    }
    return judge(hosts, fail_on)


@pytest.mark.case("E01", "E02")
@pytest.mark.parametrize(("fail_on", "code"), [("installed", 4), ("never", 3)])
def test_every_form_says_what_is_unreachable_unknown_and_drift_and_is_never_green(fail_on, code):
    report = _sorry(fail_on)
    assert (report.exit_code, report.complete) == (code, False)
    told = {form: render(form, report, Look()) for form in FORMS}

    first = "2/4 hosts complete, 1 unreachable, 1 partial; "
    assert told["text"].startswith(first)
    assert told["markdown"].startswith(f"### driftscan: {first}")
    assert told["github"].splitlines()[-1].startswith(f"driftscan: {first}")
    plain = json.loads(told["json"])
    assert (plain["complete"], plain["exit_code"]) == (False, code)
    assert {name: host["state"] for name, host in plain["hosts"].items()} == {
        "bad": "drift",
        "dim": "incomplete",
        "gone": "timeout",
        "good": "in-sync",
    }
    cases = _cases(report)
    assert [kind for kind, _ in cases["gone", "compared"]] == ["error"]
    assert any(
        kind == "error" for (host, _), told in cases.items() if host == "dim" for kind, _ in told
    )
    failing = [kind for kind, _ in cases["bad", "dpkg:b"]]
    assert failing == (["failure"] if code == 4 else [])
    assert "::error title=gone was not compared::" in told["github"]
    for text in (told["text"], told["markdown"], told["github"]):
        assert "apt-sources" in text
        assert "gone" in text


@pytest.mark.parametrize("state", ["expired", "changed"])
def test_what_was_accepted_once_and_is_not_any_more_fails(state):
    cases = _cases(_run(web_a=_host(accepted=[_accepted(state)])))
    assert [kind for kind, _ in cases["web_a", "dpkg:a"]] == ["failure"]


def test_github_names_the_line_of_the_dockerfile_and_gathers_the_hosts():
    text = render("github", _run(web_a=_host(), web_b=_host()), Look())
    first, second, same, summary = text.splitlines()
    assert first == (
        "::error file=web/Dockerfile,line=3,title=dpkg%3Aa (breaks)::"
        "web_a, web_b: a is behind: 1 instead of 2. hold:a. proof"
    )
    assert second.startswith("::notice file=web/Dockerfile,line=3,title=dpkg%3Ab (installed)::")
    assert same.startswith("driftscan: 10 items are equal, 0 could not be known")
    assert summary == "driftscan: 2/2 hosts complete; 1 drifted"


def test_github_gathers_the_findings_of_one_cause_and_line():
    many = [finding(f"p{number:02}", "installed") for number in range(7)]
    text = render("github", _run(web_a=replace(_host(), findings=many)), Look())
    (only,) = [line for line in text.splitlines() if line.startswith("::")]
    assert "title=hold%3Aa%2C 7 findings (installed)::web_a: p00 is behind" in only
    assert "; and 2 more. hold:a" in only


def test_github_shows_ten_of_a_kind_and_tells_of_the_others():
    many = [
        replace(finding(f"p{number:02}", "installed"), cause=f"hold:{number}")
        for number in range(14)
    ]
    text = render("github", _run(web_a=replace(_host(), findings=many)), Look())
    assert text.count("::notice ") == github.CAP == 10
    assert "driftscan: 4 more notices than GitHub shows in a step\n" in text


def test_markdown_that_is_too_long_for_a_comment_says_what_it_left_out():
    hosts = {f"h{number:03}": _host(remedies=[]) for number in range(180)}
    found = [finding("p" * 200, "breaks") for _ in range(20)]
    hosts = {name: replace(host, findings=found) for name, host in hosts.items()}
    text = render("markdown", _run(**hosts), Look())
    assert len(text) < markdown.LIMIT + 200
    assert re.search(r"The rest is too long for here: \d+ hosts more", text)


def _whole_host():
    """One of which something is unknown, with a line of the Dockerfile and the four questions."""
    line = Place(kind="line", file="web/Dockerfile", line=5, text="RUN echo deb > x.list")
    cause = Cause(
        type="repository-missing",
        subject="security",
        text="web-a does not have the repository security",
        confidence="recorded",
        claims=["dpkg:a"],
        image_record=line,
    )
    why = [Evidence(text="upstream 6.9 on both", confidence="recorded")]
    asked = Hypothesis(
        id="new-feature", question="a feature new in a?", answer="no", confidence="recorded",
        because=why,
    )  # fmt: skip
    gap = Gap(what="sudo", side="web-a", why="it may not be read", cure="read access", blocks=False)
    found = [replace(finding("a", "breaks"), cause=cause.id)]
    subject = replace(META, target="web-a")
    more = {"causes": [cause], "findings": found, "hypotheses": [asked], "unknown": [gap]}
    return replace(_host(), subject=subject, **more)


def test_markdown_tells_the_line_the_questions_what_is_equal_and_what_is_unknown():
    text = render("markdown", _run(web_a=_whole_host()), Look())
    assert "- because: `web-a never ran line 5 of web/Dockerfile: it does not have the" in text
    assert "- could it be `a feature new in a? no: upstream 6.9 on both`" in text
    assert "- equal: `no section whole; beside the differences: dpkg 5`" in text
    assert "- unknown: `sudo of web-a: it may not be read: read access`" in text
    assert "- unknown: `nothing of what was asked`" in render(
        "markdown", _run(web_b=replace(_host(), findings=[])), Look()
    )


def test_junit_tells_what_is_equal_and_what_is_unknown_beside_the_tests():
    text = render("junit", _run(web_a=_whole_host()), Look())
    (out,) = ET.fromstring(text.encode()).iter("system-out")  # noqa: S314
    assert "equal: no section whole; beside the differences: dpkg 5" in out.text
    assert "unknown: sudo of web-a: it may not be read: read access" in out.text


def test_markdown_tells_the_record_of_what_breaks():
    text = render("markdown", _run(web_a=_host()), Look())
    assert "- **breaks** `dpkg:a` `a is behind: 1 instead of 2`" in text
    assert f"  - `web-a {RECORD.time} UTC deploy apt-get install a`" in text
    assert "web/Dockerfile:3 RUN x`" in text
    assert "  - `used by x (2 processes, x.so)`" in text


@pytest.mark.parametrize(
    ("exit_code", "kind", "command"), [(0, "skipped", "warning"), (3, "error", "error")]
)
def test_a_host_that_is_missing_fails_a_test_unless_it_may(exit_code, kind, command):
    lost = Unreached(target="b", state="timeout", stage="connect", cause="no answer")
    hosts = {"a": replace(_host(), findings=[]), "b": HostReport(state="timeout", unreached=lost)}
    report = Report(complete=False, exit_code=exit_code, counts={}, hosts=hosts)

    assert _cases(report)["b", "compared"] == [(kind, "timeout at connect: no answer")]
    assert f"::{command} title=b was not compared::" in render("github", report, Look())
