"""YAML text -> values that know their line and column; what YAML would guess or hide is refused."""

from collections.abc import Iterable
from typing import Literal, Protocol, TypeAlias

import msgspec
import yaml

from driftscan.errors import InputError

MAX_DEPTH = 20
MAX_TOLD = 10

Kind: TypeAlias = Literal["text", "number", "truth", "nothing", "other", "list", "mapping"]

NAMES: dict[Kind, str] = {
    "text": "a text",
    "number": "a number",
    "truth": "true or false",
    "nothing": "nothing",
    "other": "something that YAML changes",
    "list": "a list",
    "mapping": "a mapping",
}


class Value(msgspec.Struct, frozen=True):
    """One value as it was written, and where: lines and columns count from 1.

    `text` holds a scalar's own words. What YAML 1.1 would read as another number, a time or an
    object (`012`, `22:22`, `1.10`, `!!x`) is `other`: the reader says what it wants instead.
    """

    kind: Kind
    line: int
    column: int
    text: str = ""
    items: tuple["Value", ...] = ()
    entries: tuple[tuple["Value", "Value"], ...] = ()

    @property
    def number(self) -> int:
        return int(self.text)

    @property
    def truth(self) -> bool:
        return self.text.lower() in ("yes", "true", "on")

    @property
    def told(self) -> str:
        """The value in a message: as written, or what it is."""
        return repr(self.text[:60]) if self.text else NAMES[self.kind]


class Problems:
    """What is wrong with one file, told together: `file:line:column: what, what to do`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[tuple[int, int, str]] = []

    def add(self, at: Value, text: str) -> None:
        """Note a problem at the place of a value."""
        self.found.append((at.line, at.column, text))

    def settle(self) -> None:
        """Raise InputError with the first problems in the file's order, if there are any."""
        if not self.found:
            return
        found = sorted(set(self.found))
        told = [f"{self.name}:{line}:{column}: {text}" for line, column, text in found[:MAX_TOLD]]
        more = len(found) - MAX_TOLD
        raise InputError("\n".join(told + ([f"and {more} more"] if more > 0 else [])))


def read(text: str, problems: Problems) -> Value:
    """The one document in a YAML text, its problems noted.

    Raises InputError at once for what is not YAML, is empty, holds more than one document, is
    nested deeper than 20, or uses an alias (a few lines of them can stand for billions).
    """
    try:
        value = _build(yaml.parse(text, Loader=_LOADER), problems)
    except yaml.reader.ReaderError as error:
        head = text[: error.position]
        place = Value("other", head.count("\n") + 1, len(head) - head.rfind("\n"))
        value = _refuse(problems, place, "a control character, which YAML does not allow")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Value("other", *_place(mark))
        what = ", ".join(part for part in (error.context, error.problem) if part)
        value = _refuse(problems, place, f"not YAML ({what}): look at quotes and indentation")
    return value


def read_leniently(text: str, name: str) -> Value:
    """The first document of a file that is not ours: nothing said twice, nothing merged is a fault.

    Of a key that stands twice the last counts, `*alias` is what its anchor names, merge keys are
    merged, keys are texts as written. Raises InputError as `read` does for what is not YAML.
    """
    problems = Problems(name)
    anchors: dict[str, Value] = {}
    try:
        value = _build_leniently(yaml.parse(text, Loader=_LOADER), anchors, problems)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise InputError(f"{name}:{line}: a control character, which YAML does not allow") from None
    except yaml.MarkedYAMLError as error:
        line, _ = _place(error.problem_mark or error.context_mark)
        raise InputError(f"{name}:{line}: not YAML ({error.problem or error.context})") from None
    return value


MAX_VALUES = 200_000
"""So many values the aliases of a file may stand for: a few lines can stand for billions."""


def _build_leniently(
    events: Iterable[yaml.Event], anchors: dict[str, Value], problems: Problems
) -> Value:
    stack: list[_Open] = []
    sizes = [0]
    for event in events:
        value = _taken(event, stack, anchors, problems)
        if value is None:
            continue
        if not stack:
            return value
        sizes[0] += _weight(value) if isinstance(event, yaml.AliasEvent) else 1
        if sizes[0] > MAX_VALUES:
            _refuse(problems, value, f"more than {MAX_VALUES} values")
        stack[-1].values.append(value)
    return Value("nothing", 1, 1)


def _taken(
    event: yaml.Event, stack: list["_Open"], anchors: dict[str, Value], problems: Problems
) -> Value | None:
    """As `_take`, with anchors; only values that are whole may be named by an alias."""
    anchor = getattr(event, "anchor", None)
    match event:
        case yaml.AliasEvent():
            known = anchors.get(str(anchor))
            return known or _refuse(problems, _scalar_at("other", event, ""), "an unknown alias")
        case yaml.ScalarEvent():
            value = _scalar(event)
        case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
            done = stack.pop()
            value, anchor = _merged(done), done.anchor
        case _:
            _take(event, stack, problems)
            if stack and anchor:
                stack[-1].anchor = str(anchor)
            return None
    if anchor:
        anchors[str(anchor)] = value
    return value


