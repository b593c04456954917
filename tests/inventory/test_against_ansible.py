"""Our own reader against Ansible's: the same hosts, groups and connection variables.

ansible-core and its source with the inventories of its own tests come from PyPI, once, into the
lab's cache; other projects' inventories from the folder of their data.
"""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftscan.errors import InputError
from driftscan.inventory import ansible_listed, loading
from driftscan.inventory.limit import select
from tests.inventory.test_limit import SELECTED
from tests.lab.settings import cache

pytestmark = pytest.mark.long

ANSIBLE = "ansible-core==2.19.14"
FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"
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


def compare(ansible, path, scratch):
    """The outcome of one inventory; fails where the two readers differ."""
    try:
        found = loading.load(str(path), str(ansible / "ansible-inventory"))
    except InputError as error:
        return refused(str(error), listed(ansible, path, scratch), path)
    if found.reader == "driftscan":
        assert any(told in found.notes[-1] for told in ("did not answer", "ansible-vault"))
        return "no host" if "no host" in found.notes[-1] else "Ansible refuses it"
    assert found.reader == "both", found.notes
    return "same"


def refused(why, done, path):
    """What our reader refuses Ansible refuses too, finds no host in, or would run."""
    if done.returncode:
        return "Ansible refuses it"
    if "is not run" in why:
        return "would be run"
    with pytest.raises(InputError):
        ansible_listed.of_text(done.stdout, path, path.parent, merged=True)
    return "no host"


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


EVIL = """\
[defaults]
vars_plugins = ./vars_plugins
inventory_plugins = ./inventory_plugins
callback_plugins = ./callback_plugins
vault_password_file = ./password.sh
[inventory]
enable_plugins = evil, script, auto
"""


