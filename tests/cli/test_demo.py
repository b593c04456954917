"""The recorded story, told by the program itself: no root, no engine, no network."""

import re
import subprocess
import sys

import pytest

from tests.cli.conftest import environment

_PLAIN = []


@pytest.fixture
def plain(driftscan):
    """What the demo tells; asked for once."""
    if not _PLAIN:
        _PLAIN.append(driftscan("demo"))
    return _PLAIN[0]


def test_the_demo_tells_versions_records_lines_and_the_one_cause(plain):
    done = plain
    told = re.sub(r"\s+", " ", done.out)
    assert (done.code, done.err) == (0, "")
    versions = r"imagemagick is behind: \S+u\d+ -> \S+u\d+, 6 packages"
    assert re.search(versions + r" \[dpkg:imagemagick\]", told)
    assert re.search(r"web-a \S+ \S+ UTC deploy apt-get install", told)
    assert "[repository-missing:bookworm-security]" in told
    assert re.search(r"inventories/demo/web/Dockerfile:\d+", told)
    assert "used by php-fpm8.2" in told
    assert told.count("web-a vs ") == told.count(" 2 trips, as root") == 2
    assert told.count("Unknown nothing of what was asked") == 3
    assert re.search(
        r"broken since \S+u\d+ \(\S+\), fixed in \S+u\d+ \(\S+\); web-a is inside", told
    )
    assert "symbols new: " in told
    assert "web-b vs image web" in told
    assert "No difference" in told.split("web-b vs image web")[1]


def test_the_demo_tells_the_same_whatever_is_configured_and_leaves_nothing(
    driftscan, plain, work, tmp_path
):
    before = sorted(tmp_path.rglob("*"))
    (work / "driftscan.yml").write_text("formats: json\nfail_on: never\ntargets: nonsense\n")
    (work / "inventory.yml").write_text("nonsense: [")

    configured = driftscan(
        "demo",
        DRIFTSCAN_FORMAT="json",
        DRIFTSCAN_INVENTORY="gone.yml",
        DRIFTSCAN_LIMIT="nothing",
        DRIFTSCAN_BECOME="false",
        TMPDIR=str(tmp_path),
    )

    assert configured == plain
    added = set(tmp_path.rglob("*")) - set(before)
    assert {path.name for path in added} == {"driftscan.yml", "inventory.yml"}


@pytest.mark.long
def test_the_demo_can_be_cut_short(driftscan, work, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "driftscan", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=work,
        env=environment(tmp_path),
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 0
