"""The table of all families of causes, in order: the first that can show it claims it."""

from driftscan.explain import (
    age,
    capability,
    environment,
    files,
    foreign,
    holds,
    linker,
    local_packages,
    pins,
    processes,
    programs,
    python,
    recommends,
    release,
    repositories,
    shadowing,
    transactions,
    vendored,
)
from driftscan.explain.contract import Family

FAMILIES: tuple[Family, ...] = (
    release,
    holds,
    pins,
    foreign,
    local_packages,
    repositories,
    age,
    recommends,
    transactions,
    files,
    shadowing,
    programs,
    python,
    vendored,
    capability,
    linker,
    environment,
    processes,
)
