"""The table of all probes: what is asked, in this order."""

from driftscan.probes import apt_history, apt_sources, dpkg, environment, host, os, runtimes
from driftscan.probes.contract import Probe

PROBES: tuple[Probe, ...] = (
    host,
    os,
    dpkg,
    apt_sources,
    apt_history,
    runtimes,
    environment,
)
