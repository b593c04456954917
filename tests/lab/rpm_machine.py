"""The rpm machine: Debian's rpm and dnf over packages that rpm builds of a few lines each."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tests.lab import rpm_root
from tests.lab.engine import Engine
from tests.lab.settings import PREFIX, RECIPES, LabError, cache, run, say

RAW = f"{PREFIX}/rpm-raw:latest"
BASE = f"{PREFIX}/rpm-base:latest"
IMAGE = f"{PREFIX}/rpm:latest"
CONTAINER = f"{PREFIX}-rpm"
_LABEL = f"{PREFIX}.recipe"
_FAKETIME = "usr/lib/x86_64-linux-gnu/faketime"


def ensure(chosen: Engine) -> str:
    """The container of the host, made anew if its recipe changed; gives its name."""
    sources = [Path(rpm_root.__file__), RECIPES / "rpms.sh", RECIPES / "rpm.sh"]
    text = "".join(path.read_text() for path in sources)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    if any(label(chosen, "image", name) != key for name in (BASE, IMAGE)):
        _raw(chosen)
        _step(chosen, "base", RAW, BASE, key)
        _step(chosen, "host", BASE, IMAGE, key)
        chosen.succeeds("rmi", RAW)
    if label(chosen, "container", CONTAINER) != key:
        chosen.succeeds("rm", "-f", CONTAINER)
        start(chosen, CONTAINER)
        say("rpm: started")
    elif chosen.run("inspect", "--format", "{{.State.Running}}", CONTAINER).strip() != "true":
        chosen.run("start", CONTAINER)
    return CONTAINER


def label(chosen: Engine, kind: str, name: str) -> str:
    """Of which recipe an image or container is; nothing where there is none."""
    form = f'{{{{index .Config.Labels "{_LABEL}"}}}}'
    try:
        return chosen.run(kind, "inspect", "--format", form, name).strip()
    except LabError:
        return ""


def start(chosen: Engine, name: str, image: str = IMAGE) -> None:
    """A container that runs nothing but a shell that waits."""
    idle = ("tail", "-f", "/dev/null")
    words = ("--detach", "--init", "--network", "none", "--hostname", "rpm-a")
    chosen.run("run", "--name", name, *words, *chosen.limits(), image, *idle)


def _raw(chosen: Engine) -> None:
    """The unpacked root as an image, without the library that shifts the clock."""
    tar = cache() / f"rpm-{os.getpid()}.tar"
    run("tar", "-C", rpm_root.ensure(), "--exclude=*faketime*", "-cf", tar, ".")
    try:
        chosen.run("import", "--change", 'CMD ["bash"]', tar, RAW)
    finally:
        tar.unlink()


def _step(chosen: Engine, step: str, parent: str, image: str, key: str) -> None:
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
        changes = ("--change", 'CMD ["bash"]', "--change", f"LABEL {_LABEL}={key}")
        chosen.run("commit", *changes, name, image)
    finally:
        chosen.succeeds("rm", "-f", name)
