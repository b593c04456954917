"""What a run is judged by: the accept file, the groups of its hosts, how many may be missing."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # the model costs 40 ms: only once a command runs
    from driftscan.cli.options import Reporting
    from driftscan.model import HostReport, Report, Rules, Target

DEFAULT_FILE = "driftscan-accept.yml"


class Gate(NamedTuple):
    """See `opened`; `whole`: the run is one that would use every rule."""

    rules: "Rules"
    groups: Mapping[str, Collection[str]]
    allow_unreachable: str
    whole: bool


def opened(
    reporting: "Reporting",
    targets: "Iterable[Target]",
    *,
    allow_unreachable: str = "0",
    whole: bool = False,
) -> Gate:
    """The gate of a run, before any machine is asked; raises InputError for a bad accept file."""
    return Gate(
        rules(reporting.accept),
        {target.name: target.groups for target in targets},
        allow_unreachable,
        whole,
    )


def rules(named: str | None) -> "Rules":
    """The rules of the accept file that is named, else of the one here, else none."""
    from driftscan.model import Rules

    if named is None and not Path(DEFAULT_FILE).exists():
        return Rules()
    from driftscan.policy import accept_file  # reading YAML costs 40 ms

    return accept_file.load(Path(named or DEFAULT_FILE))


def verdict(
    hosts: "Mapping[str, HostReport]", reporting: "Reporting", gate: Gate | None
) -> "Report":
    """The judged report of a run, with what is accepted today; without a gate nothing is."""
    from msgspec.structs import replace

    from driftscan import collector, privileges
    from driftscan.probes.table import PROBES

    judged = _judged(hosts, reporting, gate)
    lost = privileges.of_reports(hosts, collector.PATH, lambda: collector.digest(PROBES))
    return replace(judged, without_root=lost)


def _judged(
    hosts: "Mapping[str, HostReport]", reporting: "Reporting", gate: Gate | None
) -> "Report":
    from datetime import UTC, datetime

    from driftscan import policy

    if gate is None:
        return policy.judge(hosts, reporting.fail_on)
    today = datetime.now(UTC).date()
    judged, notes = policy.accept(hosts, gate.rules, today, gate.groups, whole=gate.whole)
    return policy.judge(
        judged, reporting.fail_on, allow_unreachable=gate.allow_unreachable, notes=notes
    )
