"""What hurts stands first, what nothing runs last: no count of advisories sorts anything."""

from msgspec.structs import replace

from driftscan import diff
from driftscan.explain import engine
from driftscan.model import Side
from tests import recorded

SYMPTOM = "unable to open image"
OLD, NEW = "6.1.170-1", "6.1.176-1"


def ranked(subject, reference):
    comparison = diff.compare(subject.fingerprint, reference.fingerprint)
    found = engine.explain(subject, reference, comparison, symptom=SYMPTOM).findings
    return [finding.id for finding in found if finding.section == "dpkg"]


def with_headers(side, version, advisories=0):
    """The recorded side with the kernel's headers, and a changelog full of advisories."""
    item = {
        "version": version,
        "source": "linux",
        "source_version": version,
        "architecture": "amd64",
        "want": "install",
        "status": "installed",
    }
    lines = [
        f"linux ({NEW}) bookworm-security; urgency=high",
        "",
        *(f"  * Fix CVE-2026-{10000 + n}" for n in range(advisories)),
        "",
        " -- Kernel Team <k@example.org>  Sat, 10 Oct 2026 10:00:00 +0000",
        "",
        f"linux ({OLD}) bookworm; urgency=medium",
        "",
        "  * New upstream stable update",
        "",
        " -- Kernel Team <k@example.org>  Sat, 10 Jan 2026 10:00:00 +0000",
    ]
    told = {"version": NEW, "package": "linux-libc-dev", "origin": "", "lines": lines, "news": []}
    found = side.fingerprint
    packages = added(found.facts["dpkg"], "linux-libc-dev", item)
    details = dict(found.details)
    if advisories:
        details["changelogs"] = added(found.details["changelogs"], "linux", told)
    facts = {**found.facts, "dpkg": packages}
    return Side(fingerprint=replace(found, facts=facts, details=details), baseline=side.baseline)


def added(section, key, item):
    return replace(section, items={**section.items, key: item})


def test_imagemagick_stands_first_and_headers_with_the_most_advisories_last():
    subject, reference, _ = recorded.pair("web-a")
    order = ranked(with_headers(subject, OLD), with_headers(reference, NEW, advisories=726))
    assert order[0] == "dpkg:imagemagick"
    assert order[-1] == "dpkg:linux"


def test_the_reference_cases_order_without_the_symptom_is_the_same():
    found = recorded.explained("web-a").findings
    assert found[0].id == "dpkg:imagemagick"
    assert found[0].level == "breaks"


def test_a_report_about_one_package_still_adds_the_repository_that_has_its_version():
    subject, reference, comparison = recorded.pair("web-a")
    about = engine.explain(subject, reference, comparison, about="imagemagick")
    runs = [step.run for step in about.remedies[0].steps]
    assert "bookworm-security main" in runs[0]
    assert any(run.startswith("apt-get install") for run in runs)
