"""What pacman did, and by which command: its log, which nobody rotates.

Evidence: a line that is not understood is counted in a gap, and the rest stands. Times are the
host's own with the zone of that moment, in older logs without; who ran the command is not told.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from driftscan.model import Denied, Item, Lines, Raw, Section, Stats
from driftscan.probes import histories, reading
from driftscan.probes.contract import About

NAME = "pacman-history"
_LOG = "/var/log/pacman.log"
_WORDS = "Running |transaction |installed |reinstalled |upgraded |downgraded |removed "
ASK = (
    Lines(
        "log",
        ("/var/log",),
        "pacman.log",
        # pacman before 4.2 (2014) named no program in brackets.
        rf"^\[[^]]+\] (\[[A-Z]+\] )?({_WORDS})",
        path=False,
    ),
    Stats("size", ("/var/log",), "pacman.log"),
)
GIVES = (
    About(
        "pacman-history",
        "evidence",
        "START#N in the host's time; N orders equal starts",
        "start, end, zone, command, error, automatic, install, reinstall, upgrade, downgrade, "
        "remove",
        cost="6 ms",
    ),
)

_LINE = re.compile(
    r"\[(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ](?P<time>[0-9]{2}:[0-9]{2})(?P<seconds>:[0-9]{2})?"
    r"(?P<zone>[+-][0-9]{4})?\] (?:\[[A-Z]+\] )?(?P<text>.*)"
)
_NAME = r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]{0,250}"
_RUNNING = re.compile(r"Running '(.*)'")
_STEP = re.compile(
    rf"(installed|reinstalled|upgraded|downgraded|removed) ({_NAME}) "
    r"\(([^() ]+)(?: -> ([^() ]+))?\)"
)
_ACTIONS = {
    "installed": "install",
    "reinstalled": "reinstall",
    "upgraded": "upgrade",
    "downgraded": "downgrade",
    "removed": "remove",
}
_FILE = re.compile(r"(?:.*/)?(.+)-[^-]+-[^-]+-[^-]+\.pkg\.tar(?:\.[a-z0-9]+)?")


def parse(raw: Raw) -> Mapping[str, Section]:
    """The one section; never fails for a line of a log."""
    strange: Counter[str] = Counter()
    answer = raw.outputs["log"]
    if histories.closed(raw.outputs["size"], answer):
        return {"pacman-history": Denied(cure=f"read access to {_LOG}, or --become")}
    reader = _Reader(strange)
    for line in answer.lines:
        reader.take(line)
    gaps = histories.unread(raw, _LOG)
    gaps += [f"{_LOG}: larger than the limit, its end was not read"] if answer.cut else []
    items = histories.keyed(transaction.item() for transaction in reader.found)
    return {"pacman-history": histories.section(items, gaps, strange, _LOG)}


class _Transaction(Struct):
    """What is between `transaction started` and its end, and the command before it."""

    start: str
    zone: str
    command: str
    steps: dict[str, dict[str, str]]
    end: str = ""
    error: str = ""

    def item(self) -> Item:
        """As apt's history has it; nobody but the command says what was asked for by name."""
        words = reading.words(self.command)
        automatic = sorted(set(self.steps.get("install", {})) - set(_named(words)))
        texts = {"end": self.end, "zone": self.zone, "command": self.command, "error": self.error}
        item: Item = {"start": self.start, **{key: text for key, text in texts.items() if text}}
        item |= self.steps
        if automatic and self.command:
            item["automatic"] = automatic
        return item


def _named(words: Iterable[str]) -> Iterable[str]:
    words = list(words)
    if "--asdeps" in words:
        return
    for word in words:
        file = _FILE.fullmatch(word)
        yield file[1] if file else word.rpartition("/")[2]


class _Reader:
    """Follows the log: pacman's own lines name commands, alpm's lines what was done."""

    def __init__(self, strange: Counter[str]) -> None:
        self.found: list[_Transaction] = []
        self._strange = strange
        self._command = ""
        self._open: _Transaction | None = None

    def take(self, line: str) -> None:
        match = _LINE.fullmatch(line)
        if match is None:
            self._strange["lines not understood"] += 1
            return
        time = f"{match['day']} {match['time']}{match['seconds'] or ':00'}"
        running, step = _RUNNING.fullmatch(match["text"]), _STEP.fullmatch(match["text"])
        if running:
            self._command, self._open = running[1][:8000], None
        elif match["text"] == "transaction started":
            self._begin(time, match["zone"] or "")
        elif match["text"].startswith("transaction "):
            self._finish(time, match["text"])
        elif step:
            transaction = self._open or self._begin(time, match["zone"] or "")
            versions = f"{step[3]} -> {step[4]}" if step[4] else step[3]
            transaction.steps.setdefault(_ACTIONS[step[1]], {})[step[2]] = versions
        else:
            self._strange["lines not understood"] += 1

    def _begin(self, time: str, zone: str) -> _Transaction:
        self._open = _Transaction(time, zone, self._command, {})
        self.found.append(self._open)
        return self._open

    def _finish(self, time: str, text: str) -> None:
        if self._open:
            self._open.end = time
            self._open.error = "" if text == "transaction completed" else text
        self._open, self._command = None, ""
