"""Ansible's INI inventory -> hosts, groups and their variables (Ansible's inventory guide)."""

import ast
import re
import shlex

from driftscan.errors import InputError
from driftscan.inventory.ansible_nouns import GROUP, Read, Var, Vars, of_interest
from driftscan.inventory.ranges import expanded

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_CHILD = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|((?:[^:\[\]]|\[[^\[\]]*\])+)):([0-9]{1,5})")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\]")
_KINDS = ("hosts", "children", "vars")


def read(text: str, name: str, into: Read) -> None:
    """Adds what the file says; raises InputError `file:line: what` for a line Ansible refuses."""
    _Reader(name, into).read(text)


class _Reader:
    """Goes through the lines of one file; groups may be named before they are made."""

    def __init__(self, name: str, into: Read) -> None:
        self._name, self._into = name, into
        self._group, self._kind = "ungrouped", "hosts"
        self._made: set[str] = {"all", "ungrouped"}
        self._pending: dict[str, str] = {}

    def read(self, text: str) -> None:
        for number, raw in enumerate(text.split("\n"), 1):
            line, place = raw.strip(), f"{self._name}:{number}"
            if not line or line[0] in "#;":
                continue
            section = _SECTION.fullmatch(line)
            if section:
                self._section(section, place)
            elif self._kind == "vars":
                self._variable(line, place)
            elif self._kind == "children":
                self._child(line, place)
            else:
                self._hosts(line, place)
        for group, place in self._pending.items():
            if group not in self._made:
                raise InputError(f"{place}: group {group!r} is in no [{group}]: add one")

    def _section(self, match: re.Match[str], place: str) -> None:
        self._group, self._kind = match[1], match[2] or "hosts"
        if self._kind not in _KINDS:
            line = match.group()[:60]
            known = "[GROUP], [GROUP:children], [GROUP:vars]"
            raise InputError(f"{place}: {line!r} is none of {known}")
        if self._kind == "vars":
            if self._group not in self._into.groups:
                self._pending.setdefault(self._group, place)
        else:
            self._made.add(self._group)
            self._into.group(self._group)

    def _variable(self, line: str, place: str) -> None:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise InputError(f"{place}: expected name=value, got {line[:60]!r}")
        if of_interest(name):
            self._into.group(self._group).vars[name] = _variable(value, place)

    def _child(self, line: str, place: str) -> None:
        match = _CHILD.fullmatch(line)
        if match is None or not GROUP.fullmatch(match[1]):
            raise InputError(f"{place}: {line[:60]!r} cannot be a group")
        known = match[1] in self._into.groups
        self._into.add_child(self._group, match[1])
        if not known:
            self._pending.setdefault(match[1], place)

    def _hosts(self, line: str, place: str) -> None:
        try:
            pattern, *words = shlex.split(line, comments=True)
        except ValueError as error:
            raise InputError(f"{place}: a quote is not closed in {line[:60]!r}") from error
        variables: Vars = {}
        pattern, port = split_port(pattern)
        if port:
            variables["ansible_port"] = Var(port, place)
        for word in words:
            name, equals, value = word.partition("=")
            if not equals:
                raise InputError(f"{place}: expected name=value after the host, got {word[:60]!r}")
            if of_interest(name):
                variables[name] = _variable(value, place)
        for host in names(pattern, place):
            self._into.add_host(host, self._group, variables)


def split_port(pattern: str) -> tuple[str, str]:
    """A pattern of hosts without the port behind it, and that port; empty where there is none."""
    match = _PORT.fullmatch(pattern)
    if match:
        return match[1] or match[2], match[3]
    plain = _BRACKETED.fullmatch(pattern)
    return plain[1] if plain else pattern, ""


def names(pattern: str, place: str) -> list[str]:
    """The hosts that a pattern stands for; an IPv6 address holds no range."""
    if pattern.count(":") > 1 and "[" not in pattern:
        return [pattern]
    try:
        return expanded(pattern)
    except ValueError as error:
        raise InputError(f"{place}: {error}") from error


def _variable(text: str, place: str) -> Var:
    """Ansible reads a value as Python does where it can: quotes go, `# ...` after a number too."""
    try:
        value = ast.literal_eval(text) if len(text) <= 4096 else text
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = text
    if value is None:
        return Var("", place)
    if not isinstance(value, str | int | float | bool):
        return Var("", place, "it is no plain value")
    return Var(str(value), place)
