"""The accept file, `driftscan-accept.yml`: text -> rules with their lines, and a rule -> text.

Adding a rule keeps every other line of the file as it is, comments with them; a comment belongs
to the rule below it. Rules stand in the order of their ids, groups and hosts.
"""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from driftscan.errors import InputError
from driftscan.inventory.yaml_lines import Problems, Value, read
from driftscan.model import Pin, Rule, Rules
from driftscan.sanitize import safe

NAME = "driftscan-accept.yml"

_HEAD = """\
# Differences that were found and accepted, written by `driftscan accept`: review them like code.
accepted:
"""
_MAX_SIZE = 8 << 20
_NEEDED = ("id", "reason", "owner", "until", "values")
_KEYS = (*_NEEDED, "ticket", "host", "group")
_PIN_NEEDED = ("id", "digest")
_PIN_KEYS = (*_PIN_NEEDED, "subject", "reference")
_DIGEST = re.compile(r"[0-9a-f]{16}")


def load(path: Path) -> Rules:
    """The rules of a file. Raises InputError naming file, line and what is wrong."""
    return parse(_text(path), str(path))


def text_of(path: Path) -> str:
    """What is in a file; nothing when it is not there yet. Raises InputError."""
    return _text(path) if path.exists() else ""


def parse(text: str, name: str) -> Rules:
    """The rules of a text; `name` is the file's, for messages. Raises InputError."""
    problems = Problems(name)
    root = read(text, problems)
    rules = [_rule(value, problems) for value in _listed(root, problems)]
    problems.settle()
    seen: dict[tuple[str, str, str], int] = {}
    for rule in rules:
        first = seen.setdefault(rule.scope, rule.line)
        if first != rule.line:
            raise InputError(
                f"{name}:{rule.line}: a second rule for {rule.told}, the first is in line {first}:"
                " keep one"
            )
    return Rules(path=name, rules=rules)


def date_of(text: str) -> date | None:
    """The day that `2026-12-31` means; None for any other form."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIZE + 1)
        if len(data) > _MAX_SIZE:
            raise InputError(f"{path}: an accept file may have {_MAX_SIZE >> 20} MiB")
        return data.decode()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: save it as UTF-8") from error


def _listed(root: Value, problems: Problems) -> list[Value]:
    """The entries under `accepted`; an empty list may be left out."""
    if root.kind != "mapping":
        problems.add(root, f"expected `accepted:` with a list of rules, not {root.told}")
        return []
    found: list[Value] = []
    for key, value in root.entries:
        if key.text != "accepted":
            problems.add(key, f"{key.told} is not known here: the only key is `accepted`")
        elif value.kind == "list":
            found = list(value.items)
        elif value.kind != "nothing":
            problems.add(value, f"accepted: expected a list of rules, not {value.told}")
    return found


def _rule(value: Value, problems: Problems) -> Rule:
    fields = _fields(value, _KEYS, _NEEDED, problems, "rule")
    texts = {name: _word(name, fields, problems) for name in _KEYS if name != "values"}
    if "host" in fields and "group" in fields:
        problems.add(fields["group"], "a rule is for a host or for a group, not for both")
    if "until" in fields and date_of(texts["until"]) is None:
        problems.add(fields["until"], f"until: write a day like 2026-12-31, not {texts['until']!r}")
    values = fields.get("values")
    pins: list[Pin] = []
    if values is not None and values.kind == "list" and values.items:
        pins = [_pin(item, problems) for item in values.items]
    elif values is not None:
        problems.add(values, "values: expected the list that `driftscan accept` writes")
    return Rule(**texts, values=pins, line=value.line)


def _pin(value: Value, problems: Problems) -> Pin:
    fields = _fields(value, _PIN_KEYS, _PIN_NEEDED, problems, "value")
    texts = {name: fields[name].text if name in fields else "" for name in _PIN_KEYS}
    if "digest" in fields and _DIGEST.fullmatch(texts["digest"]) is None:
        problems.add(fields["digest"], "digest: expected the 16 letters `driftscan accept` writes")
    return Pin(**texts)


def _fields(
    value: Value,
    known: tuple[str, ...],
    needed: tuple[str, ...],
    problems: Problems,
    what: str,
) -> dict[str, Value]:
    if value.kind != "mapping":
        problems.add(value, f"expected a {what} with {', '.join(needed)}, not {value.told}")
        return {}
    for key, _ in value.entries:
        if key.text not in known:
            problems.add(key, f"{key.told} is not known in a {what}: known are {', '.join(known)}")
    fields = {key.text: inner for key, inner in value.entries}
    lacking = [name for name in needed if name not in fields]
    if lacking:
        problems.add(value, f"the {what} lacks {', '.join(lacking)}")
    return fields


def _word(name: str, fields: dict[str, Value], problems: Problems) -> str:
    """A text that is not empty; `until` and a ticket's number may be unquoted."""
    value = fields.get(name)
    if value is None:
        return ""
    if value.kind in ("list", "mapping"):
        problems.add(value, f"{name}: expected a text, not {value.told}")
    elif not value.text.strip():
        problems.add(value, f"{name} is empty")
    return safe(value.text)


