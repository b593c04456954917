"""Every form of the report, by its name on the command line: a new one is a row here."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from driftscan.model import Report
from driftscan.report import fleet, github, json, junit, markdown, settled, text
from driftscan.report.inert import inert


class Look(Struct, frozen=True):
    """How a report for people looks; the forms for machines have one look."""

    width: int = 100
    color: bool = False
    brief: bool = False
    everything: bool = False


Form: TypeAlias = Callable[[Report, Look], str]


def _text(report: Report, look: Look) -> str:
    """Without `everything`, what was accepted is left out, and many hosts are told as a fleet."""
    if look.everything:
        return text.render(report, width=look.width, color=look.color, everything=True)
    open_ = settled.open_only(report)
    if len(report.hosts) > 1:
        return fleet.render(open_, width=look.width, color=look.color, brief=look.brief)
    return text.render(open_, width=look.width, color=look.color, brief=look.brief)


FORMS: Mapping[str, Form] = {
    "text": _text,
    "json": lambda report, _look: json.render(report),
    "junit": lambda report, _look: junit.render(report),
    "markdown": lambda report, _look: markdown.render(report),
    "github": lambda report, _look: github.render(report),
}


def render(form: str, report: Report, look: Look) -> str:
    """The report in that form; no text of a host can be more than text in it."""
    return FORMS[form](inert(report), look)
