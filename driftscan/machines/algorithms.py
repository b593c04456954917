"""What is offered to a server: what paramiko has, less what is weak and what ssh's configuration
forbids."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from driftscan import sanitize
from driftscan.errors import MachineError
from driftscan.machines.openssh_config import OTHER_ROAD, Hop

WEAK = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"],
}
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_GCM = "gcm"
# one key exchange has the name of its RFC and that of its first form
_TWINS = {"curve25519-sha256", "curve25519-sha256@libssh.org"}


class Key(Protocol):
    """A key to log in with."""

    def get_name(self) -> str:
        """Its type, as RFC 4253 names it."""
        ...

    def asbytes(self) -> bytes:
        """Its public part."""
        ...


Login = TypeVar("Login", bound=Key)


def offered(hop: Hop, known_types: Sequence[str], **ours: Sequence[str]) -> dict[str, list[str]]:
    """What is offered there of our kex, keys, ciphers and macs, best first; the key types known
    for the host come first.

    Raises MachineError where ssh's configuration leaves none of a kind.
    """
    left = {kind: _allowed(hop, kind, names) for kind, names in ours.items()}
    # one call encrypts and authenticates: an eighth of the whole trip's CPU less
    left["ciphers"].sort(key=lambda name: _GCM not in name)
    if not left["macs"]:  # what encrypts and authenticates at once needs none
        left["ciphers"] = [name for name in left["ciphers"] if _GCM in name]
        left["macs"] = list(ours["macs"])
    for kind, names in left.items():
        if not names:
            had = sanitize.safe(", ".join(_strong(kind, ours[kind])))
            cause = f"ssh's configuration allows no {kind} that this road has: {had}"
            raise MachineError("unreachable", "config", cause, OTHER_ROAD)
    left["keys"] = _order(known_types, left["keys"])
    return left


def disabled(hop: Hop) -> dict[str, list[str]]:
    """What paramiko may not use, by its names of the kinds."""
    signed = dict(hop.allowed).get("pubkeys")
    return {**WEAK, "pubkeys": [name for name in _RSA if signed and name not in signed]}


def accepted(hop: Hop, candidates: Iterable[Login]) -> list[Login]:
    """The keys that ssh's configuration lets us show; MachineError when there is none."""
    signed = dict(hop.allowed).get("pubkeys")
    found, passed = [], []
    for key in candidates:
        bits, kind = rsa_bits(key.asbytes()), key.get_name()
        if 0 < bits < hop.rsa_bits:
            passed.append(_small(hop, bits))
        elif signed and signed.isdisjoint(_RSA if kind == "ssh-rsa" else {kind}):
            passed.append(f"{kind}, which PubkeyAcceptedAlgorithms does not allow")
        else:
            found.append(key)
    if passed and not found:
        cause = f"the key is {sanitize.safe(passed[0])}"
        raise MachineError("key_unusable", "keys", cause, "name another key, or create one")
    return found


def check_size(hop: Hop, blob: bytes) -> None:
    """Raises MachineError for a host key that ssh would call too small (RequiredRSASize)."""
    bits = rsa_bits(blob)
    if 0 < bits < hop.rsa_bits:
        cause = f"its key is {_small(hop, bits)}"
        raise MachineError("kex_incompatible", "host-key", cause, "give the host a new key")


def rsa_bits(blob: bytes) -> int:
    """The size of an RSA key (RFC 4253, 6.6: its type, exponent and modulus); 0 of any other."""
    parts: list[bytes] = []
    while blob and len(parts) < 3:
        size = int.from_bytes(blob[:4], "big")
        parts.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    if len(parts) < 3 or parts[0] != b"ssh-rsa":
        return 0
    return int.from_bytes(parts[2], "big").bit_length()


def _small(hop: Hop, bits: int) -> str:
    return f"RSA of {bits} bits, and ssh's configuration requires {hop.rsa_bits}"


def _strong(kind: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in WEAK.get(kind, ())]


def _allowed(hop: Hop, kind: str, ours: Sequence[str]) -> list[str]:
    allowed = dict(hop.allowed).get(kind)
    if allowed is None:
        return list(ours)
    also = _TWINS if allowed & _TWINS else set()
    return [name for name in _strong(kind, ours) if name in allowed | also]


def _order(known: Sequence[str], ours: Sequence[str]) -> list[str]:
    wanted = [name for kind in known for name in (_RSA if kind == "ssh-rsa" else (kind,))]
    first = [name for name in wanted if name in ours]
    return list(dict.fromkeys([*first, *ours]))
