"""`driftscan baseline`: images built from Dockerfiles, kept beside them."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftscan.cli import options
from driftscan.errors import InputError

if TYPE_CHECKING:
    from driftscan.model import Baseline


@click.group("baseline")
def command() -> None:
    """Build, show and list images built from Dockerfiles.

    A baseline is what a Dockerfile said when its image was built: `baseline.json` beside it.
    """


def _arguments(
    _context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]
) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for name, there, _ in pairs:
        if not name or not there:
            raise click.BadParameter(f"{name!r}: write it like BASE=debian:bookworm")
    return {name: value for name, _, value in pairs}


@command.command("build")
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option("--cached", is_flag=True, help="Let the builder use its cache, and pull no base.")
@click.option(
    "--build-arg",
    "build_args",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_arguments,
    help="An ARG of the Dockerfile; may be given several times.",
)
@click.option("--network", metavar="NAME", help="The network of the build, such as host.")
@click.option(
    "--deadline",
    type=click.FloatRange(1, 86400),
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long building may take.",
)
@options.APP
@options.ENGINE
@options.QUIET
def build(
    folder: str,
    cached: bool,
    build_args: dict[str, str],
    network: str | None,
    deadline: float,
    app: tuple[str, ...],
    engine: str,
    quiet: bool,
) -> int:
    """Build the image of a Dockerfile and keep its fingerprint.

    The image of DIR/Dockerfile is asked what a host is asked; DIR/baseline.json is written.
    Building executes the Dockerfile. A build that fails leaves the old baseline as it was.
    """
    from driftscan import baseline, store
    from driftscan.cli import faults
    from driftscan.machines import engine as engines
    from driftscan.model import Scope

    place = Path(folder)
    place = place if place.is_dir() else place.parent
    built = baseline.build(
        Path(folder),
        engine=engines.find(engine),
        cached=cached,
        build_args=build_args,
        network=network,
        deadline=deadline,
        scope=Scope(apps=app, verify=True),
        say=(lambda _: None) if quiet else faults.progress,
    )
    path = place / baseline.FILE
    store.save(path, built)
    if not quiet:
        faults.say(f"{path}: {_summary(built)}")
    return 0


@command.command("show", cls=options.Configured)
@click.argument("baseline", metavar="NAME|DIR|FILE")
@options.INVENTORY
@click.option(
    "-f",
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The form on standard output.",
)
def show(baseline: str, inventory: str | None, format: str) -> int:
    """Show a baseline, and what each line of its Dockerfile brought."""
    from driftscan import store
    from driftscan.cli.telling import out
    from driftscan.sanitize import inert_json

    found = _named(baseline, inventory)
    out(inert_json(store.encode(found).decode()) if format == "json" else _text(found))
    return 0


@command.command("list", cls=options.Configured)
@options.INVENTORY
def list_(inventory: str | None) -> int:
    """List the baselines of the inventory.

    It tells which were never built, and of which the Dockerfile, or what that copies from its
    folder, has changed since.
    """
    from driftscan.cli.asking import inventory_needed
    from driftscan.cli.telling import out
    from driftscan.sanitize import inert

    needed = inventory_needed(inventory)
    lines = []
    for name, group in needed.groups.items():
        if group.baseline:
            lines.append(f"{name}  {_state(Path(group.baseline))}")
    if not lines:
        raise InputError(f"no group of {needed.path} has a `baseline:`")
    out("".join(f"{inert(line)}\n" for line in lines))
    return 0


def _named(word: str, inventory: str | None) -> "Baseline":
    from driftscan import resolve
    from driftscan.cli.asking import inventory_at
    from driftscan.inventory import targets

    if Path(word).exists() or "/" in word:
        return resolve.load_baseline(Path(word))
    known = targets.parse(f"baseline://{word.removeprefix('baseline://')}", inventory_at(inventory))
    return resolve.load_baseline(Path(known.path))


def _state(folder: Path) -> str:
    """One line about a baseline that may not be built."""
    from driftscan import baseline, resolve
    from driftscan.errors import DriftscanError

    try:
        found = resolve.load_baseline(folder)
        changed = baseline.state(found, folder if folder.is_dir() else folder.parent)
    except DriftscanError as error:
        return str(error)
    stale = f"; {changed}: build it again" if changed else ""
    return f"{folder}: {_summary(found)}{stale}"


def _summary(found: "Baseline") -> str:
    packages = _counted(found.attributions)
    return f"image {found.image[:19]}, built {found.built} ({found.builder}), {packages}"


def _counted(keys: Collection[str]) -> str:
    return f"{len(keys)} package{'' if len(keys) == 1 else 's'}"


def _text(found: "Baseline") -> str:
    """What each line brought, in the Dockerfile's order, after what the base image had."""
    from driftscan.sanitize import inert

    brought: dict[str, list[str]] = {}
    for key in sorted(found.attributions):
        place = found.brought_by(key)
        name = f"{place.file}:{place.line}" if place and place.kind == "line" else ""
        brought.setdefault(name or (place.kind if place else "unknown"), []).append(key)
    lines = [f"{found.name}  {_summary(found)}", f"{found.dockerfile}  {found.digest}"]
    lines += [f"copied from its folder  {found.context}", ""] if found.context else [""]
    lines.append(f"base image: {_counted(brought.pop('base', []))}")
    for place in found.lines:
        lines.append(f"{place.file}:{place.line}  {place.text[:120]}")
        keys = brought.pop(f"{place.file}:{place.line}", [])
        if keys:
            more = f" and {len(keys) - 8} more" if len(keys) > 8 else ""
            lines.append(f"    brought {_counted(keys)}: {', '.join(keys[:8])}{more}")
    unknown = [key for keys in brought.values() for key in keys]
    lines += [f"unknown: {_counted(unknown)}"] if unknown else []
    return "".join(f"{inert(line)}\n" for line in lines)
