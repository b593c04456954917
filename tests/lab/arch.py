"""The Arch-like machine: a root made of small packages by Debian's own build of pacman."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from tests.lab import idle
from tests.lab.engine import Engine
from tests.lab.settings import RECIPES, cache, folder, need, run, say


def ensure(chosen: Engine) -> str:
    """The container of the machine, made anew if its recipe changed; gives its name."""
    recipe = RECIPES / "arch.sh"
    key = hashlib.sha256(recipe.read_bytes()).hexdigest()[:12]
    return idle.ensure(chosen, "arch", key, lambda: _make(chosen, recipe, key))


def _make(chosen: Engine, recipe: Path, key: str) -> None:
    need("pacman", "pacman-package-manager", "to make the Arch-like root")
    changes = ("--change", 'CMD ["sh"]', "--change", f"LABEL {idle.LABEL}={key}")
    with tempfile.TemporaryDirectory(prefix="arch-", dir=folder(cache())) as scratch:
        chosen.run("import", *changes, _made(recipe, Path(scratch)), idle.image("arch"))


def _made(recipe: Path, scratch: Path) -> Path:
    """A tar file of the root."""
    say("arch: running its recipe")
    log = cache() / "logs" / "arch.log"
    fetched = folder(scratch / "busybox")
    run(
        "sh", "-c", f"cd '{fetched}' && apt-get download busybox-static && dpkg -x *.deb .", log=log
    )
    root, work = folder(scratch / "root"), folder(scratch / "work")
    run("sh", recipe, root, work, fetched / "bin" / "busybox", log=log)
    tar = scratch / "root.tar"
    run("tar", "-C", root, "-cf", tar, ".")
    return tar
