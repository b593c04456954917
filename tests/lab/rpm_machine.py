"""The rpm machine: Debian's rpm and dnf over packages that rpm builds of a few lines each."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tests.lab import rpm_root
from tests.lab.engine import Engine
from tests.lab.settings import PREFIX, RECIPES, cache, run, say

RAW = f"{PREFIX}/rpm-raw"
BASE = f"{PREFIX}/rpm-base"
IMAGE = f"{PREFIX}/rpm"
CONTAINER = f"{PREFIX}-rpm"
_FAKETIME = "usr/lib/x86_64-linux-gnu/faketime"


def ensure(chosen: Engine) -> str:
    """The container of the host, made anew if its recipe changed; gives its name."""
    sources = [Path(rpm_root.__file__), RECIPES / "rpms.sh", RECIPES / "rpm.sh"]
    text = "".join(path.read_text() for path in sources)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    if not chosen.succeeds("image", "inspect", f"{IMAGE}:{key}"):
        _raw(chosen, key)
        _step(chosen, "base", f"{RAW}:{key}", f"{BASE}:{key}")
        _step(chosen, "host", f"{BASE}:{key}", f"{IMAGE}:{key}")
        chosen.succeeds("rmi", f"{RAW}:{key}")
    for name in (BASE, IMAGE):
        chosen.run("tag", f"{name}:{key}", f"{name}:latest")
    form = "{{.State.Running}} {{.Config.Image}}"
    inspect = ("container", "inspect", "--format", form, CONTAINER)
    runs = chosen.succeeds(*inspect) and chosen.run(*inspect).split()
    if runs != ["true", f"{IMAGE}:{key}"]:
        chosen.succeeds("rm", "-f", CONTAINER)
        start(chosen, CONTAINER, f"{IMAGE}:{key}")
        say("rpm: started")
    return CONTAINER


def start(chosen: Engine, name: str, image: str) -> None:
    """A container that runs nothing but a shell that waits."""
    idle = ("tail", "-f", "/dev/null")
    words = ("--detach", "--init", "--network", "none", "--hostname", "rpm-a")
    chosen.run("run", "--name", name, *words, *chosen.limits(), image, *idle)


def _raw(chosen: Engine, key: str) -> None:
    """The unpacked root as an image, without the library that shifts the clock."""
    tar = cache() / f"rpm-{os.getpid()}.tar"
    run("tar", "-C", rpm_root.ensure(), "--exclude=*faketime*", "-cf", tar, ".")
    try:
        chosen.run("import", "--change", 'CMD ["bash"]', tar, f"{RAW}:{key}")
    finally:
        tar.unlink()


def _step(chosen: Engine, step: str, parent: str, image: str) -> None:
    """One part of the recipe, run in the parent's image."""
    name = f"{PREFIX}-build-rpm-{os.getpid()}"
    volumes = (f"{RECIPES}:/dev/lab:ro", f"{rpm_root.ensure() / _FAKETIME}:/dev/faketime:ro")
    argv = ["run", "--name", name, *chosen.limits(), "--network", "none"]
    # audit: the account of dnf's history is the loginuid that pam_loginuid sets
    argv += ["--cap-add", "AUDIT_CONTROL", "--ulimit", "nofile=1024:1024"]
    for volume in volumes:
        argv += ["--volume", volume]
    say(f"rpm: running its recipe ({step})")
    try:
        log = cache() / "logs" / f"rpm-{step}.log"
        chosen.run(*argv, parent, "sh", "/dev/lab/rpm.sh", step, log=log)
        chosen.run("commit", "--change", 'CMD ["bash"]', name, image)
    finally:
        chosen.succeeds("rm", "-f", name)
