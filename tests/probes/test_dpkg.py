"""The dpkg probe against real databases, dpkg-query's own words, and bad input."""

from driftscan.model import Collected
from driftscan.probes import dpkg


def test_every_package_reads_as_dpkg_query_says_it(captured, oracle):
    section = dpkg.parse(captured("dpkg", "web-a"))["dpkg"]
    assert isinstance(section, Collected)
    expected = {}
    for line in oracle("dpkg", "web-a"):
        name, architecture, version, source, source_version, state = line.split("\t")
        want, _, status = state.split(" ")
        key = name if architecture in ("amd64", "all") else f"{name}:{architecture}"
        expected[key] = {
            "version": version,
            "source": source,
            "source_version": source_version,
            "architecture": architecture,
            "want": want,
            "status": status,
        }
    assert section.items == expected
