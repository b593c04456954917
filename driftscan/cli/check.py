"""`driftscan check`: hosts against their baselines."""

import click

from driftscan.cli import completing, options
from driftscan.cli.options import Asking, Fixing, Hosts, Reporting


@click.command("check", cls=options.Configured)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=completing.targets)
@click.option(
    "--baseline",
    metavar="TARGET",
    shell_complete=completing.targets,
    help="Compare with this, instead of each host's own baseline.",
)
@options.hosts
@options.asking
@options.reporting
@options.fixing
def command(
    targets: tuple[str, ...],
    baseline: str | None,
    hosts: Hosts,
    asking: Asking,
    reporting: Reporting,
    fixing: Fixing,
) -> int:
    """Compare each TARGET with its baseline.

    This is the check before a deployment. Without a TARGET every host of the inventory is
    checked, or those that --limit selects, each against the baseline of its group.
    """
    from driftscan import resolve
    from driftscan.cli import asking as words
    from driftscan.cli.judging import judged
    from driftscan.cli.telling import told

    selected, inventory = words.selected(targets, hosts)
    one = words.named((baseline,), hosts)[0] if baseline else None
    pairs = [(target, one or resolve.baseline_of(target, inventory)) for target in selected]
    return told(judged(pairs, asking), reporting, quiet=asking.quiet, fix=fixing.fix)