def _weight(value: Value) -> int:
    """How many values it holds, counted no further than the limit."""
    queue, count = [value], 0
    while queue and count <= MAX_VALUES:
        one = queue.pop()
        count += 1
        queue += [*one.items, *(part for entry in one.entries for part in entry)]
    return count


def _merged(done: "_Open") -> Value:
    """A list or mapping; the keys of `<<` stand behind the mapping's own."""
    if done.kind == "list":
        return Value("list", *done.place, items=tuple(done.values))
    found: dict[str, tuple[Value, Value]] = {}
    merged: dict[str, tuple[Value, Value]] = {}
    for key, entry in zip(done.values[::2], done.values[1::2], strict=True):
        if key.text == "<<":
            for source in entry.items or (entry,):
                for inner in source.entries:
                    merged.setdefault(inner[0].text, inner)
        else:
            found[key.text] = (key, entry)
    return Value("mapping", *done.place, entries=tuple({**merged, **found}.values()))


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()
_TAG = "tag:yaml.org,2002:"


def _refuse(problems: Problems, at: Value, text: str) -> Value:
    problems.add(at, text)
    problems.settle()
    return at


class _Mark(Protocol):
    """A place of either of PyYAML's two parsers, counted from 0."""

    line: int
    column: int


def _place(mark: _Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, kind: Kind, event: yaml.Event) -> None:
        self.kind: Kind = kind
        self.place = _place(event.start_mark)
        self.values: list[Value] = []
        self.anchor = ""


def _build(events: Iterable[yaml.Event], problems: Problems) -> Value:
    """Follows the events with a stack: the depth of a file is not the depth of our calls."""
    stack: list[_Open] = []
    root: Value | None = None
    for event in events:
        value = _take(event, stack, problems)
        if value is None:
            continue
        if stack:
            stack[-1].values.append(value)
        elif root is not None:
            _refuse(problems, value, "a second document: keep one in a file")
        else:
            root = value
    if root is None:
        return _refuse(problems, Value("nothing", 1, 1), "the file is empty: fill it or remove it")
    return root


def _take(event: yaml.Event, stack: list[_Open], problems: Problems) -> Value | None:
    """The value that an event completes, if it does."""
    match event:
        case yaml.AliasEvent():
            place = _scalar_at("other", event, f"*{event.anchor}")
            return _refuse(problems, place, "aliases are not allowed: write the value out")
        case yaml.ScalarEvent():
            return _scalar(event)
        case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
            kind: Kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
            stack.append(_Open(kind, event))
            if len(stack) > MAX_DEPTH:
                _refuse(problems, _scalar_at("other", event, ""), f"nested deeper than {MAX_DEPTH}")
        case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
            return _closed(stack.pop(), problems)
        case _:
            pass  # the marks around a stream and a document
    return None


def _scalar_at(kind: Kind, event: yaml.Event, text: str) -> Value:
    return Value(kind, *_place(event.start_mark), text)


def _scalar(event: yaml.ScalarEvent) -> Value:
    tag = event.tag
    if tag is None or tag == "!":
        tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
    return _scalar_at(_kind(str(tag).removeprefix(_TAG), event.value), event, event.value)


def _kind(tag: str, text: str) -> Kind:
    """YAML's own guess, as far as it keeps what is written."""
    if tag == "str":
        return "text"
    if tag == "null":
        return "nothing"
    if tag == "bool":
        return "truth"
    digits = text.removeprefix("-")
    plain = tag == "int" and digits.isascii() and digits.isdecimal() and len(digits) < 20
    return "number" if plain and (digits == "0" or digits[0] != "0") else "other"


def integer(text: str) -> str:
    """The number that YAML 1.1 reads in `022`, `0x16`, `1_000`, `22:22`; empty for what is none."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if tag != f"{_TAG}int" or len(text) > 40:
        return ""
    try:
        return str(yaml.safe_load(text))
    except ValueError:  # `0_`, `0x_`
        return ""


def _closed(done: _Open, problems: Problems) -> Value:
    if done.kind == "list":
        return Value("list", *done.place, items=tuple(done.values))
    entries = tuple(zip(done.values[::2], done.values[1::2], strict=True))
    seen: dict[str, Value] = {}
    for key, _ in entries:
        _check_key(key, seen, problems)
    return Value("mapping", *done.place, entries=entries)


def _check_key(key: Value, seen: dict[str, Value], problems: Problems) -> None:
    if key.text == "<<":
        problems.add(key, "merge keys are not allowed: write the values out")
    elif key.kind != "text":
        quote = f": quote it, {key.told}" if key.text else ""
        problems.add(key, f"a key must be a text, not {NAMES[key.kind]}{quote}")
    elif key.text in seen:
        first = seen[key.text]
        problems.add(key, f"{key.told} stands here a second time, first in line {first.line}")
    seen.setdefault(key.text, key)