# --- writing -----------------------------------------------------------------------------------


def with_rule(text: str, rule: Rule, name: str) -> str:
    """The text of a file with this rule added, or in place of the one with the same scope.

    Raises InputError when the file is wrong, or not of the form that can be added to.
    """
    rule = msgspec.convert(_plain(msgspec.to_builtins(rule)), Rule)
    text = text if text.strip() else _HEAD
    rules = parse(text, name).rules
    head, blocks = _blocks(text, rules, name)
    place = next((i for i, old in enumerate(rules) if old.scope >= rule.scope), len(rules))
    replaced = place < len(rules) and rules[place].scope == rule.scope
    above, indent = _around(blocks[place] if replaced else "", blocks)
    written = above + "".join(f"{indent}{line}\n" for line in _lines(rule))
    blocks[place : place + replaced] = [written]
    made = "".join([head, *blocks])
    wanted = [*rules[:place], rule, *rules[place + replaced :]]
    if [replace(r, line=0) for r in parse(made, name).rules] != [
        replace(r, line=0) for r in wanted
    ]:
        raise _closed_form(name)
    return made


def _plain(value: Any) -> Any:
    """Every text as it is read back: printable, on one line."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


_EMPTY = re.compile(r"^accepted:[ \t]*(?:\[[ \t]*\]|null|~)?[ \t]*(#.*)?$", re.MULTILINE)


def _blocks(text: str, rules: list[Rule], name: str) -> tuple[str, list[str]]:
    """What stands before the rules, and each rule with the comments above it."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if not rules:
        text = "".join(lines)
        if _EMPTY.search(text) is None:
            text += "accepted:\n"
        return _EMPTY.sub(lambda found: f"accepted: {found[1] or ''}".rstrip(), text), []
    starts = [_start(lines, rule.line - 1) for rule in rules]
    if -1 in starts or len(set(starts)) != len(starts):
        raise _closed_form(name)
    starts = [_with_comments(lines, start) for start in starts]
    ends = [*starts[1:], len(lines)]
    found = ["".join(lines[start:end]) for start, end in zip(starts, ends, strict=True)]
    return "".join(lines[: starts[0]]), found


def _start(lines: list[str], index: int) -> int:
    """The line of the dash that opens the rule whose first key is here; -1 if there is none."""
    for number in (index, index - 1):
        if number >= 0 and lines[number].lstrip().startswith("-"):
            return number
    return -1


def _with_comments(lines: list[str], start: int) -> int:
    while start > 0 and (not lines[start - 1].strip() or lines[start - 1].lstrip()[0] == "#"):
        start -= 1
    return start


def _around(old: str, blocks: list[str]) -> tuple[str, str]:
    """The comments above a rule that is replaced, and how far rules are indented here."""
    lines = old.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if line.lstrip().startswith("-")), 0)
    dash = re.search(r"^([ ]*)-", "".join(blocks), re.MULTILINE)
    return "".join(lines[:first]), dash[1] if dash else ""


def _closed_form(name: str) -> InputError:
    return InputError(
        f"{name}: rules can only be added where each begins on a line of its own, as `- id: ...`:"
        " write this file so, or name another with --file"
    )


def _lines(rule: Rule) -> list[str]:
    """A rule as it is written: every text quoted, so that YAML reads what was meant."""
    named = {
        "id": rule.id,
        "host": rule.host,
        "group": rule.group,
        "reason": rule.reason,
        "owner": rule.owner,
        "ticket": rule.ticket,
    }
    told = [f"{name}: {_quoted(value)}" for name, value in named.items() if value]
    told += [f"until: {rule.until}", "values:"]
    body = [f"{'- ' if number == 0 else '  '}{line}" for number, line in enumerate(told)]
    return body + [f"  - {{{_pairs(pin)}}}" for pin in rule.values]


def _pairs(pin: Pin) -> str:
    named = {name: getattr(pin, name) for name in _PIN_KEYS}
    return ", ".join(f"{name}: {_quoted(value)}" for name, value in named.items() if value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
