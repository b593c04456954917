"""Which Dockerfile line, or the base, brought and last changed each package of an image."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import structs

from driftscan import dockerfile, sanitize
from driftscan.dockerfile import Instruction
from driftscan.errors import ParseError
from driftscan.machines import image_layers
from driftscan.machines.databases import DATABASES, Database, Versions
from driftscan.machines.engine import LABEL
from driftscan.machines.image_layers import Entry, SavedImage
from driftscan.model import (
    Attribution,
    Collected,
    Fingerprint,
    Item,
    Items,
    Partial,
    Place,
    Sections,
)
from driftscan.model.managers import MANAGERS

# --- history <-> instructions ------------------------------------------------------------------

UNKNOWN = Place(kind="unknown", confidence="unknown")


class History:
    """Which instruction, or the base, made each entry of an image's history."""

    def __init__(
        self,
        file: str,
        chain: Sequence[Instruction],
        history: Sequence[Entry],
        base_length: int | None,
        label: str,
    ) -> None:
        self._file = sanitize.safe(file)
        self._from = chain[0]
        self._body = chain[1:]
        self._history = history
        if base_length is None:
            base_length = _tail(self._body, history, label)
        start = base_length or 0
        pairs = certain_pairs(self._body, [entry.text for entry in history[start:]])
        self._owners = {start + entry: index for entry, index in pairs.items()}
        self._base_length = start if base_length is not None else self._before_ours()

    def _before_ours(self) -> int:
        """What stands before the first instruction that can make a layer is the base's."""
        layers = [i.keyword in ("RUN", "COPY", "ADD", "WORKDIR") for i in self._body]
        own = min(self._owners, default=0)
        return 0 if any(layers[: self._owners.get(own, 0)]) else own

    def own_entries(self) -> Sequence[Entry]:
        """The entries that the Dockerfile made."""
        return self._history[self._base_length :]

    def of_layers(self) -> list[Place]:
        """The place that made each layer, lowest first."""
        return [self._of(i) for i, entry in enumerate(self._history) if entry.layer is not None]

    def lines(self) -> list[Place]:
        """A place for each instruction of the final image, in build order."""
        entries = {index: self._history[entry] for entry, index in self._owners.items()}
        return [self._line(index, entries.get(index)) for index in range(len(self._body))]

    def by_time(self, changed: int) -> Place:
        """The first layer made at or after a time: an inference; unknown if times say nothing."""
        layers = [
            (i, _seconds(e.created)) for i, e in enumerate(self._history) if e.layer is not None
        ]
        times = [seconds for _, seconds in layers]
        if None in times or len(set(times)) < len(times) or times != sorted(times, key=_number):
            return UNKNOWN
        for entry, seconds in layers:
            if _number(seconds) >= changed:
                place = self._of(entry)
                sure = place.kind != "unknown"
                return structs.replace(place, confidence="inferred") if sure else UNKNOWN
        return UNKNOWN

    def _of(self, entry: int) -> Place:
        if entry < self._base_length:
            return self._base()
        index = self._owners.get(entry)
        if index is not None:
            return self._line(index, self._history[entry])
        found = self._history[entry]
        text = sanitize.safe(sanitize.redact(found.text))[:1000]
        return structs.replace(UNKNOWN, text=text, built=utc(found.created))

    def _base(self) -> Place:
        last = self._history[self._base_length - 1]
        return Place(
            kind="base",
            file=self._file,
            line=self._from.line,
            text=sanitize.safe(self._from.value),
            built=utc(last.created),
        )

    def _line(self, index: int, entry: Entry | None) -> Place:
        instruction = self._body[index]
        return Place(
            kind="line",
            file=self._file,
            line=instruction.line,
            text=_text(instruction),
            built=utc(entry.created) if entry else "",
        )


def _text(instruction: Instruction) -> str:
    """The instruction as one line; the lines of its heredocs follow, parted by ` ; `."""
    words = [instruction.keyword, *instruction.flags, instruction.value]
    bodies = [line for heredoc in instruction.heredocs for line in heredoc.content.splitlines()]
    text = " ; ".join([" ".join(words), *(line.strip() for line in bodies if line.strip())])
    return sanitize.safe(sanitize.redact(re.sub(r"\s+", " ", text)))


def _seconds(created: str) -> float | None:
    try:
        return datetime.fromisoformat(created).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(seconds: float | None) -> float:
    return seconds if seconds is not None else 0.0


def _tail(body: Sequence[Instruction], history: Sequence[Entry], label: str) -> int | None:
    """Where the Dockerfile's entries begin if the history ends with one for each instruction."""
    end = len(history)
    if history and history[-1].text.replace('"', "").endswith(f"LABEL {LABEL}={label}"):
        # The legacy builder and podman tell our own --label as a last instruction.
        end -= 1
    start = end - len(body)
    if start < 0:
        return None
    pairs = zip(body, history[start:end], strict=True)
    return start if all(dockerfile.matches(i, entry.text) for i, entry in pairs) else None


