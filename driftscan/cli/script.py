"""`driftscan script`: what is run on a host, for review."""

import click


@click.command("script")
@click.option(
    "--deadline",
    type=click.FloatRange(1, 86400),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="After how long the script ends itself.",
)
def command(deadline: float) -> int:
    """Print the script that runs on a host, for review.

    Each host runs it through `sh -s`; it reads, and writes nothing. Every run has another random
    mark in place of the one that is printed.
    """
    from driftscan import script
    from driftscan.cli.telling import out
    from driftscan.probes.table import PROBES

    out(script.questions(PROBES, deadline=deadline, nonce="0" * 32).script)
    return 0
