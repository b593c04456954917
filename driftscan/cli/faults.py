"""Mistakes of the user in one line, faults of driftscan with their traceback: all printable."""

import io
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from click import ClickException


def say(text: str) -> None:
    """One message on standard error; what of it came from elsewhere cannot forge another."""
    from driftscan.sanitize import inert, redact

    first, *rest = text.split("\n")
    for line in (f"driftscan: {first}", *rest):
        print(inert(redact(line)), file=sys.stderr)  # noqa: T201 - only cli/ prints


def refuse(error: "ClickException") -> None:
    """What click says of words that it does not understand."""
    from driftscan.sanitize import inert

    said = io.StringIO()
    error.show(file=said)
    for line in said.getvalue().rstrip("\n").split("\n"):
        print(inert(line), file=sys.stderr)  # noqa: T201


def tell(error: BaseException) -> None:
    """The traceback of a fault of ours, without the values of variables."""
    from driftscan.sanitize import inert, redact

    for line in "".join(traceback.format_exception(error)).rstrip("\n").split("\n"):
        print(inert(redact(line)), file=sys.stderr)  # noqa: T201
    say("this is a fault of driftscan: please report it with the lines above")


def progress(line: str) -> None:
    """A line of a long work on standard error, such as a builder's."""
    from driftscan.sanitize import inert

    print(inert(line), file=sys.stderr)  # noqa: T201