def certain_pairs(body: Sequence[Instruction], texts: Sequence[str]) -> dict[int, int]:
    """Which text is which instruction's (index -> index), by order and by text.

    Every way to pair as many as possible in order is looked at (longest common subsequence, from
    both ends); what they do not all agree on is left out.
    """
    fits = [[dockerfile.matches(instruction, text) for text in texts] for instruction in body]
    ahead = _longest(fits, len(body), len(texts))
    turned = [row[::-1] for row in fits[::-1]]
    behind = [row[::-1] for row in _longest(turned, len(body), len(texts))[::-1]]
    most = ahead[0][0]
    pairs = {}
    for j in range(len(texts)):
        skipped = any(behind[i][j] + ahead[i][j + 1] == most for i in range(len(body) + 1))
        partners = [
            i
            for i in range(len(body))
            if fits[i][j] and behind[i][j] + 1 + ahead[i + 1][j + 1] == most
        ]
        if len(partners) == 1 and not skipped:
            pairs[j] = partners[0]
    return pairs


def _longest(fits: Sequence[Sequence[bool]], rows: int, columns: int) -> list[list[int]]:
    """How many can be paired in order among the rows from i and the columns from j on."""
    table = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            paired = table[i + 1][j + 1] + 1 if fits[i][j] else 0
            table[i][j] = max(paired, table[i + 1][j], table[i][j + 1])
    return table


# --- packages of each layer --------------------------------------------------------------------


def _versions(items: Mapping[str, Item]) -> Versions:
    return {key: str(item.get("version", "")) for key, item in items.items()}


class Origin(NamedTuple):
    """The place that brought a package, and the one that changed it last."""

    brought_by: Place
    changed_by: Place


def attributions(fingerprint: Fingerprint, saved: SavedImage, record: History) -> dict[str, Origin]:
    """Who brought and last changed every package of the image, unknown where nothing tells."""
    found = {}
    for database in DATABASES:
        items = _items(fingerprint.facts, database.section)
        if not items:
            continue
        times = _items(fingerprint.evidence, MANAGERS[database.section].times)
        recorded = from_layers(list(_states(saved, database)), record.of_layers(), items)
        for key in items:
            found[key] = recorded.get(key) or _from_times(record, times.get(key, {}))
    return found


def _items(sections: Sections, name: str) -> Items:
    section = sections.get(name)
    return section.items if isinstance(section, Collected | Partial) else {}


def _states(saved: SavedImage, database: Database) -> Iterator[Versions | None]:
    """The packages as of each layer, None where that is unknown."""
    last: Mapping[str, bytes] | str = {}
    versions: Versions | None = {}
    for files in image_layers.trees(saved.layers, database.paths, database.folder):
        if files != last:
            last, versions = files, _parsed(files, database)
        yield versions


def _parsed(files: Mapping[str, bytes] | str, database: Database) -> Versions | None:
    if isinstance(files, str):
        return None
    try:
        return database.versions(files) if any(files.values()) or database.folder else {}
    except ParseError:
        return None


def from_layers(
    states: Sequence[Versions | None], places: Sequence[Place], final: Items
) -> dict[str, Origin]:
    """Who brought and who last changed each package, from the packages as of each layer.

    Brought is where it last appeared, changed is where it last got another version. Left out is
    what the last layer has not as the image has it. After a layer that is unknown, what differs
    is unknown too.
    """
    if len(places) != len(states) or not states or states[-1] is None:
        return {}
    found: dict[str, Origin] = {}
    before: Versions = {}
    unsure = False
    for state, place in zip(states, places, strict=True):
        if state is None:
            unsure = True
            continue
        where = UNKNOWN if unsure else place
        found = {k: _moved(found.get(k), before.get(k), v, where) for k, v in state.items()}
        before, unsure = state, False
    versions = _versions(final)
    return {key: found[key] for key, version in versions.items() if before.get(key) == version}


def _moved(known: Origin | None, before: str | None, version: str, where: Place) -> Origin:
    if known is None:
        return Origin(where, where)
    return known if before == version else known._replace(changed_by=where)


def _from_times(record: History, times: Item) -> Origin:
    """From when the package's files were last unpacked; who brought it first is not in that."""
    changed = times.get("changed")
    place = record.by_time(changed) if isinstance(changed, int) else UNKNOWN
    return Origin(place if place.kind == "base" else UNKNOWN, place)


def named(
    lines: Sequence[Place], origins: Mapping[str, Origin]
) -> tuple[dict[str, Place], dict[str, Attribution]]:
    """Every place under a short name of its own, and the attributions by these names."""
    names: dict[Place, str] = {}
    taken: set[str] = set()
    used = (place for key in sorted(origins) for place in origins[key])
    for place in (*lines, *used):
        if place not in names:
            names[place] = _free(_name(place), taken)
    found = {
        key: Attribution(brought_by=names[origin.brought_by], changed_by=names[origin.changed_by])
        for key, origin in origins.items()
    }
    return {name: place for place, name in names.items()}, found


def _name(place: Place) -> str:
    name = f"line {place.line}" if place.kind == "line" else place.kind
    return f"{name} (inferred)" if place.confidence == "inferred" else name


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number if another place (a trigger of the same line) has it."""
    tries = (f"{name} ({count})" if count > 1 else name for count in itertools.count(1))
    free = next(candidate for candidate in tries if candidate not in taken)
    taken.add(free)
    return free


def utc(time: str) -> str:
    """An RFC 3339 time as `2026-11-23T17:20:00Z`; empty for none, and for Go's zero time."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return ""
    if moment.tzinfo is None or moment.year <= 1:
        return ""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
