"""`driftscan doctor`: can each target be asked, what of it cannot be seen, and what cures it."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from driftscan.cli import completing, options
from driftscan.cli.options import Asking, Hosts

if TYPE_CHECKING:
    from driftscan.doctor import Diagnosis
    from driftscan.model import Target, WithoutRoot

INCOMPLETE = 3
_HOSTS = ("ssh", "openssh", "local")
_WORST = ("failed", "partial", "ok")
_SHOWN = {"ok": "ok", "partial": "PARTIAL", "failed": "FAILED"}


@click.command("doctor", cls=options.Configured)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=completing.targets)
@click.option(
    "-f",
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The form on standard output.",
)
@options.hosts
@options.asking
def command(targets: tuple[str, ...], format: str, hosts: Hosts, asking: Asking) -> int:
    """Check that each TARGET can be asked, and tell the cures.

    Each is asked as `scan` does, and nothing is kept: the way, the host's key, our key, the login,
    the shell, then what this account and the tools there leave unseen, and the clock. Without a
    TARGET every host of the inventory is checked. Exit code 0 tells that all of them can be seen
    whole, 3 that something cannot.
    """
    from driftscan.cli import asking as words
    from driftscan.cli.telling import out

    selected, _ = words.selected(targets, hosts)
    found = dict(sorted(_diagnosed(selected, asking).items()))
    whole = all(one.state == "ok" for one in found.values())
    if not (asking.quiet and whole):
        out(_json(found) if format == "json" else _text(found))
    return 0 if whole else INCOMPLETE


def _diagnosed(targets: "Sequence[Target]", asking: Asking) -> "dict[str, Diagnosis]":
    """Hosts all at once; files and what needs an engine one by one, each with its own trouble."""
    from driftscan import doctor
    from driftscan.cli import asking as words
    from driftscan.errors import DriftscanError

    found: dict[str, Diagnosis] = {}
    together = [target for target in targets if target.road in _HOSTS]
    alone = [[target] for target in targets if target.road not in _HOSTS]
    for group in [together, *alone]:
        try:
            with closing(words.sides(group, asking, early=False)) as sides:
                found.update((name, doctor.diagnosed(side)) for name, side in sides)
        except DriftscanError as error:
            found.update((target.name, doctor.refused(str(error))) for target in group)
    return found


def _json(found: "Mapping[str, Diagnosis]") -> str:
    import msgspec

    from driftscan.sanitize import inert_json

    fine = all(one.state == "ok" for one in found.values())
    plain = {"complete": fine, "targets": dict(found), "without_root": _without_root(found)}
    data = msgspec.json.encode(plain, order="sorted")
    return inert_json(msgspec.json.format(data, indent=1).decode()) + "\n"


def _text(found: "Mapping[str, Diagnosis]") -> str:
    from driftscan.sanitize import inert

    count = {state: sum(one.state == state for one in found.values()) for state in _SHOWN}
    head = [f"{count['ok']}/{len(found)} {'target' if len(found) == 1 else 'targets'} fine"]
    head += [f"{count['failed']} cannot be asked"] if count["failed"] else []
    head += [f"{count['partial']} not seen whole"] if count["partial"] else []
    lines = [", ".join(head), ""]
    for name, one in sorted(found.items(), key=lambda entry: _WORST.index(entry[1].state)):
        lines += _lines(name, one)
    lines += _root(found)
    return "".join(f"{inert(line)}\n" for line in lines)


def _without_root(found: "Mapping[str, Diagnosis]") -> "WithoutRoot | None":
    from driftscan import collector, privileges
    from driftscan.probes.table import PROBES

    lost = [(name, one.account, what) for name, one in found.items() for what in one.without_root]
    return privileges.without_root(lost, collector.PATH, lambda: collector.digest(PROBES))


def _root(found: "Mapping[str, Diagnosis]") -> list[str]:
    """Once for all targets, as one rule cures it."""
    from driftscan import privileges

    lost = _without_root(found)
    if lost is None:
        return []
    rules = [f"         {line}" for line in lost.sudoers]
    return [
        "",
        f"NO ROOT  {privileges.sentence(lost)}",
        f"cure     {privileges.cure(lost)}",
        *rules,
    ]


def _lines(name: str, one: "Diagnosis") -> list[str]:
    first = f"{_SHOWN[one.state].ljust(8)} {name}"
    if one.state == "failed":
        passed = [f"         fine     {', '.join(one.passed)}"] if one.passed else []
        cure = [f"         cure     {one.cure}"] if one.cure else []
        return [f"{first}  {one.step}: {one.cause}", *passed, *cure]
    lines = [f"{first}  as {one.account}, {one.sections} sections, {one.seconds:.1f} s"]
    for note in one.notes:
        lines.append(f"         missing  {note.what}: {note.why}")
        lines += [f"         cure     {note.cure}"] if note.cure else []
    return lines
