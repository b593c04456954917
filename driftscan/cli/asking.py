"""Words of the command line -> targets -> sides, with the progress on the terminal."""

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from driftscan.errors import InputError

if TYPE_CHECKING:  # the model costs 40 ms: only once a command runs
    from driftscan.cli.options import Asking, Explaining, Hosts
    from driftscan.details.needs import Needs
    from driftscan.inventory.contract import Inventory
    from driftscan.model import Side, Target, Unreached
    from driftscan.resolve import Options, Wanting

DEFAULT_INVENTORY = "inventory.yml"
_LATE = ("cli.telling", "report.table", "explain.engine", "policy", "simulate")


def inventory_at(named: str | None) -> "Inventory | None":
    """The inventory that is named, else the one in the working directory, else none."""
    from driftscan.cli.faults import say
    from driftscan.inventory import ansible_program, loading

    default = Path(DEFAULT_INVENTORY)
    if not named and not default.is_file():
        return None
    program = ansible_program.program(os.environ.get("DRIFTSCAN_ANSIBLE_INVENTORY", ""))
    found = loading.load(named or str(default), program)
    for text in found.notes:
        say(text)
    return found


def inventory_needed(named: str | None) -> "Inventory":
    """As `inventory_at`; raises InputError when there is none."""
    found = inventory_at(named)
    if found is None:
        raise InputError(
            f"there is no inventory: name one with -i FILE or DRIFTSCAN_INVENTORY, or write"
            f" ./{DEFAULT_INVENTORY}"
        )
    return found


def selected(words: Sequence[str], hosts: "Hosts") -> "tuple[list[Target], Inventory | None]":
    """The targets that are named, else the inventory's hosts within the limit."""
    from driftscan.inventory import limit, targets

    if words and hosts.limit:
        raise InputError("give TARGETs or --limit, not both: --limit is for the inventory's hosts")
    if not words:
        needed = inventory_needed(hosts.inventory)
        return limit.select(needed, hosts.limit), needed
    inventory = inventory_at(hosts.inventory)
    named = {word: targets.parse(word, inventory) for word in words}
    return list(named.values()), inventory


def named(words: "Sequence[str]", hosts: "Hosts") -> "list[Target]":
    """The targets that the words name, in their order."""
    from driftscan.inventory import targets

    inventory = inventory_at(hosts.inventory)
    return [targets.parse(word, inventory) for word in words]


def sides(
    targets: "Iterable[Target]", asking: "Asking", *, early: bool = True
) -> "Generator[tuple[str, Side | Unreached], None, None]":
    """Each target's name and side as it is ready; see `resolve.sides`."""
    from msgspec import structs

    from driftscan import resolve
    from driftscan.cli import progress

    if asking.become is not None:
        targets = [structs.replace(target, become=asking.become) for target in targets]
    if asking.app:
        roots = {*asking.app}
        targets = [structs.replace(t, app=sorted({*t.app, *roots})) for t in targets]
    targets = list(targets)
    asking = _within_reach(asking, resolve.takes_time(targets))
    with (
        progress.shown(resolve.takes_time(targets), quiet=asking.quiet) as on_event,
        closing(resolve.sides(targets, _options(asking), on_event=on_event, early=early)) as found,
    ):
        yield from found


def learned(
    wanting: "Wanting", asking: "Asking", explaining: "Explaining"
) -> "tuple[Needs, frozenset[str]]":
    """What is known of the targets now, and which were asked; see `resolve.learn`."""
    from driftscan import resolve
    from driftscan.cli import progress
    from driftscan.machines import descriptors
    from driftscan.scan import MOST_WORKERS

    machines = len(wanting.wants)
    room = descriptors.room(min(asking.workers or MOST_WORKERS, machines))
    asking = replace(asking, workers=max(room, 1))
    with progress.shown(machines, quiet=asking.quiet) as on_event:
        return resolve.learn(wanting, _options(asking, explaining), on_event=on_event)


def _within_reach(asking: "Asking", machines: int) -> "Asking":
    """As many at once as there are file descriptors for; told when that is less than was asked.

    What comes after the answers is loaded then, while there is room. Raises InputError.
    """
    from driftscan.machines import descriptors
    from driftscan.scan import MOST_WORKERS

    wanted = min(asking.workers or MOST_WORKERS, machines)
    room = descriptors.room(wanted)
    if room >= wanted:
        return asking
    if not room:
        raise InputError(
            f"too few file descriptors: {descriptors.used()} are open, and to ask a machine takes"
            f" {descriptors.OWN + descriptors.EACH} more: raise `ulimit -n` to"
            f" {descriptors.needed()} at least"
        )
    for module in _LATE:
        import_module(f"driftscan.{module}")
    if not asking.quiet:
        from driftscan.cli.faults import say

        say(f"not {wanted} machines at once but {room}: `ulimit -n` allows no more")
    return replace(asking, workers=room)


def _options(asking: "Asking", explaining: "Explaining | None" = None) -> "Options":
    from msgspec import structs

    from driftscan import resolve
    from driftscan.cli.configuration import TIMEOUTS
    from driftscan.model import Limits

    limits = Limits(deadline=asking.deadline)
    stages = {TIMEOUTS[stage][0]: seconds for stage, seconds in asking.timeouts}
    return resolve.Options(
        limits=structs.replace(limits, **stages),
        workers=asking.workers,
        per_jump=asking.per_jump,
        until=asking.ends,
        engine=asking.engine,
        road=asking.road,
        verify=asking.verify,
        network=explaining.network if explaining else "",
        cache=explaining.cache if explaining else "",
    )
