"""Machines of other families: containers without a network in which a program only waits."""

from __future__ import annotations

from tests.lab.engine import Engine
from tests.lab.settings import PREFIX, say


def container(name: str) -> str:
    """The name of a machine's container: `docker://NAME` is its target."""
    return f"{PREFIX}-{name}"


def ensure(chosen: Engine, name: str, image: str) -> None:
    """The machine's container of this image: the one that runs, else a new one."""
    form = "{{.State.Running}} {{.Config.Image}}"
    known = chosen.succeeds("container", "inspect", container(name))
    if known and chosen.run("container", "inspect", "--format", form, container(name)).split() == [
        "true",
        image,
    ]:
        say(f"{name}: runs, docker://{container(name)}")
        return
    chosen.succeeds("rm", "-f", container(name))
    start(chosen, container(name), image)
    say(f"{name}: started, docker://{container(name)}")


def start(chosen: Engine, name: str, image: str) -> None:
    """A container of any name."""
    waits = ("tail", "-f", "/dev/null")
    network = ("--network", "none")
    chosen.run(
        "run", "--detach", "--init", "--name", name, *chosen.limits(), *network, image, *waits
    )
