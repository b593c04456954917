"""`driftscan demo`: the story of two servers, from recorded answers over real SSH."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftscan.cli.options import Asking, Explaining, Reporting

if TYPE_CHECKING:
    from driftscan.model import Target

_ASKING = Asking()
_REPORTING = Reporting(
    format="text",
    outputs=(),
    fail_on="installed",
    accept=None,
    brief=False,
    everything=False,
    width=None,
    color="auto",
)

STORY = (
    (
        "Two servers do the same job. web-a was set up some weeks ago, web-b today.",
        "compare web-a web-b",
    ),
    (
        "The record of how it should be is a Dockerfile. Its image was asked the same questions.",
        "check web-a",
    ),
    ("And the other one?", "check web-b"),
)


@click.command("demo")
def command() -> int:
    """Show it all on two recorded servers.

    Two servers should be the same and are not. Their recorded answers are served by an SSH server
    inside this process: no root, no container engine, no network.
    """
    from driftscan.cli.judging import judged
    from driftscan.cli.telling import out, told
    from driftscan.demo import story

    code = 0
    with story.served() as inventory:
        # not the user's cache: the story is told anew each time, and leaves nothing
        cache = str(inventory.parent / "cache")
        explaining = Explaining(details=True, network="", symptom="", cache=cache)
        for words, line in STORY:
            out(f"\n{words}\n\n$ driftscan {line}\n\n")
            reports = judged([_pair(line, inventory)], _ASKING, explaining)
            verdict = told(reports, _REPORTING, quiet=False)
            # Drift (1) is what the story is about; anything above is a failure of the demo.
            code = max(code, verdict if verdict > 1 else 0)
    return code


def _pair(line: str, path: Path) -> "tuple[Target, Target]":
    """The two sides of a line of the story: hosts of its inventory, or a host and its baseline."""
    from driftscan import resolve
    from driftscan.inventory import native, targets

    inventory = native.load(path)
    subject, *others = [targets.parse(word, inventory) for word in line.split()[1:]]
    return subject, others[0] if others else resolve.baseline_of(subject, inventory)
