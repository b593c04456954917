"""The options that several commands share, each bundle as one argument of the command."""

import functools
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from driftscan.cli import checked, completing, configuration

if TYPE_CHECKING:
    from driftscan.policy import FailOn

Function: TypeAlias = Callable[..., Any]


class Configured(click.Command):
    """A command whose options take their defaults from the configuration file."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the file, unless the command is only asked for help or for completions."""
        if "--help" not in args and not extra.get("resilient_parsing"):
            named = parent.params.get("config") if parent else None
            extra["default_map"] = configuration.defaults(named)
        return super().make_context(info_name, args, parent, **extra)


@dataclass(frozen=True, slots=True)
class Hosts:
    """Which inventory, and which of its hosts."""

    inventory: str | None
    limit: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asking:
    """How machines are asked; `ends` is when the run has to end, by time.monotonic()."""

    become: bool | None = None
    deadline: float = 120.0
    timeouts: tuple[tuple[str, float], ...] = ()
    ends: float = math.inf
    workers: int = 0
    per_jump: int = 8
    engine: str = ""
    quiet: bool = False
    road: str = ""
    app: tuple[str, ...] = ()
    verify: bool = False


@dataclass(frozen=True, slots=True)
class Explaining:
    """What is learned beyond the first answers, and what the user saw.

    `cache` is a folder in place of the user's cache; no option sets it.
    """

    details: bool
    network: str
    symptom: str
    cache: str = ""


@dataclass(frozen=True, slots=True)
class Reporting:
    """Where reports go, how they look, and what counts as drift."""

    format: str
    outputs: tuple[tuple[str, str], ...]
    fail_on: "FailOn"
    accept: str | None
    brief: bool
    everything: bool
    width: int | None
    color: str


@dataclass(frozen=True, slots=True)
class Fixing:
    """What is done with the remedies beside printing them."""

    fix: str | None
    simulate: bool


def _bundle(
    name: str, kind: type, *options: Callable[[Function], Function]
) -> Callable[[Function], Function]:
    """A decorator that adds the options and hands them to the command as one argument."""
    named = {field.name for field in fields(kind)}

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def command(**values: Any) -> Any:
            bundle = kind(**{key: values.pop(key) for key in named & values.keys()})
            return function(**{name: bundle}, **values)

        made: Function = command
        for option in reversed(options):
            made = option(made)
        return made

    return decorate


INVENTORY = click.option(
    "-i",
    "--inventory",
    metavar="FILE",
    envvar="DRIFTSCAN_INVENTORY",
    show_envvar=True,
    type=click.Path(),
    help="The inventory, ours or Ansible's, `-` for standard input; without it the "
    "configuration's, else ./inventory.yml if it is there.",
)
LIMIT = click.option(
    "--limit",
    multiple=True,
    metavar="PATTERN",
    envvar="DRIFTSCAN_LIMIT",
    help="Only these hosts: names, groups, globs, ~REGEX, GROUP[0:2], &AND, !NOT, @FILE.",
    shell_complete=completing.hosts_and_groups,
)
QUIET = click.option(
    "-q", "--quiet", is_flag=True, help="No progress, and no report where nothing is wrong."
)
ENGINE = click.option(
    "--engine",
    metavar="PROGRAM",
    envvar="DRIFTSCAN_ENGINE",
    show_envvar=True,
    default="",
    help="The container engine's client; without it docker, else podman.",
)


APP = click.option(
    "--app",
    multiple=True,
    metavar="PATH",
    envvar="DRIFTSCAN_APP",
    callback=checked.apps,
    help="Look below this directory too: its packages of languages, programs, libraries and"
    " configuration. May be given several times; adds to the inventory's `app`.",
)
VERIFY = click.option(
    "--verify",
    is_flag=True,
    envvar="DRIFTSCAN_VERIFY",
    help="Sum all files of packages and tell those that are not as shipped: seconds on the host.",
)

