"""A TARGET on the command line, or a `--limit`, -> targets."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from msgspec import structs

from driftscan.errors import InputError
from driftscan.inventory.contract import (
    Inventory,
    is_name,
    meant,
    split_address,
)
from driftscan.model import Target


def parse(text: str, inventory: Inventory | None) -> Target:
    """The target that a word of the command line names; paths in it stay as they are written.

    NAME of the inventory; a word with `/` or ending in `.json`, a fingerprint file; or
    SCHEME://REST. Raises InputError for anything else.
    """
    scheme, found, rest = text.partition("://")
    if found:
        return _of_scheme(text, scheme, rest, inventory)
    if "/" in text or text.endswith(".json"):
        return Target(name=text, road="file", path=text)
    name, at, _ = text.partition("@")
    if at and is_name(name):
        raise InputError(f"{_told(text)}: NAME@DATE needs the history, which is not there yet")
    return _of_inventory(text, inventory)


def _told(text: str) -> str:
    return repr(text[:200])


# --- one word ----------------------------------------------------------------------------------


def _of_inventory(name: str, inventory: Inventory | None) -> Target:
    if inventory is None:
        raise InputError(
            f"{_told(name)} is a name and there is no inventory: name one with -i, or write"
            " ssh://HOST, or a path with `/`"
        )
    if name in inventory.groups:
        raise InputError(f"{_told(name)} is a group of {inventory.path}: use --limit {name}")
    if name not in inventory.hosts:
        known = [*inventory.hosts, *inventory.groups]
        hint = meant(name, known) or ": `driftscan inventory` lists it"
        raise InputError(f"{_told(name)} is not in the inventory {inventory.path}{hint}")
    return inventory.hosts[name]


_Scheme: TypeAlias = Callable[[str, str, Inventory | None], Target]


def _of_scheme(text: str, scheme: str, rest: str, inventory: Inventory | None) -> Target:
    if scheme not in SCHEMES:
        hint = meant(scheme, SCHEMES) or f": use one of {', '.join(SCHEMES)}"
        raise InputError(f"{_told(text)}: {scheme[:20]!r} is no kind of target{hint}")
    return SCHEMES[scheme](text, rest, inventory)


def _ssh(text: str, rest: str, _: Inventory | None) -> Target:
    address, slash, inner = rest.partition("/")
    parts = split_address(address)
    if parts is None:
        raise InputError(f"{_told(text)}: write it like ssh://[user@]host[:port], IPv6 in brackets")
    user, address, port = parts
    target = Target(name=text, road="ssh", address=address, port=port, user=user)
    return _inside(text, target, inner) if slash else target


def _inside(text: str, host: Target, inner: str) -> Target:
    """A container on a host."""
    engine, _, name = inner.partition("/")
    if engine not in ("docker", "podman"):
        raise InputError(f"{_told(text)}: write it like ssh://host/docker/NAME, or podman")
    return structs.replace(host, engine=engine, container=_container(text, name))


def _local(text: str, rest: str, _: Inventory | None) -> Target:
    if rest:
        raise InputError(f"{_told(text)}: this machine is written local:// and nothing more")
    return Target(name="local", road="local")


def _docker(text: str, rest: str, _: Inventory | None) -> Target:
    return Target(name=text, road="docker", container=_container(text, rest))


def _podman(text: str, rest: str, _: Inventory | None) -> Target:
    return Target(name=text, road="podman", container=_container(text, rest))


def _container(text: str, name: str) -> str:
    if not is_name(name):
        raise InputError(f"{_told(text)}: {_told(name)} cannot be the name of a container")
    return name


_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,510}")


def _image(text: str, rest: str, _: Inventory | None) -> Target:
    if _REFERENCE.fullmatch(rest) is None:
        raise InputError(f"{_told(text)}: write it like image://debian:bookworm")
    return Target(name=text, road="image", path=rest)


def _rootfs(text: str, rest: str, _: Inventory | None) -> Target:
    if not rest:
        raise InputError(f"{_told(text)}: write it like rootfs:///mnt, the directory that is its /")
    return Target(name=text, road="rootfs", path=rest)


def _archive(text: str, rest: str, _: Inventory | None) -> Target:
    if not rest:
        raise InputError(f"{_told(text)}: write it like archive://image.tar")
    return Target(name=text, road="archive", path=rest)


def _dockerfile(text: str, rest: str, _: Inventory | None) -> Target:
    if not rest:
        raise InputError(f"{_told(text)}: write it like dockerfile://web/Dockerfile")
    return Target(name=text, road="dockerfile", path=rest)


def _baseline(text: str, rest: str, inventory: Inventory | None) -> Target:
    if "/" in rest or Path(rest).is_dir():
        return Target(name=text, road="baseline", path=rest)
    known = baselines(inventory) if inventory else {}
    if rest not in known:
        place = (
            f"of {inventory.path}" if inventory else "as there is no inventory: name one with -i"
        )
        hint = meant(rest, known) or ", or write its folder as baseline://./FOLDER"
        raise InputError(f"{_told(text)}: no such baseline {place}{hint}")
    return Target(name=text, road="baseline", path=known[rest])


def baselines(inventory: Inventory) -> dict[str, str]:
    """The folders of an inventory's baselines, by the name of the folder and of the group."""
    folders: dict[str, str] = {}
    for group in inventory.groups.values():
        if group.baseline:
            folders.setdefault(Path(group.baseline).name, group.baseline)
    named = {name: group.baseline for name, group in inventory.groups.items() if group.baseline}
    return {**folders, **named}


SCHEMES: dict[str, _Scheme] = {
    "ssh": _ssh,
    "local": _local,
    "docker": _docker,
    "podman": _podman,
    "image": _image,
    "archive": _archive,
    "rootfs": _rootfs,
    "dockerfile": _dockerfile,
    "baseline": _baseline,
}
