"""OpenSSH's known_hosts files -> whether a host's key is trusted, by the rules of ssh itself."""

import base64
import binascii
import hmac
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from driftscan import regular
from driftscan.errors import InputError

State = Literal["ok", "unknown", "mismatch", "revoked", "certificate-authority"]
DEFAULT_PORT = 22
MAX_FILE = 64 << 20
# ssh's buffer (match.c): a list with a longer pattern matches nothing
_MAX_PATTERN = 1022


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the files say of a key, and the line that decided (None for an unknown host).

    `certificate-authority`: a CA vouches for the host's certificate, which only the openssh road
    can check; no key of the host itself is in the files. `vouched`: one does beside a key that
    is in the files and is another.
    """

    state: State
    file: str | None = None
    line: int | None = None
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One usable line: `hosts` is its second field as written, `key_blob` the decoded key."""

    file: str
    line: int
    marker: Literal["", "@revoked", "@cert-authority"]
    hosts: str
    key_type: str
    key_blob: bytes


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The usable lines of all files in order, and `file:line` of those that ssh skips as well.

    Never changes after `load`: may be shared between threads.
    """

    entries: tuple[Entry, ...] = ()
    skipped: tuple[str, ...] = ()

    def verdict(self, host: str, port: int, key_type: str, key_blob: bytes) -> Verdict:
        """What ssh would say of this key, offered by `host` (or its HostKeyAlias, with port 22).

        Sources: sshd(8) SSH_KNOWN_HOSTS FILE FORMAT; the order of the rules is measured against
        ssh 9.2 (tests). A key is compared as bytes; `key_type` must be the type in the blob.
        """
        if _key_type(key_blob) != key_type:
            return Verdict("unknown")
        name, *bare = _names(host, port)
        entries = self._covering(name)
        found = _judged(entries, key_blob)
        # ssh looks for the bare name only when `[host]:port` is unknown, and only a match counts
        if found.state == "unknown" and bare:
            others = self._covering(bare[0])
            fallback = _judged(others, key_blob)
            if fallback.state not in ("mismatch", "unknown"):
                return fallback
            entries += others
        return _beside_authority(found, entries)

    def known_types(self, host: str, port: int) -> list[str]:
        """The key types known for this host, in the files' order: offer these first.

        Those of the bare name only when `[host]:port` has none, as `verdict` does.
        """
        for name in _names(host, port):
            types = [entry.key_type for entry in self._covering(name) if not entry.marker]
            if types:
                return list(dict.fromkeys(types))
        return []

    def _covering(self, name: str) -> list[Entry]:
        return [entry for entry in self.entries if covers(entry.hosts, name)]


def load(paths: Iterable[str | Path]) -> KnownHosts:
    """Read the files in order, each once; a missing file is an empty one.

    Raises InputError for what is there and is no file that can be read, or a larger one than
    anybody's. No content raises: a line that ssh would skip is named in `skipped`.
    """
    entries: list[Entry] = []
    skipped: list[str] = []
    for path in paths:
        for number, line in _lines(Path(path)):
            entry = _entry(str(path), number, line)
            if entry is None:
                skipped.append(f"{path}:{number}")
            else:
                entries.append(entry)
    return KnownHosts(tuple(entries), tuple(skipped))


# --- rules ---------------------------------------------------------------------------------


def _names(host: str, port: int) -> list[str]:
    name = _lower(host)
    return [name] if port == DEFAULT_PORT else [f"[{name}]:{port}", name]


def _judged(entries: list[Entry], key_blob: bytes) -> Verdict:
    """revoked > ok > another key; a CA says nothing of a bare key."""
    same = [entry for entry in entries if entry.key_blob == key_blob]
    ranked: list[tuple[State, list[Entry]]] = [
        ("revoked", [entry for entry in same if entry.marker == "@revoked"]),
        ("ok", [entry for entry in same if not entry.marker]),
        ("mismatch", [entry for entry in entries if not entry.marker]),
    ]
    for state, deciding in ranked:
        if deciding:
            return Verdict(state, deciding[0].file, deciding[0].line)
    return Verdict("unknown")


def _beside_authority(found: Verdict, entries: list[Entry]) -> Verdict:
    """What a CA changes: a host without a known key may show its certificate to ssh. A key that
    has changed stays that."""
    authority = next((entry for entry in entries if entry.marker == "@cert-authority"), None)
    if authority is None or found.state not in ("unknown", "mismatch"):
        return found
    if found.state == "mismatch":
        return replace(found, vouched=True)
    return Verdict("certificate-authority", authority.file, authority.line)


def _lower(name: str) -> str:
    """As C's tolower(): str.lower() would also make a Kelvin sign a k."""
    return re.sub("[A-Z]+", lambda match: match[0].lower(), name)


