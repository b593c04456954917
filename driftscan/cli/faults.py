"""Mistakes of the user in one line, faults of driftscan with their traceback: all printable."""

import sys
import traceback


def say(text: str) -> None:
    """One message on standard error; what of it came from elsewhere cannot forge another."""
    from driftscan.sanitize import redact, safe

    first, *rest = text.split("\n")
    for line in (f"driftscan: {first}", *rest):
        print(safe(redact(line)), file=sys.stderr)  # noqa: T201 - only cli/ prints


def tell(error: BaseException) -> None:
    """The traceback of a fault of ours, without the values of variables."""
    from driftscan.sanitize import redact, safe

    for line in "".join(traceback.format_exception(error)).rstrip("\n").split("\n"):
        print(safe(redact(line)), file=sys.stderr)  # noqa: T201
    say("this is a fault of driftscan: please report it with the lines above")


def progress(line: str) -> None:
    """A line of a long work on standard error, such as a builder's."""
    from driftscan.sanitize import safe

    print(safe(line), file=sys.stderr)  # noqa: T201
