"""`driftscan inventory`: what was understood of an inventory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from driftscan.cli import options
from driftscan.cli.options import Hosts

if TYPE_CHECKING:
    from driftscan.inventory.contract import Inventory
    from driftscan.model import Target


@click.command("inventory", cls=options.Configured)
@options.hosts
@click.option(
    "-f",
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The form on standard output.",
)
def command(hosts: Hosts, format: str) -> int:
    """Print what was understood of the inventory.

    Every host with the settings it gets from itself, its groups and the defaults.
    """
    from driftscan.cli.asking import inventory_needed
    from driftscan.cli.telling import out
    from driftscan.inventory import limit

    inventory = inventory_needed(hosts.inventory)
    selected = limit.select(inventory, hosts.limit)
    out(_json(inventory, selected) if format == "json" else _text(inventory, selected))
    return 0


_READERS = {
    "driftscan": "driftscan",
    "both": "driftscan and ansible-inventory, which agree",
    "ansible-inventory": "ansible-inventory",
}


def _json(inventory: "Inventory", selected: "Sequence[Target]") -> str:
    import msgspec

    from driftscan.sanitize import inert_json

    names = {target.name for target in selected}
    plain = {
        "inventory": inventory.path,
        "reader": inventory.reader,
        "notes": list(inventory.notes),
        "hosts": {target.name: msgspec.to_builtins(target) for target in selected},
        "groups": {
            name: {
                "hosts": [host for host in group.hosts if host in names],
                "baseline": group.baseline,
            }
            for name, group in inventory.groups.items()
        },
    }
    data = msgspec.json.encode(plain, order="sorted")
    return inert_json(msgspec.json.format(data, indent=1).decode()) + "\n"


def _text(inventory: "Inventory", selected: "Sequence[Target]") -> str:
    from driftscan.sanitize import inert

    head = ("HOST", "ROAD", "ADDRESS", "USER", "BECOME", "GROUPS", "BASELINE", "PROFILE")
    rows = [head, *(_row(target) for target in selected)]
    if not any(target.profile for target in selected):
        rows = [row[:-1] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lost = [
        f"{target.name} cannot be asked: {target.unusable}"
        for target in selected
        if target.unusable
    ]
    count = f"{len(selected)} of {len(inventory.hosts)} hosts of {inventory.path}"
    count += f", read by {_READERS[inventory.reader]}"
    return "".join(f"{inert(line)}\n" for line in [*lines, "", *lost, count])


def _row(target: "Target") -> tuple[str, ...]:
    port = f":{target.port}" if target.port else ""
    become = "yes" if target.become else "-"
    place = target.container or target.address + port
    groups = ",".join(target.groups)
    return tuple(
        cell or "-"
        for cell in (
            target.name,
            target.road,
            place,
            target.user,
            become,
            groups,
            target.baseline,
            target.profile,
        )
    )
