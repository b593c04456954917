"""The command `driftscan`: its commands by name, and what its exit codes mean."""

import os
import resource
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

import click

from driftscan import __version__
from driftscan.cli import faults
from driftscan.errors import DriftscanError
from driftscan.machines import exhaustion

COMMANDS = (
    "scan",
    "compare",
    "check",
    "explain",
    "accept",
    "baseline",
    "doctor",
    "trust",
    "inventory",
    "script",
    "demo",
    "completion",
)
"""Each is the module `cli/NAME.py`, whose function `command` it is."""

WRONG_INPUT = 2
INTERNAL = 70

_EPILOG = """\b
Exit codes:
  0    every host was seen and compared, nothing at or above --fail-on
  1    drift: something is at or above --fail-on
  2    nothing could be judged: usage, inventory, baseline, engine, files
  3    incomplete: a host or a part of it could not be seen; no drift in the rest
  4    drift, and incomplete
  70   a fault of driftscan
  130  interrupted (143: by SIGTERM)
"""


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Lazy(click.Group):
    """A group that imports a command's module when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's form
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"driftscan.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but knowing the table when it guesses what was meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from driftscan.inventory.contract import meant

            hint = meant(name, COMMANDS) or f": use one of {', '.join(COMMANDS)}"
            raise click.UsageError(f"no such command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(
    cls=Lazy,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="driftscan", message="%(prog)s %(version)s")
@click.option(
    "--config",
    metavar="FILE",
    envvar="DRIFTSCAN_CONFIG",
    show_envvar=True,
    type=click.Path(),
    help="The configuration file, instead of ./driftscan.yml and the user's.",
)
def main(config: str | None) -> None:
    """Find how servers differ from each other and from an image, and why.

    A TARGET is a NAME of the inventory, a fingerprint file (a path with a `/` or ending in
    `.json`), or ssh://[user@]host[:port][/docker/NAME], local://, docker://NAME,
    podman://NAME, image://REFERENCE, archive://FILE, rootfs://DIRECTORY, dockerfile://PATH,
    baseline://NAME.
    """


class Stopped(BaseException):
    """A signal asked us to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def run() -> NoReturn:
    """The entry point: never returns, never lets a traceback carry text of a host."""
    # What was read may hold secrets that were not redacted yet: it is left in no core.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows its code; it never ends the run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = execute()
    except KeyboardInterrupt:
        _leave(128 + signal.SIGINT)
    except Stopped as stopped:
        _leave(stopped.code)
    sys.exit(code)


def execute(words: list[str] | None = None) -> int:
    """One run of the program, with these words or those of the process: its exit code.

    Every mistake and fault was told on standard error; only interrupts are raised.
    """
    try:
        result = main.main(words, prog_name="driftscan", standalone_mode=False)
    except click.ClickException as error:
        faults.refuse(error)
        return error.exit_code
    except click.Abort as error:
        # click's word for Ctrl-C, and for a stream of ours that ended too early.
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        faults.tell(error)
        return INTERNAL
    except DriftscanError as error:
        faults.say(str(error))
        return WRONG_INPUT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - told whole, and with its own exit code
        return _fault(error)
    return result if isinstance(result, int) else 0


def _fault(error: Exception) -> int:
    """The exit code of what nobody expected, told: this machine is full, or a mistake of ours."""
    full = exhaustion.told(error, "driftscan")
    if full is None:
        faults.tell(error)
        return INTERNAL
    faults.say(f"{full.cause}: {full.cure}")
    return WRONG_INPUT


def _leave(code: int) -> NoReturn:
    """End now: a thread that hangs in a look-up must not keep us."""
    faults.say("interrupted")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
