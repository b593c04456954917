"""`driftscan check`: hosts against their baselines."""

import re
from functools import partial

import click

from driftscan.cli import completing, options
from driftscan.cli.options import Asking, Explaining, Fixing, Hosts, Reporting


def _allowance(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """`2` or `5%`: a percentage is of the hosts that are checked, rounded down."""
    if re.fullmatch(r"[0-9]{1,6}|(100|[0-9]{1,2})%", text, re.ASCII) is None:
        raise click.BadParameter(f"{text!r} is neither a number of hosts, as 2, nor a share, as 5%")
    return text


@click.command("check", cls=options.Configured)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=completing.targets)
@click.option(
    "--baseline",
    metavar="TARGET",
    shell_complete=completing.targets,
    help="Compare with this, instead of each host's own baseline.",
)
@click.option(
    "--allow-unreachable",
    metavar="N|P%",
    default="0",
    callback=_allowance,
    help="So many hosts may be out of reach without failing; they are told all the same.",
)
@options.hosts
@options.asking
@options.explaining
@options.reporting
@options.fixing
def command(
    targets: tuple[str, ...],
    baseline: str | None,
    allow_unreachable: str,
    hosts: Hosts,
    asking: Asking,
    explaining: Explaining,
    reporting: Reporting,
    fixing: Fixing,
) -> int:
    """Compare each TARGET with its baseline.

    This is the check before a deployment. Without a TARGET every host of the inventory is
    checked, or those that --limit selects, each against the baseline of its group.
    """
    from driftscan import resolve
    from driftscan.cli import asking as words
    from driftscan.cli import gate
    from driftscan.cli.fixing import road
    from driftscan.cli.judging import judged
    from driftscan.cli.telling import told

    selected, inventory = words.selected(targets, hosts)
    one = words.named((baseline,), hosts)[0] if baseline else None
    pairs = [(target, one or resolve.baseline_of(target, inventory)) for target in selected]
    opened = gate.opened(reporting, selected, allow_unreachable=allow_unreachable, whole=True)
    stopped = partial(told, reporting=reporting, gate=opened, quiet=False)
    way = road(fixing, asking, explaining)
    reports = judged(pairs, asking, explaining, road=way, stopped=stopped)
    return told(reports, reporting, opened, quiet=asking.quiet, fix=fixing.fix)
