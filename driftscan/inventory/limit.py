"""`--limit`: Ansible's patterns (its guide to them) over the hosts and groups of an inventory."""

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from driftscan.errors import InputError
from driftscan.inventory.contract import EVERYTHING, Inventory, is_address, meant
from driftscan.inventory.files import text_of
from driftscan.model import Target

_WORD = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_PART = re.compile(r"(.+)\[(?:(-?[0-9]{1,6})|([0-9]{1,6})[:-]([0-9]{0,6}))\]")
_WILD = re.compile(r"~|.*[.?*\[]")


def select(inventory: Inventory, limit: Iterable[str] = ()) -> list[Target]:
    """The hosts that the patterns select, in the order of the inventory; all without patterns.

    A pattern is a host, a group, `all`, a glob (`web-*`), `~` and a regular expression, `GROUP[0]`
    or `GROUP[0:2]` (counted from 0, the end included), or `@FILE` of patterns; after `&` what it
    does not match goes, after `!` what it matches, whatever their place. Commas or colons stand
    between several; with a comma a pattern keeps its colons. Raises InputError when nothing is
    left, and, as Ansible does with `host_pattern_mismatch = error`, for a name that there is not.
    """
    patterns = [part for word in limit for part in _split(word)]
    plain = [part for part in patterns if part[0] not in "!&"]
    names = set(inventory.hosts) if not plain else set[str]()
    for part in plain:
        names |= {part} if part in inventory.hosts else _matches(part, inventory)
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
    """The patterns in one word, those of files in their place."""
    if "," in word:
        parts = [part.strip() for part in word.split(",")]
    elif word[:1] == "@" and Path(word[1:]).is_file():
        parts = [word]
    else:
        parts = _parts(word)
    return [told for part in parts if part for told in _told(part)]


def _parts(word: str) -> list[str]:
    """What stands between colons or spaces, but for those of an IPv6 address."""
    return [word] if word.count(":") > 1 and is_address(word) else _WORD.findall(word)


def _told(part: str) -> list[str]:
    """The pattern, or those in the lines of `@FILE`, of which none names a file itself."""
    if part[0] != "@":
        return [part]
    lines = [line.strip() for line in text_of(Path(part[1:])).split("\n")]
    return [one for line in lines if line and line[0] != "#" for one in _parts(line)]


def _matches(pattern: str, inventory: Inventory) -> set[str]:
    """The hosts of one pattern; none for a group that has none."""
    if not pattern:
        raise InputError("--limit: nothing stands after ! or &")
    part = None if pattern.startswith("~") else _PART.fullmatch(pattern)
    whole = _named(part[1] if part else pattern, inventory)
    if whole is None:
        hint = meant(pattern, [*inventory.hosts, *inventory.groups])
        raise InputError(f"--limit {pattern[:200]!r} matches no host of {inventory.path}{hint}")
    return set(_sliced(whole, part, pattern) if part else whole)


def _named(pattern: str, inventory: Inventory) -> list[str] | None:
    """The hosts of matching groups, then the matching hosts; None where none matches.

    A host is there once for each of its groups: Ansible counts so. A plain name that is a group's
    is not looked for among the hosts too. All hosts are a group.
    """
    fits = _regex(pattern[1:]) if pattern.startswith("~") else _glob(pattern)
    groups: dict[str, tuple[str, ...]] = {EVERYTHING: tuple(inventory.hosts), "ungrouped": ()}
    groups |= {name: row.hosts for name, row in inventory.groups.items()}
    groups |= dict.fromkeys(inventory.empty, ())
    matching = [name for name in groups if fits(name)]
    found = [host for name in matching for host in groups[name]]
    if not matching or _WILD.match(pattern):
        found += [name for name in inventory.hosts if fits(name)]
    return found if found or matching else None


def _sliced(names: list[str], part: re.Match[str], pattern: str) -> list[str]:
    """`[N]`, `[FIRST:LAST]` or `[FIRST:]`; `[N:0]` is `[N]`, as Ansible has it.

    Raises InputError for a single place that there is not; a group without hosts has none.
    """
    index = part[2] or (part[3] if part[4] and not int(part[4]) else "")
    if not index:
        return names[int(part[3]) : int(part[4] or len(names)) + 1]
    if names and not -len(names) <= int(index) < len(names):
        count = f"{len(set(names))} host" + ("" if len(set(names)) == 1 else "s")
        raise InputError(f"--limit {pattern[:200]!r}: {part[1]} has {count}, counted from 0")
    return names[int(index) :][:1]


def _glob(pattern: str) -> Callable[[str], bool]:
    return lambda name: fnmatchcase(name, pattern)


def _regex(text: str) -> Callable[[str], bool]:
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise InputError(f"--limit ~{text[:200]}: not a regular expression: {error}") from None
    return lambda name: compiled.match(name) is not None
