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
    script = f"env DEBIAN_FRONTEND=noninteractive sh /root/fix/{host.name}.sh"
    over_ssh(host, script, b"y\n")  # apt asks before it removes anything


def boot_again(host: hosts.Running) -> None:
    """What `# restart cron, php-fpm8.2, sshd` asks of a person, where there are no units."""
    host.engine.run("restart", "--time", "1", host.container)
    until = time.monotonic() + 30
    while not hosts.greets(host.port) and time.monotonic() < until:
        time.sleep(0.1)


@pytest.fixture
def simulating(environment, monkeypatch):
    """The way from a container to the lab's archive."""
    monkeypatch.setitem(environment, "http_proxy", environment["DRIFTSCAN_LAB_PROXY"])
    monkeypatch.setitem(environment, "DRIFTSCAN_NETWORK", "host")


def differences(report):
    (host,) = report["hosts"].values()
    return sorted(member["id"] for finding in host["findings"] for member in finding["members"])


@pytest.mark.parametrize("image", ["web-a", "web-u"])
def test_following_the_remedy_on_a_clone_ends_with_no_difference(
    driftscan, baseline, simulating, tmp_path, image
):
    fix = tmp_path / "fix"
    with hosts.start("web-x", image) as host:
        first = driftscan("check", "web-x", "--fix", fix, inventory=host.inventory)
        assert first.code == 1, first.err
        follow(host, fix)
        boot_again(host)
        second = driftscan("check", "web-x", "-f", "json", inventory=host.inventory)

    assert "0 differences left" in first.out
    assert f"$(cat {host.name}.pins)" in (fix / f"{host.name}.sh").read_text()
    assert differences(second.report) == []
    assert second.code == 0, second.err


@pytest.mark.parametrize(
    ("image", "review"),
    [
        ("web-c", {"files", "software"}),
        ("web-p", {"apt-pins", "environment", "jars", "runtimes", "software", "units", "vendored"}),
    ],
)
def test_following_the_remedy_leaves_only_what_a_person_has_to_review(
    driftscan, baseline, simulating, tmp_path, image, review
):
    fix = tmp_path / "fix"
    with hosts.start("web-x", image) as host:
        driftscan("check", "web-x", "--fix", fix, inventory=host.inventory)
        follow(host, fix)
        boot_again(host)
        second = driftscan("check", "web-x", "-f", "json", inventory=host.inventory)

    left = {name.partition(":")[0] for name in differences(second.report)}
    assert left == review
