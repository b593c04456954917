"""Ansible's connection variables of one host -> its target, and what of them cannot be honoured."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field

from driftscan.inventory.ansible_nouns import Var, Vars
from driftscan.inventory.contract import (
    MOST_ROOTS,
    PROFILES,
    ROOT_FORM,
    is_address,
    is_name,
    is_root,
    is_user,
    split_address,
)
from driftscan.model import Target

# The names of each setting, the first that is given counts (Ansible's connection plugins).
_ADDRESS = ("ansible_ssh_host", "ansible_host")
_PORT = ("ansible_ssh_port", "ansible_port")
_USER = ("ansible_ssh_user", "ansible_user")
_KEY = ("ansible_ssh_private_key_file", "ansible_private_key_file")
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_ROADS = {
    "ssh": "ssh",
    "smart": "ssh",
    "paramiko": "ssh",
    "paramiko_ssh": "ssh",
    "local": "local",
    "docker": "docker",
    "docker_api": "docker",
    "podman": "podman",
}
_PASSWORDS = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password", "ansible_become_pass")
CONNECTION = (
    *_ADDRESS,
    *_PORT,
    *_USER,
    *_KEY,
    *_ARGUMENTS,
    *_PASSWORDS,
    "ansible_connection",
    "ansible_become",
    "ansible_become_method",
    "ansible_become_user",
    "ansible_become_password",
    "driftscan_baseline",
    "driftscan_profile",
    "driftscan_app",
)
_TRUE = {"true", "yes", "on", "1", "y", "t"}
_FALSE = {"false", "no", "off", "0", "n", "f", ""}


class _Made(Struct):
    """A host's settings while they are read; `faults` are why it cannot be asked."""

    settings: dict[str, object] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def target(name: str, groups: list[str], variables: Vars, folder: Path) -> tuple[Target, list[str]]:
    """The host, and notes on what is not used. One that cannot be asked carries `unusable`."""
    made = _Made()
    if not is_name(name) or name == "all" or name.endswith(".json"):
        made.faults.append(
            f"{name!r} cannot be a name here: name it with letters, digits, `.`, `_`, `-`, and"
            " give ansible_host"
        )
    given = dict(_given(variables, made))
    road = _road(given, made)
    if road == "ssh":
        _ssh(name, given, made)
    elif road in ("docker", "podman"):
        container = given["ansible_host"].text if "ansible_host" in given else name
        _checked(made, "container", container, is_name, given.get("ansible_host"))
    _become(given, made)
    _rest(given, made, folder)
    if made.faults:
        made.settings["unusable"] = made.faults[0]
    whole = Target(name=name, road=road, groups=groups, **made.settings)  # type: ignore[arg-type]
    return whole, made.notes


def _given(variables: Vars, made: _Made) -> Iterator[tuple[str, Var]]:
    """What is plain; a value that only Ansible could work out makes the host unusable."""
    if "" in variables:
        made.notes.append(
            f"{variables[''].place}: encrypted with ansible-vault, which is not opened: what it"
            " says of a connection is not used"
        )
    for name in CONNECTION:
        var = variables.get(name)
        if var is None or name in _PASSWORDS:
            if var:
                made.notes.append(f"{var.place}: {name} is not used: only keys are")
            continue
        if var.doubt:
            made.faults.append(f"{var.place}: {name} is not known: {var.doubt}")
        elif "{{" in var.text or "{%" in var.text:
            made.faults.append(
                f"{var.place}: {name} is the template {var.text[:60]!r}: write its value"
            )
        elif not var.text.isprintable():
            made.faults.append(f"{var.place}: {name} holds a character that cannot be printed")
        else:
            yield name, var


def _road(given: Mapping[str, Var], made: _Made) -> str:
    var = given.get("ansible_connection")
    if var is None or not var.text:
        return "ssh"
    road = _ROADS.get(var.text.rpartition(".")[2])
    if road is None:
        made.faults.append(
            f"{var.place}: the connection {var.text!r} is none of ssh, local, docker and podman"
        )
    return road or "ssh"


def _first(given: Mapping[str, Var], names: tuple[str, ...]) -> Var | None:
    return next((given[name] for name in names if name in given and given[name].text), None)


def _checked(made: _Made, key: str, text: str, form: Callable[[str], bool], at: Var | None) -> None:
    """A setting that may be used, or a fault: no value reaches a command unseen."""
    if form(text):
        made.settings[key] = text
    else:
        place = f"{at.place}: " if at else ""
        made.faults.append(f"{place}{text[:60]!r} cannot be {key}")


def _ssh(name: str, given: Mapping[str, Var], made: _Made) -> None:
    address = _first(given, _ADDRESS)
    _checked(made, "address", address.text if address else name, is_address, address)
    user = _first(given, _USER)
    if user:
        _checked(made, "user", user.text, is_user, user)
    port = _first(given, _PORT)
    if port:
        if _is_port(port.text):
            made.settings["port"] = int(port.text)
        else:
            made.faults.append(f"{port.place}: {port.text[:60]!r} cannot be a port")
    key = _first(given, _KEY)
    if key:
        made.settings["key"] = str(Path(key.text).expanduser())
    for argument in _ARGUMENTS:
        if argument in given:
            _arguments(given[argument], made)