def covers(hosts: str, name: str) -> bool:
    """Whether the first field of a line is about the name, which has to be in lower case."""
    if hosts.startswith("|"):
        return _hash_covers(hosts, name)
    covered = False
    for pattern in hosts.split(","):
        negated = pattern.startswith("!")
        pattern = pattern[negated:]
        if len(pattern.encode("utf-8", "surrogateescape")) > _MAX_PATTERN:
            return False
        if _matches(_lower(pattern), name):
            if negated:
                return False
            covered = True
    return covered


def _hash_covers(hosts: str, name: str) -> bool:
    _, _, salt, digest = hosts.split("|")
    found = hmac.digest(base64.b64decode(salt), name.encode("utf-8", "surrogateescape"), "sha1")
    return base64.b64encode(found) == digest.encode()


def _matches(pattern: str, name: str) -> bool:
    """`*` and `?` alone are special; backtracks only to the last `*`, so in linear space and
    at worst len(pattern) * len(name) steps whatever a file says."""
    at, star, resume = 0, -1, 0
    position = 0
    while position < len(name):
        wanted = pattern[at] if at < len(pattern) else ""
        if wanted == "*":
            star, resume = at, position
            at += 1
        elif wanted in ("?", name[position]):
            at += 1
            position += 1
        elif star >= 0:
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


# --- lines ---------------------------------------------------------------------------------

_BLANKS = re.compile(r"[ \t]+")
# how many length-prefixed parts a key of each type has, its name included
_PARTS = {
    "ssh-ed25519": 2,
    "ssh-rsa": 3,
    "ssh-dss": 5,
    "ecdsa-sha2-nistp256": 3,
    "ecdsa-sha2-nistp384": 3,
    "ecdsa-sha2-nistp521": 3,
    "sk-ssh-ed25519@openssh.com": 3,
    "sk-ecdsa-sha2-nistp256@openssh.com": 4,
}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is neither empty nor a comment."""
    if str(path) == os.devnull:  # how ssh is told to know nobody
        return
    try:
        content = regular.read(path, MAX_FILE)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(
            f"known hosts file {str(path)!r} cannot be read ({error.strerror}); "
            "name another one or correct its mode"
        ) from error
    for number, raw in enumerate(content.split(b"\n"), 1):
        # ssh reads C strings: a zero byte ends the line
        line = raw.split(b"\0")[0].decode("utf-8", "surrogateescape").rstrip(" \t\r").lstrip(" \t")
        if line and not line.startswith("#"):
            yield number, line


def _entry(file: str, number: int, line: str) -> Entry | None:
    marker: Literal["", "@revoked", "@cert-authority"] = ""
    if line.startswith("@"):
        # ssh ends the marker at the first space, even when a tab comes before it
        first, _, line = line.partition(" ")
        if first not in ("@revoked", "@cert-authority"):
            return None
        marker = "@revoked" if first == "@revoked" else "@cert-authority"
    fields = _BLANKS.split(line.strip(" \t"), maxsplit=3)
    if len(fields) < 3 or fields[0].startswith("@") or not _usable(fields[0]):
        return None
    hosts, key_type, encoded = fields[:3]
    blob = _decoded(encoded)
    if blob is None or _key_type(blob) != key_type:
        return None
    return Entry(file, number, marker, hosts, key_type, blob)


def _usable(hosts: str) -> bool:
    """A hashed name is `|1|salt|hash`, 20 bytes each, in canonical base64, and alone."""
    if not hosts.startswith("|"):
        return True
    parts = hosts.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return False
    decoded = [_decoded(part) for part in parts[2:]]
    return all(part is not None and len(part) == 20 for part in decoded)


def _decoded(text: str) -> bytes | None:
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return found if base64.b64encode(found).decode() == text else None


def _key_type(blob: bytes) -> str | None:
    """The type a key blob (RFC 4253, 6.6) names, None when it is not whole."""
    parts: list[bytes] = []
    rest = blob
    while rest:
        length = int.from_bytes(rest[:4], "big")
        part, rest = rest[4 : 4 + length], rest[4 + length :]
        if len(part) != length or len(parts) > 5:
            return None
        parts.append(part)
    name = parts[0].decode("ascii", "replace") if parts else ""
    if _PARTS.get(name) != len(parts) or (name == "ssh-ed25519" and len(parts[1]) != 32):
        return None
    return name
