"""Reports -> standard output, files and the exit code."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from driftscan.cli.gate import verdict
from driftscan.cli.options import use_color
from driftscan.errors import DriftscanError

if TYPE_CHECKING:
    from driftscan.cli.gate import Gate
    from driftscan.cli.options import Reporting
    from driftscan.model import HostReport, Report

PIPED_WIDTH = 100


def told(
    hosts: "Mapping[str, HostReport]",
    reporting: "Reporting",
    gate: "Gate | None" = None,
    *,
    quiet: bool,
    fix: str | None = None,
    interrupted: int = 0,
) -> int:
    """Judge, write every report that was asked for, and give the exit code.

    With `fix` the remedies are written into that folder first; if they cannot be, or one of the
    files cannot, the rest is still told before the error is raised. `interrupted` is the exit
    code of a run that a signal has ended: no host is excused then, and no rule is called unused.
    """
    wrong = None
    if fix is not None:
        from driftscan.cli import fixing

        try:
            hosts = fixing.written(hosts, Path(fix))
        except DriftscanError as error:
            wrong = error
    if interrupted:
        report = _stopped(hosts, reporting, gate, interrupted)
    else:
        report = verdict(hosts, reporting, gate)
    wrong = _filed(report, reporting) or wrong
    nothing_wrong = report.exit_code == 0 and report.complete
    if not (quiet and nothing_wrong) and not any(p == "-" for _, p in reporting.outputs):
        out(_rendered(reporting.format, report, reporting, color=use_color(reporting.color)))
    if wrong is not None:
        raise wrong
    return report.exit_code


def _filed(report: "Report", reporting: "Reporting") -> DriftscanError | None:
    """Write the report in every form that has a place of its own; what is wrong with the last."""
    from driftscan import store

    wrong = None
    for name, path in reporting.outputs:
        if path == "-":
            out(_rendered(name, report, reporting, color=use_color(reporting.color)))
            continue
        try:
            store.write(Path(path), _rendered(name, report, reporting, color=False).encode())
        except DriftscanError as error:
            wrong = error
    return wrong


def _stopped(
    hosts: "Mapping[str, HostReport]", reporting: "Reporting", gate: "Gate | None", code: int
) -> "Report":
    from msgspec.structs import replace

    partial = gate and gate._replace(allow_unreachable="0", whole=False)
    report = verdict(hosts, reporting, partial)
    note = "this run was interrupted: what is not told here was not looked at"
    return replace(report, complete=False, exit_code=code, notes=[note, *report.notes])


def _rendered(name: str, report: "Report", reporting: "Reporting", *, color: bool) -> str:
    from driftscan.report import table

    look = table.Look(
        width=reporting.width or _width(),
        color=color,
        brief=reporting.brief,
        everything=reporting.everything,
    )
    return table.render(name, report, look)


def _width() -> int:
    """The terminal's, within what can be read; never less than whole when piped."""
    if not sys.stdout.isatty():
        return PIPED_WIDTH
    return min(max(shutil.get_terminal_size().columns, 60), 160)


def out(text: str) -> None:
    """Standard output; a reader that has gone is no mistake of ours (`| head`)."""
    from driftscan.errors import StoreError

    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise StoreError(f"standard output cannot be written: {error.strerror}") from error
