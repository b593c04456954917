"""Changelogs of rpm: read, cut between two versions, and told like Debian's."""

from hypothesis import given
from hypothesis import strategies as st

from driftscan.details.needs import SHARED
from driftscan.explain import rpm_changelog
from driftscan.explain.delta import between
from driftscan.model import Absent, Payload, Raw, Side, Want
from driftscan.model.managers import MANAGERS
from driftscan.probes.wanted import rpm_changelogs
from tests.build import explained, fingerprint

HTTPD = """\
* Wed Nov 06 2024 Luboš Uhliarik <luhliari@redhat.com> - 2.4.57-11.1
- Resolves: RHEL-64444 - mod_proxy: fix regression of CVE-2024-38473
  encoded question mark in a backend URL

* Thu Jul 11 2024 Luboš Uhliarik <luhliari@redhat.com> - 2.4.57-11
- Resolves: RHEL-45792 - httpd: Encoding problem in mod_proxy
  (CVE-2024-38473)
- mod_ssl: rebased to 2.4.57

* Tue Apr 30 2024 Joe <joe@example.org> 2.4.57-8
- fix a crash

* Mon Jan 01 2024 Nobody
- no version at all
""".splitlines()


def test_dates_versions_and_bullets():
    found = rpm_changelog.entries(HTTPD, "httpd")
    assert [(e.version, e.date[:10]) for e in found.entries] == [
        ("2.4.57-11.1", "2024-11-06"),
        ("2.4.57-11", "2024-07-11"),
        ("2.4.57-8", "2024-04-30"),
        ("", "2024-01-01"),
    ]
    assert found.entries[1].bullets == (
        "Resolves: RHEL-45792 - httpd: Encoding problem in mod_proxy (CVE-2024-38473)",
        "mod_ssl: rebased to 2.4.57",
    )


def test_the_marks_of_the_distribution_are_in_no_changelog():
    """`.el9_4` and the epoch are the package's, not its changelog's."""
    changelog = rpm_changelog.entries(HTTPD, "httpd")
    delta = between(changelog, "2.4.57-8.el9", "1:2.4.57-11.el9_4.1", "rpm")
    assert [e.version for e in delta.entries] == ["2.4.57-11.1", "2.4.57-11"]
    assert (delta.cut, delta.complete) == ("exact", True)
    assert delta.bugs == ["RHEL-45792", "RHEL-64444"]
    assert delta.counts == {"regression": 1, "behaviour": 1, "security": 1}


@given(st.lists(st.text(max_size=60), max_size=12))
def test_any_lines_have_entries_or_none(lines):
    found = rpm_changelog.entries([*HTTPD[:2], *lines], "x")
    assert found.entries[0].version == "2.4.57-11.1"


# --- over the whole explanation ----------------------------------------------------------------


def side(name, version, **details):
    httpd = {"version": version, "source": "httpd", "source_version": version}
    facts = {"rpm": {"httpd.x86_64": httpd}}
    loads = {"/usr/sbin/httpd": "httpd.x86_64"}
    runs = {"/usr/sbin/httpd|httpd.service": {"count": 2, "loads": loads}}
    return Side(
        fingerprint=fingerprint(
            name, Absent(), facts=facts, evidence={"processes": runs}, details=details
        )
    )


def test_a_broken_window_and_a_symptom_are_found_in_an_rpm_changelog():
    read = {"httpd": {"version": "2.4.57-11.el9_4.1", "origin": "b", "lines": HTTPD}}
    report = explained(
        side("a", "2.4.57-11.el9"),
        side("b", "2.4.57-11.el9_4.1", **{"rpm-changelogs": read}),
        symptom="encoded question mark in a backend URL",
    )
    (finding,) = report.findings
    (window,) = finding.windows
    assert (window.of, window.introduced, window.fixed) == (
        "CVE-2024-38473",
        "2.4.57-11",
        "2.4.57-11.1",
    )
    assert window.cites == ["reference/rpm-changelogs:httpd"]
    assert (finding.level, finding.match.version) == ("breaks", "2.4.57-11.1")
    assert finding.changes.headline.bugs == ["RHEL-64444"]
    assert report.hypotheses[1].answer == "yes"


# --- the question ------------------------------------------------------------------------------

WANT = Want(
    side="reference",
    kind="rpm-changelogs",
    name="httpd",
    names=("httpd-tools.x86_64", "httpd.x86_64"),
    version="2.4.57-11.el9_4.1",
)


def learned(*lines, wants=(WANT,)):
    return rpm_changelogs.parse(Raw(outputs={"rpm-changelogs": Payload(lines)}), wants)


def test_the_answer_is_kept_under_the_version_that_was_wanted():
    lines = [f"+{line}" for line in HTTPD]
    told = learned("= httpd", "@ httpd.x86_64", *lines)
    assert told.items["httpd"]["version"] == WANT.version
    assert told.items["httpd"]["lines"] == HTTPD


def test_another_newest_entry_is_kept_under_its_own_version():
    told = learned("= httpd", "@ httpd.x86_64", *(f"+{line}" for line in HTTPD[4:]))
    assert told.items["httpd"]["version"] == "2.4.57-11"


def test_without_rpm_or_the_package_the_reason_is_told():
    assert learned("! there is no rpm to read its database").missing == {
        "httpd": "there is no rpm to read its database"
    }
    assert learned("= httpd").missing == {"httpd": "not installed there"}


def test_only_names_of_rpm_packages_are_sent():
    bad = Want(side="subject", kind="rpm-changelogs", name="x;id", names=("$(id)",), version="1")
    (question,) = rpm_changelogs.questions([WANT, bad])
    assert "wanted 'httpd' 'httpd-tools.x86_64' 'httpd.x86_64'" in question.body
    assert "id" not in question.body.split("wanted 'httpd'")[1].replace("httpd", "")
    assert learned(wants=[bad]).missing == {"x;id": "no name of an rpm package"}


def test_every_kind_of_changelog_is_shared_between_machines():
    assert {m.changelogs for m in MANAGERS.values() if m.changelogs} == set(SHARED)
