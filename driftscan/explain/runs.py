"""What a package manager did in one run, as its log has it."""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from driftscan.model import Field, Item, managers
from driftscan.model.managers import Manager

ADDED = ("install", "upgrade", "downgrade", "reinstall")
REMOVED = ("remove", "purge")
_AGAIN = ("reinstall", "upgrade", "downgrade")


class Operation(Struct, frozen=True):
    """What one transaction did to one package."""

    action: str
    old: str
    new: str


class Transaction(Struct, frozen=True):
    """One run of the package manager, or several of the same command within minutes.

    `zone` is that of its times where the log tells it, else they are the machine's local ones.
    `keys` are the items of the section it was read from; `named` the packages its command line asks
    to install: one that was there already is in no list of the log, only its mark changed.
    """

    start: str
    end: str
    user: str
    command: str
    operations: dict[str, Operation]
    automatic: frozenset[str]
    keys: tuple[str, ...]
    named: list[str] = []
    unattended: bool = False
    whole: bool = False
    of_release: bool = False
    undo: str = ""
    repositories: dict[str, str] = {}
    zone: str = ""

    @property
    def requested(self) -> list[str]:
        """The packages it installed because they were asked for, in order."""
        return sorted(
            package
            for package, done in self.operations.items()
            if done.action == "install" and package not in self.automatic
        )


def read(manager: Manager, key: str, item: Item) -> Transaction:
    """One item of the section of its history, whose key is `key`."""
    operations: dict[str, Operation] = {}
    command = str(item.get("command") or "")
    # What a failed one meant to do it may have done or not: it is no record of anything.
    done = {} if item.get("error") else item
    for action in (*ADDED, *REMOVED):
        packages = done.get(action)
        for name, value in packages.items() if isinstance(packages, dict) else ():
            old, arrow, new = value.partition(" -> ")
            operations[name] = Operation(action, old if arrow else "", new if arrow else old)
    named = _named(manager, command, operations)
    start = str(item.get("start") or key)
    return Transaction(
        start=start,
        end=str(item.get("end") or start),
        user=str(item.get("user") or ""),
        command=command,
        operations=operations,
        automatic=_came_along(manager, item.get("automatic"), operations, named),
        keys=(key,),
        named=named,
        unattended=manager.unattended.search(command) is not None,
        whole=bool(manager.unattended.search(command) or manager.whole.search(command)),
        of_release=manager.release.search(command) is not None,
        undo=str(item.get("id") or ""),
        repositories=_repositories(item.get("repositories")),
        zone=str(item.get("zone") or ""),
    )


def _repositories(value: Field) -> dict[str, str]:
    return value if isinstance(value, dict) else {}


def _came_along(
    manager: Manager, told: Field, operations: Mapping[str, Operation], named: Sequence[str]
) -> frozenset[str]:
    """What nobody asked for: as the log says, where it says so, else what its command names not."""
    if not manager.wish:
        return frozenset(told if isinstance(told, list) else ())
    return frozenset(n for n, done in operations.items() if done.action == "install") - {*named}


def _named(manager: Manager, command: str, operations: Mapping[str, Operation]) -> list[str]:
    """What a command line asks to install, as written there; nothing if it only upgrades.

    Names of packages it installed are their keys, and so are package files of them.
    """
    words = command.split()
    verbs = [i for i, word in enumerate(words) if manager.install.fullmatch(word)]
    if not verbs or (manager.not_install and manager.not_install in words):
        return []
    asked = words[verbs[0] + 1 :]
    found = (manager.asked.fullmatch(word) for word in asked if not _is_file(manager, word))
    names = managers.resolved([match[1] for match in found if match], operations)
    files = [word.rpartition("/")[2] for word in asked if _is_file(manager, word)]
    brought = {f"{name}-{done.new}": name for name, done in operations.items()}
    return names + [n for b, n in brought.items() if any(file.startswith(b) for file in files)]


def _is_file(manager: Manager, word: str) -> bool:
    """apt tells of files as of names, dnf why each package came: there the log itself is better."""
    return bool(manager.wish) and manager.file in word


_GAP = 10
"""Minutes of silence after which the same command is another run."""


def same(first: Transaction, second: Transaction) -> bool:
    """One unattended upgrade logs each of its minimal steps as a transaction of its own.

    And what was run twice within a second cannot be told apart.
    """
    if first.command != second.command:
        return False
    soon = first.unattended and _minutes(second.start) - _minutes(first.end) < _GAP
    return soon or (bool(first.command) and first.start == second.start)


def merged(first: Transaction, second: Transaction) -> Transaction:
    """Both as one: what the second did to a package that the first brought is part of that."""
    operations = dict(first.operations)
    repositories = {**first.repositories, **second.repositories}
    for name, done in second.operations.items():
        before = operations.get(name)
        again = before is not None and before.action == "install" and done.action in _AGAIN
        action = "install" if again else done.action
        operations[name] = Operation(action, before.old if before else done.old, done.new)
    return replace(
        first,
        end=second.end,
        operations=operations,
        automatic=first.automatic | second.automatic,
        keys=(*first.keys, *second.keys),
        repositories=repositories,
        named=list(dict.fromkeys((*first.named, *second.named))),
    )


_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d) +(\d\d):(\d\d)", re.ASCII)


def _minutes(text: str) -> int:
    """Only the distance of two times matters, and only when it is a matter of minutes."""
    match = _TIME.match(text)
    if match is None:
        return 0
    year, month, day, hour, minute = (int(part) for part in match.groups())
    return (((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute
