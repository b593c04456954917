"""Remedies are followed on clones of the real servers, word for word, and are the end of drift."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.lab import hosts

pytestmark = pytest.mark.lab


def over_ssh(host: hosts.Running, command: str, data: bytes = b"") -> str:
    """Run a command as root at the host, as its operator would."""
    done = subprocess.run(
        [
            *("ssh", "-p", str(host.port), "-i", hosts.client_key(), "-o", "BatchMode=yes"),
            *("-o", f"UserKnownHostsFile={host.inventory.parent / 'known_hosts'}"),
            *(f"deploy@{hosts.ADDRESS}", f"sudo -n {command}"),
        ],
        input=data,
        capture_output=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-3000:]
    return done.stdout.decode()


def follow(host: hosts.Running, folder: Path) -> None:
    """Carry the files of `--fix` to the host and run the script there."""
    over_ssh(host, "mkdir -p /root/fix")
    for path in sorted(folder.iterdir()):
        over_ssh(host, f"tee /root/fix/{path.name}", path.read_bytes())
    over_ssh(host, f"env DEBIAN_FRONTEND=noninteractive sh /root/fix/{host.name}.sh")


def boot_again(host: hosts.Running) -> None:
    """What `# restart cron, php-fpm8.2, sshd` asks of a person, where there are no units."""
    host.engine.run("restart", "--time", "1", host.container)
    until = time.monotonic() + 30
    while not hosts.greets(host.port) and time.monotonic() < until:
        time.sleep(0.1)


def test_following_the_remedy_on_a_clone_of_web_a_ends_with_no_difference(
    driftscan, baseline, tmp_path
):
    with hosts.start("web-x", "web-a") as host:
        first = driftscan("check", "web-x", "--fix", tmp_path / "fix", inventory=host.inventory)
        assert first.code == 1, first.err
        follow(host, tmp_path / "fix")
        boot_again(host)
        second = driftscan("check", "web-x", "-f", "json", inventory=host.inventory)

    assert second.code == 0, second.out
    assert second.report["hosts"]["web-x"]["findings"] == []
