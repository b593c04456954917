"""The images of the hosts: each recipe is run once, in the base image or on top of another host."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.lab import base, later
from tests.lab.engine import Engine, container_url
from tests.lab.mirror import Mirror
from tests.lab.settings import PREFIX, RECIPES, LabError, cache, say

DAY = 24 * 3600


@dataclass(frozen=True)
class Host:
    """One host: recipes/NAME.sh, run in the base image or in the image of another host."""

    name: str
    port: int
    days_ago: int = 0
    parent: str | None = None
    group: str = "web"


HOSTS = (
    Host("web-a", 2201, days_ago=28),
    Host("web-b", 2202),
    Host("web-c", 2203, parent="web-a"),
    Host("web-p", 2204, parent="web-a"),
    Host("web-t", 2205, parent="web-a"),
    Host("web-u", 2206, parent="web-a"),
)


def by_name(name: str) -> Host:
    """The row of a host."""
    for host in HOSTS:
        if host.name == name:
            return host
    raise LabError(f"the lab has no host {name!r}: it has {', '.join(host.name for host in HOSTS)}")


def named(names: Sequence[str]) -> list[Host]:
    """The rows of some hosts and of those they go on from, parents first; no name is all."""
    wanted = [by_name(name) for name in names] or list(HOSTS)
    parents = [by_name(host.parent) for host in wanted if host.parent]
    return list(dict.fromkeys([*parents, *wanted]))


def key(host: Host, frozen: Mirror, later: str = "") -> str:
    """What the image of a host depends on: archive, recipe, parent and what was fetched for it."""
    above = key(by_name(host.parent), frozen) + later if host.parent else frozen.key
    text = (
        above
        + str(host.days_ago)
        + (RECIPES / "lib.sh").read_text()
        + (RECIPES / f"{host.name}.sh").read_text()
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def image(host: Host, frozen: Mirror, later: str = "") -> str:
    """The name of a host's image."""
    return f"{PREFIX}/{host.name}:{key(host, frozen, later)}"


def first_day(frozen: Mirror, days_ago: int, now: float) -> int:
    """Midnight of a host's first day: as asked, but after the newest package was built."""
    wanted = now - days_ago * DAY
    earliest = frozen.newest + DAY
    day = int(max(wanted, earliest) // DAY) * DAY
    if day + 2 * DAY > now:
        raise LabError(
            "main has a package of the last two days, so no host can have been set up with it "
            "earlier: try again in two days"
        )
    return day


def build(host: Host, chosen: Engine, frozen: Mirror, port: int, later_key: str = "") -> str:
    """The image of a host, made by its recipe unless the engine has it."""
    tag = image(host, frozen, later_key)
    if chosen.succeeds("image", "inspect", tag):
        say(f"{host.name}: image {tag} (cached)")
        chosen.run("tag", tag, f"{PREFIX}/{host.name}:latest")
        return tag
    began = time.monotonic()
    say(f"{host.name}: running its recipe (a few minutes, once)")
    parent = image(by_name(host.parent), frozen) if host.parent else f"{base.IMAGE}:{frozen.key}"
    name = f"{PREFIX}-build-{host.name}-{os.getpid()}"
    words = ["env", f"http_proxy={container_url(port)}"]
    if host.days_ago:
        words.append(f"LAB_DAY={first_day(frozen, host.days_ago, time.time())}")
    argv = [
        "run",
        "--name",
        name,
        "--hostname",
        host.name,
        *chosen.limits(),
        *chosen.network(),
        "--tmpfs",
        "/run:exec,mode=755",
        "--volume",
        f"{RECIPES}:/dev/lab:ro",
    ]
    if host.parent:
        argv += ["--volume", f"{later.wheels(frozen)}:/dev/wheels:ro"]
    argv.append(parent)
    try:
        chosen.run(
            *argv,
            *words,
            "sh",
            f"/dev/lab/{host.name}.sh",
            log=cache() / "logs" / f"{host.name}.log",
        )
        chosen.run("commit", "--change", 'CMD ["bash"]', name, tag)
    finally:
        chosen.succeeds("rm", "-f", name)
    chosen.run("tag", tag, f"{PREFIX}/{host.name}:latest")
    say(f"{host.name}: image {tag} built, {time.monotonic() - began:.0f} s")
    return tag


def build_all(
    chosen: Engine, frozen: Mirror, port: int, names: Sequence[str] = ()
) -> dict[str, str]:
    """The images of hosts (no name: of all) and of their parents, parents first, two at a time."""
    wanted = named(names)
    first = [host for host in wanted if not host.parent]
    images = _build_wave(first, chosen, frozen, port)
    others = [host for host in wanted if host.parent]
    if others:
        fetched = later.ensure(chosen, frozen, images["web-a"])
        images |= _build_wave(others, chosen, frozen, port, fetched)
    return images


def _build_wave(
    hosts: Sequence[Host], chosen: Engine, frozen: Mirror, port: int, later_key: str = ""
) -> dict[str, str]:
    with ThreadPoolExecutor(max_workers=2) as pool:
        made = pool.map(lambda host: build(host, chosen, frozen, port, later_key), hosts)
        return dict(zip((host.name for host in hosts), made, strict=True))


def prune(chosen: Engine, frozen: Mirror) -> None:
    """Drop the lab's images of older recipes and archives, where nothing uses them."""
    later_key = later.key(frozen)
    kept = {image(host, frozen, later_key) for host in HOSTS} | {f"{base.IMAGE}:{frozen.key}"}
    names = chosen.run("images", "--format", "{{.Repository}}:{{.Tag}}", f"{PREFIX}/*").split()
    for name in names:
        short = name.removeprefix("localhost/")
        if short not in kept and not short.endswith(":latest") and chosen.succeeds("rmi", name):
            say(f"{short}: image dropped")
