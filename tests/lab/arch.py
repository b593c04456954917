"""The Arch-like machine: a root made of small packages by Debian's own build of pacman."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from tests.lab import idle
from tests.lab.engine import Engine
from tests.lab.settings import PREFIX, RECIPES, cache, folder, need, run, say

IMAGE = f"{PREFIX}/arch"


def ensure(chosen: Engine) -> str:
    """The container of the machine, made anew if its recipe changed; gives its name."""
    recipe = RECIPES / "arch.sh"
    key = hashlib.sha256(recipe.read_bytes()).hexdigest()[:12]
    if not chosen.succeeds("image", "inspect", f"{IMAGE}:{key}"):
        need("pacman", "pacman-package-manager", "to make the Arch-like root")
        with tempfile.TemporaryDirectory(prefix="arch-", dir=folder(cache())) as scratch:
            chosen.run("import", "--change", 'CMD ["sh"]', _made(recipe, Path(scratch)), IMAGE)
        chosen.run("tag", f"{IMAGE}:latest", f"{IMAGE}:{key}")
    idle.ensure(chosen, "arch", f"{IMAGE}:{key}")
    return idle.container("arch")


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
