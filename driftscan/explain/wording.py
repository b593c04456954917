"""How several families of causes say the same thing."""

from collections.abc import Iterable

from msgspec.structs import replace

from driftscan.explain.runs import Transaction
from driftscan.model import Evidence, HostRecord


def some(names: Iterable[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    told = list(names)
    more = f" and {len(told) - most} more" if len(told) > most else ""
    return ", ".join(told[:most]) + more


def were(names: Iterable[str], lead: str = "") -> str:
    """`a was`, `a, b were` or `a, b and 4 more were`, the lead first."""
    told = sorted(names, key=lambda name: (name != lead, name))
    return f"{some(told, 2)} {'was' if len(told) == 1 else 'were'}"


def logged(record: HostRecord) -> Evidence:
    """The record itself as evidence."""
    command = f": {record.command}" if record.command else ""
    return Evidence(
        text=f"{record.source} {record.time} {record.user}{command}",
        confidence=record.confidence,
        cites=record.cites,
    )


def kept(record: HostRecord) -> Evidence:
    """The record of what a hold or a pin keeps: it is not that of the hold or the pin."""
    told = logged(record)
    return replace(told, text=f"the version it keeps came by: {told.text}")


def quoted(transaction: Transaction) -> str:
    """The command as a sentence quotes it."""
    return f"`{transaction.command}`" if transaction.command else "an unnamed command"


def run(transaction: Transaction) -> str:
    """The command with its moment, as a sentence quotes it."""
    return f"{quoted(transaction)} of {transaction.start[:16]}"
