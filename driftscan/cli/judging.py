"""Pairs of targets -> explained, each on its own: one host's fault is never the end of the run."""

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from driftscan.cli import faults
from driftscan.cli.asking import sides
from driftscan.errors import DriftscanError

if TYPE_CHECKING:
    from driftscan.cli.options import Asking
    from driftscan.model import HostReport, Side, Target, Unreached


def judged(
    pairs: "Iterable[tuple[Target, Target]]", asking: "Asking", about: str | None = None
) -> "dict[str, HostReport]":
    """The report of each subject against its reference, by the subject's name.

    A pair is explained as soon as both sides are there, and its subject then let go.
    """
    targets: dict[str, Target] = {}
    open_: dict[str, str] = {}
    subjects_of: dict[str, list[str]] = {}
    for subject, reference in pairs:
        targets |= {subject.name: subject, reference.name: reference}
        open_[subject.name] = reference.name
        subjects_of.setdefault(reference.name, []).append(subject.name)
    found: dict[str, Side | Unreached] = {}
    reports: dict[str, HostReport] = {}
    with closing(sides(targets.values(), asking)) as arriving:
        for arrived, side in arriving:
            found[arrived] = side
            for name in sorted({arrived, *subjects_of.get(arrived, ())} & open_.keys()):
                if name in found and open_[name] in found:
                    reports[name] = report_of(name, found[name], found[open_.pop(name)], about)
                    if name not in subjects_of:
                        del found[name]
    return reports


def report_of(
    name: str,
    subject: "Side | Unreached",
    reference: "Side | Unreached",
    about: str | None = None,
) -> "HostReport":
    """One pair explained, or why it could not be compared."""
    from driftscan import diff, scan
    from driftscan.explain import engine
    from driftscan.model import HostReport, Unreached

    if isinstance(subject, Unreached):
        return HostReport(state=subject.state, unreached=subject)
    if isinstance(reference, Unreached):
        return HostReport(state=reference.state, unreached=reference)
    try:
        comparison = diff.compare(subject.fingerprint, reference.fingerprint)
        return engine.explain(subject, reference, comparison, about)
    except DriftscanError:
        raise
    except Exception as error:  # noqa: BLE001 - the other hosts' reports are still wanted
        faults.tell(error)
        lost = scan.unreached(name, scan.fault(error), 0)
        return HostReport(state=lost.state, unreached=lost)
