"""Shell completion of targets, hosts and groups: from the inventory, and silent about mistakes."""

import os
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from driftscan.errors import DriftscanError

if TYPE_CHECKING:
    from driftscan.inventory.contract import Inventory

SCHEMES = (
    "ssh://",
    "local://",
    "docker://",
    "podman://",
    "image://",
    "archive://",
    "rootfs://",
    "dockerfile://",
)


def targets(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Host names, baselines, schemes; files once a `/` or a `.` is typed."""
    if "://" not in incomplete and ("/" in incomplete or incomplete.startswith(".")):
        return [CompletionItem(incomplete, type="file")]
    inventory = _inventory(context)
    words = list(inventory.hosts) if inventory else []
    if inventory:
        from driftscan.inventory.targets import baselines

        words += [f"baseline://{name}" for name in baselines(inventory)]
    return _starting([*words, *SCHEMES], incomplete)


def hosts_and_groups(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What `--limit` takes; the words before the last comma stay."""
    inventory = _inventory(context)
    if inventory is None:
        return []
    before, comma, last = incomplete.rpartition(",")
    words = [*inventory.hosts, *inventory.groups]
    return [
        CompletionItem(before + comma + item.value)
        for item in _starting([*words, *(f"!{word}" for word in words)], last)
    ]


def _starting(words: list[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _inventory(context: click.Context) -> "Inventory | None":
    from driftscan.cli.asking import inventory_at

    named = context.params.get("inventory") or os.environ.get("DRIFTSCAN_INVENTORY")
    try:
        return inventory_at(named)
    except DriftscanError:
        return None  # the command itself will tell; a prompt is no place for it
