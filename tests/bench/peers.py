"""What others need for the same hosts: plain ssh, pyinfra and Ansible where they are installed."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from driftscan.model import Target
from tests.bench import cpu


def ssh(targets: Sequence[Target], folder: Path, *options: str) -> tuple[float, float]:
    """`ssh host true` on every host, ten at once: ms of CPU and seconds of wall, in all."""

    def one(target: Target) -> float:
        return cpu.of(["ssh", *_options(target), *options, *_place(target), "true"])

    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        used = sum(pool.map(one, targets))
    return used, time.monotonic() - began


def pyinfra(targets: Sequence[Target], folder: Path) -> tuple[float, float]:
    """pyinfra's facts of packages and of the server."""
    rows = [
        (target.name, {"ssh_hostname": target.address, "ssh_port": target.port, **_login(target)})
        for target in targets
    ]
    inventory = folder / "pyinfra_hosts.py"
    inventory.write_text(f"hosts = {rows!r}\n")
    facts = "deb.DebPackages,server.LinuxDistribution,server.Kernel,server.Arch,server.Users"
    return _timed(["pyinfra", str(inventory), "fact", *facts.split(",")])


def ansible(targets: Sequence[Target], folder: Path) -> tuple[float, float]:
    """Ansible's `setup` and `package_facts`, with pipelining and ten forks."""
    system = Path("/usr/bin/python3")  # what it finds by itself may be a shim of this account
    python = system if system.exists() else sys.executable
    lines = [
        f"{t.name} ansible_host={t.address} ansible_port={t.port} ansible_user={t.user}"
        f" ansible_ssh_private_key_file={t.key} ansible_python_interpreter={python}"
        for t in targets
    ]
    (folder / "hosts.ini").write_text("\n".join(["[all]", *lines, ""]))
    known = targets[0].known_hosts[0]
    (folder / "ansible.cfg").write_text(
        "[defaults]\nforks = 10\ngathering = explicit\n[ssh_connection]\npipelining = True\n"
        f"ssh_args = -F none -o UserKnownHostsFile={known} -o ControlMaster=auto"
        f" -o ControlPersist=60s -o ControlPath={folder}/%C\n"
    )
    (folder / "play.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks: [{setup: {}}, {package_facts: {}}]\n"
    )
    environment = ["env", f"ANSIBLE_CONFIG={folder}/ansible.cfg", f"ANSIBLE_HOME={folder}/ansible"]
    return _timed(
        [*environment, "ansible-playbook", "-i", f"{folder}/hosts.ini", f"{folder}/play.yml"]
    )


Run = Callable[[Sequence[Target], Path], tuple[float, float]]


def _curve(targets: Sequence[Target], folder: Path) -> tuple[float, float]:
    return ssh(targets, folder, "-o", "KexAlgorithms=curve25519-sha256")


PEERS: tuple[tuple[str, str, Run], ...] = (
    ("ssh host true", "ssh", ssh),
    ("ssh host true, curve25519", "ssh", _curve),
    ("pyinfra, packages and server facts", "pyinfra", pyinfra),
    ("Ansible, setup and package_facts", "ansible-playbook", ansible),
)
"""What it is called, the program that must be there, and its measurement."""


def installed(program: str) -> bool:
    """Whether a peer can take part."""
    return shutil.which(program) is not None


def _timed(argv: Sequence[str]) -> tuple[float, float]:
    began = time.monotonic()
    return cpu.of(argv), time.monotonic() - began


def _login(target: Target) -> dict[str, str]:
    return {
        "ssh_user": target.user,
        "ssh_key": target.key,
        "ssh_known_hosts_file": target.known_hosts[0],
    }


def _options(target: Target) -> list[str]:
    return [
        *("-F", "none", "-i", target.key, "-o", f"UserKnownHostsFile={target.known_hosts[0]}"),
        *("-o", "BatchMode=yes", "-o", "IdentityAgent=none", "-o", "GlobalKnownHostsFile=none"),
    ]


def _place(target: Target) -> list[str]:
    return ["-p", str(target.port), "--", f"{target.user}@{target.address}"]
