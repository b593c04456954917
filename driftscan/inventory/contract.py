"""What an inventory is, whichever file it was read from; and which names may stand in one."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import ip_address
from typing import get_args

from msgspec import Struct

from driftscan.model import ROOT, Profile, Target


class Group(Struct, frozen=True):
    """Hosts that do the same job, and the folder of the baseline they answer to, if any."""

    hosts: tuple[str, ...]
    baseline: str = ""


class Inventory(Struct, frozen=True):
    """Every host by name, in the order of the file, with its own road; and the groups.

    An inventory of Ansible's has the order of its group `all`. `empty` are groups without a host.
    `notes` tell what stands in a file of Ansible's and is not used: `file:line: what`. `reader` is
    `driftscan`, `ansible-inventory`, or `both` where they agree.
    """

    path: str
    hosts: dict[str, Target]
    groups: dict[str, Group]
    notes: tuple[str, ...] = ()
    reader: str = "driftscan"
    is_ansibles: bool = False
    empty: tuple[str, ...] = ()


PROFILES: tuple[str, ...] = tuple(filter(None, get_args(Profile)))
"""Whose rules tell what a machine has for its own sake (`expected/`); `none`: nothing is."""

EVERYTHING = "all"
"""What `--limit all` selects, so neither a host nor a group is named so."""

# Nothing of these can be taken for an option, split by a shell, or leave a directory.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}\$?")
_PROGRAM = re.compile(r"(?:/[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,62}){1,16}")
_JUMP = re.compile(
    r"(?:(?P<user>[^@]+)@)?(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?"
)


def is_name(text: str) -> bool:
    """Whether a host, group or container may be called so."""
    return _NAME.fullmatch(text) is not None


def is_user(text: str) -> bool:
    """Whether an account may be called so."""
    return _USER.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Whether it is a DNS name or the literal of an IP address (IPv6 without brackets)."""
    if _ADDRESS.fullmatch(text):
        return True
    try:
        return "%" not in text and bool(ip_address(text))
    except ValueError:
        return False


def is_program(text: str) -> bool:
    """Whether it is an absolute path whose every character stands for itself in a shell."""
    return _PROGRAM.fullmatch(text) is not None


MOST_ROOTS = 16
"""Further roots of applications of one host."""
_KERNELS = ("/proc", "/sys", "/dev", "/run")


def is_root(text: str) -> bool:
    """Whether it may be walked as a root of applications: absolute, plain, no kernel's own."""
    own = any(text == place or text.startswith(f"{place}/") for place in _KERNELS)
    return ROOT.fullmatch(text) is not None and not own


ROOT_FORM = "an absolute path of letters, digits and . _ @ + -, without `..`, such as /srv/shop"


def split_address(text: str) -> tuple[str, str, int] | None:
    """User, address and port of `[user@]address[:port]` (IPv6 in brackets), or None.

    What is not given is empty or 0.
    """
    match = _JUMP.fullmatch(text)
    if match is None:
        return None
    user, address, port = match["user"] or "", match["v6"] or match["host"], int(match["port"] or 0)
    wrong = (user and not is_user(user)) or not is_address(address) or port > 65535
    return None if wrong or match["port"] in ("0", "00") else (user, address, port)


def meant(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` when something known is written nearly so; else nothing."""
    close = get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
