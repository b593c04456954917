"""The rpm machine scanned alive: as a container, over SSH as two accounts; and its baseline."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import msgspec
import pytest
import yaml

from driftscan.model import Collected, Fingerprint
from driftscan.probes.table import PROBES
from tests.lab import engine, hosts, rpm_machine
from tests.lab.settings import free_port, run

pytestmark = pytest.mark.lab

PACKAGES = r"rpm -qa --qf '%{NAME}.%{ARCH} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n'"


@pytest.fixture(scope="module")
def machine(environment):
    """The container of the rpm machine."""
    return rpm_machine.ensure(engine.current())


_NUMBERS = count()


@contextmanager
def fresh(image: str = rpm_machine.IMAGE, *options: str) -> Iterator[str]:
    """Another container of an image, gone afterwards."""
    chosen = engine.current()
    name = f"driftscan-lab-test-rpm-{os.getpid()}-{next(_NUMBERS)}"
    words = ("run", "--detach", "--init", "--name", name, *chosen.limits(), *options)
    chosen.run(*words, image, "tail", "-f", "/dev/null")
    try:
        yield name
    finally:
        chosen.succeeds("rm", "-f", name)


def inside(name: str, command: str) -> str:
    return engine.current().run("exec", name, "sh", "-c", command)


@cache
def told_by_rpm(image: str = rpm_machine.IMAGE) -> set[tuple[str, str]]:
    """What `rpm -qa` says in a container that nobody looks at: asking as root writes."""
    with fresh(image, "--network", "none") as name:
        return {tuple(line.split(" ")) for line in inside(name, PACKAGES).splitlines()}


def packages(found: Fingerprint) -> set[tuple[str, str]]:
    section = found.facts["rpm"]
    assert isinstance(section, Collected)
    return {
        (key, version)
        for key, item in section.items.items()
        for version in item.get("versions", [item["version"]])
    }


def fingerprint(done) -> Fingerprint:
    assert done.code in (0, 3), done.err  # 3: an account without rights is not told all
    return msgspec.json.decode(done.out, type=Fingerprint)


def changes(name: str) -> list[str]:
    return sorted(engine.current().run("diff", name).splitlines())


@pytest.mark.case("P05")
def test_a_scan_finds_what_rpm_tells_and_writes_nothing(driftscan, machine):
    before = changes(machine)
    found = fingerprint(driftscan("scan", f"docker://{machine}"))
    assert changes(machine) == before
    told = told_by_rpm()
    assert len(told) > 15
    assert packages(found) == told
    failed = {n: s for n, s in {**found.facts, **found.evidence}.items() if hasattr(s, "reason")}
    assert failed == {}
    assert found.facts["rpm"].items["nginx-core.x86_64"]["want"] == "hold"
    assert "rpm/baseos" in found.facts["repositories"].items
    users = [item.get("user") for item in found.evidence["rpm-history"].items.values()]
    assert {"deploy", "ops", None} == set(users)


def test_its_exported_root_gives_the_same_without_being_run(driftscan, machine, tmp_path):
    chosen = engine.current()
    run(chosen.client, "export", "-o", tmp_path / "root.tar", machine, env=chosen.environment())
    (tmp_path / "root").mkdir()
    run("tar", "-C", tmp_path / "root", "-xf", tmp_path / "root.tar")
    live = fingerprint(driftscan("scan", f"docker://{machine}"))
    read = fingerprint(driftscan("scan", f"rootfs://{tmp_path / 'root'}"))
    names = {about.name for p in PROBES for about in p.GIVES if p.NAME.startswith(("rpm", "dnf"))}
    for part in ("facts", "evidence"):
        ours, theirs = getattr(live, part), getattr(read, part)
        shared = names & {*ours}
        assert shared
        assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}
    assert live.facts["conffiles"].items.keys() == {"/etc/nginx/nginx.conf"}


@pytest.mark.parametrize("account", ["root", "deploy"])
def test_it_answers_over_ssh_the_same_to_root_and_to_an_account_without_rights(
    driftscan, machine, tmp_path, account
):
    chosen = engine.current()
    with fresh(rpm_machine.IMAGE, *chosen.network(), "--cap-add", "SYS_CHROOT") as name:
        port = sshd(name, account)
        inventory = written(tmp_path, name, account, port)
        before = changes(name)
        found = fingerprint(driftscan("scan", "rpm-a", inventory=inventory))
        assert [line for line in changes(name) if line not in before] == []
        assert packages(found) == told_by_rpm()


def sshd(name: str, account: str) -> int:
    """Start the machine's own sshd on loopback; gives its port."""
    port = free_port(2231)
    public = Path(f"{hosts.client_key()}.pub").read_text().strip()
    home = "/root" if account == "root" else f"/home/{account}"
    inside(
        name,
        f"mkdir -p /run/sshd {home}/.ssh && chmod 755 /run/sshd && chmod 700 {home} {home}/.ssh && "
        f"echo '{public}' > {home}/.ssh/authorized_keys && chown -R {account} {home} && "
        "ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host && "
        "/usr/sbin/sshd -f /dev/null -h /etc/ssh/host "
        f"-o ListenAddress={hosts.ADDRESS} -o Port={port}",
    )
    until = time.monotonic() + 20
    while not hosts.greets(port):
        assert time.monotonic() < until, "sshd does not answer"
        time.sleep(0.1)
    return port


def written(folder: Path, name: str, account: str, port: int) -> Path:
    """An inventory of that one machine."""
    key = inside(name, "cat /etc/ssh/host.pub").split()
    (folder / "known_hosts").write_text(f"[{hosts.ADDRESS}]:{port} {key[0]} {key[1]}\n")
    identity = folder / "id"
    identity.write_bytes(hosts.client_key().read_bytes())
    identity.chmod(0o600)
    host = {"address": hosts.ADDRESS, "port": port, "user": account, "key": "id"}
    text = yaml.safe_dump({"hosts": {"rpm-a": {**host, "known_hosts": "known_hosts"}}})
    (folder / "inventory.yml").write_text(text)
    return folder / "inventory.yml"


def test_its_dockerfile_makes_an_image_that_it_is_compared_with(driftscan, machine):
    chosen = engine.current()
    tag = f"driftscan-lab/rpm-web:{os.getpid()}"
    folder = Path(__file__).parent / "recipes" / "rpm"
    words = ("build", "--quiet", "--network", "none", "--tag", tag)
    run(chosen.client, *words, folder, env={**chosen.environment(), "DOCKER_BUILDKIT": "0"})
    try:
        image = fingerprint(driftscan("scan", f"image://{tag}"))
        assert packages(image) == told_by_rpm(tag)
        done = driftscan("compare", f"docker://{machine}", f"image://{tag}", "-f", "json")
    finally:
        chosen.succeeds("rmi", tag)
    told = set(re.findall(r'"(rpm:[^"]+)"', done.out))
    assert told >= {"rpm:nginx", "rpm:openssl-libs", "rpm:php-opcache", "rpm:htop"} or told >= {
        *("rpm:nginx.x86_64", "rpm:openssl-libs.x86_64", "rpm:php-opcache.x86_64"),
        "rpm:htop.x86_64",
    }
