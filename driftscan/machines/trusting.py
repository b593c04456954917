"""A host's key, shown and added to known_hosts on purpose: as far as the key exchange only."""

import base64
import hmac
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from driftscan import regular
from driftscan.errors import InputError, MachineError
from driftscan.machines import known_hosts
from driftscan.machines.known_hosts import DEFAULT_PORT, Verdict
from driftscan.machines.openssh_config import Hop
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Limits, Target

_NEW, _NEW_FOLDER = 0o600, 0o700


class Offer(NamedTuple):
    """The key that one machine on the way has proven to hold, and what known_hosts says of it."""

    hop: Hop
    type: str
    blob: bytes
    fingerprint: str
    verdict: Verdict

    @property
    def stored_as(self) -> str:
        """The name that it is known by: `host`, `[host]:port`, or its HostKeyAlias."""
        name, port = self.hop.known_as
        return name if port == DEFAULT_PORT else f"[{name}]:{port}"

    @property
    def file(self) -> Path:
        """The file that it would be added to: the user's own first one."""
        if not self.hop.known_hosts:
            raise MachineError(
                "host_key_unknown",
                "config",
                "ssh's configuration names no known_hosts file",
                "name one: `known_hosts:` in the inventory, or UserKnownHostsFile",
            )
        return self.hop.known_hosts[0]


def machines(target: Target) -> int:
    """How many machines are on the way to it, itself among them; raises MachineError."""
    return len(Credentials().resolver.route(target))


def offer(target: Target, number: int, limits: Limits) -> Offer:
    """What the machine of that number on the way shows; those before it have to be trusted.

    Reads keys and known_hosts anew each time. Raises MachineError.
    """
    credentials = Credentials()
    hop, key, fingerprint = Ssh(target, credentials).greeted(number, limits)
    name, port = hop.known_as
    verdict = credentials.known_hosts(hop.known_hosts).verdict(name, port, key.type, key.blob)
    return Offer(hop, key.type, key.blob, fingerprint, verdict)


def add(found: Offer, *, replace: bool = False) -> None:
    """Append the key to its file, hashed where the file or ssh's configuration wants that.

    With `replace` the file's other keys of that name go (FILE.old keeps them). Raises InputError.
    """
    path = found.file
    if path.exists():
        path = path.resolve()
    try:
        if replace:
            _rewrite(path, found.stored_as)
        hashed = found.hop.hashed or b"|1|" in _read(path)
        name = _hashed(found.stored_as) if hashed else found.stored_as.lower()
        encoded = base64.b64encode(found.blob).decode()
        _append(path, f"{name} {found.type} {encoded}\n".encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _hashed(name: str) -> str:
    """HashKnownHosts of ssh_config(5): `|1|salt|HMAC-SHA1(salt, name)`."""
    salt = secrets.token_bytes(20)
    digest = hmac.digest(salt, name.lower().encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _read(path: Path) -> bytes:
    return regular.read(path, known_hosts.MAX_FILE) if path.exists() else b""


def _append(path: Path, line: bytes) -> None:
    """One write at the end: what ssh itself adds at the same time is kept, and the mode too."""
    path.parent.mkdir(mode=_NEW_FOLDER, parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _NEW)
    try:
        size = os.fstat(file).st_size
        open_ended = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        data = b"\n" * open_ended + line
        if os.write(file, data) != len(data):
            os.ftruncate(file, size)
            raise OSError(28, "no space left for the whole line")
        os.fsync(file)
    finally:
        os.close(file)


def _rewrite(path: Path, name: str) -> None:
    """The file without the keys of that name, put in place at once."""
    text = _read(path)
    kept = _without(text, name)
    if kept == text:
        return
    mode = path.stat().st_mode & 0o777
    _write(path.with_name(path.name + ".old"), text, mode)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        _write(fresh, kept, mode)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _write(path: Path, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _without(text: bytes, name: str) -> bytes:
    """The lines that do not know the name; from a list of names it is taken out."""
    kept = []
    for line in text.splitlines(keepends=True):
        fields = line.split(maxsplit=1)
        hosts = fields[0].decode("utf-8", "surrogateescape") if fields else "#"
        if hosts[0] in "#@" or not known_hosts.covers(hosts, name.lower()):
            kept.append(line)
            continue
        others = [] if hosts.startswith("|") else hosts.split(",")
        if any(mark in hosts for mark in "*?!") and not hosts.startswith("|"):
            raise InputError(f"a pattern of known_hosts covers {name}: take out '{hosts}' by hand")
        rest = [host for host in others if host.lower() != name.lower()]
        if rest:
            kept.append(",".join(rest).encode("utf-8", "surrogateescape") + b" " + fields[1])
    return b"".join(kept)
