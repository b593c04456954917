"""Many hosts on one page: a line each, worst first, and what they have in common once."""

from msgspec.structs import replace

from driftscan import policy
from driftscan.model import (
    Accepted,
    Cause,
    Explains,
    Gap,
    HostReport,
    Meta,
    Unreached,
)
from driftscan.report.table import Look, render
from tests import recorded
from tests.report.hostile import finding


def meta(name):
    return Meta(target=name, kind="host", address="x", taken="2026-11-23T17:20:00Z", privilege="r")


def cause(name, level="installed", **fields):
    return Cause(
        type="repository-missing",
        subject="bookworm-security",
        text=f"{name} does not have the repository bookworm-security",
        confidence="recorded",
        level=level,
        claims=["dpkg:a"],
        **fields,
    )


def host(name, *levels, causes=(), **fields):
    found = [finding(f"{level}-{i}", level) for i, level in enumerate(levels)]
    found = [replace(f, cause=causes[0].id if causes else "hold:a") for f in found]
    return HostReport(
        state="drift" if levels else "in-sync",
        subject=meta(name),
        reference=meta("image web"),
        findings=found,
        causes=list(causes),
        equal={"dpkg": 7},
        **fields,
    )


def lost(name):
    gone = Unreached(target=name, state="timeout", stage="connect", cause="no answer", cure="look")
    return HostReport(state="timeout", unreached=gone)


def told(*, everything=False, brief=False, **hosts):
    report = policy.judge(hosts, "installed")
    return render("text", report, Look(everything=everything, brief=brief))


def test_hosts_stand_worst_first_one_line_each():
    accepted = Accepted(
        id="x", state="active", reason="r", owner="o", until="2026-12-01", members=["dpkg:breaks-0"]
    )
    text = told(
        a_same=host("a"),
        b_installed=host("b", "installed"),
        c_lost=lost("c"),
        d_breaks=host("d", "breaks", "in-use"),
        e_blind=host("e", unknown=[Gap(what="dpkg", side="e", why="denied")]),
        f_accepted=host("f", "breaks", accepted=[accepted]),
    )
    assert text.splitlines()[:9] == [
        "4/6 hosts complete, 1 unreachable, 1 partial; 2 drifted, 1 accepted",
        "",
        "BREAKS      d_breaks     1 breaks, 1 in use, 7 items equal",
        "INSTALLED   b_installed  1 installed, 7 items equal",
        "UNREACHED   c_lost       timeout at connect: no answer (cure: look)",
        "UNKNOWN     e_blind      7 items equal, not known: dpkg",
        "ACCEPTED    f_accepted   1 accepted, 7 items equal",
        "IN SYNC     a_same       7 items equal",
        "",
    ]


def test_one_cause_of_several_hosts_is_told_once_with_its_share_on_each():
    one, two = (
        Explains(differences=41, sources=9, of=41),
        Explains(differences=41, sources=9, of=50),
    )
    text = told(
        a=host("a", "installed", causes=[cause("a", explains=one)]),
        b=host("b"),
        c=host("c", "in-use", causes=[cause("c", "in-use", explains=two)]),
    )
    assert " ".join(text.split()).count("repository-missing:bookworm-security") == 1
    (start,) = [
        n for n, line in enumerate(text.splitlines()) if line.startswith("IN USE      a, c")
    ]
    assert " ".join(" ".join(text.splitlines()[start : start + 3]).split()) == (
        "IN USE a, c: the host does not have the repository bookworm-security. Explains all 41,"
        " 41 of 50 version differences [repository-missing:bookworm-security]"
    )


def test_what_all_hosts_have_says_so():
    names = ("a", "b", "c")
    text = told(**{name: host(name, "installed", causes=[cause(name)]) for name in names})
    assert "INSTALLED   all 3 hosts: the host does not have" in text


def test_what_breaks_is_told_once_for_all_its_hosts_unless_its_cause_has_told_it():
    own = replace(cause("c", "breaks"), claims=["dpkg:breaks-0"])
    alone = told(c=host("c", "breaks", causes=[own]), a=host("a"))
    assert "breaks-0 is behind" not in alone
    text = told(a=host("a", "breaks"), b=host("b", "breaks"), c=host("c"))
    assert "BREAKS      a, b: breaks-0 is behind: 1 instead of 2  [dpkg:breaks-0]\n" in text


def test_many_causes_of_one_type_are_one_line():
    many = [replace(cause("a"), subject=f"s{number:03}") for number in range(30)]
    text = told(a=host("a", "installed", causes=many), b=host("b"))
    lines = [line for line in text.splitlines() if line.startswith("INSTALLED   a:")]
    assert len(lines) == 1
    assert "and 29 alike: s001, s002, s003," in " ".join(text.split())


def test_a_hundred_causes_are_cut_and_counted():
    many = [replace(cause("a"), type=f"t{number:03}") for number in range(100)]
    text = told(a=host("a", "installed", causes=many), b=host("b"))
    assert "80 more causes (--all)" in text


def test_a_hundred_hosts_fit_on_a_page():
    hosts = {
        f"h{n:03}": host(f"h{n:03}", "installed", causes=[cause(f"h{n:03}")]) for n in range(99)
    }
    text = told(**hosts, z=host("z"))
    assert len(text.splitlines()) < 110
    assert "h000, h001, h002, h003, h004, h005, h006, h007 and 91 more: the host does" in text


def test_all_prints_every_host_in_full_and_brief_only_their_lines():
    hosts = {"a": host("a", "installed", causes=[cause("a")]), "b": host("b")}
    assert "a does not have the repository" in told(**hosts, everything=True)
    assert "repository" not in told(**hosts, brief=True)


def test_an_accepted_cause_is_not_told_of_the_fleet():
    rule = Accepted(
        id="x",
        state="active",
        reason="r",
        owner="o",
        until="2026-12-01",
        members=["dpkg:installed-0"],
    )
    text = told(a=host("a", "installed", causes=[cause("a")], accepted=[rule]), b=host("b"))
    assert "repository" not in text


def test_the_recorded_hosts_are_told_on_a_page():
    reports = {name: recorded.explained(name) for name in recorded.HOSTS}
    text = told(**reports)
    assert text.startswith("6/6 hosts complete; 5 drifted\n\nBREAKS      web-a  ")
    assert "IN SYNC     web-b" in text
    assert text.count("[repository-missing:bookworm-security]") == 1
    assert len(text.splitlines()) < 80
    assert max(map(len, text.splitlines())) <= 100
