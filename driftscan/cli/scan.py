"""`driftscan scan`: fingerprints, to files or to standard output."""

import hashlib
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftscan.cli import completing, options
from driftscan.cli.options import Asking, Hosts
from driftscan.errors import InputError, StoreError

if TYPE_CHECKING:
    from driftscan.model import Fingerprint, Side, Unreached

INCOMPLETE = 3


@click.command("scan", cls=options.Configured)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=completing.targets)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Write each fingerprint to DIR/NAME.json; needed for more than one TARGET.",
)
@options.hosts
@options.asking
def command(targets: tuple[str, ...], folder: str | None, hosts: Hosts, asking: Asking) -> int:
    """Ask each TARGET and keep its fingerprint.

    A fingerprint can be compared later, without the machine. Without a TARGET every host of the
    inventory is asked, or those that --limit selects. Exit code 3 tells that a host, or a part of
    one that is compared, could not be seen.
    """
    from driftscan.cli import asking as words

    selected, _ = words.selected(targets, hosts)
    if folder is None and len(selected) != 1:
        raise InputError(f"{len(selected)} targets: say with -o DIR where their files go")
    if folder is not None:
        _make(Path(folder))
    whole = True
    with closing(words.sides(selected, asking)) as found:
        for name, side in found:
            whole &= _keep(name, side, folder, quiet=asking.quiet)
    return 0 if whole else INCOMPLETE


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made: {error.strerror}") from error


def _keep(name: str, side: "Side | Unreached", folder: str | None, *, quiet: bool) -> bool:
    """Write one result as soon as it is there; whether all of it could be seen."""
    from driftscan import store
    from driftscan.cli import faults
    from driftscan.cli.telling import out
    from driftscan.model import Unreached

    if isinstance(side, Unreached):
        cure = f" ({side.cure})" if side.cure else ""
        faults.say(f"{name}: {side.state} at {side.stage}: {side.cause}{cure}")
        return False
    if folder is None:
        out(store.encode(side.fingerprint).decode())
    else:
        path = Path(folder) / file_name(name)
        store.save(path, side.fingerprint)
        if not quiet:
            faults.say(f"{name}: {path}")
    unseen = _unseen(side.fingerprint)
    for text in unseen:
        faults.say(f"{name}: {text}")
    return not unseen


def file_name(name: str) -> str:
    """A target's file: its name, or for other forms a readable and unique stand-in."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}", name):
        return f"{name}.json"
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:100]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"


def _unseen(fingerprint: "Fingerprint") -> list[str]:
    """What of the compared sections is not whole."""
    from driftscan.model import Denied, Failed, Partial

    told = []
    for name, section in sorted(fingerprint.facts.items()):
        match section:
            case Denied(cure=cure):
                told.append(f"{name} is not readable by this account: {cure}")
            case Failed(reason=reason):
                told.append(f"{name} could not be understood: {reason}")
            case Partial(gaps=gaps):
                told += [f"{name} is not whole: {gap}" for gap in gaps]
            case _:
                pass
    return told
