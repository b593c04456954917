"""Our own reader against Ansible's: the same hosts, groups and connection variables.

ansible-core and its source with the inventories of its own tests come from PyPI, once, into the
lab's cache; other projects' inventories from the folder of their data.
"""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from driftscan.errors import InputError
from driftscan.inventory import ansible_listed, loading
from tests.lab.settings import cache

pytestmark = pytest.mark.long

ANSIBLE = "ansible-core==2.19.14"
FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"
FIELDS = ("road", "address", "port", "user", "key", "jump", "become", "container", "groups")
PARTS = ("hosts", "inventory", "inventory.yml", "inventory.ini", "hosts.ini", "hosts.example")


def run(*argv):
    subprocess.run([str(word) for word in argv], check=True, capture_output=True, timeout=600)


@pytest.fixture(scope="module")
def ansible():
    """The folder with Ansible's programs."""
    place = cache() / "ansible-venv"
    if not (place / "bin" / "ansible-inventory").exists():
        try:
            run(sys.executable, "-m", "venv", place)
            run(place / "bin" / "pip", "install", "-q", ANSIBLE)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"neither the cache nor PyPI has {ANSIBLE}: {error.stderr[-200:]!r}")
    return place / "bin"


@pytest.fixture(scope="module")
def source(ansible):
    """The unpacked source, whose tests hold inventories."""
    place = cache() / "ansible-source"
    if not list(place.glob("*.tar.gz")):
        run(ansible / "pip", "download", "-q", "--no-deps", "--no-binary", "ansible-core",
            "-d", place, ANSIBLE)  # fmt: skip
    (archive,) = place.glob("*.tar.gz")
    if not (place / "tests").exists():
        with tarfile.open(archive) as tar:
            members = [member for member in tar if "/test/" in member.name]
            tar.extractall(place / "tests", members, filter="data")
    return place / "tests"


def listed(ansible, path, scratch):
    """What `ansible-inventory --list` says, its plugins that run something switched off."""
    (scratch / "empty.cfg").touch()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(scratch / "empty.cfg"),
        "ANSIBLE_INVENTORY_ENABLED": "yaml,ini",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
    }
    argv = [ansible / "ansible-inventory", "-i", path, "--list"]
    return subprocess.run(argv, capture_output=True, text=True, env=env, cwd=scratch, timeout=120)


def understood(inventory):
    hosts = {
        name: {field: getattr(target, field) for field in FIELDS} | {"ok": not target.unusable}
        for name, target in inventory.hosts.items()
    }
    return hosts, {name: sorted(group.hosts) for name, group in inventory.groups.items()}


def compare(ansible, path, scratch):
    """The outcome of one inventory; fails where the two readers differ."""
    done = listed(ansible, path, scratch)
    try:
        ours = loading.load(str(path))
    except InputError as error:
        ours, why = None, str(error)
    if done.returncode:
        return "Ansible refuses it"
    try:
        folder = path if path.is_dir() else path.parent
        theirs = ansible_listed.of_text(done.stdout, path, folder)
    except InputError:
        assert ours is None, f"{path}: Ansible sees no host"
        return "no host"
    if ours is None and "is not run" in why:
        return "would be run"
    assert ours is not None, f"{path}: {why}"
    assert understood(ours) == understood(theirs), path
    return "same"


def test_inventories_of_other_projects_read_as_ansible_reads_them(ansible, tmp_path):
    if not FIXTURES.is_dir():
        pytest.skip("other projects' data is not here: fixtures are missing beside the clone")
    places = [FIXTURES / "ansible-examples", FIXTURES / "kubespray"]
    paths = [path for place in places for name in PARTS for path in place.rglob(name)]
    outcomes = [compare(ansible, path, tmp_path) for path in paths if path.is_file()]
    assert outcomes.count("same") > 8
    assert set(outcomes) == {"same", "no host"}


def test_inventories_of_ansibles_own_tests_read_as_ansible_reads_them(ansible, source, tmp_path):
    found = [path for path in sorted(source.rglob("*")) if _is_inventory(path)]
    outcomes = {path: compare(ansible, path, tmp_path) for path in found}
    assert list(outcomes.values()).count("same") > 40


def _is_inventory(path):
    folders = {part for part in path.parts if part in ("roles", "tasks", "plugins", "templates")}
    named = "inventor" in path.name or path.name.startswith("hosts")
    read = path.suffix in ("", ".yml", ".yaml", ".ini", ".inventory")
    return path.is_file() and named and read and not folders and not os.access(path, os.X_OK)
