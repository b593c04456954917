"""Real OpenSSH servers on loopback, started by a test and ended with it."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from driftscan.model import Target

_SECONDS = 15.0
USER = pwd.getpwuid(os.getuid()).pw_name


def binary(name: str) -> str:
    """The path of a program of OpenSSH; without it the test fails, or is skipped by request."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        reason = f"{name} is not installed (apt install openssh-server openssh-client)"
        if os.environ.get("DRIFTSCAN_LAB") == "off":
            pytest.skip(reason)
        pytest.fail(reason)
    return path


def keygen(path: Path, kind: str = "ed25519", *options: str) -> Path:
    """A new key without passphrase; its public part lies beside it."""
    command = [binary("ssh-keygen"), "-q", "-t", kind, "-N", "", "-f", str(path), *options]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


@dataclass(frozen=True)
class OpenSsh:
    """One running sshd."""

    folder: Path
    port: int
    key: Path

    @property
    def known_hosts(self) -> Path:
        """A file that trusts this server alone."""
        return self.folder / "known_hosts"

    @property
    def authorized_keys(self) -> Path:
        """Who may log in."""
        return self.folder / "authorized_keys"

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log").read_text(errors="replace")

    def target(self, **changes: Any) -> Target:
        """The way to this server, as the account that runs the tests."""
        fields = {
            "name": "host",
            "road": "ssh",
            "address": "127.0.0.1",
            "port": self.port,
            "user": USER,
            "key": str(self.key),
            "known_hosts": [str(self.known_hosts)],
        }
        return Target(**{**fields, **changes})


@contextmanager
def sshd(folder: Path, *settings: str, key: Path | None = None) -> Iterator[OpenSsh]:
    """A server that lets `key` in (a new one by default), with more lines of sshd_config first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = _free_port()
    host_key = keygen(folder / "host_key")
    user_key = key or keygen(folder / "user_key")
    server = OpenSsh(folder, port, user_key)
    kind, blob = host_key.with_suffix(".pub").read_text().split()[:2]
    server.known_hosts.write_text(f"[127.0.0.1]:{port} {kind} {blob}\n")
    server.authorized_keys.write_text(Path(f"{user_key}.pub").read_text())
    lines = [
        *settings,
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {host_key}",
        f"AuthorizedKeysFile {server.authorized_keys}",
        f"PidFile {folder}/pid",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "StrictModes no",
        "UsePAM no",
        "UseDNS no",
        "PrintMotd no",
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (folder / "log").touch()
    command = [binary("sshd"), "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _await(process, port, server)
        yield server
    finally:
        process.terminate()
        process.wait()


def _await(process: "subprocess.Popen[bytes]", port: int, server: OpenSsh) -> None:
    ends = time.monotonic() + _SECONDS
    while f"listening on 127.0.0.1 port {port}" not in server.log:
        assert process.poll() is None, server.log
        assert time.monotonic() < ends, f"sshd does not start: {server.log}"
        time.sleep(0.02)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
