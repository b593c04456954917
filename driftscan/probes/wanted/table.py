"""The table of all kinds of details: what the second trip can ask, in this order."""

from driftscan.probes.contract import Kind
from driftscan.probes.wanted import (
    available,
    binaries,
    changelogs,
    classes,
    contents,
    imports,
    owners,
    programs,
    rpm_changelogs,
    status,
    symbols,
)

KINDS: tuple[Kind, ...] = (
    changelogs,
    symbols,
    available,
    status,
    classes,
    programs,
    imports,
    rpm_changelogs,
    contents,
    binaries,
    owners,
)
