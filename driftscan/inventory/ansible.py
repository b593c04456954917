"""Ansible's inventories, a file or a directory, with group_vars and host_vars -> an inventory.

What Ansible would run (a script, a plugin) is never run here. Values that only Ansible could work
out make a host unusable, with the reason; they are not guessed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from driftscan.errors import InputError
from driftscan.inventory import ansible_ini, ansible_vars, ansible_yaml, yaml_lines
from driftscan.inventory.ansible_nouns import Read, Vars, unique
from driftscan.inventory.contract import Group, Inventory, is_name
from driftscan.inventory.files import text_of
from driftscan.model import Target

MAX_FILES = 2000
YAML = (".yml", ".yaml", ".json")
# What Ansible passes over in a directory of inventories.
_IGNORED = (
    *(".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst"),
    *(".orig", ".cfg", ".retry"),
)
LISTED = "save what `ansible-inventory --list` prints, and give that"
_NEVER = {"group_vars", "host_vars", "vars_plugins"}


def of_directory(path: Path) -> Inventory:
    """All inventories in a directory, in the order of their names."""
    found = Read()
    files = list(_files(path))
    if not files:
        raise InputError(f"{path}: no inventory in this directory: name the file or its directory")
    for file in files:
        read_file(file, found)
    return finished(found, path, path)


def of_text(text: str, path: Path, folder: Path) -> Inventory:
    """The inventory in a text; `folder` holds its group_vars and host_vars."""
    found = Read()
    read_text(text, path, found)
    return finished(found, path, folder)


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        name = entry.name
        if name.startswith(".") or name in _NEVER or name.endswith(_IGNORED):
            continue
        if entry.is_dir():
            yield from _files(entry)
        else:
            yield entry


def read_file(path: Path, into: Read) -> None:
    """Adds one file; raises InputError for one that Ansible would run."""
    text = text_of(path)
    refuse_script(path, text)
    read_text(text, path, into)


def refuse_script(path: Path, text: str) -> None:
    """Raises InputError for a file that Ansible would run and not read."""
    if text.startswith("#!") or os.access(path, os.X_OK):
        raise InputError(
            f"{path}: a script, which is not run: save what it prints with `--list`, or take its"
            " executable bit away if it is no script"
        )


def read_text(text: str, path: Path, into: Read) -> None:
    """Adds an INI or YAML inventory, told apart by its name, else by what it looks like."""
    root = None
    if path.suffix == ".toml":
        raise InputError(f"{path}: TOML is not read: {LISTED}")
    if text.startswith("$ANSIBLE_VAULT"):
        raise InputError(f"{path}:1: encrypted with ansible-vault, which is not opened")
    if path.suffix in YAML or text.lstrip().startswith("---"):
        root = yaml_lines.read_leniently(text, str(path))
        if ansible_yaml.is_plugin(root):
            raise InputError(f"{path}: configures a plugin of Ansible, which is not run: {LISTED}")
    if root is None:
        ansible_ini.read(text, str(path), into)
    elif root.kind != "nothing":
        ansible_yaml.read(root, str(path), into)


# --- group_vars and host_vars --------------------------------------------------------------------


def _variables(folder: Path, kind: str, name: str) -> Vars:
    """What `group_vars/NAME` or `host_vars/NAME` says: the first of `YAML` that there is.

    Of a folder all its files count, the later ones winning.
    """
    found: Vars = {}
    if "/" in name or name.startswith("."):
        return found
    place = folder / kind / name
    files = (place, *(place.with_name(name + suffix) for suffix in YAML))
    there = next((file for file in files if file.exists()), None)
    if there is not None:
        for one in sorted(_inside(there)) if there.is_dir() else [there]:
            found.update(ansible_yaml.file_of_variables(text_of(one), str(one)))
    return found


def _no_variables(_folder: Path, _kind: str, _name: str) -> Vars:
    return {}


def _inside(folder: Path) -> Iterator[Path]:
    for number, entry in enumerate(sorted(folder.iterdir())):
        if number > MAX_FILES:
            raise InputError(f"{folder}: more than {MAX_FILES} files")
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir():
            yield from () if entry.suffix else _inside(entry)
        elif not entry.suffix or entry.suffix in YAML:
            yield entry


# --- putting together ----------------------------------------------------------------------------


def finished(found: Read, path: Path, folder: Path, *, files: bool = True) -> Inventory:
    """Hosts with what their groups give them, as Ansible orders it: nearer groups win.

    Of groups that are equally near the one of the greater `ansible_group_priority`, else the later
    by name.

    `files` tells whether the folder's group_vars and host_vars are read too.
    """
    _settle(found)
    parents = _parents(found, path)
    depths = _depths(found, parents)
    ranks = {name: (depths[name], _priority(row.vars, found)) for name, row in found.groups.items()}
    beside = _variables if files else _no_variables
    outside = {name: beside(folder, "group_vars", name) for name in found.groups}
    hosts: dict[str, Target] = {}
    notes = list(found.notes)
    for name, own in found.hosts.items():
        groups = sorted(_all_groups(name, found, parents), key=lambda g: (*ranks[g], g))
        variables: Vars = {}
        for layer in (
            [found.groups["all"].vars],
            [found.groups[group].vars for group in groups if group != "all"],
            [outside["all"]],
            [outside[group] for group in groups if group != "all"],
            [own, beside(folder, "host_vars", name)],
        ):
            for given in layer:
                variables.update(given)
        told = [group for group in groups if group not in ("all", "ungrouped")]
        hosts[name], more = ansible_vars.target(name, told, variables, folder)
        notes += more
    if not hosts:
        raise InputError(f"{path}: no host in it: name at least one")
    hosts = {name: hosts[name] for name in _members("all", found)}
    filled = _groups(found, hosts)
    empty = tuple(name for name in found.groups if name not in ("all", *filled))
    all_notes = tuple(unique(notes))
    return Inventory(str(path), hosts, filled, all_notes, is_ansibles=True, empty=empty)


def _priority(variables: Vars, found: Read) -> int:
    var = variables.get("ansible_group_priority")
    if var is None or re.fullmatch(r"[+-]?[0-9]{1,9}", var.text):
        return 1 if var is None else int(var.text)
    found.notes.append(f"{var.place}: ansible_group_priority {var.text[:60]!r} is no number")
    return 1


def _settle(found: Read) -> None:
    """Who is in no group is in `ungrouped`."""
    found.group("all")
    grouped = {
        host
        for name, group in found.groups.items()
        if name not in ("all", "ungrouped")
        for host in group.hosts
    }
    ungrouped = found.group("ungrouped").hosts
    ungrouped[:] = [host for host in found.hosts if host not in grouped]


def _parents(found: Read, path: Path) -> dict[str, set[str]]:
    parents: dict[str, set[str]] = {name: set() for name in found.groups}
    for name, group in found.groups.items():
        for child in group.children:
            parents[child].add(name)
    for name in found.groups:
        if not parents[name] and name != "all":
            parents[name].add("all")
    for name in found.groups:
        if name in _above(name, parents):
            raise InputError(f"{path}: group {name!r} is within itself")
    outermost = [name for name, above in parents.items() if above == {"all"}]
    found.group("all").children[:] = unique(["ungrouped", *found.group("all").children, *outermost])
    return parents


def _above(name: str, parents: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    queue = list(parents[name])
    while queue:
        parent = queue.pop()
        if parent not in seen:
            seen.add(parent)
            queue += parents[parent]
    return seen


def _depths(found: Read, parents: dict[str, set[str]]) -> dict[str, int]:
    """The longest way from `all`; there are no circles any more."""
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 1 + max((depth(parent) for parent in parents[name]), default=-1)
        return depths[name]

    for name in found.groups:
        depth(name)
    return depths


def _all_groups(host: str, found: Read, parents: dict[str, set[str]]) -> set[str]:
    own = {name for name, group in found.groups.items() if host in group.hosts}
    return {"all"} | own.union(*(_above(name, parents) for name in own))


def _members(name: str, found: Read) -> list[str]:
    """The hosts of a group and of all groups within it."""
    seen, queue, hosts = set[str](), [name], list[str]()
    while queue:
        group = queue.pop(0)
        if group not in seen:
            seen.add(group)
            hosts += found.groups[group].hosts
            queue += found.groups[group].children
    return unique(hosts)


def _groups(found: Read, hosts: dict[str, Target]) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for name in found.groups:
        members = _members(name, found)
        if name == "all" or not members:
            continue
        folders = {hosts[host].baseline for host in members}
        baseline = folders.pop() if len(folders) == 1 else ""
        groups[name] = Group(tuple(members), baseline if is_name(name) else "")
    return groups
