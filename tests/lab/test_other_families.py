"""The Alpine and the Arch-like machine scanned alive: what their own tools say, nothing written."""

import re

import msgspec
import pytest
import yaml

from driftscan.model import Collected, Failed, Fingerprint
from tests import openssh
from tests.lab import alpine, arch, engine, idle

pytestmark = pytest.mark.lab

MACHINES = {
    "alpine": (alpine, "apk", "apk info -v 2>/dev/null", r"(.+)-([^-]+-r[0-9]+)"),
    "arch": (arch, "pacman", "pacman -Q 2>/dev/null", r"(\S+) (\S+)"),
}


@pytest.fixture(scope="module", params=MACHINES)
def machine(request, environment):
    """Each machine running: its name, the section of its packages, what its own tool says."""
    module, section, command, form = MACHINES[request.param]
    container = module.ensure(engine.current())
    told = engine.current().run("exec", container, "sh", "-c", command).splitlines()
    found = (re.fullmatch(form, line) for line in told if not line.startswith("."))
    return request.param, section, {match[1]: match[2] for match in found if match}


def scanned(driftscan, target):
    done = driftscan("scan", target)
    assert done.code == 0, done.err
    return msgspec.json.decode(done.out, type=Fingerprint)


def test_all_packages_are_the_ones_that_its_own_tool_tells(driftscan, machine):
    name, section, told = machine
    facts = scanned(driftscan, f"docker://{idle.container(name)}").facts
    packages = facts[section]
    assert isinstance(packages, Collected)
    assert {key: item["version"] for key, item in packages.items.items()} == told
    assert len(told) >= 8
    repositories = facts["repositories"]
    assert isinstance(repositories, Collected)
    assert {key.partition("/")[0] for key in repositories.items} == {section}


def test_every_probe_answers_and_none_fails(driftscan, machine):
    found = scanned(driftscan, f"docker://{idle.container(machine[0])}")
    sections = {**found.facts, **found.evidence}
    assert [name for name, section in sections.items() if isinstance(section, Failed)] == []
    history = found.evidence[f"{machine[1]}-history"]
    assert isinstance(history, Collected)


def test_a_scan_writes_nothing_there(driftscan, machine):
    with idle.fresh(engine.current(), machine[0]) as container:
        before = engine.current().run("diff", container)
        scanned(driftscan, f"docker://{container}")
        assert engine.current().run("diff", container) == before


def test_the_image_has_the_packages_of_its_container(driftscan, machine):
    name, section, _ = machine
    image = scanned(driftscan, f"image://{idle.image(name)}")
    container = scanned(driftscan, f"docker://{idle.container(name)}")
    assert image.facts[section] == container.facts[section]


@pytest.mark.sshd
@pytest.mark.parametrize("road", ["ssh", "openssh"])
def test_over_ssh_it_gives_the_facts_that_it_gives_in_its_engine(
    driftscan, machine, environment, tmp_path, road
):
    """Neither has a package of sshd here: one of ours puts each session into the machine."""
    chosen, container = engine.current(), idle.container(machine[0])
    settings = [
        f"SetEnv DOCKER_HOST={environment.get('DOCKER_HOST', '')}",
        f'ForceCommand exec {chosen.client} exec -i {container} sh -c "$SSH_ORIGINAL_COMMAND"',
    ]
    with openssh.sshd(tmp_path / "server", *settings) as server:
        host = {
            "address": "127.0.0.1",
            "port": server.port,
            "user": openssh.USER,
            "key": str(server.key),
            "known_hosts": str(server.known_hosts),
            "road": road,
        }
        inventory = tmp_path / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"hosts": {machine[0]: host}}))
        done = driftscan("scan", machine[0], inventory=inventory)
    assert done.code == 0, done.err
    found = msgspec.json.decode(done.out, type=Fingerprint)
    assert (found.meta.kind, found.meta.privilege) == ("host", "root")
    assert found.facts == scanned(driftscan, f"docker://{container}").facts
