"""`driftscan scan`: fingerprints, to files or to standard output."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftscan.cli import completing, faults, options
from driftscan.cli.options import Asking, Hosts
from driftscan.errors import InputError

if TYPE_CHECKING:
    from driftscan.folder import Folder
    from driftscan.model import Fingerprint, Meta, Side, Target, Unreached

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
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the last run that wrote DIR: ask only the targets it has no result of.",
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("json", "cyclonedx")),
    default="json",
    show_default=True,
    help="A fingerprint, or a CycloneDX 1.6 bill of materials of it (with -o DIR: beside it).",
)
@options.hosts
@options.asking
def command(
    targets: tuple[str, ...],
    folder: str | None,
    *,
    resume: bool,
    form: str,
    hosts: Hosts,
    asking: Asking,
) -> int:
    """Ask each TARGET and keep its fingerprint.

    A fingerprint can be compared later, without the machine. Without a TARGET every host of the
    inventory is asked, or those that --limit selects. Exit code 3 tells that a host, or a part of
    one that is compared, could not be seen; a fingerprint that is less whole than the one in DIR
    is written beside it, as DIR/NAME.json.partial.

    A saved fingerprint (`./web-a.json`) is a TARGET too: -f cyclonedx makes a bill of it.
    """
    from driftscan import folder as folders
    from driftscan.cli import asking as words

    selected, _ = words.selected(targets, hosts)
    if folder is None and len(selected) != 1:
        raise InputError(f"{len(selected)} targets: say with -o DIR where their files go")
    if folder is None and resume:
        raise InputError("--resume goes on with the run that wrote a folder: name it with -o DIR")
    with ExitStack() as stack:
        kept = None
        if folder is not None:
            kept = stack.enter_context(folders.opened(Path(folder), resume=resume))
        run = _Run(kept, form, quiet=asking.quiet)
        found = stack.enter_context(closing(words.sides(run.open(selected), asking)))
        try:
            for name, side in found:
                run.keep(name, side)
        except BaseException as stop:
            if folder is not None and not isinstance(stop, Exception):
                faults.say(f"{folder} has what was found; --resume -o {folder} asks for the rest")
            raise
        run.end()
        return 0 if run.whole else INCOMPLETE


class _Run:
    """What becomes of the results of one run; `whole` if all of each could be seen."""

    def __init__(self, folder: "Folder | None", form: str, *, quiet: bool) -> None:
        self.whole = True
        self._form = form
        self._metas: list[Meta] = []
        self._folder = folder
        self._quiet = quiet

    def open(self, targets: "list[Target]") -> "list[Target]":
        """The targets of which there is no result yet; of the others what is lacking is told."""
        if self._folder is None:
            return targets
        there = {t.name: side for t in targets if (side := self._folder.result(t.name))}
        for name, fingerprint in there.items():
            self._look(name, fingerprint)
        if there and not self._quiet:
            since = self._folder.run.started
            faults.say(f"{len(there)} of {len(targets)} have a result since {since}: not asked")
        return [target for target in targets if target.name not in there]

    def keep(self, name: str, side: "Side | Unreached") -> None:
        """Write one result as soon as it is there."""
        from driftscan.cli.telling import out
        from driftscan.model import Unreached
        from driftscan.sanitize import inert_json

        if isinstance(side, Unreached):
            cure = f" ({side.cure})" if side.cure else ""
            faults.say(f"{name}: {side.state} at {side.stage}: {side.cause}{cure}")
            self.whole = False
        elif self._folder is None:
            out(inert_json(_written(side.fingerprint, self._form).decode()))
            self._look(name, side.fingerprint)
        else:
            kept = self._folder.keep(name, side.fingerprint)
            if not self._quiet:
                faults.say(f"{name}: {kept.path}")
            self._beside(kept.path, kept.fingerprint)
            for note in kept.notes:
                faults.say(f"{name}: {note}")
            self._look(name, kept.fingerprint)

    def _beside(self, path: Path, fingerprint: "Fingerprint") -> None:
        """The bill of materials of a fingerprint lies beside it."""
        from driftscan import store

        if self._form == "cyclonedx":
            bill = path.with_name(f"{path.name.partition('.json')[0]}.cdx.json")
            store.write(bill, _written(fingerprint, self._form))

    def end(self) -> None:
        """Tell what is seen of all results together."""
        from driftscan import plausible

        for text in plausible.twins(self._metas):
            faults.say(text)

    def _look(self, name: str, fingerprint: "Fingerprint") -> None:
        from driftscan.probes import apps

        self._metas.append(fingerprint.meta)
        for root in apps.lost(fingerprint.facts):
            faults.say(f"{name}: {root} is no directory there (--app)")
        unseen = _unseen(fingerprint)
        for text in unseen:
            faults.say(f"{name}: {text}")
        self.whole &= not unseen


def _written(fingerprint: "Fingerprint", form: str) -> bytes:
    from driftscan import cyclonedx, store

    if form == "cyclonedx":
        return cyclonedx.render(fingerprint).encode()
    return store.encode(fingerprint)


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
