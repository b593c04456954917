"""The table of all probes: what is asked, in this order."""

from driftscan.probes import (
    apk,
    apk_history,
    apk_repositories,
    apt_history,
    apt_sources,
    automatic_updates,
    conffiles,
    dpkg,
    environment,
    host,
    libraries,
    os,
<<<<<<< HEAD
    running,
=======
    pacman,
    pacman_history,
    pacman_repositories,
>>>>>>> 19adfdf (Probes of pacman: packages, holds, needs, history, repositories; an Arch-like machine in the lab)
    runtimes,
    tuning,
    unpackaged,
)
from driftscan.probes.contract import Probe

PROBES: tuple[Probe, ...] = (
    host,
    os,
    dpkg,
    apt_sources,
    apk,
    apk_repositories,
    pacman,
    pacman_repositories,
    libraries,
    apt_history,
    apk_history,
    pacman_history,
    runtimes,
    environment,
    unpackaged,
    conffiles,
    automatic_updates,
    running,
    tuning,
)
