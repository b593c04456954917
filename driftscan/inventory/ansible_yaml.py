"""Ansible's YAML inventory, and its files of variables -> hosts, groups and their variables."""

from driftscan.errors import InputError
from driftscan.inventory import yaml_lines
from driftscan.inventory.ansible_ini import names, split_port
from driftscan.inventory.ansible_nouns import GROUP, Read, Var, Vars, of_interest
from driftscan.inventory.yaml_lines import NAMES, Value

_KEYS = ("hosts", "children", "vars")
_DEPTH = 50
_OF_PLAYS = {"hosts", "tasks", "roles", "import_playbook", "ansible.builtin.import_playbook"}


def looks_like_one(root: Value) -> bool:
    """Whether it is groups with hosts, children or variables, and not driftscan's own form."""
    if root.kind != "mapping" or not root.entries:
        return False
    groups = [value for _, value in root.entries]
    return all(
        value.kind == "nothing"
        or (value.kind == "mapping" and all(key.text in _KEYS for key, _ in value.entries))
        for value in groups
    ) and any(value.kind == "mapping" and value.entries for value in groups)


def is_plugin(root: Value) -> bool:
    """Whether it configures a plugin that asks a cloud for the hosts."""
    return root.kind == "mapping" and any(key.text == "plugin" for key, _ in root.entries)


def is_playbook(root: Value) -> bool:
    """Whether it is a list of plays, or of other playbooks."""
    keys = {key.text for item in root.items if item.kind == "mapping" for key, _ in item.entries}
    return root.kind == "list" and bool(keys & _OF_PLAYS)


def read(root: Value, name: str, into: Read) -> None:
    """Adds what the file says; raises InputError `file:line:column: what`."""
    if root.kind != "mapping":
        raise InputError(f"{name}:{root.line}: expected groups by name, got {root.told}")
    for key, value in root.entries:
        _group(key, value, name, into, 0)


def _place(name: str, at: Value) -> str:
    return f"{name}:{at.line}:{at.column}"


def _group(key: Value, value: Value, name: str, into: Read, depth: int) -> None:
    if not GROUP.fullmatch(key.text) or depth > _DEPTH:
        raise InputError(f"{_place(name, key)}: {key.told} cannot be a group")
    into.group(key.text)
    if value.kind == "nothing":
        return
    if value.kind != "mapping":
        raise InputError(f"{_place(name, value)}: expected a group, got {value.told}")
    for part, entry in value.entries:
        if part.text == "hosts":
            _hosts(key.text, entry, name, into)
        elif part.text == "vars":
            into.group(key.text).vars.update(variables(entry, name))
        elif part.text == "children":
            _children(key.text, entry, name, into, depth)
        else:
            into.notes.append(f"{_place(name, part)}: {part.told} of a group is not used")


def _children(group: str, value: Value, name: str, into: Read, depth: int) -> None:
    for child, inner in _entries(value, name):
        into.add_child(group, child.text)
        _group(child, inner, name, into, depth + 1)


def _entries(value: Value, name: str) -> tuple[tuple[Value, Value], ...]:
    """A mapping, one text as its only key, or nothing."""
    if value.kind == "nothing":
        return ()
    if value.kind == "text":
        return ((value, Value("nothing", value.line, value.column)),)
    if value.kind != "mapping":
        raise InputError(f"{_place(name, value)}: expected {NAMES['mapping']}, got {value.told}")
    return value.entries


def _hosts(group: str, value: Value, name: str, into: Read) -> None:
    for key, entry in _entries(value, name):
        place = _place(name, key)
        pattern, port = split_port(key.text)
        given = {"ansible_port": Var(port, place)} if port else {}
        for host in names(pattern, place):
            into.add_host(host, group, {**given, **variables(entry, name)})


def variables(value: Value, name: str) -> Vars:
    """The variables of interest in a mapping; one that is no plain value carries a doubt."""
    found: Vars = {}
    for key, entry in _entries(value, name):
        if of_interest(key.text):
            found[key.text] = _variable(entry, _place(name, key))
    return found


def _variable(value: Value, place: str) -> Var:
    if value.text.startswith("$ANSIBLE_VAULT"):
        return Var("", place, "it is encrypted with ansible-vault, which is not opened")
    if value.kind in ("list", "mapping"):
        return Var("", place, f"it is {NAMES[value.kind]}")
    if value.kind == "nothing":
        return Var("", place)
    if value.kind == "other":
        return Var(yaml_lines.integer(value.text) or value.text, place)
    return Var(str(value.truth) if value.kind == "truth" else value.text, place)


def file_of_variables(text: str, name: str) -> Vars:
    """A file of group_vars or host_vars."""
    if text.startswith("$ANSIBLE_VAULT"):
        place = f"{name}:1"
        return {"": Var("", place, "it is encrypted with ansible-vault, which is not opened")}
    if not text.strip() or text.strip() == "---":
        return {}
    root = yaml_lines.read_leniently(text, name)
    return variables(root, name) if root.kind in ("mapping", "nothing") else {}
