"""`driftscan explain`: one pair in full, or all that is known of one thing."""

from typing import TYPE_CHECKING

import click

from driftscan.cli import completing, options
from driftscan.cli.options import Asking, Explaining, Fixing, Hosts, Reporting

if TYPE_CHECKING:
    from driftscan.model import Target


@click.command("explain", cls=options.Configured)
@click.argument("subject", shell_complete=completing.targets)
@click.argument("reference", required=False, shell_complete=completing.targets)
@click.option(
    "--about",
    metavar="NAME|ID",
    help="Only this, also if it does not differ: a package, source, library, program, or an id.",
)
@options.INVENTORY
@options.asking
@options.explaining
@options.reporting
@options.fixing
def command(
    subject: str,
    reference: str | None,
    about: str | None,
    inventory: str | None,
    asking: Asking,
    explaining: Explaining,
    reporting: Reporting,
    fixing: Fixing,
) -> int:
    """Explain how SUBJECT differs from REFERENCE, with all evidence.

    Without a REFERENCE it is the baseline of SUBJECT's group.
    """
    from dataclasses import replace

    from driftscan.cli import gate
    from driftscan.cli.fixing import road
    from driftscan.cli.judging import judged
    from driftscan.cli.telling import told

    pair = _pair(subject, reference, Hosts(inventory, ()))
    opened = gate.opened(reporting, pair[:1])
    reports = judged([pair], asking, explaining, about, road(fixing, asking, explaining))
    full = reporting if reporting.brief else replace(reporting, everything=True)
    return told(reports, full, opened, quiet=asking.quiet, fix=fixing.fix)


def _pair(subject: str, reference: str | None, hosts: Hosts) -> "tuple[Target, Target]":
    from driftscan import resolve
    from driftscan.cli import asking as words

    if reference is not None:
        one, other = words.named((subject, reference), hosts)
        return one, other
    (one,) = words.named((subject,), hosts)
    return one, resolve.baseline_of(one, words.inventory_at(hosts.inventory))
