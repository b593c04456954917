"""Tests of the lab itself: the hosts are what the story says, and no version is pinned."""

from __future__ import annotations

import pytest

from tests.lab import hosts, mirror
from tests.lab.archive import MAIN, SECURITY, STORY, field, stanzas

pytestmark = pytest.mark.lab

NEWEST_CHANGELOG = (
    "for file in /usr/share/doc/*/changelog.Debian*.gz; do "
    "zcat \"$file\" | sed -n 's/^ -- .*>  //p' | head -n 1; done | "
    'while read -r day; do date -u -d "$day" +%s; done | sort -n | tail -n 1'
)


@pytest.fixture(scope="module")
def lab() -> dict[str, hosts.Running]:
    """The lab's hosts by name."""
    return {host.name: host for host in hosts.running()}


def blocks(host: hosts.Running) -> list[str]:
    """The operations of apt's history."""
    return stanzas(host.shell("cat /var/log/apt/history.log"))


def test_the_hosts_have_the_versions_of_their_suites(lab: dict[str, hosts.Running]) -> None:
    frozen = mirror.cached()[0]
    for name, suite in (("web-a", MAIN), ("web-b", SECURITY)):
        version = lab[name].shell(f"dpkg-query -W -f '${{Version}}' {STORY}")
        assert version == frozen.versions(suite)[STORY]


def test_operations_of_web_a_are_weeks_old_but_later_than_its_packages(
    lab: dict[str, hosts.Running],
) -> None:
    starts = [field(block, "Start-Date") for block in blocks(lab["web-a"])]
    first = int(lab["web-a"].shell(f"date -u -d '{starts[0]}' +%s"))
    assert starts == sorted(starts)
    assert len({start.split()[0] for start in starts}) == 2
    assert int(lab["web-a"].shell(NEWEST_CHANGELOG)) < first
    assert first < int(lab["web-a"].shell("date +%s")) - 3 * 24 * 3600


def test_operations_name_who_asked_for_them(lab: dict[str, hosts.Running]) -> None:
    for name in ("web-a", "web-b"):
        by = [field(block, "Requested-By") for block in blocks(lab[name])]
        assert by[0] == ""
        assert set(by[-3:]) == {"deploy (1000)"}


def test_package_times_are_those_of_the_log(lab: dict[str, hosts.Running]) -> None:
    for package in ("imagemagick", "php8.2-fpm", "libc6"):
        times = lab["web-a"].shell(
            f"dpkg-query -W -f '${{db-fsys:Last-Modified}}' {package}; echo; "
            "date -u -d \"$(awk 'END {print $1, $2}' /var/log/dpkg.log)\" +%s"
        )
        changed, last = map(int, times.split())
        assert changed <= last


def test_the_shifted_clock_stays_out_of_the_host(lab: dict[str, hosts.Running]) -> None:
    script = "cat /etc/ld.so.preload 2>/dev/null; find / -xdev -iname '*faketime*'; env | grep FAKE"
    assert lab["web-a"].shell(f"({script}) || true") == ""


def test_php_loads_the_library(lab: dict[str, hosts.Running]) -> None:
    for host in lab.values():
        if host.name != "web-t":  # its upgrade removed php-fpm
            assert "libMagickCore" in host.shell("cat /proc/$(pgrep -o php-fpm)/maps")


def test_a_variation_is_gone_afterwards() -> None:
    install = "su deploy -c 'sudo -n apt-get install -y telnetd'"
    with hosts.start("variation", "web-b", [install]) as host:
        assert field(blocks(host)[-1], "Commandline") == "apt-get install -y telnetd"
        assert field(blocks(host)[-1], "Requested-By") == "deploy (1000)"
        assert "variation" in host.inventory.read_text()
        container = host.container
    assert container not in hosts.containers(host.engine)
    assert not host.inventory.exists()
