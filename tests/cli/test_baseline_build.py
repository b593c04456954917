"""`driftscan baseline build` where there is no room: what was there stays."""

import pytest

from tests import made


@pytest.fixture
def old(work):
    """A Dockerfile with the baseline of its last build."""
    made.baseline(work, "web", curl="1")
    (work / "web" / "Dockerfile").write_text("FROM scratch\nRUN make\n")
    return (work / "web" / "baseline.json").read_bytes()


@pytest.mark.case("F42", "D09")
def test_an_engine_without_room_is_told_in_its_words_and_the_old_baseline_stays(
    driftscan, work, old
):
    engine = work / "docker"
    engine.write_text(
        """#!/bin/sh
case $1 in
--version) echo Docker version 9 ;;
version) echo 9.1 ;;
build) echo 'write /var/lib/docker/tmp/layer: no space left on device' >&2; exit 1 ;;
*) exit 1 ;;
esac
"""
    )
    engine.chmod(0o755)
    done = driftscan("baseline", "build", "web", "--engine", str(engine))
    assert done.code == 2
    assert "web/Dockerfile does not build; the builder's last lines:" in done.err
    assert "layer: no space left on device" in done.err
    assert (work / "web" / "baseline.json").read_bytes() == old
    assert sorted(path.name for path in (work / "web").iterdir()) == ["Dockerfile", "baseline.json"]
