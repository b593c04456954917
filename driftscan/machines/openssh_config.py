"""A target -> the way to it, hop by hop, as `ssh` itself would go: by asking `ssh -G`."""

import getpass
import ipaddress
import math
import os
import pwd
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from driftscan import sanitize
from driftscan.errors import MachineError
from driftscan.machines.ssh_settings import Asking, Settings, one
from driftscan.model import Target

# What no name may hold is what a shell, ssh's %-tokens or an option could make of it.
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_ZONE = re.compile(r"%[A-Za-z0-9._-]{1,32}$")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?")
_JUMP = re.compile(r"(?:ssh://)?(?:([^@]*)@)?(?:\[([^\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?/?")
_DEFAULT_KEY = re.compile(r"~/\.ssh/id_(?:rsa|dsa|xmss|ecdsa(?:_sk)?|ed25519(?:_sk)?)")
_MAX_HOPS = 8

OTHER_ROAD = (
    "only OpenSSH's own client can do this: `road: openssh` in the inventory, or --road openssh"
)

# Settings that change the way, the identity or the trust, and that this road cannot honour: where
# they are set to anything but this or ssh's default. docs/connecting.md tells all it does honour.
_NOTHING = ("", "none", "no", "false")
_REFUSED = {
    "proxycommand": "ProxyCommand",
    "certificatefile": "CertificateFile",
    "bindaddress": "BindAddress",
    "bindinterface": "BindInterface",
    "revokedhostkeys": "RevokedHostKeys",
    "knownhostscommand": "KnownHostsCommand",
    "pkcs11provider": "PKCS11Provider",
    "checkhostip": "CheckHostIP",
}
# What a list of algorithms restricts, as paramiko calls it. A system-wide policy sets them too.
_LISTS = {
    "kexalgorithms": "kex",
    "hostkeyalgorithms": "keys",
    "ciphers": "ciphers",
    "macs": "macs",
    "pubkeyacceptedalgorithms": "pubkeys",
    "pubkeyacceptedkeytypes": "pubkeys",  # before OpenSSH 8.5
}
_KEYS_ONLY = "this road logs in by public key alone: allow that there, or use `road: openssh`"
_FAMILIES = {"inet": int(socket.AF_INET), "inet6": int(socket.AF_INET6)}


@dataclass(frozen=True, slots=True)
class Hop:
    """One sshd on the way: where it listens, who we are there, and what its key is checked with.

    `chosen` keys were named by somebody; else they are those that ssh tries by itself. `allowed`
    has the algorithms of each kind that ssh's configuration restricts; `rsa_bits` is the least.
    """

    name: str
    address: str
    port: int
    user: str
    keys: tuple[Path, ...]
    chosen: bool
    only_files: bool
    agent: str
    alias: str
    known_hosts: tuple[Path, ...]
    family: int = 0
    hashed: bool = False
    allowed: tuple[tuple[str, frozenset[str]], ...] = ()
    rsa_bits: int = 0

    @property
    def known_as(self) -> tuple[str, int]:
        """The name and port its key is looked up under (ssh_config(5), HostKeyAlias)."""
        return (self.alias, 22) if self.alias else (self.address, self.port)


@dataclass(frozen=True, slots=True)
class Jump:
    """What the inventory says of a hop; it wins over ssh's own configuration."""

    name: str
    user: str = ""
    port: int = 0
    key: str = ""
    alias: str = ""
    known_hosts: tuple[str, ...] = ()
    jump: bool = False