def test_nothing_of_a_repository_is_run_while_ansible_reads_its_inventory(
    ansible, tmp_path, monkeypatch
):
    here = tmp_path / "repository"
    for kind in ("vars", "inventory", "callback", "filter", "lookup", "become"):
        (here / f"{kind}_plugins").mkdir(parents=True)
        (here / f"{kind}_plugins" / "evil.py").write_text(f"open('{here}/ran-{kind}', 'w')\n")
    (here / "group_vars").mkdir()
    (here / "group_vars" / "all.yml").write_text(
        f"ansible_port: 22\nx: \"{{{{ lookup('pipe', 'touch {here}/ran-lookup') }}}}\"\n"
    )
    (here / "password.sh").write_text(f"#!/bin/sh\ntouch {here}/ran-password\necho x\n")
    (here / "password.sh").chmod(0o755)
    (here / "ansible.cfg").write_text(EVIL)
    (here / "hosts").write_text("[web]\na ansible_host=10.0.0.1\nb ansible_user='{{ x }}'\n")
    monkeypatch.chdir(here)
    monkeypatch.setenv("ANSIBLE_CONFIG", str(here / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_INVENTORY_PLUGINS", str(here / "inventory_plugins"))
    found = loading.load("hosts", str(ansible / "ansible-inventory"))
    assert (found.reader, found.hosts["a"].address) == ("both", "10.0.0.1")
    assert "is the template '{{ x }}'" in found.hosts["b"].unusable
    assert list(here.glob("ran-*")) == []
    # The trap is a real one: by itself the program runs what lies there.
    subprocess.run([ansible / "ansible-inventory", "-i", "hosts", "--list"], capture_output=True)
    assert (here / "ran-inventory").exists()


def test_what_ansible_would_run_is_refused_though_the_program_is_there(ansible, tmp_path):
    (tmp_path / "inv").mkdir()
    (tmp_path / "inv" / "a.ini").write_text("a\n")
    script = tmp_path / "inv" / "b.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    with pytest.raises(InputError, match="a script, which is not run"):
        loading.load(str(tmp_path / "inv"), str(ansible / "ansible-inventory"))
    assert not (tmp_path / "ran").exists()


# --- --limit -------------------------------------------------------------------------------------

# It answers each line, a pattern in JSON, with the hosts that Ansible selects, or null.
ASKED = """
import json, sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
manager = InventoryManager(loader=DataLoader(), sources=[sys.argv[1]])
for line in sys.stdin:
    try:
        manager.subset(json.loads(line))
        found = sorted(host.name for host in manager.list_hosts("all"))
    except Exception:
        found = None
    print(json.dumps(found), flush=True)
"""
HOSTS = """\
lone
[web]
web[1:5]
[prod]
web1
web3
web4
db1
[db]
db1
db2.example.org
[idle]
[eu:children]
db
inner
[inner]
lone2
web5
"""


@pytest.fixture(scope="module")
def limited(ansible, tmp_path_factory):
    """What Ansible and we select of the same inventory: None for what is refused."""
    place = tmp_path_factory.mktemp("limit")
    (place / "hosts").write_text(HOSTS)
    (place / "retry").write_text("web1\ndb1\n")
    ours = loading.load(str(place / "hosts"), "off")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
    }
    argv = [ansible / "python", "-c", ASKED, "hosts"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, text=True, env=env, cwd=place, **pipes) as child:

        def both(pattern):
            pattern = pattern.replace("@retry", f"@{place}/retry")
            child.stdin.write(json.dumps(pattern) + "\n")
            child.stdin.flush()
            theirs = json.loads(child.stdout.readline())
            try:
                selected = sorted(target.name for target in select(ours, [pattern]))
            except InputError:
                selected = None
            return selected, theirs or None

        yield both
        child.stdin.close()


def test_the_order_of_all_hosts_is_ansibles(limited):
    for number in range(9):
        ours, theirs = limited(f"all[{number}]")
        assert ours == theirs, number


@pytest.mark.parametrize("limit", [limit for limit, _ in SELECTED])
def test_the_table_of_patterns_is_what_ansible_says(limited, limit):
    ours, theirs = limited(limit)
    assert ours == theirs
    assert ours


_NAMES = st.sampled_from(
    [
        *("web", "prod", "db", "idle", "eu", "inner", "ungrouped", "all", "*", "web1", "web5"),
        *("lone", "db2.example.org", "w*", "*1", "web?", "web[1-3]", "web[!1]", "~web[12]"),
        *("~(db|lone)", "~.*", "nothere", "d*.org", "[we]*", "u*", "a?l", "@retry"),
    ]
)
_SUBSCRIPTS = st.sampled_from(
    ["", "", "", "[0]", "[-1]", "[0:1]", "[1:]", "[:1]", "[9]", "[2:0]", "[-2:]", "[1-2]", "[3:99]"]
)
_PATTERNS = st.builds("".join, st.tuples(st.sampled_from(["", "", "!", "&"]), _NAMES, _SUBSCRIPTS))
_LIMITS = st.builds(
    str.join, st.sampled_from([":", ",", " "]), st.lists(_PATTERNS, min_size=1, max_size=4)
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_LIMITS)
def test_any_limit_selects_what_ansible_selects(limited, limit):
    ours, theirs = limited(limit)
    assert ours == theirs


# --- what our own reader does alone --------------------------------------------------------------

ALONE = {
    "priority": {
        "hosts": "[x]\nh\n[y]\nh\n[x:vars]\nansible_group_priority=5\nansible_user=x\n"
        "[y:vars]\nansible_user=y\n[z:children]\nx\ny\n[z:vars]\nansible_user=z\n"
        "ansible_group_priority=99\n"
    },
    "first-file": {
        "hosts": "[web]\nw1\nw2\n[db]\nd1\n",
        "group_vars/web": "ansible_port: 77\n",
        "group_vars/web.json": '{"ansible_port": 78, "ansible_user": "json"}',
        "group_vars/db.yml/a.yml": "ansible_port: 79\n",
        "group_vars/db.yml/sub.d/b.yml": "ansible_port: 80\n",
        "group_vars/db.json": '{"ansible_user": "json"}',
        "host_vars/w1.yml": "ansible_host: 8.8.8.8\n",
        "host_vars/w1.yaml": "ansible_host: 9.9.9.9\nansible_user: yaml\n",
    },
    "numbers": {
        "hosts.yml": "all:\n  vars: {ansible_port: 022}\n  hosts:\n    a:\n"
        "    b: {ansible_port: 1_000}\n"
        "    c: {ansible_port: 0x16, ansible_user: 0b11}\n    d: {ansible_port: '2_2'}\n"
        "    e: {ansible_port: 6:40}\n    f: {ansible_port: 0_}\n"
    },
    "ports": {
        "hosts.yml": "web:\n  hosts:\n    host:2222:\n    '[2001:db8::5]:2200': {ansible_host: x}\n"
        "    w[1:2]:2201: {ansible_port: 5}\n"
    },
    "nothing": {"hosts": "a ansible_user=None\nb ansible_host=[1,2]\nc ansible_port='\"22\"'\n"},
}


@pytest.mark.parametrize("name", ALONE)
def test_what_our_reader_reads_alone_is_what_ansible_reads(ansible, tmp_path, name):
    for path, text in ALONE[name].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (hosts,) = tmp_path.glob("hosts*")
    found = loading.load(str(hosts), str(ansible / "ansible-inventory"))
    assert found.reader == "both", found.notes


def _is_inventory(path):
    folders = {part for part in path.parts if part in ("roles", "tasks", "plugins", "templates")}
    named = "inventor" in path.name or path.name.startswith("hosts")
    read = path.suffix in ("", ".yml", ".yaml", ".ini", ".inventory")
    return path.is_file() and named and read and not folders and not os.access(path, os.X_OK)
