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
    running,
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
    libraries,
    apt_history,
    apk_history,
    runtimes,
    environment,
    unpackaged,
    conffiles,
    automatic_updates,
    running,
    tuning,
)
