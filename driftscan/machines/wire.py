"""The SSH protocol, through paramiko, towards a peer that may be hostile: every call is bounded.

Time is the trip's: its watchdog closes the wire, which ends any call in here. Sizes are capped in
machines/caps.py.
"""

import base64
import hashlib
import logging
import socket
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import paramiko
from paramiko.message import Message
from paramiko.ssh_exception import IncompatiblePeer

from driftscan import sanitize
from driftscan.errors import MachineError
from driftscan.machines import algorithms, keys
from driftscan.machines.agent import AgentError, AgentKey
from driftscan.machines.caps import GRACE, OVERHEAD, Capped, Heard, too_much
from driftscan.machines.openssh_config import OTHER_ROAD, Hop
from driftscan.machines.share import Share
from driftscan.machines.tcp import shut
from driftscan.machines.trip import TransientError, Trip
from driftscan.model import Answer, Limits

# paramiko logs what the server says, and prints it where nobody has set up logging.
_LOG = logging.getLogger("paramiko")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False
_LOG.setLevel(logging.CRITICAL + 1)

_PROHIBITED = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)
# what sshd says in place of its banner (srclimit.c, sshd.c)
_TURNED_AWAY = (b"Exceeded MaxStartups", b"Not allowed at this time")

_MAX_TRIES = 5

Login = paramiko.PKey | AgentKey


class HostKey(NamedTuple):
    """The key a server has proven to hold."""

    type: str
    blob: bytes


class Tunnel:
    """A channel of another wire, as the socket of the next: ending it never fails, even when that
    wire has gone before."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self.settimeout, self.recv, self.send = channel.settimeout, channel.recv, channel.send

    @property
    def _closed(self) -> bool:
        return self._channel.closed

    def close(self) -> None:
        """As a socket's."""
        with suppress(EOFError, OSError, paramiko.SSHException):
            self._channel.close()


