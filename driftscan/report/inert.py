"""A report -> the same with every text inert: nothing that a terminal or a CI log would obey."""

import re
from typing import Any

import msgspec

from driftscan import sanitize
from driftscan.model import Report

# A report of ours rarely holds more than plain ASCII; where it does, all of it is looked at.
_UNUSUAL = re.compile(rb'\\[ubfnrt]|[^\x00-\x7e]|(?:[\s"])::[A-Za-z]|##\w*\[')


def inert(report: Report) -> Report:
    """The report itself where it is harmless, as those of a scan are; else a harmless copy.

    A fingerprint or report that is read from a file may come from anyone. Only commands of a
    remedy keep their line breaks.
    """
    if _is_harmless(report):
        return report
    return msgspec.convert(_inert(msgspec.to_builtins(report)), type=Report)


def _is_harmless(report: Report) -> bool:
    try:
        return _UNUSUAL.search(msgspec.json.encode(report)) is None
    except UnicodeEncodeError:  # half of a pair of UTF-16
        return False


def _inert(value: Any, key: str = "") -> Any:
    if isinstance(value, str):
        return (
            "\n".join(map(sanitize.inert, value.split("\n")))
            if key == "run"
            else sanitize.inert(value)
        )
    if isinstance(value, list):
        return [_inert(item, key) for item in value]
    if isinstance(value, dict):
        return {sanitize.inert(name): _inert(item, name) for name, item in value.items()}
    return value
