"""The road through the `ssh` program: host certificates, FIDO keys, GSSAPI, ProxyCommand.

The user's own ssh configuration counts; what could ask, write or linger is switched off.
"""

import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from driftscan import sanitize
from driftscan.errors import MachineError
from driftscan.machines import answers, exhaustion
from driftscan.machines.jumps import Jumps
from driftscan.machines.openssh_config import Jump, Resolver, check_host, check_user, jump
from driftscan.machines.process import Child, Expired, Said, TooMuch, converse
from driftscan.model import Answer, Limits, Questions, Target

# Never a question, a forwarding, a shared or lasting connection, or a line in known_hosts.
_STRICT = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "ControlMaster=no",
    "ControlPath=none",
    "ControlPersist=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "Tunnel=no",
    "ConnectionAttempts=1",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    "VisualHostKey=no",
    "LogLevel=INFO",
)


class OpenSsh:
    """A host reached by `ssh`; `config` is read in place of the user's own configuration.

    `jumps` has the places at jump hosts, which the hosts of a run share.
    """

    def __init__(
        self, target: Target, *, config: Path | None = None, jumps: Jumps | None = None
    ) -> None:
        self.target = target
        self._config = config
        self._places = jumps
        self._resolver = Resolver(config)
        self._child: Child | None = None
        self._closed = False

    def close(self) -> None:
        """End what is under way, from another thread: `ask` then raises `interrupted`."""
        self._closed = True
        self._resolver.close()
        if self._child is not None:
            self._child.kill()

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """The host's whole answer; see machines/contract.py. No process of it is left."""
        text = answers.text(self.target, questions).encode()
        began = time.monotonic()
        jumps = self._jumps(limits)
        spent = time.monotonic() - began
        with _notebook() as log:
            command = self._command(jumps, limits, log)
            with self._places.place(jumps) if self._places else nullcontext():
                said = self._said(command, text, limits, spent)
            own = _lines(log, limits.errors)
        if self._closed:
            raise MachineError("interrupted", "stream", "stopped on request")
        return _answer(said, own, questions, self.target)

    def _said(self, command: Sequence[str], text: bytes, limits: Limits, spent: float) -> Said:
        try:
            return converse(
                command,
                stdin=text,
                deadline=limits.deadline - spent,
                output=limits.output,
                errors=limits.errors,
                started=self._started,
            )
        except OSError as error:
            if full := exhaustion.told(error, "config"):
                raise full from error
            cause = f"ssh cannot be started: {(error.strerror or '').lower()}"
            raise MachineError("unreachable", "config", cause, _INSTALL) from error
        except Expired as error:
            cause = f"no whole answer within {limits.deadline:g} s"
            raise MachineError("timeout", "stream", cause, _SLOW) from error
        except TooMuch as error:
            cause = f"it said more than {error.size >> 20} MB"
            raise MachineError("output_limit", "stream", cause) from error

    def _started(self, child: Child) -> None:
        self._child = child
        if self._closed:
            child.kill()

    def _jumps(self, limits: Limits) -> list[Jump]:
        """The hosts it goes through, as the inventory or ssh's own configuration has them."""
        own = [] if self.target.jump else self._resolver.jumps(self.target, limits.deadline)
        return [jump(text, self.target) for text in self.target.jump or own]

    def _command(self, jumps: Sequence[Jump], limits: Limits, log: Path) -> list[str]:
        target = self.target
        program = shutil.which("ssh")
        if program is None:
            raise MachineError("unreachable", "config", "there is no ssh program here", _INSTALL)
        name = target.address or target.name
        check_host(name)
        options = self._options(limits, log)
        options += _option("HostKeyAlias", target.host_key_alias) if target.host_key_alias else []
        if jumps:
            options += ["-o", "ProxyCommand=" + self._through(program, jumps, limits, log)]
        options += _who(target.user, target.port)
        return [program, *options, "-T", "--", name, answers.command(target)]

    def _options(self, limits: Limits, log: Path) -> list[str]:
        target = self.target
        options = ["-E", str(log)]
        options += ["-F", str(self._config)] if self._config else []
        for option in (*_STRICT, f"ConnectTimeout={int(limits.connect + limits.handshake)}"):
            options += ["-o", option]
        if target.known_hosts:
            options += _option("UserKnownHostsFile", *target.known_hosts)
        if target.key:
            options += [*_option("IdentityFile", target.key), "-o", "IdentitiesOnly=yes"]
        return options

    def _through(self, program: str, jumps: Sequence[Jump], limits: Limits, log: Path) -> str:
        """As ssh's own ProxyJump, but with our options: its own would ask and write there."""
        *before, last = jumps
        check_host(last.name)
        options = self._options(limits, log)
        if before:
            options += ["-o", "ProxyCommand=" + self._through(program, before, limits, log)]
        options += _who(last.user, last.port)
        # ssh replaces %-tokens in the text, once for each level.
        words = [word.replace("%", "%%") for word in (program, *options)]
        return shlex.join(words) + f" -W '[%h]:%p' -- {last.name}"


_INSTALL = "install OpenSSH's client, or leave `road: openssh` out"
_SLOW = "look for a hanging mount, a ProxyCommand that waits, or allow it more time (--deadline)"


