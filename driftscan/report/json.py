"""The report as JSON: the master form, sorted and complete; every other form shows a part of it."""

import msgspec

from driftscan.model import Report


def render(report: Report) -> str:
    """The whole report, keys sorted, one space of indent; ends with a newline."""
    data = msgspec.json.encode(report, order="sorted")
    return msgspec.json.format(data, indent=1).decode() + "\n"
