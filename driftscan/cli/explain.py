"""`driftscan explain`: one pair in full, or all that is known of one thing."""

from typing import TYPE_CHECKING

import click

from driftscan.cli import completing, options
from driftscan.cli.options import Asking, Hosts, Reporting
from driftscan.errors import InputError

if TYPE_CHECKING:
    from driftscan.model import Finding, HostReport, Target


@click.command("explain", cls=options.Configured)
@click.argument("subject", shell_complete=completing.targets)
@click.argument("reference", required=False, shell_complete=completing.targets)
@click.option(
    "--about",
    metavar="NAME|ID",
    help="Only this: a package, a source package, or the id of a finding or a cause.",
)
@options.INVENTORY
@options.asking
@options.reporting
def command(
    subject: str,
    reference: str | None,
    about: str | None,
    inventory: str | None,
    asking: Asking,
    reporting: Reporting,
) -> int:
    """Explain how SUBJECT differs from REFERENCE, with all evidence.

    Without a REFERENCE it is the baseline of SUBJECT's group.
    """
    from dataclasses import replace

    from driftscan.cli.judging import judged
    from driftscan.cli.telling import told

    pair = _pair(subject, reference, Hosts(inventory, ()))
    reports = judged([pair], asking)
    if about is not None:
        reports = {name: only(report, about) for name, report in reports.items()}
    full = reporting if reporting.brief else replace(reporting, everything=True)
    return told(reports, full, quiet=asking.quiet)


def _pair(subject: str, reference: str | None, hosts: Hosts) -> "tuple[Target, Target]":
    from driftscan import resolve
    from driftscan.cli import asking as words

    if reference is not None:
        one, other = words.named((subject, reference), hosts)
        return one, other
    (one,) = words.named((subject,), hosts)
    return one, resolve.baseline_of(one, words.inventory_at(hosts.inventory))


def only(report: "HostReport", about: str) -> "HostReport":
    """The part of a report that one name or id is about; raises InputError if there is none."""
    from msgspec.structs import replace

    from driftscan.inventory.contract import meant

    if report.unreached is not None:
        return report
    findings = [finding for finding in report.findings if about in _names(finding)]
    known = {name for finding in findings for name in (finding.cause, *finding.also)} | {about}
    causes = [cause for cause in report.causes if cause.id in known]
    expected = [
        replace(group, members=found)
        for group in report.expected
        if (found := [member for member in group.members if about in _words(member)])
    ]
    if not findings and not causes and not expected:
        names = {name for finding in report.findings for name in _names(finding)}
        hint = meant(about, sorted(names)) or ": it is equal on both sides, or on neither"
        raise InputError(f"nothing that differs is called '{about}'{hint}")
    ids = {cause.id for cause in causes}
    remedies = [remedy for remedy in report.remedies if ids & set(remedy.causes)]
    return replace(report, findings=findings, causes=causes, expected=expected, remedies=remedies)


def _names(finding: "Finding") -> set[str]:
    """What a finding answers to: its id, its cause's, and the names of all that is in it."""
    members = {word for member in finding.members for word in _words(member.id)}
    return {*_words(finding.id), finding.cause, *finding.also, *members}


def _words(name: str) -> tuple[str, str]:
    """`dpkg:libc6:i386` is also called `libc6:i386`."""
    return name, name.partition(":")[2]
