"""The Debian 11 machine: made from the archive itself, not the frozen one, when a test wants it."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path

from tests.lab import hosts, serve
from tests.lab.engine import Engine
from tests.lab.rpm_machine import label
from tests.lab.settings import PREFIX, RECIPES, LabError, cache, folder, need, run, say

NAME = "bullseye"
IMAGE = f"{PREFIX}/{NAME}:latest"
PORT = 2207
_LABEL = f"{PREFIX}.recipe"
_SCRIPT = f"{NAME}/host.sh"


def ensure(chosen: Engine) -> hosts.Running:
    """The host, answering on ssh; made by its recipe where the engine has it not."""
    serving = serve.serving()
    if serving is None:
        raise LabError("the lab's archive is not served: start the lab with `make lab`")
    text = "".join((RECIPES / name).read_text() for name in ("lib.sh", _SCRIPT))
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    if label(chosen, "image", IMAGE) != key:
        _make(chosen, key)
    return hosts.launch(chosen, NAME, f"{PREFIX}-{NAME}", IMAGE, PORT, serving[1])


def _make(chosen: Engine, key: str) -> None:
    began = time.monotonic()
    raw, name = f"{PREFIX}/{NAME}-raw:{os.getpid()}", f"{PREFIX}-build-{NAME}-{os.getpid()}"
    argv = ["run", "--name", name, "--hostname", NAME, *chosen.limits(), *chosen.network()]
    argv += ["--tmpfs", "/run:exec,mode=755", "--volume", f"{RECIPES}:/dev/lab:ro", raw]
    proxy = [f"http_proxy={os.environ['http_proxy']}"] if "http_proxy" in os.environ else []
    chosen.run("import", "--change", 'CMD ["bash"]', _archive(), raw)
    say(f"{NAME}: running its recipe (a minute, once)")
    try:
        log = cache() / "logs" / f"{NAME}.log"
        chosen.run(*argv, "env", *proxy, "sh", f"/dev/lab/{_SCRIPT}", log=log)
        changes = ("--change", 'CMD ["bash"]', "--change", f"LABEL {_LABEL}={key}")
        chosen.run("commit", *changes, name, IMAGE)
    finally:
        chosen.succeeds("rm", "-f", name)
        chosen.succeeds("rmi", raw)
    say(f"{NAME}: image built, {time.monotonic() - began:.0f} s")


def _archive() -> Path:
    """A minbase system as a tar file, kept in the cache."""
    tar = folder(cache() / NAME) / "root.tar"
    if tar.exists():
        return tar
    tool = need("debootstrap", "debootstrap", "to make the Debian 11 root")
    need("wget", "wget", "by debootstrap")
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-", dir=cache()) as scratch:
        root, part = Path(scratch) / "root", tar.with_suffix(".part")
        say(f"{NAME}: debootstrap --variant=minbase (half a minute, once)")
        words = ("--variant=minbase", NAME, root, "http://deb.debian.org/debian")
        env = {"LC_ALL": "C", "LD_PRELOAD": ""}
        run(tool, *words, env=env, log=cache() / "logs" / f"{NAME}-debootstrap.log")
        left_out = [f"--exclude=./{name}/*" for name in ("dev", "proc", "sys")]
        run("tar", "-C", root, *left_out, "-cf", part, ".")
        part.replace(tar)
    return tar
