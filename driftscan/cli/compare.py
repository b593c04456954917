"""`driftscan compare`: two targets against each other."""

import click

from driftscan.cli import completing, options
from driftscan.cli.options import Asking, Explaining, Fixing, Hosts, Reporting


@click.command("compare", cls=options.Configured)
@click.argument("subject", shell_complete=completing.targets)
@click.argument("reference", shell_complete=completing.targets)
@options.INVENTORY
@options.asking
@options.explaining
@options.reporting
@options.fixing
def command(
    subject: str,
    reference: str,
    inventory: str | None,
    asking: Asking,
    explaining: Explaining,
    reporting: Reporting,
    fixing: Fixing,
) -> int:
    """Compare SUBJECT with REFERENCE and explain each difference.

    Missing means: only REFERENCE has it. The commands at the end would change SUBJECT; they are
    printed, never run.
    """
    from driftscan.cli import asking as words
    from driftscan.cli import gate
    from driftscan.cli.fixing import road
    from driftscan.cli.judging import judged
    from driftscan.cli.telling import told

    one, other = words.named((subject, reference), Hosts(inventory, ()))
    opened = gate.opened(reporting, [one])
    reports = judged([(one, other)], asking, explaining, road=road(fixing, asking, explaining))
    return told(reports, reporting, opened, quiet=asking.quiet, fix=fixing.fix)
