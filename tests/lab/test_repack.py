"""Tests of repack: a tiny package gets a lower version, and its siblings follow."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab import repack
from tests.lab.settings import run

pytestmark = pytest.mark.lab

CONTROL = """Package: tiny
Source: story (8:1.0-1+deb12u2)
Version: 8:1.0-1+deb12u2
Architecture: all
Maintainer: Nobody <nobody@example.com>
Depends: tiny-data (= 8:1.0-1+deb12u2), other (>= 8:1.0-1+deb12u2), tiny-libs (=8:1.0-1+deb12u2+b1)
Description: a tiny package (= 8:1.0-1+deb12u2)
"""
VERSIONS = {"8:1.0-1+deb12u2", "8:1.0-1+deb12u2+b1"}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A small package with one file and a conffile."""
    tree = tmp_path / "tiny"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(CONTROL)
    (tree / "DEBIAN" / "conffiles").write_text("/etc/tiny.conf\n")
    (tree / "etc").mkdir()
    (tree / "etc" / "tiny.conf").write_text("kept = yes\n")
    deb = tmp_path / "tiny.deb"
    run("dpkg-deb", "--root-owner-group", "-b", tree, deb, env={"SOURCE_DATE_EPOCH": "1700000000"})
    return deb


def fields(deb: Path) -> dict[str, str]:
    """The control fields of a package."""
    lines = run("dpkg-deb", "-f", deb).splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(" "))


def test_version_and_exact_siblings_are_lowered(tiny: Path, tmp_path: Path) -> None:
    found = fields(repack.repack(tiny, tmp_path / "out" / "tiny_low.deb", VERSIONS))
    assert found["Version"] == "8:1.0-1+deb12u2~lab1"
    assert found["Source"] == "story (8:1.0-1+deb12u2~lab1)"
    assert (
        found["Depends"] == "tiny-data (= 8:1.0-1+deb12u2~lab1), other (>= 8:1.0-1+deb12u2), "
        "tiny-libs (=8:1.0-1+deb12u2+b1~lab1)"
    )
    assert found["Description"] == "a tiny package (= 8:1.0-1+deb12u2)"


def test_the_lowered_version_sorts_between_its_neighbours() -> None:
    for older, newer in (
        ("8:1.0-1+deb12u1", repack.lower("8:1.0-1+deb12u2")),
        (repack.lower("8:1.0-1+deb12u2"), "8:1.0-1+deb12u2"),
    ):
        assert (
            subprocess.run(
                ["dpkg", "--compare-versions", older, "lt", newer], check=False
            ).returncode
            == 0
        )


def test_content_conffiles_and_date_stay(tiny: Path, tmp_path: Path) -> None:
    low = repack.repack(tiny, tmp_path / "low.deb", VERSIONS)
    assert run("dpkg-deb", "-I", low, "conffiles") == "/etc/tiny.conf\n"
    assert run("dpkg-deb", "-c", low).split()[1] == "root/root"
    assert "kept = yes" in run(
        "sh", "-c", 'dpkg-deb --fsys-tarfile "$0" | tar -xO ./etc/tiny.conf', low
    )
    assert repack.built(low) == repack.built(tiny) == 1700000000


def test_a_foreign_version_is_left_alone(tiny: Path, tmp_path: Path) -> None:
    assert fields(repack.repack(tiny, tmp_path / "same.deb", {"9"})) == fields(tiny)
