"""Gives Debian packages a lower version, so that the archive always has a difference."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection
from pathlib import Path

from tests.lab.settings import need, run

SUFFIX = "~lab1"
VERSION_FIELDS = re.compile(
    r"^(Version|Source|(?:Pre-)?Depends|Recommends|Suggests|Breaks|Conflicts|Replaces|Provides"
    r"|Enhances):(.*)$",
    re.MULTILINE,
)


def lower(version: str) -> str:
    """A version that sorts just before this one (a tilde sorts before the end)."""
    return version + SUFFIX


def lower_control(text: str, versions: Collection[str]) -> str:
    """A control paragraph with its own version, and exact dependencies on its siblings, lowered."""

    exact = re.compile(rf"\((=?\s*)({'|'.join(map(re.escape, versions))})\)")

    lowered = rf"(\g<1>\g<2>{SUFFIX})"

    def field(found: re.Match[str]) -> str:
        name, value = found.groups()
        if name == "Version":
            return f"{name}: {lower(value.strip())}" if value.strip() in versions else found[0]
        return f"{name}:{exact.sub(lowered, value)}"

    return VERSION_FIELDS.sub(field, text)


def built(deb: Path) -> int:
    """A package's changelog date: dpkg-deb writes it into the archive's first header."""
    with deb.open("rb") as file:
        head = file.read(8 + 16 + 12)
    return int(head[24:36].decode("ascii").strip() or 0)


def repack(deb: Path, target: Path, versions: Collection[str]) -> Path:
    """Write `deb` to the path `target` with its version, and those of its siblings, lowered."""
    tool = need(
        "dpkg-deb",
        "dpkg",
        "to lower the version of imagemagick, which both suites have in the same version now",
    )
    with tempfile.TemporaryDirectory(prefix="driftscan-lab-") as scratch:
        tree = Path(scratch) / "tree"
        run(tool, "-R", deb, tree)
        control = tree / "DEBIAN" / "control"
        control.write_text(lower_control(control.read_text(), versions))
        fresh = Path(scratch) / "fresh.deb"
        run(
            tool,
            "--root-owner-group",
            "-b",
            tree,
            fresh,
            env={"SOURCE_DATE_EPOCH": str(built(deb))},
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        part.write_bytes(fresh.read_bytes())
        part.replace(target)
    return target
