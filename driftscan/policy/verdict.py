"""Explained pairs -> the verdict of a run: how much was seen, and whether it is drift."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from driftscan import plausible
from driftscan.model import LEVELS, HostReport, Meta, Report, levels_from

FailOn: TypeAlias = Literal["breaks", "in-use", "installed", "never"]
FAIL_ON: tuple[FailOn, ...] = ("breaks", "in-use", "installed", "never")

NOTHING_JUDGED = 2
"""The exit code when no host was there to judge, and of every mistake of the user."""


_NEVER_EXCUSED = ("internal_error", "host_key_mismatch", "host_key_revoked")


def judge(
    hosts: Mapping[str, HostReport],
    fail_on: FailOn,
    *,
    allow_unreachable: str = "0",
    notes: Sequence[str] = (),
) -> Report:
    """The report of a run, hosts by name. Its exit code:

    0 every host was compared and nothing is at or above `fail_on`; 1 drift; 2 no host at all;
    3 something could not be seen and there is no drift in what was; 4 both. 0 is impossible on
    missing data, but for as many unreached hosts as `allow_unreachable` says (`N` or `P%`), and
    at least one host has to be seen. What was accepted is no drift.
    """
    unreached = [name for name, host in hosts.items() if not _is_compared(host)]
    incomplete = [name for name, host in hosts.items() if _is_compared(host) and _is_blind(host)]
    drifted = [name for name, host in hosts.items() if _is_drift(host, fail_on)]
    excused = _excused(hosts, unreached, allow_unreachable)
    complete = bool(hosts) and not unreached and not incomplete
    passable = bool(hosts) and excused == unreached and not incomplete
    levels = [finding.level for host in hosts.values() for finding in host.open_findings]
    counts: dict[str, int] = {
        "hosts": len(hosts),
        "compared": len(hosts) - len(unreached),
        "unreached": len(unreached),
        "excused": len(excused),
        "incomplete": len(incomplete),
        "drifted": len(drifted),
        "causes": sum(len(host.causes) for host in hosts.values()),
        "accepted": sum(len(host.findings) for host in hosts.values()) - len(levels),
    }
    counts |= {level: levels.count(level) for level in LEVELS}
    counts["expected"] += sum(len(e.members) for host in hosts.values() for e in host.expected)
    return Report(
        complete=complete,
        exit_code=_exit_code(bool(hosts), passable, bool(drifted)),
        fail_on=fail_on,
        counts=counts,
        notes=[*notes, *_excuse(excused, allow_unreachable), *plausible.twins(_metas(hosts))],
        hosts=dict(sorted(hosts.items())),
    )


def _metas(hosts: Mapping[str, HostReport]) -> list[Meta]:
    sides = (side for host in hosts.values() for side in (host.subject, host.reference))
    return [side for side in sides if side is not None]


def allowed(text: str, hosts: int) -> int:
    """How many of so many hosts `N` or `P%` are; a part of a host is none."""
    return hosts * int(text[:-1]) // 100 if text.endswith("%") else int(text)


def _excused(hosts: Mapping[str, HostReport], unreached: list[str], allow: str) -> list[str]:
    """All unreached hosts when so many are allowed and another was seen; else none.

    Never a host whose reference is lost, whose key changed, or that we failed on ourselves.
    """
    plain = [
        name
        for name in unreached
        if (lost := hosts[name].unreached) is not None
        and lost.target == name
        and lost.state not in _NEVER_EXCUSED
    ]
    few = len(plain) <= allowed(allow, len(hosts)) and len(plain) < len(hosts)
    return plain if few else []


def _excuse(excused: Sequence[str], allow: str) -> list[str]:
    if not excused:
        return []
    were = "host was" if len(excused) == 1 else "hosts were"
    names = ", ".join(sorted(excused))
    return [f"{len(excused)} {were} not reached, as --allow-unreachable {allow} allows: {names}"]


def _is_compared(host: HostReport) -> bool:
    return host.unreached is None and host.subject is not None and host.reference is not None


def _is_blind(host: HostReport) -> bool:
    return any(gap.blocks for gap in host.unknown)


def _is_drift(host: HostReport, fail_on: FailOn) -> bool:
    counted = levels_from(fail_on)
    return any(finding.level in counted for finding in host.open_findings)


def _exit_code(any_host: bool, passable: bool, drift: bool) -> int:
    if not any_host:
        return NOTHING_JUDGED
    if passable:
        return 1 if drift else 0
    return 4 if drift else 3