class Wire:
    """One SSH connection over a socket, or over a channel of another wire."""

    def __init__(self, trip: Trip, sock: socket.socket | Tunnel, budget: int) -> None:
        self._trip = trip
        self._sock = sock
        self._transport = paramiko.Transport(
            cast("socket.socket", sock),
            disabled_algorithms=algorithms.WEAK,
            packetizer_class=Capped,
        )
        self._packetizer = cast("Capped", self._transport.packetizer)
        self._packetizer.budget = budget + OVERHEAD
        self._packetizer.greeted = self._greeted
        self._transport.auth_timeout = self._transport.channel_timeout = 1e9
        trip.hold(self.close, self._transport)

    def close(self) -> None:
        """End it; every call in it fails at once. May be called from any thread, twice."""
        if isinstance(self._sock, socket.socket):
            shut(self._sock)
        self._transport.close()

    def handshake(self, hop: Hop, offered: Mapping[str, list[str]], seconds: float) -> HostKey:
        """Banner and key exchange, offering what `offered` says of each kind (`offers`)."""
        options = self._transport.get_security_options()
        options.kex, options.key_types = offered["kex"], offered["keys"]
        options.ciphers, options.digests = offered["ciphers"], offered["macs"]
        self._transport.disabled_algorithms = algorithms.disabled(hop)
        self._trip.enter("banner", seconds)
        try:
            with self._peer():
                self._transport.start_client()
        except _PeerError as error:
            raise self._no_handshake(error) from error
        self._trip.stage = "host-key"
        key = self._transport.get_remote_server_key()
        algorithms.check_size(hop, key.asbytes())
        return HostKey(key.get_name(), key.asbytes())

    def _greeted(self) -> None:
        self._trip.stage = "kex"

    @property
    def speaking(self) -> bool:
        """The server has sent its banner."""
        return bool(self._transport.remote_version)

    def login(self, user: str, candidates: Iterable[Login]) -> None:
        """Public keys only, in this order; a server that wants more besides is refused.

        Raises MachineError `auth_failed`. Never falls back to anything that would ask somebody.
        """
        tried = []
        for key in candidates:
            tried.append(f"{key.get_name()} {fingerprint(key.asbytes())}")
            if self._accepts(user, key):
                return
            if len(tried) == _MAX_TRIES:  # sshd allows six, and counts the last one as abuse
                break
        raise MachineError(
            "auth_failed",
            "login",
            f"{user} is refused with {_list(tried)}",
            f"add the public key to ~{user}/.ssh/authorized_keys, or name another key or user;"
            " the host's log has the reason (journalctl -u ssh)",
        )

    def _accepts(self, user: str, key: Login) -> bool:
        try:
            with self._peer():
                more = self._transport.auth_publickey(user, cast("paramiko.PKey", key))
        except _PeerError as error:
            return self._refusal(user, error)
        if more:
            raise MachineError(
                "auth_failed",
                "login",
                f"the key of {user} alone is not enough, it wants also: {_names(more)}",
                "let this account in by key alone (AuthenticationMethods publickey in sshd_config)",
            )
        return True

    def _refusal(self, user: str, error: "_PeerError") -> bool:
        cause = error.__cause__
        if isinstance(cause, paramiko.BadAuthenticationType):
            raise MachineError(
                "auth_failed",
                "login",
                f"it takes no public keys from {user}, only: {_names(cause.allowed_types)}",
                "allow PubkeyAuthentication for this account in sshd_config",
            )
        if self._transport.is_active() and isinstance(cause, paramiko.AuthenticationException):
            return False
        if isinstance(cause, AgentError):
            raise MachineError("key_unusable", "login", str(cause), "unlock the agent or the key")
        raise MachineError(
            "auth_failed",
            "login",
            f"it closed the connection while {user} was logging in{error.detail}",
            "the host's log has the reason (journalctl -u ssh)",
        )

    def tunnel(self, address: str, port: int, seconds: float) -> Tunnel:
        """A channel to an address as the host at the other end of this wire reaches it."""
        self._trip.enter("tcp", seconds)
        try:
            with self._peer():
                channel = self._transport.open_channel(
                    "direct-tcpip", (address, port), ("127.0.0.1", 0)
                )
            return Tunnel(channel)
        except _PeerError as error:
            refused = isinstance(error.__cause__, paramiko.ChannelException) and (
                error.__cause__.code == _PROHIBITED
            )
            raise MachineError(
                "unreachable",
                "via_bastion" if refused else "tcp",
                f"it does not forward to {address} port {port}{error.detail}",
                "allow AllowTcpForwarding and PermitOpen for this account in its sshd_config"
                if refused
                else "check the target's address as the jump host knows it, and that it is up",
            ) from error

    def run(self, command: str, script: str, last: bytes, limits: Limits) -> Answer:
        """The command's answer to the script on its standard input: both streams, and its status.

        `last` is the line that the answer ends with when it is whole.
        Raises MachineError: no_shell, output_limit, or incomplete without an exit status.
        """
        started = time.monotonic()
        channel = self._session(command, limits)
        self._trip.enter("stream", limits.idle)
        # a command that has ended already takes no more input; its answer tells why
        with suppress(OSError), self._peer():
            channel.sendall(script.encode())
            channel.shutdown_write()
        with Share() as share:
            heard = self._drain(channel, limits, last, share)
            output = heard.output
        status = channel.exit_status if channel.exit_status >= 0 else None
        if status is None:
            raise self._cut_short(len(output))
        return Answer(output, heard.errors, status, time.monotonic() - started)

    def _session(self, command: str, limits: Limits) -> paramiko.Channel:
        cure = "give the account a POSIX shell; check ForceCommand, MaxSessions and the host's log"
        self._trip.enter("session", limits.session)
        try:
            with self._peer():
                channel = self._transport.open_session()
        except _PeerError as error:
            raise MachineError("no_shell", "session", f"no session{error.detail}", cure) from error
        self._trip.enter("exec", limits.session)
        try:
            with self._peer():
                channel.exec_command(command)
        except _PeerError as error:
            cause = f"it does not run `{command}`{error.detail}"
            raise MachineError("no_shell", "exec", cause, cure) from error
        return channel

    def _drain(
        self, channel: paramiko.Channel, limits: Limits, last: bytes, share: Share
    ) -> "Heard":
        """Both streams to their end: they share one window, so an unread one blocks the other."""
        heard = Heard(channel, limits, last, share)
        self._trip.enter("stream", limits.first_byte)
        try:
            with self._peer():  # reading tells the other side how much more it may send
                while not heard.over():
                    if heard.more():
                        self._trip.enter("stream", limits.idle)
        except _PeerError as error:
            raise self._cut_short(len(heard.output)) from error
        self._trip.enter("stream", 2 * GRACE)
        channel.status_event.wait(GRACE)
        return heard

    def _cut_short(self, size: int) -> MachineError:
        if self._trip.ended:
            return self._trip.error()
        if self._packetizer.damaged:
            return _damaged("stream")
        excess = self._packetizer.excess
        if excess.startswith("a packet"):
            return MachineError(
                "incomplete", "stream", f"it sent {excess}: no SSH server does", "is this sshd?"
            )
        if excess:
            return too_much(self._packetizer.budget)
        return MachineError(
            "incomplete",
            "stream",
            f"the answer stops after {size} bytes, without an exit status",
            "the connection was cut, or something on the host killed the shell; try again",
        )

    def _no_handshake(self, error: "_PeerError") -> MachineError:
        heard = self._packetizer.heard
        if not self.speaking and (not heard or heard.startswith(_TURNED_AWAY)):
            said = f" but '{sanitize.safe_bytes(heard.strip())}'" if heard else ""
            return TransientError(
                "unreachable",
                "banner",
                f"it closes the connection before it says anything{said}",
                "sshd is overloaded (MaxStartups) or blocks this address (fail2ban, penalties)",
            )
        if not self.speaking:
            excess = self._packetizer.excess
            said = excess or sanitize.safe_bytes(heard, 60)
            return MachineError(
                "not_ssh",
                "banner",
                f"what listens there is no SSH server, it answers '{said}'",
                "correct the port",
            )
        if isinstance(error.__cause__, IncompatiblePeer):
            return self._incompatible(error)
        if isinstance(error.__cause__, EOFError | OSError):
            return MachineError(
                "unreachable", "kex", "it closes the connection in the key exchange", "try again"
            )
        return MachineError(
            "not_ssh",
            "kex",
            f"it breaks the SSH protocol in the key exchange{error.detail}",
            "is this really sshd? a proxy in between?",
        )

    def _incompatible(self, error: "_PeerError") -> MachineError:
        text = str(error.__cause__)
        offered = _offers(self._packetizer.kexinit)
        ours = self._transport
        for word, theirs, own in (
            ("kex", 0, ours.preferred_kex),
            ("host key", 1, ours.preferred_keys),
            ("cipher", 2, ours.preferred_ciphers),
            ("mac", 4, ours.preferred_macs),
        ):
            if word in text and offered:
                cause = (
                    f"no common {word}: it offers {_names(offered[theirs])}; we have {_names(own)}"
                )
                return MachineError("kex_incompatible", "kex", cause, OTHER_ROAD)
        return MachineError(
            "kex_incompatible", "kex", f"no common protocol{error.detail}", "upgrade its sshd"
        )

    @contextmanager
    def _peer(self) -> Iterator[None]:
        """What fails in here by the peer's doing becomes _PeerError; our own errors pass through.

        The trip's end comes first: when it has closed the wire, nothing else is the reason.
        """
        try:
            yield
        except Exception as error:
            if self._trip.ended:
                raise self._trip.error() from error
            if self._packetizer.damaged:
                raise _damaged(self._trip.stage) from error
            if not _is_peers(error):
                raise
            raise _PeerError(error) from error


