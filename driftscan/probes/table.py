"""The table of all probes: what is asked, in this order."""

from driftscan.probes import dpkg, host
from driftscan.probes.contract import Probe

PROBES: tuple[Probe, ...] = (
    host,
    dpkg,
)