class Resolver:
    """Ways to targets; `config` is a file to read in place of the user's own ssh_config."""

    def __init__(self, config: Path | None = None, agent: str | None = None) -> None:
        self._ssh = Asking(config)
        self._agent = os.environ.get("SSH_AUTH_SOCK", "") if agent is None else agent

    def close(self) -> None:
        """End what is under way, and what would be, from any thread."""
        self._ssh.close()

    def route(self, target: Target, seconds: float = math.inf) -> list[Hop]:
        """The hops to the target, itself the last one; ssh has so many seconds to tell them.

        The inventory's key and known_hosts serve its jump hosts too, where ssh's configuration
        names no key for them. Raises MachineError, stage `config`.
        """
        ends = time.monotonic() + seconds
        wanted = Jump(
            target.address or target.name,
            target.user,
            target.port,
            target.key,
            target.host_key_alias,
            tuple(target.known_hosts),
        )
        settings = self._settings(wanted, ends)
        last = self._hop(wanted, settings, ends)
        jumps = list(target.jump) or _jumps(settings)
        return [*self._way(jumps, wanted, 1, ends), last]

    def jumps(self, target: Target, seconds: float = math.inf) -> list[str]:
        """The jump hosts that ssh's own configuration names for a target; otherwise as `route`."""
        name = target.address or target.name
        _check(name, target.user)
        return _jumps(self._ssh.alone(name, target.user, target.port, time.monotonic() + seconds))

    def _way(self, jumps: list[str], target: Jump, depth: int, ends: float) -> list[Hop]:
        """The jump hosts in order; only the first one's own ProxyJump counts, as with `ssh -J`."""
        hops: list[Hop] = []
        for number, text in enumerate(jumps):
            wanted = jump(text, target)
            settings = self._settings(wanted, ends)
            if not number:
                before = _jumps(settings)
                if depth + len(before) + len(jumps) > _MAX_HOPS:
                    raise _error(f"more than {_MAX_HOPS} hops: do the jump hosts lead in a circle?")
                hops += self._way(before, target, depth + 1, ends)
            hops.append(self._hop(wanted, settings, ends))
        return hops

    def _settings(self, wanted: Jump, ends: float) -> Settings:
        _check(wanted.name, wanted.user)
        return self._ssh.of(wanted.name, wanted.user, wanted.port, ends)

    def _hop(self, wanted: Jump, settings: Settings, ends: float) -> Hop:
        defaults = self._ssh.defaults(ends)
        _refuse(wanted.name, settings, defaults)
        address = one(settings, "hostname") or wanted.name
        user = wanted.user or one(settings, "user") or getpass.getuser()
        check_host(address)
        check_user(user)
        port = wanted.port or int(one(settings, "port") or 22)
        known = list(wanted.known_hosts) or _paths(one(settings, "userknownhostsfile"))
        known += _paths(one(settings, "globalknownhostsfile"))
        files = [name for name in settings.get("identityfile", []) if name != "none"]
        own = len(files) == 1 or any(not _DEFAULT_KEY.fullmatch(name) for name in files)
        files = [wanted.key] if wanted.key and not (own and wanted.jump) else files
        tokens = {"h": address, "n": wanted.name, "p": str(port), "r": user}
        return Hop(
            name=wanted.name,
            address=address,
            port=port,
            user=user,
            keys=tuple(_expand(name, tokens) for name in files),
            chosen=bool(wanted.key) or own,
            only_files=one(settings, "identitiesonly") == "yes",
            agent=self._agent_of(settings, tokens),
            alias=wanted.alias or one(settings, "hostkeyalias"),
            known_hosts=tuple(_expand(name, tokens) for name in known if name != "none"),
            family=_FAMILIES.get(one(settings, "addressfamily"), 0),
            hashed=one(settings, "hashknownhosts") == "yes",
            allowed=_allowed(settings, defaults),
            rsa_bits=int(one(settings, "requiredrsasize") or 0),
        )

    def _agent_of(self, settings: Settings, tokens: Mapping[str, str]) -> str:
        named = one(settings, "identityagent")
        if named in ("", "SSH_AUTH_SOCK"):
            return self._agent
        if named.startswith("$"):
            return os.environ.get(named.lstrip("$").strip("{}"), "")
        return "" if named == "none" else str(_expand(named, tokens))


