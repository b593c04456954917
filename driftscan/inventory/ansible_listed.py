"""What `ansible-inventory --list` or an inventory script printed -> an inventory."""

from pathlib import Path
from typing import Any

import msgspec

from driftscan.errors import InputError
from driftscan.inventory import ansible
from driftscan.inventory.ansible_nouns import GROUP, Read, Var, Vars, of_interest
from driftscan.inventory.contract import Inventory


def of_text(text: str, path: Path, folder: Path, *, merged: bool = False) -> Inventory:
    """The inventory in the JSON.

    `merged` tells that the group_vars and host_vars of the folder are in it already.
    """
    try:
        plain = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{path}: not what `ansible-inventory --list` prints: {error}") from None
    if not isinstance(plain, dict):
        raise InputError(f"{path}: not what `ansible-inventory --list` prints: no groups by name")
    found = Read()
    for name, group in plain.items():
        if name != "_meta":
            _group(name, group, str(path), found)
    meta = plain.get("_meta")
    listed = meta.get("hostvars") if isinstance(meta, dict) else None
    for host, given in (listed if isinstance(listed, dict) else {}).items():
        found.hosts.setdefault(host, {}).update(_variables(given, f"{path}: {host}"))
    return ansible.finished(found, path, folder, files=not merged)


def _group(name: str, group: Any, path: str, found: Read) -> None:
    if not GROUP.fullmatch(name) or not isinstance(group, dict | list):
        raise InputError(f"{path}: {name[:60]!r} is no group of `ansible-inventory --list`")
    parts = {"hosts": group} if isinstance(group, list) else group
    found.group(name).vars.update(_variables(parts.get("vars"), f"{path}: {name}"))
    for host in _texts(parts.get("hosts"), path, name):
        found.add_host(host, name, {})
    for child in _texts(parts.get("children"), path, name):
        found.add_child(name, child)


def _texts(value: Any, path: str, group: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise InputError(f"{path}: group {group!r}: expected a list of names")
    return value


def _variables(given: Any, place: str) -> Vars:
    found: Vars = {}
    for name, value in given.items() if isinstance(given, dict) else ():
        if of_interest(name):
            found[name] = _variable(value, place)
    return found


def _variable(value: Any, place: str) -> Var:
    if isinstance(value, dict) and "__ansible_vault" in value:
        return Var("", place, "it is encrypted with ansible-vault, which is not opened")
    if isinstance(value, dict) and "__ansible_unsafe" in value:
        value = value["__ansible_unsafe"]
    if isinstance(value, dict | list):
        return Var("", place, "it is no plain value")
    return Var("" if value is None else str(value), place)
