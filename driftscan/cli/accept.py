"""`driftscan accept`: a difference that may stay for a while, written down with its reason."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftscan.cli import completing, options
from driftscan.cli.gate import DEFAULT_FILE
from driftscan.cli.options import Asking, Explaining, Hosts
from driftscan.errors import InputError

if TYPE_CHECKING:
    from driftscan.model import HostReport, Pin, Rule, Target

_INCOMPLETE = 3


@click.command("accept", cls=options.Configured)
@click.argument("name", metavar="ID")
@click.option("--reason", required=True, help="Why it may stay.")
@click.option("--owner", required=True, help="Who answers for it.")
@click.option(
    "--until",
    required=True,
    metavar="DATE",
    help="The last day on which it is accepted, as 2026-12-31; it ends with that day in UTC.",
)
@click.option("--ticket", default="", help="Where it is being worked on.")
@click.option(
    "--host",
    metavar="TARGET",
    help="Only on this host; without it, or --group, on every host that has the same value.",
    shell_complete=completing.targets,
)
@click.option("--group", metavar="NAME", help="Only on hosts of this group of the inventory.")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=click.Path(),
    help="Take the values from this report of `check -f json` instead of asking the hosts.",
)
@click.option(
    "--file",
    "accept",
    metavar="FILE",
    envvar="DRIFTSCAN_ACCEPT",
    type=click.Path(),
    help=f"Where the rule is written.  [default: {DEFAULT_FILE}]",
)
@click.option(
    "--baseline",
    metavar="TARGET",
    shell_complete=completing.targets,
    help="Compare with this, instead of each host's own baseline.",
)
@options.INVENTORY
@options.asking
def command(
    name: str,
    reason: str,
    owner: str,
    until: str,
    ticket: str,
    host: str | None,
    group: str | None,
    source: str | None,
    accept: str | None,
    baseline: str | None,
    inventory: str | None,
    asking: Asking,
) -> int:
    """Accept the finding or the cause ID, as it is today.

    The rule pins the values of both sides: those of the finding, or of every finding that the
    cause leads. `check` counts them as accepted and does not fail on them until the day is over
    or a value changes. The values come from the hosts that are in scope, which are checked now,
    or from a report with --from. A rule for the same ID and scope is replaced; all else in the
    file stays as it is. Exit code 3 tells that a host in scope could not be seen.
    """
    from driftscan import policy, store
    from driftscan.cli import faults
    from driftscan.model import Rule
    from driftscan.policy import accept_file

    if host and group:
        raise InputError("give --host or --group, not both")
    path = Path(accept or DEFAULT_FILE)
    rule = Rule(id=name, reason=reason, owner=owner, until=until, ticket=ticket, group=group or "")
    _check(rule)
    text = accept_file.text_of(path)
    if text.strip():
        accept_file.parse(
            text, str(path)
        )  # what is wrong with the file is told before hosts are asked
    hosts = Hosts(inventory, ())
    reports = _in_report(source, host, group, hosts) if source else None
    if reports is None:
        reports = _checked(host, group, baseline, hosts, asking)
    found = {subject: policy.pins(name, report) for subject, report in reports.items()}
    rule = _with_values(rule, found, reports, next(iter(reports)) if host else "")
    with store.locked(path):
        text = accept_file.text_of(path)  # hosts were asked since: it may be another by now
        store.write(path, accept_file.with_rule(text, rule, str(path)).encode(), store.PUBLIC)
    where = ", ".join(subject for subject, pins in found.items() if pins)
    faults.say(f"{path}: {rule.told} is accepted until {until}, as it is on {where}")
    return _told_unseen(reports)


def _check(rule: "Rule") -> None:
    from driftscan.policy.accept_file import date_of

    for option in ("reason", "owner"):
        if not getattr(rule, option).strip():
            raise InputError(f"--{option} is empty: a rule without one helps nobody later")
    day, today = date_of(rule.until), datetime.now(UTC).date()
    if day is None:
        raise InputError(f"--until {rule.until!r}: write a day like {today}")
    if day < today:
        raise InputError(f"--until {rule.until} is over: today is {today} in UTC")


def _checked(
    host: str | None, group: str | None, baseline: str | None, hosts: Hosts, asking: Asking
) -> "dict[str, HostReport]":
    """The hosts in scope, checked now."""
    from driftscan import resolve
    from driftscan.cli import asking as words
    from driftscan.cli.judging import judged

    selected, inventory = words.selected((host,) if host else (), hosts)
    if group:
        selected = _of_group(selected, group, hosts)
    one = words.named((baseline,), hosts)[0] if baseline else None
    pairs = [(target, one or resolve.baseline_of(target, inventory)) for target in selected]
    # values are accepted: what lies between the versions does not change them
    return judged(pairs, asking, Explaining(details=False, network="", symptom=""))


def _of_group(targets: "list[Target]", group: str, hosts: Hosts) -> "list[Target]":
    from driftscan.cli import asking as words
    from driftscan.inventory.contract import meant

    inventory = words.inventory_needed(hosts.inventory)
    if group not in inventory.groups:
        hint = meant(group, inventory.groups)
        raise InputError(f"--group {group!r} is not in the inventory {inventory.path}{hint}")
    return [target for target in targets if group in target.groups]


def _in_report(
    source: str, host: str | None, group: str | None, hosts: Hosts
) -> "dict[str, HostReport]":
    """The hosts in scope, as a report tells of them."""
    from driftscan import store
    from driftscan.cli import asking as words
    from driftscan.inventory.contract import meant

    reports = store.load_report(Path(source)).hosts
    if host:
        if host not in reports:
            raise InputError(f"{source}: {host!r} is not in this report{meant(host, reports)}")
        return {host: reports[host]}
    if group:
        targets, _ = words.selected((), hosts)
        members = {target.name for target in _of_group(targets, group, hosts)}
        reports = {name: report for name, report in reports.items() if name in members}
    if not reports:
        raise InputError(f"{source}: no host in scope is in this report")
    return reports


def _with_values(
    rule: "Rule",
    found: "Mapping[str, list[Pin]]",
    reports: "Mapping[str, HostReport]",
    host: str,
) -> "Rule":
    """The rule with every value that a host in scope has; raises InputError if there is none."""
    from msgspec.structs import replace

    from driftscan.inventory.contract import meant

    values = {(pin.id, pin.digest): pin for pins in found.values() for pin in pins}
    if values:
        return replace(rule, host=host, values=[values[key] for key in sorted(values)])
    shared = [f for r in reports.values() for f in r.findings if rule.id in f.also]
    if shared:
        raise InputError(
            f"{rule.id} leads no finding: accept {shared[0].id}, or {shared[0].cause} that leads it"
        )
    known = {f.id for r in reports.values() for f in r.findings}
    known |= {f.cause for r in reports.values() for f in r.findings}
    hint = meant(rule.id, known) or ": the report names the id of every finding and cause"
    raise InputError(f"no host in scope has {rule.id!r}{hint}")


def _told_unseen(reports: "Mapping[str, HostReport]") -> int:
    from driftscan.cli import faults

    blind = [
        name for name, r in reports.items() if r.unreached or any(gap.blocks for gap in r.unknown)
    ]
    for name in blind:
        faults.say(f"{name} could not be seen whole: what it has may not be accepted")
    return _INCOMPLETE if blind else 0
