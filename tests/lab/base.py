"""The base image: bookworm from main alone, by debootstrap, else from the official image."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path

from tests.lab.engine import Engine, container_url
from tests.lab.settings import (
    PREFIX,
    RECIPES,
    LabError,
    cache,
    folder,
    need,
    root_on_debian,
    run,
    say,
)

IMAGE = f"{PREFIX}/bookworm"
OFFICIAL = "debian:bookworm"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAMES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "amd64": "amd64",
    "i686": "i386",
    "armv7l": "armhf",
}


def architecture(engine: Engine) -> str:
    """Debian's name for the architecture that the engine runs."""
    form = "{{.Architecture}}" if engine.kind == "docker" else "{{.Host.Arch}}"
    said = engine.run("info", "--format", form).strip() or platform.machine()
    return NAMES.get(said, said)


def make(engine: Engine, tree: Path, port: int, suite: str) -> None:
    """Write base.tar into a mirror that is being filled."""
    began = time.monotonic()
    raw = f"{PREFIX}/raw:{os.getpid()}"
    with_debootstrap = root_on_debian() and debootstrap(engine, raw, port, suite)
    if not with_debootstrap:
        official(engine, raw)
    finish(engine, raw, tree)
    say(
        f"base: {suite} made with {'debootstrap' if with_debootstrap else OFFICIAL}, "
        f"{time.monotonic() - began:.0f} s"
    )


def debootstrap(engine: Engine, raw: str, port: int, suite: str) -> bool:
    """A minbase system as image `raw`; False where this machine does not let us make one."""
    tool = need("debootstrap", "debootstrap", "to make the base image")
    need("wget", "wget", "by debootstrap")
    with tempfile.TemporaryDirectory(prefix="bootstrap-", dir=folder(cache())) as scratch:
        root = Path(scratch) / "root"
        env = {
            "http_proxy": f"http://127.0.0.1:{port}",
            "no_proxy": "",
            "LC_ALL": "C",
            "LD_PRELOAD": "",
        }
        say(f"base: debootstrap --variant=minbase {suite} (half a minute)")
        try:
            run(
                tool,
                "--variant=minbase",
                suite,
                root,
                "http://deb.debian.org/debian",
                env=env,
                log=cache() / "logs" / "debootstrap.log",
            )
        except LabError as error:
            say(
                f"base: debootstrap does not work here, trying {OFFICIAL} "
                f"({str(error).splitlines()[-1].strip()})"
            )
            return False
        archive = Path(scratch) / "root.tar"
        run(
            "tar",
            "-C",
            root,
            "--exclude=./dev/*",
            "--exclude=./proc/*",
            "--exclude=./sys/*",
            "-cf",
            archive,
            ".",
        )
        engine.run("import", archive, raw)
    return True


def official(engine: Engine, raw: str) -> None:
    """The official image as `raw`; its own name is never touched."""
    if not engine.succeeds("image", "inspect", OFFICIAL):
        say(f"base: pulling {OFFICIAL}")
        try:
            engine.run("pull", OFFICIAL)
        except LabError as error:
            raise LabError(
                "the base image cannot be made: debootstrap needs root on Debian or Ubuntu, "
                f"and {OFFICIAL} cannot be pulled: {error}"
            ) from error
    engine.run("tag", OFFICIAL, raw)


def finish(engine: Engine, raw: str, tree: Path) -> None:
    """Make the raw system a base: sources, lab key, no logs; exported as base.tar."""
    name = f"{PREFIX}-build-base-{os.getpid()}"
    try:
        engine.run(
            "create", *engine.limits(), "-i", "--name", name, "--network", "none", raw, "sh", "-s"
        )
        engine.run(
            "cp", tree / "driftscan-lab.gpg", f"{name}:/etc/apt/trusted.gpg.d/driftscan-lab.gpg"
        )
        engine.run(
            "start",
            "-a",
            "-i",
            name,
            stdin=(RECIPES / "base.sh").read_text(),
            log=cache() / "logs" / "base.log",
        )
        part = tree / "base.tar.part"
        engine.run("export", "-o", part, name)
        part.replace(tree / "base.tar")
    finally:
        engine.succeeds("rm", "-f", name)
        engine.succeeds("rmi", raw)


def download(engine: Engine, tree: Path, port: int, lists: list[str]) -> None:
    """Have apt fetch what the lists bring, from main and from main and security."""
    say(f"mirror: downloading {len(lists)} package lists, from main alone and with security")
    began = time.monotonic()
    image = load(engine, tree, "filling")
    try:
        argv = [
            "run",
            "--rm",
            "-i",
            *engine.limits(),
            *engine.network(),
            image,
            "env",
            f"http_proxy={container_url(port)}",
            "sh",
            "-c",
            (RECIPES / "fill.sh").read_text(),
        ]
        engine.run(
            *argv, stdin="".join(f"{line}\n" for line in lists), log=cache() / "logs" / "fill.log"
        )
    finally:
        engine.succeeds("rmi", image)
    say(f"mirror: downloaded, {time.monotonic() - began:.0f} s")


def load(engine: Engine, tree: Path, tag: str) -> str:
    """Import base.tar under a tag."""
    image = f"{IMAGE}:{tag}"
    changes = [
        "--change",
        'CMD ["bash"]',
        "--change",
        f"ENV PATH={PATH}",
        "--change",
        f"LABEL {PREFIX}.mirror={tag}",
    ]
    engine.run("import", *changes, tree / "base.tar", image)
    return image


def ensure(engine: Engine, tree: Path, key: str) -> str:
    """The base image of a mirror, imported if the engine has lost it; also tagged `latest`."""
    image = f"{IMAGE}:{key}"
    if engine.succeeds("image", "inspect", image):
        say(f"base: {image} (cached)")
    else:
        say(f"base: importing {image}")
        load(engine, tree, key)
    engine.run("tag", image, f"{IMAGE}:latest")
    return image
