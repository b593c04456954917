"""An inventory of whichever form: our own YAML; Ansible's INI, YAML and JSON, and directories."""

import sys
from pathlib import Path

from driftscan.errors import InputError
from driftscan.inventory import (
    ansible,
    ansible_listed,
    ansible_program,
    ansible_yaml,
    native,
    yaml_lines,
)
from driftscan.inventory.contract import Inventory
from driftscan.inventory.files import MAX_SIZE, decoded, text_of

STANDARD_INPUT = "-"
_OURS = {"defaults", "groups", "hosts"}


def load(named: str, program: str = "", seconds: float = ansible_program.SECONDS) -> Inventory:
    """The inventory at a path, or on standard input for `-`.

    What Ansible would run is not run. `program` is an `ansible-inventory` whose word counts for an
    inventory of Ansible's, where it answers within so many seconds. Raises InputError naming file
    and line.
    """
    if named == STANDARD_INPUT:
        text = decoded(sys.stdin.buffer.read(MAX_SIZE + 1), "standard input")
        if not text.strip():
            raise InputError("standard input: nothing came: what was to print an inventory did not")
        return _of_text(text, Path("standard input"), Path.cwd())[0]
    path = Path(named)
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        found, is_ansibles = ansible.of_directory(path), True
    else:
        text = text_of(path)
        ansible.refuse_script(path, text)
        found, is_ansibles = _of_text(text, path, folder)
    if program and is_ansibles:
        return ansible_program.asked(found, path, folder, program, seconds)
    return found


def _of_text(text: str, path: Path, folder: Path) -> tuple[Inventory, bool]:
    """The inventory, and whether it is in a form that Ansible itself reads."""
    if text.lstrip().startswith("{"):
        root = _root(text)  # JSON is YAML: ours may be written so
        if root is not None and {key.text for key, _ in root.entries} <= _OURS:
            return native.of_text(text, str(path), folder), False
        return ansible_listed.of_text(text, path, folder), False
    if path.suffix in ansible.YAML or _is_mapping(text):
        root = _root(text)
        if root is not None and ansible_yaml.is_playbook(root):
            raise InputError(f"{path}: a playbook of Ansible's: name the inventory it is run with")
        if root is None or (not ansible_yaml.looks_like_one(root) and not _is_plugin(root)):
            return native.of_text(text, str(path), folder), False
        if {key.text for key, _ in root.entries} <= _OURS:
            return native.of_text(text, str(path), folder), False
    return ansible.of_text(text, path, folder), True


def _is_plugin(root: yaml_lines.Value) -> bool:
    return ansible_yaml.is_plugin(root)


def _root(text: str) -> yaml_lines.Value | None:
    """What the text says as YAML; nothing when it is none, which our own reader tells best."""
    try:
        return yaml_lines.read_leniently(text, "")
    except InputError:
        return None


def _is_mapping(text: str) -> bool:
    """Whether the first line that says something is a YAML key, and not INI's host or [group]."""
    for line in text.split("\n"):
        word = line.strip()
        if word and not word.startswith(("#", ";", "---")):
            return word.endswith(":") or ": " in word
    return True
