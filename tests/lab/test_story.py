"""The ImageMagick story on real servers, as a user sees it: what the issue calls done."""

import re

import pytest

from tests.lab import hosts
from tests.lab.conftest import DEMO, ROOT

pytestmark = pytest.mark.lab

CAUSE = "repository-missing:bookworm-security"


def _version(name: str, package: str = "imagemagick") -> str:
    (host,) = [host for host in hosts.running() if host.name == name]
    return host.shell(f"dpkg-query -W -f '${{Version}}' {package}")


def _record() -> tuple[str, str]:
    """Time and command of web-a's own log for the installation of imagemagick."""
    (host,) = [host for host in hosts.running() if host.name == "web-a"]
    for block in host.shell("cat /var/log/apt/history.log").split("\n\n"):
        if "Install:" in block and " imagemagick:" in block.replace("Install:", ","):
            start = re.search(r"Start-Date: (\S+)  (\S+):\d\d", block)
            command = re.search(r"Commandline: (.*)", block)
            assert start is not None
            assert command is not None
            return f"{start[1]} {start[2]}", command[1]
    raise AssertionError("web-a's log has no installation of imagemagick")


def _line(words: str) -> int:
    text = (ROOT / DEMO / "Dockerfile").read_text().splitlines()
    return next(n for n, line in enumerate(text, 1) if words in line and line.startswith("RUN"))


def _joined(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _changed(report: dict) -> set[str]:
    return {
        f"{member['section']}:{member['key']}"
        for host in report["hosts"].values()
        for finding in host.get("findings", [])
        for member in finding["members"]
        if member["section"] == "dpkg" and member["kind"] == "changed"
    }


def _assert_claims_every_version_difference(report: dict) -> None:
    changed = _changed(report)
    (cause,) = [c for host in report["hosts"].values() for c in host["causes"] if c["id"] == CAUSE]
    assert changed
    assert {claim for claim in cause["claims"] if claim.startswith("dpkg:")} == changed


def test_compare_tells_both_versions_the_record_and_what_else_differs(driftscan):
    done = driftscan("compare", "web-a", "web-b", "--all")

    text = _joined(done.out)
    time, command = _record()
    assert done.code == 1, done.err
    assert _version("web-a") in text
    assert _version("web-b") in text
    assert f"{time} UTC deploy {command}" in text
    assert re.search(r"needs \d+ of \d+ packages differ too: .*libpng16-16", text)
    assert re.search(r"used by php-fpm8\.2 \(\d+ processes", text)
    assert f"[{CAUSE}]" in text


def test_compare_has_one_cause_for_all_version_differences(driftscan):
    _assert_claims_every_version_difference(
        driftscan("compare", "web-a", "web-b", "-f", "json").report
    )


def test_check_of_web_a_names_the_line_of_the_dockerfile(driftscan, baseline):
    done = driftscan("check", "web-a", "--all")

    text = _joined(done.out)
    time, command = _record()
    assert done.code == 1, done.err
    assert f"{DEMO}/Dockerfile, built {baseline['built'][:10]}" in text
    assert f"{DEMO}/Dockerfile:{_line('imagemagick')} " in text
    assert f"{time} UTC deploy {command}" in text
    assert _version("web-a") in text
    assert _version("web-b") in text
    assert f"never ran line {_line('bookworm-security')} of {DEMO}/Dockerfile" in text


def test_check_of_web_a_has_one_cause_for_all_version_differences(driftscan, baseline):
    report = driftscan("check", "web-a", "-f", "json").report

    _assert_claims_every_version_difference(report)
    assert len(report["hosts"]["web-a"]["causes"]) <= 3


def test_web_b_is_as_its_image_and_its_plumbing_is_expected_by_named_rules(driftscan, baseline):
    done = driftscan("check", "web-b", "-f", "json")

    host = done.report["hosts"]["web-b"]
    assert done.code == 0, done.out
    assert host.get("findings", []) == []
    rules = {group["rule"] for group in host["expected"]}
    assert {"ssh-server", "privileges", "needed-by-those"} <= rules


def test_telnetd_installed_by_hand_is_named_with_its_command(driftscan, baseline):
    by_hand = "su deploy -c 'sudo apt-get install -y telnetd'"
    update = "apt-get update -qq"
    with hosts.start("web-x", "web-b", [update, by_hand]) as host:
        done = driftscan("check", "web-x", inventory=host.inventory)

    text = _joined(done.out)
    assert done.code == 1, done.err
    assert "host-only:telnetd" in text
    assert re.search(r"UTC by deploy: apt-get install -y telnetd", text)


def test_a_host_that_lost_php_is_drift_that_breaks(driftscan, baseline):
    gone = "su deploy -c 'sudo apt-get purge -y php8.2-fpm php8.2-cli php8.2-common'"
    with hosts.start("web-x", "web-b", [gone]) as host:
        done = driftscan("check", "web-x", "--fail-on", "breaks", inventory=host.inventory)

    text = _joined(done.out)
    assert done.code == 1, done.err
    assert "BREAKS" in text
    assert "apt-get purge -y php8.2-fpm" in text
    assert f"{DEMO}/Dockerfile:{_line('php-fpm')}" in text


def test_a_difference_that_is_accepted_passes_until_its_value_changes(
    driftscan, baseline, tmp_path
):
    update, add = "apt-get update -qq", "apt-get install -y -qq telnetd"
    words = ["--reason", "r", "--owner", "ops", "--until", "2099-12-31", "--host", "web-x"]
    rules = str(tmp_path / "accept.yml")
    with hosts.start("web-x", "web-b", [update, add]) as host:
        strict = driftscan("check", "web-x", "-f", "json", inventory=host.inventory)
        (found,) = strict.report["hosts"].values()
        for cause in sorted({finding["cause"] for finding in found["findings"]}):
            name = (cause, *words, "--file", rules)
            assert driftscan("accept", *name, inventory=host.inventory).code == 0
        lenient = driftscan("check", "web-x", "--accept", rules, inventory=host.inventory)
        host.shell("apt-mark hold telnetd")
        changed = driftscan("check", "web-x", "--accept", rules, inventory=host.inventory)

    assert (strict.code, lenient.code, changed.code) == (1, 0, 1), lenient.out
    assert "ACCEPTED" in lenient.out
    assert "REOPENED" in changed.out


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("chmod 000 /var/lib/dpkg/status", "conffiles, cron, dpkg, dpkg-needs, dpkg-times"),
        ("truncate -s 40000 /var/lib/dpkg/status", "dpkg of web-x"),
    ],
    ids=["unreadable", "truncated"],
)
def test_a_package_database_that_cannot_be_read_is_incomplete(driftscan, baseline, damage, told):
    with hosts.start("web-x", "web-b", [damage]) as host:
        text = host.inventory.read_text()
        plain = host.inventory.with_name("plain.yml")
        plain.write_text(text.replace("become: true", "become: false"))
        done = driftscan("check", "web-x", inventory=plain)

    assert done.code == 3, done.out + done.err
    assert told in " ".join(done.out.split())


def test_a_plain_account_is_told_what_it_could_not_see(driftscan, baseline):
    done = driftscan("check", "web-b", "--no-become", "--all")

    assert done.code == 3, done.out
    assert re.search(r"Unknown +conffiles of web-b: \d+ files not readable", done.out)
    assert re.search(r"Unknown +processes of web-b: .*processes", done.out)
