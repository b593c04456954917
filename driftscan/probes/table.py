"""The table of all probes: what is asked, in this order, and what only who asks for it gets."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from driftscan.model import Question, Raw, Scope, Section
from driftscan.probes import (
    accounts,
    apk,
    apk_history,
    apk_repositories,
    apps,
    apt_history,
    apt_sources,
    automatic_updates,
    certificates,
    conffiles,
    distroless,
    dnf,
    dpkg,
    environment,
    files,
    host,
    languages,
    libraries,
    naming,
    os,
    pacman,
    pacman_history,
    pacman_repositories,
    regional,
    rpm,
    rpm_conffiles,
    rpm_history,
    running,
    runtimes,
    services,
    set_times,
    software,
    tuning,
    unpackaged,
    verify,
)
from driftscan.probes.contract import About, Probe

PROBES: tuple[Probe, ...] = (
    host,
    os,
    dpkg,
    distroless,
    rpm,
    apt_sources,
    dnf,
    apk,
    apk_repositories,
    pacman,
    pacman_repositories,
    libraries,
    apt_history,
    apk_history,
    pacman_history,
    rpm_history,
    runtimes,
    environment,
    unpackaged,
    languages,
    conffiles,
    rpm_conffiles,
    automatic_updates,
    running,
    tuning,
    accounts,
    services,
    naming,
    regional,
    certificates,
    set_times,
    files,
    software,
)

ON_DEMAND: tuple[Probe, ...] = (apps, verify)
"""Those that `of` adds where its scope has something for them."""

_WALKING = {probe.NAME: probe.asked for probe in (languages, software, files, apps, verify)}
"""Those that look below the further roots too, by what they ask then."""


class _Walking(Struct, frozen=True):
    """A probe that is asked about further roots."""

    NAME: str
    GIVES: tuple[About, ...]
    ASK: tuple[Question, ...]
    read: Callable[[Raw], Mapping[str, Section]]

    def parse(self, raw: Raw) -> Mapping[str, Section]:
        return self.read(raw)


def of(scope: Scope) -> tuple[Probe, ...]:
    """The probes with what a scope adds; the table itself where it adds nothing."""
    probes = (*PROBES, verify) if scope.verify else PROBES
    if not scope.apps:
        return probes
    return tuple(_walking(probe, scope.apps) for probe in (*probes, apps))


def _walking(probe: Probe, roots: Sequence[str]) -> Probe:
    ask = _WALKING.get(probe.NAME)
    return _Walking(probe.NAME, probe.GIVES, ask(roots), probe.parse) if ask else probe
