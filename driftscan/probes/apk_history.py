"""What apk did, and by which command: the log that apk 3 writes; older ones keep none.

Evidence: a line that is not understood is counted in a gap, and the rest stands. Times are UTC
whatever the zone of the machine, and who ran the command is not told.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from driftscan.model import Files, Item, Raw, Section
from driftscan.probes import histories, reading
from driftscan.probes.contract import About

NAME = "apk-history"
_LOG = "/var/log/apk.log"
ASK = (Files((_LOG, f"{_LOG}.*", f"{_LOG}-*")),)
GIVES = (
    About(
        "apk-history",
        "evidence",
        "START#N in UTC; N orders equal starts",
        "start, zone, command, error, automatic, install, reinstall, upgrade, downgrade, remove",
        cost="4 ms",
    ),
)

_BEGIN = re.compile(
    r"Running `(.{0,8000})` at ([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})"
)
_NAME = r"[A-Za-z0-9_][A-Za-z0-9+._-]{0,250}"
# `(3/43) Installing libcap2@edge (2.78-r0)`; what goes is purged, whether asked for or not.
_STEP = re.compile(
    rf"\( *[0-9]+/[0-9]+\) ([A-Z][a-z]+) (\.?{_NAME})(?:@[^ ()]+)? \(([^() ]+)(?: -> ([^() ]+))?\)"
)
_COUNTED = re.compile(r"\( *[0-9]+/[0-9]+\) ")
_ACTIONS = {
    "Installing": "install",
    "Reinstalling": "reinstall",
    "Replacing": "reinstall",
    "Upgrading": "upgrade",
    "Downgrading": "downgrade",
    "Purging": "remove",
    "Deleting": "remove",
}
_ASKED = re.compile(rf"({_NAME})(?:[@=<>~].*)?")


def parse(raw: Raw) -> Mapping[str, Section]:
    """The one section; never fails for a line of a log."""
    strange: Counter[str] = Counter()
    found = [item for log in raw.files.values() for item in _transactions(log.lines, strange)]
    gaps = histories.unread(raw, _LOG)
    return {"apk-history": histories.section(histories.keyed(found), gaps, strange, _LOG)}


class _Transaction(Struct):
    """One command while its lines are read."""

    start: str
    command: str
    steps: dict[str, dict[str, str]]
    errors: list[str]

    def item(self) -> Item:
        """As apt's history has it; nobody but the command says what was asked for by name."""
        words = reading.words(self.command)
        named = {m[1] for word in words if (m := _ASKED.fullmatch(word))}
        files = {word.rpartition("/")[2] for word in words}
        came = self.steps.get("install", {})
        automatic = sorted(n for n in came if n not in named and f"{n}-{came[n]}.apk" not in files)
        item: Item = {"start": self.start, "zone": "UTC", "command": self.command, **self.steps}
        if automatic:
            item["automatic"] = automatic
        if self.errors:
            item["error"] = "; ".join(self.errors)
        return item


def _transactions(lines: Iterable[str], strange: Counter[str]) -> list[Item]:
    found: list[_Transaction] = []
    for line in lines:
        begin = _BEGIN.fullmatch(line)
        if begin:
            found.append(_Transaction(begin[2], begin[1], {}, []))
        elif line.startswith("Running `"):
            strange["lines not understood"] += 1
        elif line.startswith("ERROR: ") and found:
            found[-1].errors.append(line.removeprefix("ERROR: ")[:500])
        elif _COUNTED.match(line):
            _step(line, found, strange)
    return [transaction.item() for transaction in found]


def _step(line: str, found: list[_Transaction], strange: Counter[str]) -> None:
    step = _STEP.fullmatch(line)
    if step is None or step[1] not in _ACTIONS or not found:
        strange["steps without a command" if step and not found else "lines not understood"] += 1
        return
    # A virtual package is a list of dependencies with the time of its making for a version.
    if not step[2].startswith("."):
        versions = f"{step[3]} -> {step[4]}" if step[4] else step[3]
        found[-1].steps.setdefault(_ACTIONS[step[1]], {})[step[2]] = versions
