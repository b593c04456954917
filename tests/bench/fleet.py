"""A fleet of real OpenSSH servers on 127.0.0.1, each a process with its own configuration."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Target
from driftscan.scan import Job
from tests.lab.settings import LabError, need, root_on_debian

_PATIENCE = 20.0
_CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 200
LogLevel ERROR
"""


def sshd() -> str:
    """Where OpenSSH's server is; installed where no init system would then start it.

    Raises LabError where it is not and may not be installed.
    """
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found:
        return found
    if root_on_debian() and not Path("/run/systemd/system").exists():
        return need("sshd", "openssh-server", "to be the hosts that are scanned")
    raise LabError("sshd is not on this machine: install openssh-server, or set DRIFTSCAN_LAB=off")


@contextmanager
def fleet(count: int, folder: Path) -> Iterator[list[Target]]:
    """So many servers, up and answering; afterwards each is stopped by its own process id."""
    program = sshd()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd of root refuses to run without
    for name in ("host", "client"):
        _keygen(folder / name)
    ports = _free_ports(count)
    key = " ".join((folder / "host.pub").read_text().split()[:2])
    known = folder / "known_hosts"
    known.write_text("".join(f"[127.0.0.1]:{port} {key}\n" for port in ports))
    with ExitStack() as running:
        for port in ports:
            running.callback(_stop, _start(program, folder, port))
        for port in ports:
            _await(port)
        yield [_target(number, port, folder) for number, port in enumerate(ports, 1)]


def jobs(targets: Sequence[Target], credentials: Credentials) -> list[Job]:
    """The targets as `scan` takes them."""
    return [
        Job(target.name, "host", target.address, Ssh(target, credentials)) for target in targets
    ]


def account() -> str:
    """Who these servers let in: they run as us, so nobody else."""
    return getpass.getuser()


def _target(number: int, port: int, folder: Path) -> Target:
    return Target(
        name=f"host-{number:03}",
        road="ssh",
        address="127.0.0.1",
        port=port,
        user=account(),
        key=str(folder / "client"),
        known_hosts=[str(folder / "known_hosts")],
    )


def _keygen(path: Path) -> None:
    tool = need("ssh-keygen", "openssh-client", "to make keys for the servers")
    words = [tool, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(words, check=True, timeout=_PATIENCE)


def _free_ports(count: int) -> list[int]:
    """All held open until the last is found, so that no two are the same."""
    with ExitStack() as held:
        socks = [held.enter_context(closing(socket.socket())) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]


def _start(program: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    place = folder / f"sshd-{port}"
    place.write_text(_CONFIGURATION.format(port=port, folder=folder))
    with place.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            [program, "-D", "-e", "-f", str(place)], stdin=subprocess.DEVNULL, stderr=log, cwd="/"
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(_PATIENCE)


def _await(port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as link:
                if link.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.02)
    raise LabError(f"the sshd on port {port} does not greet: its log lies beside its configuration")
