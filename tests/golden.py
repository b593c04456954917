"""The whole reports of the recorded hosts; `make docs` writes tests/explain/golden/ anew."""

import json
from functools import cache
from pathlib import Path

from driftscan import policy
from driftscan.model import Report
from driftscan.report import table
from tests import recorded

PLACE = Path(__file__).parent / "explain" / "golden"
SYMPTOM = "unable to open image"
# name of the report -> host and what its user saw
# Both forms of these, and of other families the text alone.
REPORTS = {name: (name, "") for name in recorded.HOSTS} | {"web-a-symptom": ("web-a", SYMPTOM)}
TEXTS = REPORTS | {name: (name, "") for name in recorded.FAMILIES}


@cache
def report(name: str) -> Report:
    """What `driftscan check HOST` tells, from what the host answered once."""
    host, symptom = TEXTS[name]
    return policy.judge({host: recorded.explained(host, symptom)}, "installed")


def text(name: str) -> str:
    """The report for people, as a pipe gets it."""
    return table.render("text", report(name), table.Look(width=100))


def data(name: str) -> str:
    """The report for machines, one value a line."""
    return json.dumps(json.loads(table.render("json", report(name), table.Look())), indent=0) + "\n"


def main() -> None:
    """Write both forms of each."""
    PLACE.mkdir(exist_ok=True)
    for name in TEXTS:
        (PLACE / f"{name}.txt").write_text(text(name))
    for name in REPORTS:
        (PLACE / f"{name}.json").write_text(data(name))
