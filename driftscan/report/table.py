"""Every form of the report, by its name on the command line: a new one is a row here."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from driftscan.model import Report
from driftscan.report import github, json, junit, markdown, settled, text
from driftscan.report.inert import inert


class Look(Struct, frozen=True):
    """How a report for people looks; the forms for machines have one look."""

    width: int = 100
    color: bool = False
    brief: bool = False
    everything: bool = False


Form: TypeAlias = Callable[[Report, Look], str]

FORMS: Mapping[str, Form] = {
    "text": lambda report, look: text.render(
        report if look.everything else settled.open_only(report),
        width=look.width,
        color=look.color,
        brief=look.brief,
        everything=look.everything,
    ),
    "json": lambda report, _look: json.render(report),
    "junit": lambda report, _look: junit.render(report),
    "markdown": lambda report, _look: markdown.render(report),
    "github": lambda report, _look: github.render(report),
}


def render(form: str, report: Report, look: Look) -> str:
    """The report in that form; no text of a host can be more than text in it."""
    return FORMS[form](inert(report), look)
