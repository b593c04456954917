"""Explained pairs -> the verdict of a run: how much was seen, and whether it is drift."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from driftscan.model import LEVELS, HostReport, Report, levels_from

FailOn: TypeAlias = Literal["breaks", "in-use", "installed", "never"]
FAIL_ON: tuple[FailOn, ...] = ("breaks", "in-use", "installed", "never")

NOTHING_JUDGED = 2
"""The exit code when no host was there to judge, and of every mistake of the user."""


def judge(hosts: Mapping[str, HostReport], fail_on: FailOn) -> Report:
    """The report of a run, hosts by name. Its exit code:

    0 every host was compared and nothing is at or above `fail_on`; 1 drift; 2 no host at all;
    3 something could not be seen and there is no drift in what was; 4 both. 0 is impossible on
    missing data.
    """
    unreached = [name for name, host in hosts.items() if not _is_compared(host)]
    incomplete = [name for name, host in hosts.items() if _is_compared(host) and _is_blind(host)]
    drifted = [name for name, host in hosts.items() if _is_drift(host, fail_on)]
    complete = bool(hosts) and not unreached and not incomplete
    levels = [finding.level for host in hosts.values() for finding in host.open_findings]
    counts: dict[str, int] = {
        "hosts": len(hosts),
        "compared": len(hosts) - len(unreached),
        "unreached": len(unreached),
        "incomplete": len(incomplete),
        "drifted": len(drifted),
        "causes": sum(len(host.causes) for host in hosts.values()),
        "accepted": sum(len(host.findings) for host in hosts.values()) - len(levels),
    }
    counts |= {level: levels.count(level) for level in LEVELS}
    counts["expected"] += sum(len(e.members) for host in hosts.values() for e in host.expected)
    return Report(
        complete=complete,
        exit_code=_exit_code(bool(hosts), complete, bool(drifted)),
        fail_on=fail_on,
        counts=counts,
        hosts=dict(sorted(hosts.items())),
    )


def _is_compared(host: HostReport) -> bool:
    return host.unreached is None and host.subject is not None and host.reference is not None


def _is_blind(host: HostReport) -> bool:
    return any(gap.blocks for gap in host.unknown)


def _is_drift(host: HostReport, fail_on: FailOn) -> bool:
    counted = levels_from(fail_on)
    return any(finding.level in counted for finding in host.open_findings)


def _exit_code(any_host: bool, complete: bool, drift: bool) -> int:
    if not any_host:
        return NOTHING_JUDGED
    if complete:
        return 1 if drift else 0
    return 4 if drift else 3
