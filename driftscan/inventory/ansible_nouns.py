"""What an inventory of Ansible's says, before targets are made of it: hosts, groups, variables."""

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct, field

from driftscan.errors import InputError

MAX_HOSTS = 100_000
GROUP = re.compile(r"[^:\]\s]{1,250}")


class Var(Struct, frozen=True):
    """A variable's value as text, and where it stands; `doubt` says why it has no value."""

    text: str
    place: str
    doubt: str = ""


Vars: TypeAlias = dict[str, Var]


class Members(Struct):
    """A group while it is read: its own hosts and children, in order, and its variables."""

    hosts: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    vars: Vars = field(default_factory=dict)


class Read(Struct):
    """Everything that the files of one inventory said, and what was told and not guessed."""

    hosts: dict[str, Vars] = field(default_factory=dict)
    groups: dict[str, Members] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def group(self, name: str) -> Members:
        """The group of that name, made if it is new."""
        return self.groups.setdefault(name, Members())

    def add_host(self, name: str, group: str, variables: Mapping[str, Var]) -> None:
        """A host of a group; what is said of it later wins."""
        if name not in self.hosts and len(self.hosts) >= MAX_HOSTS:
            raise InputError(f"an inventory may have {MAX_HOSTS} hosts")
        self.hosts.setdefault(name, {}).update(variables)
        members = self.group(group).hosts
        if name not in members:
            members.append(name)

    def add_child(self, parent: str, child: str) -> None:
        """A group within a group."""
        self.group(child)
        children = self.group(parent).children
        if child not in children and child != parent:
            children.append(child)


def of_interest(name: str) -> bool:
    """Whether a variable can say how a host is reached, or what it is compared with."""
    return name.startswith(("ansible_", "driftscan_"))


def unique(words: Iterable[str]) -> list[str]:
    """The words, each once, in their order."""
    return list(dict.fromkeys(words))