class _PeerError(OSError):
    """The peer's fault; its cause is paramiko's exception, which may quote the peer."""

    def __init__(self, error: Exception) -> None:
        text = sanitize.safe(str(error))[:200]
        self.detail = f": {text or type(error).__name__}"
        super().__init__(self.detail)


def offers(hop: Hop, known_types: Sequence[str]) -> dict[str, list[str]]:
    """What is offered to a host of which keys of these types are known.

    Raises MachineError where ssh's configuration leaves nothing of a kind.
    """
    ours: Any = paramiko.Transport
    kinds = {
        kind: getattr(ours, f"_preferred_{kind}") for kind in ("kex", "keys", "ciphers", "macs")
    }
    return algorithms.offered(hop, known_types, **kinds)


def fingerprint(blob: bytes) -> str:
    """As ssh-keygen -l shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def load(file: keys.KeyFile) -> paramiko.PKey:
    """The private key of a file that needs no passphrase, with its certificate if one lies beside.

    Raises MachineError `key_unusable`.
    """
    try:
        return paramiko.PKey.from_path(file.path)
    except Exception as error:  # paramiko and cryptography raise a dozen kinds
        text = sanitize.safe(str(error))[:120] or type(error).__name__
        raise keys.unusable(
            Path(file.path),
            f"is not a key that can be used: {text}",
            "rewrite it in OpenSSH's format (ssh-keygen -p -f FILE), or create a new one",
        ) from error


def _is_peers(error: Exception) -> bool:
    """paramiko's own kinds, or anything at all out of the thread that reads what the peer sends."""
    if isinstance(error, (paramiko.SSHException, EOFError, OSError)):
        return True
    reader = paramiko.Transport.run.__code__
    return any(frame.f_code is reader for frame, _ in traceback.walk_tb(error.__traceback__))


def _damaged(stage: str) -> MachineError:
    return TransientError(
        "incomplete",
        stage,
        "what arrives was changed on the way: its checksum is wrong",
        "look for a faulty network card, switch or proxy; or somebody in between",
        most=2,
    )


def _offers(kexinit: bytes) -> list[list[str]]:
    """The ten name lists of a KEXINIT message (RFC 4253, 7.1); none when it is not whole."""
    message = Message(kexinit[16:])
    try:
        return [message.get_list() for _ in range(10)]
    except (ValueError, UnicodeDecodeError):
        return []


def _names(names: Iterable[Any]) -> str:
    return sanitize.safe(", ".join(str(name) for name in names))[:300]


def _list(tried: Sequence[str]) -> str:
    return ", ".join(tried) if tried else "no key at all"