def check_host(name: str) -> None:
    """A host name or address that no shell, ssh or resolver could take for something else.

    Raises MachineError (the class of CVE-2023-51385 and of `-oProxyCommand=`).
    """
    if _HOST.fullmatch(name):
        return
    try:
        ipaddress.ip_address(_ZONE.sub("", name))
    except ValueError as error:
        raise _error(
            f"not a host name or address: '{sanitize.safe(name[:80])}'",
            "letters, digits, dot, hyphen and underscore; it begins with a letter or digit",
        ) from error


def _check(name: str, user: str) -> None:
    check_host(name)
    if user:
        check_user(user)


def check_user(name: str) -> None:
    """A user name as useradd(8) allows it; raises MachineError."""
    if not _USER.fullmatch(name):
        cure = "letters, digits, dot, hyphen and underscore; it begins with a letter"
        raise _error(f"not a user name: '{sanitize.safe(name[:80])}'", cure)


def _error(cause: str, cure: str = "correct the inventory or ~/.ssh/config") -> MachineError:
    return MachineError("unreachable", "config", cause, cure)


def jump(text: str, target: Jump | Target) -> Jump:
    """A jump host as ssh_config(5) writes it, with the target's key and known_hosts."""
    found = _JUMP.fullmatch(text)
    if found is None:
        raise _error(f"not a jump host: '{sanitize.safe(text[:80])}'", "write [user@]host[:port]")
    user, bracketed, name, port = found.groups()
    return Jump(
        name=bracketed or name or "",
        user=user or "",
        port=int(port or 0),
        key=target.key,
        known_hosts=tuple(target.known_hosts),
        jump=True,
    )


def _refuse(name: str, settings: Settings, defaults: Settings) -> None:
    """Raise MachineError for what another road has to do."""
    for option, keyword in _REFUSED.items():
        value = one(settings, option)
        if value not in (*_NOTHING, one(defaults, option)):
            raise _error(f"ssh's configuration sets {keyword} for {name}", OTHER_ROAD)
    ways = one(settings, "preferredauthentications")
    if one(settings, "pubkeyauthentication") in ("no", "false"):
        raise _error(f"ssh's configuration sets PubkeyAuthentication no for {name}", _KEYS_ONLY)
    if ways and "publickey" not in ways.split(","):
        raise _error(f"PreferredAuthentications of {name} has no publickey", _KEYS_ONLY)


def _allowed(settings: Settings, defaults: Settings) -> tuple[tuple[str, frozenset[str]], ...]:
    """The algorithms of each kind whose list is not ssh's own; of the others paramiko's serve."""
    return tuple(
        (kind, frozenset(value.split(",")))
        for option, kind in _LISTS.items()
        if (value := one(settings, option)) and value != one(defaults, option)
    )


def _jumps(settings: Settings) -> list[str]:
    value = one(settings, "proxyjump")
    return [] if value in ("", "none") else value.split(",")


def _paths(value: str) -> list[str]:
    """`ssh -G` prints lists of files unquoted: a new one begins with `/` or `~`."""
    return re.split(r"\s+(?=[/~])", value) if value else []


def _expand(path: str, tokens: Mapping[str, str]) -> Path:
    """`~` and the %-tokens of ssh_config(5), with ssh's idea of home: the password database's."""
    home = _home()
    known = {"%": "%", "d": home, "u": getpass.getuser(), "i": str(os.getuid()), **tokens}
    done = "".join(_token(piece, known) for piece in re.split(r"(%.)", path))
    return Path(home, done[2:]) if done.startswith("~/") else Path(done)


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return str(Path.home())


def _token(piece: str, known: Mapping[str, str]) -> str:
    if not re.fullmatch(r"%.", piece):
        return piece
    if piece[1] not in known:
        raise _error(f"ssh's configuration uses {sanitize.safe(piece)} in a path", OTHER_ROAD)
    return known[piece[1]]
