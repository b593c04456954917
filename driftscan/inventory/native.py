"""driftscan's own inventory, a YAML file -> targets; docs/inventory.md describes it.

defaults: {user: deploy}
groups:
  web: {baseline: web, profile: host, hosts: [web-a, web-b], vars: {become: true}}
hosts:
  web-a: {address: 10.0.0.7, port: 2201}
  web-b: {}
  app[01:20]: {user: app}
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from driftscan.inventory.contract import (
    EVERYTHING,
    MOST_ROOTS,
    PROFILES,
    ROOT_FORM,
    Group,
    Inventory,
    is_address,
    is_name,
    is_program,
    is_root,
    is_user,
    meant,
    split_address,
)
from driftscan.inventory.files import text_of
from driftscan.inventory.ranges import expanded, has_range
from driftscan.inventory.yaml_lines import NAMES, Kind, Problems, Value, read
from driftscan.model import Target

Setting: TypeAlias = str | int | bool | list[str]
Settings: TypeAlias = dict[str, Setting]


def load(path: Path) -> Inventory:
    """The inventory in a file; paths in it are relative to its folder.

    A host's own settings win over its groups' `vars`, and those over `defaults`. Raises
    InputError that names the first ten mistakes, each `file:line:column: what, what to do`.
    """
    return of_text(text_of(path), str(path), path.parent)


def of_text(text: str, name: str, folder: Path) -> Inventory:
    """As `load`, of a text: `name` is told in what is wrong, paths start in the folder."""
    source = _Source(folder, Problems(name))
    root = read(text, source.problems)
    parts = _entries(root, ("defaults", "groups", "hosts"), source, "in an inventory")
    defaults = _settings(parts.get("defaults"), source)
    hosts = _hosts(parts.get("hosts"), root, source)
    groups = _groups(parts.get("groups"), hosts, source)
    targets = {
        name: _target(name, value, defaults, groups, source) for name, value in hosts.items()
    }
    source.problems.settle()
    kept = {name: group.group for name, group in groups.items()}
    whole = {name: target for name, target in targets.items() if target is not None}
    return Inventory(name, whole, kept)


class _Source(Struct, frozen=True):
    """Where paths start, and where mistakes are noted."""

    folder: Path
    problems: Problems


class _Group(Struct, frozen=True):
    """A group and the settings it gives its hosts."""

    group: Group
    settings: Settings


# --- the parts of the file ---------------------------------------------------------------------


def _entries(value: Value, known: Iterable[str], source: _Source, where: str) -> dict[str, Value]:
    """The entries of a mapping whose keys are all known; what is wrong is noted and left out."""
    if not _is("mapping", value, source, where):
        return {}
    names = tuple(known)
    for key, _ in value.entries:
        if key.kind == "text" and key.text not in names:
            hint = meant(key.text, names) or f": known are {', '.join(names)}"
            source.problems.add(key, f"unknown key {key.told} {where}{hint}")
    return {key.text: entry for key, entry in value.entries if key.text in names}


def _is(kind: Kind, value: Value, source: _Source, where: str) -> bool:
    if value.kind != kind:
        source.problems.add(value, f"expected {NAMES[kind]} {where}, got {value.told}")
    return value.kind == kind


def _hosts(value: Value | None, root: Value, source: _Source) -> dict[str, Value]:
    if value is None:
        if not source.problems.found:
            source.problems.add(root, "no `hosts:` in it: name at least one")
        return {}
    if not _is("mapping", value, source, "of hosts by name"):
        return {}
    if not value.entries:
        source.problems.add(value, "no host in `hosts:`: name at least one")
    return _named(value, source)


def _named(value: Value, source: _Source) -> dict[str, Value]:
    """The entries by name; a range stands for many."""
    found: dict[str, Value] = {}
    for key, entry in value.entries:
        for one in _expanded(key, source) if key.kind == "text" else ():
            if one.text in found and has_range(key.text):
                source.problems.add(key, f"{one.told} of {key.told} stands here already")
            elif _is_named(one, source):
                found[one.text] = entry
    return found


def _expanded(key: Value, source: _Source) -> list[Value]:
    """The names that a range stands for, each as if it stood there itself."""
    if not has_range(key.text):
        return [key]
    try:
        return [replace(key, text=name) for name in expanded(key.text)]
    except ValueError as error:
        source.problems.add(key, f"{error}: write it like web[01:20]")
        return []


def _is_named(key: Value, source: _Source) -> bool:
    name = key.text
    good = is_name(name) and name != EVERYTHING and not name.endswith(".json")
    if not good:
        form = (
            "letters, digits, `.`, `_` and `-`, the first a letter or digit; not `all`, not *.json"
        )
        source.problems.add(key, f"{key.told} cannot be a name: use {form}")
    return good


def _groups(value: Value | None, hosts: Mapping[str, Value], source: _Source) -> dict[str, _Group]:
    if value is None or not _is("mapping", value, source, "of groups by name"):
        return {}
    groups: dict[str, _Group] = {}
    for key, entry in value.entries:
        if key.kind != "text" or not _is_named(key, source):
            continue
        if key.text in hosts:
            source.problems.add(key, f"{key.told} names a group and a host: rename one")
        groups[key.text] = _group(entry, hosts, source)
    return groups


def _group(value: Value, hosts: Mapping[str, Value], source: _Source) -> _Group:
    parts = _entries(value, ("hosts", *_OF_GROUPS, "vars"), source, "in a group")
    settings = _settings(parts.get("vars"), source)
    own = {key: KEYS[key](parts[key], source) for key in _OF_GROUPS if key in parts}
    settings |= {key: setting for key, setting in own.items() if setting is not None}
    members: list[str] = []
    texts = _texts(parts["hosts"], source, "of host names") if "hosts" in parts else ()
    for member in (one for text in texts for one in _expanded(text, source)):
        if member.text not in hosts:
            hint = meant(member.text, hosts) or ": it is not in `hosts:`"
            source.problems.add(member, f"unknown host {member.told}{hint}")
        elif member.text in members:
            source.problems.add(member, f"{member.told} stands twice in this group: remove one")
        else:
            members.append(member.text)
    return _Group(Group(tuple(members), str(settings.get("baseline", ""))), settings)


# --- one host ----------------------------------------------------------------------------------


def _target(
    name: str, value: Value, defaults: Settings, groups: Mapping[str, _Group], source: _Source
) -> Target | None:
    own = {} if value.kind == "nothing" else _settings(value, source)
    mine = {key: group for key, group in groups.items() if name in group.group.hosts}
    settings = {**defaults, **_shared(name, value, own, mine, source), **own}
    settings.setdefault("road", "ssh")
    settings.setdefault("address", name if settings["road"] in _OVER_SSH else "")
    if settings["road"] in ("docker", "podman") or "engine" in settings:
        settings.setdefault("container", name)
        if "collector" in settings:
            source.problems.add(value, f"{name!r} is a container: it has no `collector`; remove it")
    return Target(name=name, groups=list(mine), **settings)  # type: ignore[arg-type]


def _shared(
    name: str, value: Value, own: Settings, groups: Mapping[str, _Group], source: _Source
) -> Settings:
    """What its groups give a host; two that disagree are refused unless the host says it."""
    shared: dict[str, tuple[str, Setting]] = {}
    for group, row in groups.items():
        for key, setting in row.settings.items():
            first, other = shared.setdefault(key, (group, setting))
            if other != setting and key not in own:
                source.problems.add(
                    value,
                    f"{name!r} gets {key} {other!r} from group {first!r} and {setting!r} from"
                    f" {group!r}: set {key} on the host",
                )
    return {key: setting for key, (_, setting) in shared.items()}


def _settings(value: Value | None, source: _Source) -> Settings:
    if value is None:
        return {}
    parts = _entries(value, KEYS, source, "of a host")
    read_ones = {key: KEYS[key](part, source) for key, part in parts.items()}
    return {key: setting for key, setting in read_ones.items() if setting is not None}


_UNQUOTED: dict[Kind, str] = {
    "number": ": write it like 22, without quotes",
    "truth": ": write true or false without quotes",
}


def _wanted(kind: Kind, value: Value, source: _Source, what: str) -> bool:
    """Whether a scalar is of the kind; a text that YAML took for something else can be quoted."""
    if value.kind == kind:
        return True
    if kind == "text" and value.text and value.text.isprintable() and value.kind != "nothing":
        taken = "" if value.kind == "other" else f" ({NAMES[value.kind]} to YAML)"
        cure = f"{taken}: quote it, '{value.text}'"
    else:
        cure = _UNQUOTED.get(kind, "")
    source.problems.add(value, f"{what} must be {NAMES[kind]}, got {value.told}{cure}")
    return False


def _matching(what: str, form: Callable[[str], bool], example: str) -> "_Read":
    def reading(value: Value, source: _Source) -> Setting | None:
        if not _wanted("text", value, source, what):
            return None
        if form(value.text):
            return value.text
        source.problems.add(value, f"{value.told} cannot be {what}: write it like {example}")
        return None

    return reading


def _port(value: Value, source: _Source) -> Setting | None:
    if not _wanted("number", value, source, "a port"):
        return None
    if 1 <= value.number <= 65535:
        return value.number
    source.problems.add(value, f"{value.told} cannot be a port: use 1 to 65535")
    return None


def _truth(value: Value, source: _Source) -> Setting | None:
    return value.truth if _wanted("truth", value, source, "become") else None


def _path(value: Value, source: _Source) -> str | None:
    """A path relative to the inventory's folder, `~` allowed, as short as it can be."""
    if not _wanted("text", value, source, "a path"):
        return None
    if not value.text or not value.text.isprintable():
        source.problems.add(value, f"{value.told} cannot be a path")
        return None
    path = source.folder / Path(value.text).expanduser()
    short = os.path.normpath(path)
    # Past a symbolic link `..` is another folder: then the long form is the right one.
    return short if os.path.realpath(short) == os.path.realpath(path) else str(path)


