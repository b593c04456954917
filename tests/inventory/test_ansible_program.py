"""Whose word counts where `ansible-inventory` is there; and that its trouble is none of ours."""

import os
import time
from pathlib import Path

import pytest

from driftscan.errors import InputError
from driftscan.inventory import ansible_program, loading

HOSTS = "[web]\na ansible_host=10.0.0.1\nb\n"
SAME = (
    '{"_meta": {"hostvars": {"a": {"ansible_host": "10.0.0.1"}}},'
    ' "all": {"children": ["ungrouped", "web"]}, "web": {"hosts": ["a", "b"]}}'
)


@pytest.fixture
def saying(tmp_path, monkeypatch):
    """`saying("echo {}")`: the inventory `hosts` read with a program that is this script."""
    monkeypatch.chdir(tmp_path)

    def read(script, hosts=HOSTS, seconds=20.0):
        (tmp_path / "hosts").write_text(hosts)
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return loading.load("hosts", str(program), seconds)

    return read


def test_where_both_read_the_same_ours_is_kept_with_its_lines(saying):
    found = saying(f"echo '{SAME}'", hosts=f"{HOSTS}c ansible_user='{{{{ x }}}}'\n")
    assert found.reader == "ansible-inventory"  # it knows no c
    found = saying(f"echo '{SAME}'")
    assert (found.reader, found.notes) == ("both", ())
    assert found.hosts["a"].address == "10.0.0.1"


def test_where_they_differ_ansible_is_believed_and_the_difference_told(saying):
    found = saying(f"echo '{SAME}' | sed 's/10.0.0.1/10.0.0.2/; s/, .b.]/]/'")
    assert found.reader == "ansible-inventory"
    assert found.hosts["a"].address == "10.0.0.2"
    assert list(found.hosts) == ["a"]
    assert found.notes == (
        "hosts: a, b, group web: as ansible-inventory says, which driftscan's own reader reads"
        " otherwise",
    )


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo '[WARNING]: x' >&2; echo '[ERROR]: no hosts' >&2; exit 4", "[ERROR]: no hosts"),
        ("exit 3", "status 3"),
        ("echo nonsense", "hosts: not what `ansible-inventory --list` prints: "),
        ("echo '{}'", "hosts: no host in it: name at least one"),
        ("yes | head -c 70000000", "more than 64 MiB"),
    ],
)
def test_where_it_does_not_answer_our_reader_does_and_says_why(saying, script, why):
    found = saying(script)
    assert (found.reader, list(found.hosts)) == ("driftscan", ["a", "b"])
    (note,) = found.notes
    assert note.startswith(f"hosts: ansible-inventory did not answer ({why}")
    assert note.endswith("): driftscan's own reader was used")


def test_one_that_hangs_is_ended_with_what_it_started(saying, tmp_path):
    found = saying(f"sleep 987 & echo $! > {tmp_path}/pid; wait", seconds=1.0)
    assert "did not answer (no end within 1 s)" in found.notes[0]
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("what it started is still there")


def test_it_gets_no_terminal_no_input_and_none_of_our_settings(saying, tmp_path, monkeypatch):
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "/evil")
    monkeypatch.setenv("PYTHONPATH", "/evil")
    saying(f"cat > {tmp_path}/input; env > {tmp_path}/env; (pwd; ls -A) > {tmp_path}/pwd")
    assert (tmp_path / "input").read_text() == ""
    told = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert "/evil" not in told.values()
    assert told["ANSIBLE_INVENTORY_ENABLED"] == "yaml,ini"
    (place,) = (tmp_path / "pwd").read_text().splitlines()  # an empty folder
    assert told["ANSIBLE_VARS_PLUGINS"] == place


def test_ours_and_what_was_listed_already_are_not_asked_about(saying, tmp_path):
    assert saying(f"touch {tmp_path}/ran", hosts="hosts: {a: {}}\n").reader == "driftscan"
    assert saying(f"touch {tmp_path}/ran", hosts=SAME).reader == "driftscan"
    assert not (tmp_path / "ran").exists()


def test_a_file_in_a_vault_is_told_once(saying, tmp_path):
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    found = saying("echo '[ERROR]: Attempting to decrypt but no vault secrets found.' >&2; exit 4")
    assert found.notes == (
        "group_vars/all.yml:1: encrypted with ansible-vault, which is not opened: what it says of a"
        " connection is not used",
    )


def test_the_program_is_the_one_on_path_unless_named_or_off(tmp_path, monkeypatch):
    program = tmp_path / "ansible-inventory"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ansible_program.program("") == str(program)
    assert ansible_program.program(str(program)) == str(program)
    assert ansible_program.program("off") == ""
    monkeypatch.setenv("PATH", ".")  # it would be that of a repository
    assert ansible_program.program("") == ""
    for named in ("./ansible-inventory", "/none"):
        with pytest.raises(InputError, match="DRIFTSCAN_ANSIBLE_INVENTORY"):
            ansible_program.program(named)
