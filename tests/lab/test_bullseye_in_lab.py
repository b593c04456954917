"""Debian 11 scanned over its own sshd: old dpkg, apt and coreutils; beside Debian 12 one cause."""

import msgspec
import pytest

from driftscan.model import Collected, Fingerprint
from tests.lab import bullseye, engine, hosts, inventory

pytestmark = pytest.mark.lab

ACCOUNTS = {"root": True, "plain": False}


@pytest.fixture(scope="module")
def machine(environment):
    """The host, running."""
    return bullseye.ensure(engine.current())


@pytest.fixture(scope="module")
def listed(machine, tmp_path_factory):
    """The lab's inventory with this host in it."""
    return inventory.write(tmp_path_factory.mktemp("lab"), [*hosts.running(), machine])


@pytest.fixture(scope="module", params=["--become", "--no-become"])
def found(request, driftscan, listed):
    """Its fingerprint as root sees it, and as its account does."""
    done = driftscan("scan", "bullseye", request.param, inventory=listed)
    assert done.code in (0, 3), done.err
    return request.param, msgspec.json.decode(done.out, type=Fingerprint)


def told_by_dpkg(machine):
    form = r"${binary:Package} ${Version} ${db:Status-Status}\n"
    lines = machine.shell(f"dpkg-query -W -f '{form}'").splitlines()
    words = (line.split(" ") for line in lines)
    return {
        name.removesuffix(":amd64"): version
        for name, version, state in words
        if state == "installed"
    }


def test_its_packages_are_those_that_dpkg_query_tells(found, machine):
    packages = found[1].facts["dpkg"]
    assert isinstance(packages, Collected)
    assert {name: item["version"] for name, item in packages.items.items()} == told_by_dpkg(machine)
    assert found[1].facts["os"].items["release"]["version_id"] == "11"


def test_every_probe_answers(found):
    become, fingerprint = found
    sections = {**fingerprint.facts, **fingerprint.evidence}
    lost = {name: section for name, section in sections.items() if hasattr(section, "reason")}
    assert lost == {}
    if become == "--become":
        assert [n for n, s in sections.items() if type(s).__name__ in ("Denied", "Partial")] == []


def test_beside_debian_12_one_cause_explains_every_version(driftscan, listed):
    done = driftscan("compare", "bullseye", "web-a", "-f", "json", inventory=listed)
    (report,) = done.report["hosts"].values()
    packages = [
        cause for cause in report["causes"] if any(c.startswith("dpkg:") for c in cause["claims"])
    ]
    assert [cause["id"] for cause in packages] == [
        "release-differs:os",
        "reference-only:openjdk-17-jre-headless",  # the recipe installs none
    ]
    release = report["causes"][0]
    assert release["id"] == "release-differs:os"
    assert (
        "bullseye runs Debian GNU/Linux 11 (bullseye), web-a Debian GNU/Linux 12" in release["text"]
    )
    assert "moved it there" not in release["text"]  # its dist-upgrade brought security only
    changed = [f for f in report["findings"] if f["section"] == "dpkg" and f["kind"] == "changed"]
    assert len(changed) > 100
    assert {finding["cause"] for finding in changed} == {"release-differs:os"}
