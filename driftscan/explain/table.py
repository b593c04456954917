"""The table of all families of causes, in order: the first that can show it claims it."""

from driftscan.explain import (
    environment,
    files,
    holds,
    linker,
    processes,
    release,
    repositories,
    shadowing,
    transactions,
)
from driftscan.explain.contract import Family

FAMILIES: tuple[Family, ...] = (
    release,
    holds,
    repositories,
    transactions,
    files,
    shadowing,
    linker,
    environment,
    processes,
)
