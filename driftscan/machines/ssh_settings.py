"""What `ssh -G` says of a name: ssh's own configuration as it counts there, asked as seldom as can
be."""

import ipaddress
import os
import re
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from driftscan import regular, sanitize
from driftscan.errors import MachineError
from driftscan.machines.process import Child, Expired, TooMuch, converse

Settings = Mapping[str, list[str]]
"""The values of each option, whose name is in lower case; most have one."""

_SECONDS = 5.0
_TURN = 1.0
_MOST = 1 << 20
_ANY = "localhost"

# What `ssh -v` tells of each file it reads, those of Include too; it cuts long names.
_READ = re.compile(rb"^debug1: Reading configuration data (/[^\r\n]{1,190})\r?$", re.MULTILINE)
# What may make the answer for one name another than that for the next (ProxyJump: a host never
# jumps over itself). A %-token does so too.
_BY_NAME = re.compile(r"(?:match|hostname|canonical\w*|proxy\w*)(?!\w)", re.IGNORECASE)
_HOSTS = re.compile(r"host(?!\w)", re.IGNORECASE)
_ALL_HOSTS = re.compile(r"host\s+\*", re.IGNORECASE)
# Other forms of a name or address ssh may write anew.
_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")


class Asking:
    """Asks ssh; `config` is a file to read in place of the user's own ssh_config.

    Names and users have to be checked before: ssh would take some for options or for text of a
    shell. `ends` is the time.monotonic() until which ssh may take to answer. Without an ssh here
    no option has a value. Raises MachineError, stage `config`.
    """

    def __init__(self, config: Path | None = None) -> None:
        self._config = config
        self._ssh = shutil.which("ssh")
        self._answers: dict[tuple[str, ...], Settings] = {}
        self._turn = threading.Lock()
        self._alike: bool | None = None
        self._running: set[Child] = set()
        self._closed = False

    def close(self) -> None:
        """End what is under way, and what would be, from any thread."""
        self._closed = True
        for child in list(self._running):
            child.kill()

    def of(self, name: str, user: str, port: int, ends: float) -> Settings:
        """What counts for a name among many; user and port where they are given."""
        if self._ssh is None:
            return {}
        command = self._command(name, user, port)
        if command not in self._answers:
            self._begin(command, ends)
        if command in self._answers:
            return self._answers[command]
        if self._alike and _is_plain(name):
            # as for any other name but for what the caller puts first, user and port
            same = self._asked(self._command(_ANY), ends)
            return {**same, "hostname": [name.lower()]}
        return self._asked(command, ends)

    def alone(self, name: str, user: str, port: int, ends: float) -> Settings:
        """What counts for a name, when no other one will be asked about."""
        return self._asked(self._command(name, user, port), ends) if self._ssh else {}

    def defaults(self, ends: float) -> Settings:
        """What ssh does where no file tells it anything."""
        if self._ssh is None:
            return {}
        return self._asked((self._ssh, "-G", "-T", "-F", os.devnull, "--", _ANY), ends)

    def _command(self, name: str, user: str = "", port: int = 0) -> tuple[str, ...]:
        command = [self._ssh or "ssh", "-G", "-T", "-v"]
        command += ["-F", str(self._config)] if self._config else []
        command += ["-l", user] if user else []
        command += ["-p", str(port)] if port else []
        return (*command, "--", name)

    def _begin(self, command: tuple[str, ...], ends: float) -> None:
        """The first answer tells whether another name could have another one: where none could, a
        fleet does not start an ssh for each. The others wait for that, but not for a slow ssh."""
        if self._alike is not None or not self._turn.acquire(timeout=_TURN):
            return
        try:
            if self._alike is None:
                output, said = self._run(command, ends)
                self._answers[command] = _parse(output)
                self.defaults(ends)
                if alike := _names_alike(said):
                    self._asked(self._command(_ANY), ends)
                self._alike = alike
        finally:
            self._alike = bool(self._alike)
            self._turn.release()

    def _asked(self, command: tuple[str, ...], ends: float) -> Settings:
        if command not in self._answers:
            self._answers[command] = _parse(self._run(command, ends)[0])
        return self._answers[command]

    def _run(self, command: tuple[str, ...], ends: float) -> tuple[str, bytes]:
        """What `ssh -G` prints, and what it says beside; nothing it has started is left."""
        seconds = max(0.0, min(_SECONDS, ends - time.monotonic()))
        child: list[Child] = []

        def started(new: Child) -> None:
            child.append(new)
            self._running.add(new)
            if self._closed:
                new.kill()

        try:
            said = converse(command, deadline=seconds, output=_MOST, errors=_MOST, started=started)
        except (Expired, TooMuch) as error:
            raise MachineError(
                *("timeout", "config"),
                f"`ssh -G` did not answer within {seconds:.2g} s",
                "look for a slow `Match exec` in ssh's configuration, or allow more time",
            ) from error
        finally:
            self._running.difference_update(child)
        if self._closed:
            raise MachineError("interrupted", "config", "stopped on request")
        if said.status:
            last = sanitize.safe_bytes(said.errors.strip().split(b"\n")[-1])
            cause = f"ssh refuses its configuration: {last}"
            raise MachineError("unreachable", "config", cause, "correct ~/.ssh/config")
        return said.output.decode("utf-8", "surrogateescape"), said.errors


def one(settings: Settings, option: str) -> str:
    """The value of an option that has one; nothing where it is not set."""
    return settings.get(option, [""])[0]


def _names_alike(said: bytes) -> bool:
    """Whether no file that ssh has read (it says so, asked with -v) can tell names apart."""
    if not said.startswith(b"OpenSSH_") or len(said) >= _MOST:
        return False
    try:
        texts = [
            regular.read(Path(os.fsdecode(name)), _MOST).decode("latin-1")
            for name in _READ.findall(said)
        ]
    except OSError:
        return False
    return len(texts) == said.count(b"Reading configuration data ") and not any(
        _by_name(line.strip()) for text in texts for line in text.split("\n")
    )


def _by_name(line: str) -> bool:
    if line.startswith("#"):
        return False
    if _HOSTS.match(line):
        return _ALL_HOSTS.fullmatch(line) is None
    return "%" in line or line[:1] == '"' or _BY_NAME.match(line) is not None


def _is_plain(name: str) -> bool:
    if _PLAIN.fullmatch(name):
        return True
    try:
        return str(ipaddress.IPv4Address(name)) == name
    except ValueError:
        return False


def _parse(text: str) -> dict[str, list[str]]:
    """`ssh -G` prints `option value`, one a line; some options several times."""
    settings: dict[str, list[str]] = {}
    for line in text.split("\n"):
        option, _, value = line.partition(" ")
        settings.setdefault(option, []).append(value)
    return settings
