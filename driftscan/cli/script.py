"""`driftscan script`: what is run on a host, for review."""

import click

from driftscan.cli import options


@click.command("script")
@click.option(
    "--deadline",
    type=click.FloatRange(1, 86400),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="After how long the script ends itself.",
)
@click.option(
    "--collector",
    "as_collector",
    is_flag=True,
    help="Print it as a program to install on hosts; its sha256 goes to standard error.",
)
@options.APP
@options.VERIFY
def command(deadline: float, *, as_collector: bool, app: tuple[str, ...], verify: bool) -> int:
    """Print the script that runs on a host, for review.

    Each host runs it through `sh -s`; it reads, and writes nothing. Every run has another random
    mark in place of the one that is printed. With --collector it is a program: installed, it lets
    a key or a rule of sudo run this and nothing else (docs/privileges.md); it looks below the
    --app that it was printed with and no other, and sums files if it was with --verify.
    """
    from driftscan import collector, script
    from driftscan.cli import faults
    from driftscan.cli.telling import out
    from driftscan.model import Scope
    from driftscan.probes.table import of

    probes = of(Scope(apps=app, verify=verify))
    if as_collector:
        out(collector.text(probes))
        faults.say(f"sha256:{collector.digest(probes)} {collector.PATH}")
        return 0
    out(script.questions(probes, deadline=deadline, nonce="0" * 32).script)
    return 0