hosts = _bundle("hosts", Hosts, INVENTORY, LIMIT)
asking = _bundle(
    "asking",
    Asking,
    click.option(
        "--road",
        type=click.Choice(configuration.ROADS),
        default=None,
        callback=lambda _context, _parameter, value: value or "",
        envvar="DRIFTSCAN_ROAD",
        help="Ask hosts over paramiko (ssh) or the ssh program (openssh), whatever the inventory"
        " says; read: local images are read, not run.",
    ),
    click.option(
        "--become/--no-become",
        default=None,
        envvar="DRIFTSCAN_BECOME",
        help="Ask through `sudo -n sh -s`, whatever the inventory says.",
    ),
    click.option(
        "--deadline",
        type=click.FloatRange(1, 86400),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        envvar="DRIFTSCAN_DEADLINE",
        help="How long one machine may take.",
    ),
    click.option(
        "--timeout",
        "timeouts",
        multiple=True,
        metavar="STAGE=SECONDS",
        envvar="DRIFTSCAN_TIMEOUTS",
        callback=checked.timeouts,
        help=f"How long one stage may take: {configuration.DEFAULT_TIMEOUTS}.",
    ),
    click.option(
        "--run-deadline",
        "ends",
        type=click.FloatRange(1, 604800),
        default=3600.0,
        show_default=True,
        metavar="SECONDS",
        envvar="DRIFTSCAN_RUN_DEADLINE",
        callback=lambda _context, _parameter, value: time.monotonic() + value,
        help="After it no more machines are asked: the rest is `skipped`.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1, 512),
        default=None,
        callback=lambda _context, _parameter, value: value or 0,
        metavar="N",
        envvar="DRIFTSCAN_WORKERS",
        help="How many machines are asked at once.  [default: up to 32]",
    ),
    click.option(
        "--per-jump",
        type=click.IntRange(1, 512),
        default=8,
        show_default=True,
        metavar="N",
        envvar="DRIFTSCAN_PER_JUMP",
        help="How many of them at once through one jump host.",
    ),
    APP,
    VERIFY,
    ENGINE,
    QUIET,
)
explaining = _bundle(
    "explaining",
    Explaining,
    click.option(
        "--details/--no-details",
        default=True,
        show_default=True,
        envvar="DRIFTSCAN_DETAILS",
        show_envvar=True,
        help="Ask once more about what differs (changelogs, symbols), and keep the answers in the"
        " cache. What an image lacks comes from another host of the run, else from its packages,"
        " fetched in a container of it.",
    ),
    click.option(
        "--network",
        default="",
        metavar="NAME",
        envvar="DRIFTSCAN_NETWORK",
        show_envvar=True,
        callback=checked.network,
        help="The network of containers that fetch, such as host; without it the engine's default.",
    ),
    click.option(
        "--symptom",
        default="",
        metavar="TEXT",
        callback=checked.symptom,
        help="An error message you have seen: looked for in what changed.",
    ),
)
reporting = _bundle(
    "reporting",
    Reporting,
    click.option(
        "-f",
        "--format",
        type=click.Choice(configuration.FORMATS),
        default="text",
        show_default=True,
        envvar="DRIFTSCAN_FORMAT",
        help="The form of the report on standard output.",
    ),
    click.option(
        "-o",
        "--output",
        "outputs",
        multiple=True,
        metavar="FORMAT=PATH",
        callback=checked.outputs,
        help="Also write a report to a file; may be given several times.",
    ),
    click.option(
        "--fail-on",
        type=click.Choice(configuration.FAIL_ON),
        default="installed",
        show_default=True,
        envvar="DRIFTSCAN_FAIL_ON",
        help="The level from which a difference is drift (exit code 1).",
    ),
    click.option(
        "--accept",
        metavar="FILE",
        envvar="DRIFTSCAN_ACCEPT",
        type=click.Path(),
        help="The accepted differences; without it ./driftscan-accept.yml if it is there.",
    ),
    click.option("--brief", is_flag=True, help="One line a cause."),
    click.option("--all", "everything", is_flag=True, help="Every item and all evidence."),
    click.option(
        "--width",
        type=click.IntRange(40, 1000),
        default=None,
        metavar="N",
        help="Columns of the text report.  [default: the terminal's; 100 when piped]",
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        envvar="DRIFTSCAN_COLOR",
        help="Colours; auto minds the terminal and NO_COLOR.",
    ),
)


fixing = _bundle(
    "fixing",
    Fixing,
    click.option(
        "--fix",
        metavar="DIR",
        callback=checked.fix,
        help="Also write the remedy of each host to DIR: HOST.sh, HOST.pins, HOST.auto."
        " Simulates it too.",
    ),
    click.option(
        "--simulate",
        is_flag=True,
        help="Let apt simulate each remedy in a throw-away container of the baseline's image. It"
        " fetches package lists over the network; the host is only asked for its package database.",
    ),
)


def use_color(choice: str) -> bool:
    """Whether to colour standard output (https://no-color.org)."""
    if choice != "auto":
        return choice == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and sys.stdout.isatty()
