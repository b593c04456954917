"""Machines of other families: containers without a network in which a program only waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from os import getpid

from tests.lab.engine import Engine
from tests.lab.rpm_machine import label
from tests.lab.settings import PREFIX, say

LABEL = f"{PREFIX}.recipe"
_NUMBERS = count()


def image(name: str) -> str:
    """The image of a machine; its label is the recipe that it was made by."""
    return f"{PREFIX}/{name}:latest"


def container(name: str) -> str:
    """The name of a machine's container: `docker://NAME` is its target."""
    return f"{PREFIX}-{name}"


def ensure(chosen: Engine, name: str, key: str, make: Callable[[], None]) -> str:
    """The machine's container, made anew if its recipe (`key`) changed; gives its name."""
    if label(chosen, "image", image(name)) != key:
        make()
    if label(chosen, "container", container(name)) != key:
        chosen.succeeds("rm", "-f", container(name))
        start(chosen, container(name), image(name))
        say(f"{name}: started, docker://{container(name)}")
    elif not chosen.succeeds("exec", container(name), "true"):
        chosen.run("start", container(name))
    return container(name)


def start(chosen: Engine, name: str, of_image: str) -> None:
    """A container of any name."""
    waits = ("tail", "-f", "/dev/null")
    words = ("--detach", "--init", "--network", "none")
    chosen.run("run", "--name", name, *words, *chosen.limits(), of_image, *waits)


@contextmanager
def fresh(chosen: Engine, name: str) -> Iterator[str]:
    """Another container of a machine's image, gone afterwards."""
    other = f"{PREFIX}-test-{name}-{getpid()}-{next(_NUMBERS)}"
    try:
        start(chosen, other, image(name))
        yield other
    finally:
        chosen.succeeds("rm", "-f", other)
