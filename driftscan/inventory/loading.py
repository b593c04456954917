"""An inventory of whichever form: our own YAML; Ansible's INI, YAML and JSON, and directories."""

import sys
from pathlib import Path

from driftscan.errors import InputError
from driftscan.inventory import ansible, ansible_listed, ansible_yaml, native, yaml_lines
from driftscan.inventory.contract import Inventory
from driftscan.inventory.files import MAX_SIZE, decoded, text_of

STANDARD_INPUT = "-"
_OURS = {"defaults", "groups", "hosts"}


def load(named: str) -> Inventory:
    """The inventory at a path, or on standard input for `-`.

    What Ansible would run is not run. Raises InputError naming file and line.
    """
    if named == STANDARD_INPUT:
        text = decoded(sys.stdin.buffer.read(MAX_SIZE + 1), "standard input")
        return _of_text(text, Path("standard input"), Path.cwd())
    path = Path(named)
    if path.is_dir():
        return ansible.of_directory(path)
    text = text_of(path)
    ansible.refuse_script(path, text)
    return _of_text(text, path, path.parent)


def _of_text(text: str, path: Path, folder: Path) -> Inventory:
    if text.lstrip().startswith("{"):
        root = _root(text)  # JSON is YAML: ours may be written so
        if root is not None and {key.text for key, _ in root.entries} <= _OURS:
            return native.of_text(text, str(path), folder)
        return ansible_listed.of_text(text, path, folder)
    if path.suffix in ansible.YAML or _is_mapping(text):
        root = _root(text)
        if root is None or (not ansible_yaml.looks_like_one(root) and not _is_plugin(root)):
            return native.of_text(text, str(path), folder)
        if {key.text for key, _ in root.entries} <= _OURS:
            return native.of_text(text, str(path), folder)
    return ansible.of_text(text, path, folder)


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
