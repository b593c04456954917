"""Key files: checked as ssh checks them, and why one cannot be used, before anything connects."""

import base64
import binascii
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from driftscan import regular, sanitize
from driftscan.errors import MachineError

_MAX_FILE = 64 << 10
_MAGIC = b"openssh-key-v1\0"
_BEGIN = "-----BEGIN "
_PRIVATE = "PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key file: its public part where that can be read, and whether the private part can.

    `private` is "ready", "encrypted", "absent" (a file with a public key only: an agent must
    hold the private one) or "token" (a FIDO key: the file only names what a token keeps).
    """

    path: Path
    public: bytes | None
    private: str


def read(path: Path) -> KeyFile:
    """What the file is; raises MachineError `key_unusable` when it cannot be a key for ssh."""
    text = _content(path)
    first = text.lstrip().partition("\n")[0].strip()
    if first.startswith(_BEGIN) and first.endswith(_PRIVATE):
        _check_mode(path)
        return _private(path, first, text)
    public = _public_line(first)
    if public is not None:
        return KeyFile(path, public, "absent")
    raise unusable(
        path, "is not a private key", "name the file that ssh-keygen wrote, without .pub"
    )


def unusable(path: Path, what: str, cure: str) -> MachineError:
    """The error of a key file that cannot be used: `what` is wrong with it, and the cure."""
    return MachineError("key_unusable", "keys", f"key {sanitize.safe(str(path))} {what}", cure)


def needs_passphrase(path: Path) -> MachineError:
    """The error of a key that only its passphrase opens: nothing is ever prompted."""
    cure = f"run `ssh-add {sanitize.safe(str(path))}` before, so that an agent holds it"
    return unusable(path, "needs its passphrase, which is never asked for", cure)


def needs_token(path: Path) -> MachineError:
    """The error of a key that a FIDO token keeps, and no agent has."""
    cure = f"run `ssh-add {sanitize.safe(str(path))}`, so that an agent uses it, or `road: openssh`"
    return unusable(path, "is on a security token", cure)


def _content(path: Path) -> str:
    try:
        # a FIFO would block for ever
        if not stat.S_ISREG(path.stat().st_mode):
            raise unusable(path, "is not a regular file", "name the private key's file")
        with path.open("rb") as file:
            return file.read(_MAX_FILE).decode("ascii", "replace")
    except FileNotFoundError as error:
        raise unusable(
            path, "does not exist", "correct the path, or create it with ssh-keygen"
        ) from error
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise unusable(path, f"cannot be read: {reason}", "correct its owner or mode") from error


def _check_mode(path: Path) -> None:
    """ssh's own rule (authfile.c): it refuses a key of ours that others may open."""
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == os.getuid() and mode & 0o077:
        cure = f"run `chmod 600 {sanitize.safe(str(path))}`"
        raise unusable(path, f"may be opened by others (mode {mode:04o})", cure)


def _private(path: Path, first: str, text: str) -> KeyFile:
    if "OPENSSH" in first:
        return _openssh(path, text)
    sealed = "ENCRYPTED" in first or "Proc-Type: 4,ENCRYPTED" in text
    return KeyFile(path, _beside(path), "encrypted" if sealed else "ready")


def _openssh(path: Path, text: str) -> KeyFile:
    """PROTOCOL.key of OpenSSH: the cipher's name and the public key stand before the private."""
    body = text.partition("\n")[2].partition("-----END")[0]
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    parts = _strings(data.removeprefix(_MAGIC))
    if not data.startswith(_MAGIC) or parts is None:
        raise unusable(path, "is damaged", "compare it with a copy, or create a new one")
    cipher, public = parts
    if public[4:].startswith(b"sk-"):
        return KeyFile(path, public, "token")
    return KeyFile(path, public, "ready" if cipher == b"none" else "encrypted")


def _strings(data: bytes) -> tuple[bytes, bytes] | None:
    """The cipher's name and the first public key; None when they are not there."""
    parts = []
    for skip in (0, 0, 0, 4):
        data = data[skip:]
        size = int.from_bytes(data[:4], "big")
        if len(data) < 4 + size or not data:
            return None
        parts.append(data[4 : 4 + size])
        data = data[4 + size :]
    return parts[0], parts[3]


def _beside(path: Path) -> bytes | None:
    """The public key in PATH.pub; older key formats do not show it themselves."""
    try:
        text = regular.read(path.with_name(path.name + ".pub"), _MAX_FILE)
        return _public_line(text.decode("ascii", "replace"))
    except OSError:
        return None


def _public_line(line: str) -> bytes | None:
    words = line.split()
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-")):
        return None
    try:
        return base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return None
