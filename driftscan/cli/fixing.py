"""What is done with remedies: simulated, and written into a folder that the reports name."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from driftscan.errors import InputError, StoreError

if TYPE_CHECKING:
    from driftscan.cli.options import Asking, Explaining, Fixing
    from driftscan.machines.engine import Engine
    from driftscan.model import HostReport
    from driftscan.simulate import Road


def road(fixing: "Fixing", asking: "Asking", explaining: "Explaining") -> "Road | None":
    """How remedies are simulated, if they are; no engine is looked for before one is needed."""
    if not fixing.simulate and fixing.fix is None:
        return None
    from driftscan import simulate
    from driftscan.machines import engine

    @functools.cache
    def found() -> "Engine":
        return engine.find(asking.engine)

    return simulate.Road(engine=found, network=explaining.network, deadline=asking.deadline)


_FOLDER = 0o700
_SCRIPT = 0o700
_LIST = 0o600


def written(hosts: "Mapping[str, HostReport]", folder: Path) -> "dict[str, HostReport]":
    """Write `HOST.sh` and its lists (`HOST.pins`, `HOST.auto`) of each host that has a remedy.

    Gives the reports whose commands read those files. What is there is replaced only if it is of
    an earlier remedy of that host. Raises InputError before anything is written.
    """
    from driftscan.report import fix

    texts: dict[str, str] = {}
    named: dict[str, str] = {}
    for key, host in sorted(hosts.items()):
        if fix.remedy(host) is not None:
            named[key] = _name(key, host)
            made = fix.files(named[key], host)
            if texts.keys() & made.keys():
                raise InputError(f"--fix: two of the machines are called {named[key]}")
            _refuse_strangers(folder, named[key], made)
            texts |= made
    _make(folder)
    _write(folder, texts)
    return {key: _pointed(named.get(key, ""), host) for key, host in hosts.items()}


def _name(key: str, host: "HostReport") -> str:
    """The name of the machine, which for a host of the inventory is the key of its report."""
    from driftscan.report import fix
    from driftscan.sanitize import safe

    name = host.subject.target if host.subject else key
    if fix.is_name(name):
        return name
    raise InputError(
        f"--fix: no files can be named after {safe(name)!r}: give the host a name in the inventory"
    )


def _refuse_strangers(folder: Path, name: str, made: "Mapping[str, str]") -> None:
    """`HOST.sh` carries our mark, or nothing of these names is there."""
    from driftscan.report import fix

    there = [file for file in sorted(made) if (folder / file).exists()]
    if there and not _is_ours(folder / f"{name}.sh", f"{fix.MARK}{name}."):
        raise InputError(
            f"--fix: {folder / there[0]} is there and no remedy of driftscan: name another folder"
        )


def _is_ours(path: Path, mark: str) -> bool:
    try:
        with path.open("rb") as file:
            return mark.encode() in file.read(1024)
    except OSError:
        return False


def _make(folder: Path) -> None:
    """The folder is ours alone to write: what is in it is run on the hosts."""
    from driftscan import store

    try:
        folder.mkdir(mode=_FOLDER, exist_ok=True)
    except OSError as error:
        raise StoreError(f"--fix: {folder}: cannot be made: {error.strerror or error}") from error
    store.own(folder)


def _write(folder: Path, texts: "Mapping[str, str]") -> None:
    """The lists before the scripts that read them."""
    from driftscan import store

    for file in sorted(texts, key=lambda name: (name.endswith(".sh"), name)):
        mode = _SCRIPT if file.endswith(".sh") else _LIST
        store.write(folder / file, texts[file].encode(), mode)


def _pointed(name: str, host: "HostReport") -> "HostReport":
    from msgspec.structs import replace

    from driftscan.report import fix

    chosen = fix.remedy(host)
    if not name or chosen is None:
        return host
    remedies = [fix.pointed(name, r) if r is chosen else r for r in host.remedies]
    return replace(host, remedies=remedies)