def _become(given: Mapping[str, Var], made: _Made) -> None:
    var = given.get("ansible_become")
    if var:
        word = var.text.lower()
        if word not in _TRUE | _FALSE:
            made.faults.append(f"{var.place}: ansible_become is {var.text[:60]!r}")
        made.settings["become"] = word in _TRUE
    for name, usual in (("ansible_become_method", "sudo"), ("ansible_become_user", "root")):
        other = given.get(name)
        if other and other.text.rpartition(".")[2] != usual:
            made.notes.append(f"{other.place}: {name} {other.text[:60]!r} is not used: {usual} is")


def _rest(given: Mapping[str, Var], made: _Made, folder: Path) -> None:
    var = given.get("driftscan_baseline")
    if var and var.text:
        made.settings["baseline"] = str(folder / Path(var.text).expanduser())
    var = given.get("driftscan_profile")
    if var and var.text in PROFILES:
        made.settings["profile"] = var.text
    elif var and var.text:
        made.faults.append(
            f"{var.place}: {var.text[:60]!r} cannot be a profile: write {', '.join(PROFILES)}"
        )
    roots = given.get("driftscan_app")
    if roots:
        words = sorted({*roots.text.split()})
        if len(words) > MOST_ROOTS or not all(map(is_root, words)):
            told = f"{roots.text[:60]!r} cannot be roots of applications"
            made.faults.append(f"{roots.place}: {told}: up to {MOST_ROOTS}, each {ROOT_FORM}")
        made.settings["app"] = words


# --- arguments of ssh ----------------------------------------------------------------------------

# Options that change neither the way to the host nor whom we trust.
_HARMLESS = {
    "controlmaster",
    "controlpersist",
    "controlpath",
    "connecttimeout",
    "serveraliveinterval",
    "serveralivecountmax",
    "compression",
    "preferredauthentications",
    "pubkeyauthentication",
    "passwordauthentication",
    "identitiesonly",
    "forwardagent",
    "loglevel",
}
_PLAIN = {"-C", "-q", "-4", "-6", "-T", "-v", "-vv", "-vvv", "-A"}


def _arguments(var: Var, made: _Made) -> None:
    """`-J`, `-i`, `-p`, `-l` and the `-o` that say as much; what else matters is told."""
    try:
        words = shlex.split(var.text)
    except ValueError:
        made.faults.append(f"{var.place}: a quote is not closed in {var.text[:60]!r}")
        return
    while words:
        word = words.pop(0)
        if word in _PLAIN:
            continue
        flag, value = word[:2], word[2:]
        if flag in ("-o", "-J", "-i", "-p", "-l", "-F") and not value and words:
            value = words.pop(0)
        _argument(flag, value.strip(), var, made)


_SAME = {"-J": "proxyjump", "-i": "identityfile", "-p": "port", "-l": "user"}


def _argument(flag: str, value: str, var: Var, made: _Made) -> None:
    name, text = _SAME.get(flag, ""), value
    if flag == "-o":
        name, text = (part.strip() for part in re.split(r"[= ]", f"{value} ", maxsplit=1))
        name = name.lower()
    if name == "proxyjump":
        _jump(text, var, made)
    elif name == "proxycommand":
        _proxy(text, var, made)
    elif name in _KNOWN and _KNOWN[name][1](text):
        key, _, made_of = _KNOWN[name]
        made.settings.setdefault(key, made_of(text))
    elif name not in _HARMLESS:
        made.notes.append(f"{var.place}: {flag} {value[:60]!r} of ssh is not used")


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,4}", text) is not None and int(text) <= 65535


def _home(text: str) -> str:
    return str(Path(text).expanduser())


# By ssh_config's name in small letters: our setting, which values it may have, and how it is read.
_KNOWN: dict[str, tuple[str, Callable[[str], bool], Callable[[str], object]]] = {
    "identityfile": ("key", bool, _home),
    "port": ("port", _is_port, int),
    "user": ("user", is_user, str),
    "userknownhostsfile": (
        "known_hosts",
        lambda text: text not in ("", "/dev/null") and " " not in text,
        lambda text: [_home(text)],
    ),
    "hostkeyalias": ("host_key_alias", is_address, str),
}


def _jump(text: str, var: Var, made: _Made) -> None:
    """ssh names the first hop first, as `jump` does."""
    hops = [hop.removeprefix("ssh://") for hop in text.split(",")]
    if text.lower() == "none":
        return
    if all(split_address(hop) for hop in hops):
        made.settings["jump"] = hops
    else:
        made.faults.append(f"{var.place}: {text[:60]!r} cannot be a jump host")


def _proxy(text: str, var: Var, made: _Made) -> None:
    """`ssh -W %h:%p [-q] [-p PORT] [user@]bastion` is a jump; another command is not guessed at."""
    words = text.split()
    port, user, rest = "", "", []
    if words[:1] == ["ssh"]:
        words.pop(0)
        while words:
            word = words.pop(0)
            if word in ("-p", "-l", "-W") and words:
                value = words.pop(0)
                port, user = (value if word == "-p" else port), (value if word == "-l" else user)
                rest += ["-W"] if word == "-W" and value == "%h:%p" else []
            elif word not in _PLAIN:
                rest.append(word)
    if len(rest) == 2 and "-W" in rest:
        hop = next(word for word in rest if word != "-W")
        hop = f"{user}@{hop}" if user and "@" not in hop else hop
        hop = f"{hop}:{port}" if port else hop
        if split_address(hop):
            made.settings["jump"] = [hop]
            return
    made.faults.append(
        f"{var.place}: ProxyCommand {text[:60]!r} is not understood: write ProxyJump"
    )