def _texts(value: Value, source: _Source, where: str) -> tuple[Value, ...]:
    """One text, or a list of them."""
    if value.kind == "text":
        return (value,)
    if not _is("list", value, source, where):
        return ()
    return tuple(item for item in value.items if _wanted("text", item, source, "each"))


def _paths(value: Value, source: _Source) -> Setting | None:
    found = [_path(item, source) for item in _texts(value, source, "of paths")]
    return [path for path in found if path is not None]


def _roots(value: Value, source: _Source) -> Setting | None:
    found = _texts(value, source, "of paths")
    for item in found:
        if not is_root(item.text):
            source.problems.add(item, f"{item.told} cannot be a root of applications: {ROOT_FORM}")
    if len(found) > MOST_ROOTS:
        source.problems.add(value, f"{len(found)} roots in `app`: a host may have {MOST_ROOTS}")
    return sorted({item.text for item in found})


def _jumps(value: Value, source: _Source) -> Setting | None:
    hops = _texts(value, source, "of jump hosts")
    for hop in hops:
        if split_address(hop.text) is None:
            form = "[user@]address[:port]"
            source.problems.add(hop, f"{hop.told} cannot be a jump host: write it like {form}")
    return [hop.text for hop in hops]


_Read: TypeAlias = Callable[[Value, _Source], Setting | None]
_ROADS = ("ssh", "openssh", "local", "docker", "podman")
_OVER_SSH = ("ssh", "openssh")
# What a group says of its hosts as a kind, beside its `vars`.
_OF_GROUPS = ("baseline", "profile")
KEYS: dict[str, _Read] = {
    "address": _matching("an address", is_address, "web-a.example.org or 10.0.0.7"),
    "port": _port,
    "user": _matching("a user", is_user, "deploy"),
    "key": _path,
    "known_hosts": _paths,
    "host_key_alias": _matching("a host key alias", is_address, "web-a"),
    "jump": _jumps,
    "become": _truth,
    "collector": _matching("a collector", is_program, "/usr/local/libexec/driftscan-collect"),
    "road": _matching("a road", _ROADS.__contains__, "ssh, openssh, local, docker or podman"),
    "engine": _matching("an engine", ("docker", "podman").__contains__, "docker or podman"),
    "container": _matching("a container", is_name, "web-1"),
    "baseline": _path,
    "profile": _matching("a profile", PROFILES.__contains__, "host, container or none"),
    "app": _roots,
}
