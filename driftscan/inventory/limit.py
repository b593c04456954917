"""`--limit`: Ansible's patterns (its guide to them) over the hosts and groups of an inventory."""

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from driftscan.errors import InputError
from driftscan.inventory.contract import EVERYTHING, Inventory, meant
from driftscan.inventory.files import text_of
from driftscan.model import Target

_WORD = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_PART = re.compile(r"(.+)\[(?:(-?[0-9]{1,6})|([0-9]{0,6})[:-]([0-9]{0,6}))\]")


def select(inventory: Inventory, limit: Iterable[str] = ()) -> list[Target]:
    """The hosts that the patterns select, in the order of the inventory; all without patterns.

    A pattern is a host, a group, `all`, a glob (`web-*`), `~` and a regular expression, `GROUP[0]`
    or `GROUP[0:2]` (counted from 0, the end included), or `@FILE` of patterns; after `&` what it
    does not match goes, after `!` what it matches, whatever their place. Commas or colons stand
    between several. Raises InputError for one that matches nothing, and when nothing is left.
    """
    patterns = [part for word in limit for part in _split(word)]
    plain = [part for part in patterns if part[0] not in "!&"]
    names = set().union(*(_matches(part, inventory) for part in plain)) if plain else set()
    names = names if plain else set(inventory.hosts)
    for part in patterns:
        if part.startswith("&"):
            names &= _matches(part[1:], inventory)
    for part in patterns:
        if part.startswith("!"):
            names -= _matches(part[1:], inventory)
    if not names:
        raise InputError(
            f"no host is selected: --limit {','.join(patterns)} leaves none of {inventory.path}"
        )
    return [target for name, target in inventory.hosts.items() if name in names]


def _split(word: str) -> list[str]:
    """The patterns in one word; a regular expression keeps its colons."""
    if word.startswith("@"):
        lines = text_of(Path(word[1:])).split("\n")
        told = [line.strip() for line in lines]
        return [part for line in told if line and line[0] != "#" for part in _split(line)]
    if "," in word or word.lstrip("!&").startswith("~"):
        return [part.strip() for part in word.split(",") if part.strip()]
    return [part for part in _WORD.findall(word) if part]


def _matches(pattern: str, inventory: Inventory) -> set[str]:
    if not pattern:
        raise InputError("--limit: nothing stands after ! or &")
    if pattern in (EVERYTHING, "*"):
        return set(inventory.hosts)
    part = (
        None if pattern.startswith("~") or pattern in inventory.hosts else _PART.fullmatch(pattern)
    )
    whole = _named(part[1] if part else pattern, inventory)
    names = _sliced(whole, part) if part else whole
    if not names and part and whole:
        count = f"{len(whole)} host" + ("" if len(whole) == 1 else "s")
        raise InputError(f"--limit {pattern[:200]!r}: {part[1]} has {count}, counted from 0")
    if not names:
        hint = meant(pattern, [*inventory.hosts, *inventory.groups])
        raise InputError(f"--limit {pattern[:200]!r} matches no host of {inventory.path}{hint}")
    return set(names)


def _named(pattern: str, inventory: Inventory) -> list[str]:
    """The hosts of matching groups and the matching hosts, in order."""
    fits = _regex(pattern[1:]) if pattern.startswith("~") else partial(_like, pattern)
    if pattern in (EVERYTHING, "*"):
        return list(inventory.hosts)
    found = [h for group, row in inventory.groups.items() if fits(group) for h in row.hosts]
    return list(dict.fromkeys([*found, *(name for name in inventory.hosts if fits(name))]))


def _like(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern)


def _sliced(names: list[str], part: re.Match[str]) -> list[str]:
    if part[2]:
        index = int(part[2])
        return names[index:][:1] if index >= -len(names) else []
    last = int(part[4]) + 1 if part[4] else len(names)
    return names[int(part[3] or 0) : last]


def _regex(text: str) -> Callable[[str], bool]:
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise InputError(f"--limit ~{text[:200]}: not a regular expression: {error}") from None
    return lambda name: compiled.match(name) is not None