def _option(name: str, *values: str) -> list[str]:
    """A setting whose values may hold blanks; ssh_config(5) knows no escape for a double quote."""
    if any('"' in value or "\n" in value for value in values):
        cause = f"{name} cannot hold a double quote"
        raise MachineError("unreachable", "config", cause, "rename the file")
    return ["-o", f"{name}=" + " ".join(f'"{value}"' for value in values)]


def _who(user: str, port: int) -> list[str]:
    if user:
        check_user(user)
    return [*(["-l", user] if user else []), *(["-p", str(port)] if port else [])]


# --- what it said ------------------------------------------------------------------------------

_TRUST = (
    "compare the host's fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` there, then"
    " add its key to known_hosts"
)
# How a line of ssh's own begins. The first line that is one of these decides: what a server could
# have put in stands only at the end of one, and behind it.
_REFUSALS = (
    (
        r"@ +WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!|Host key for .* has changed and you",
        ("host_key_mismatch", "host-key"),
        "somebody may be in between, or the host was reinstalled: ask who runs it before removing"
        " the old key from known_hosts",
    ),
    (
        r"@ +WARNING: REVOKED HOST KEY DETECTED!|The .* is marked as revoked"
        r"|Host key .* revoked by file",
        ("host_key_revoked", "host-key"),
        "do not connect; the host needs a new key",
    ),
    (
        r"No \S+ host key is known for |Host key verification failed|Certificate invalid",
        ("host_key_unknown", "host-key"),
        _TRUST,
    ),
    (r"Unable to negotiate with ", ("kex_incompatible", "kex"), "upgrade its sshd"),
    (
        r"@ +WARNING: UNPROTECTED PRIVATE KEY FILE!|Load key .*: |.*bad permissions",
        ("key_unusable", "keys"),
        "correct the key file, or ssh-add it to an agent",
    ),
    (
        r"\S+: Permission denied \("
        r"|Received disconnect from \S+ port \d+:\d+: Too many authentication failures",
        ("auth_failed", "login"),
        "look at the account's authorized_keys and the keys that `ssh-add -l` lists",
    ),
    (r"Received disconnect from ", ("unreachable", "tcp"), "the host's log has the reason"),
    (
        r"ssh: Could not resolve hostname ",
        ("unreachable", "dns"),
        "check the name, or give an address",
    ),
    (
        r".*(?:[Bb]ad configuration option|[Bb]adly formatted|Bad owner)",
        ("unreachable", "config"),
        "correct ~/.ssh/config: `ssh -G HOST` reads it",
    ),
    (
        r"Connection timed out during banner exchange",
        ("timeout", "banner"),
        "is it sshd that listens there? look for a ProxyCommand that waits",
    ),
    (
        r".*timed out",
        ("unreachable", "tcp"),
        "check the address, the port and the firewalls between",
    ),
)
_ANY = ("unreachable", "tcp")
_LOOK = "try `ssh` with its name; check the address, the port and the way between"


@contextmanager
def _notebook() -> Iterator[Path]:
    """A file of ours for what ssh itself says (-E): on its error stream the host speaks too."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="driftscan-", ignore_cleanup_errors=True)
    except OSError as error:
        if full := exhaustion.told(error, "config"):
            raise full from error
        cause = f"no temporary file can be made: {(error.strerror or '').lower()}"
        raise MachineError("unreachable", "config", cause, "make room, or set TMPDIR") from error
    with folder:
        yield Path(folder.name, "log")


def _lines(log: Path, most: int) -> list[bytes]:
    try:
        with log.open("rb") as file:
            return [line.strip() for line in file.read(most).split(b"\n") if line.strip()]
    except FileNotFoundError:
        return []


def _answer(said: Said, own: Sequence[bytes], questions: Questions, target: Target) -> Answer:
    answer = Answer(said.output, said.errors, said.status, said.seconds)
    # ssh ends with 255 for a failure of its own, which it tells; else with the command's status
    if (said.status == 255 and own) or said.status < 0:
        if f"{questions.nonce} BEGIN ".encode() in said.output:
            told = "".join(f": {_shown(line)}" for line in own[-1:])
            cause = f"the connection ended before its answer did{told}"
            raise MachineError("incomplete", "stream", cause, "run it again")
        raise _refusal(said, own)
    return answers.judged(answer, questions, target)


def _refusal(said: Said, own: Sequence[bytes]) -> MachineError:
    for line in own:
        for pattern, (state, stage), cure in _REFUSALS:
            if re.match(pattern, line.decode("utf-8", "replace")):
                return MachineError(state, stage, _shown(line), cure)
    # then what the way said may tell why (a ProxyCommand): as words, never as a verdict
    last = [*own[-1:], *said.errors.strip().split(b"\n")[-1:]]
    cause = ": ".join(shown for line in last if (shown := _shown(line)))
    return MachineError(*_ANY, cause or f"ssh ended with status {said.status}", _LOOK)


def _shown(line: bytes) -> str:
    return sanitize.redact(sanitize.safe_bytes(line.strip(b"\r\n @")))
