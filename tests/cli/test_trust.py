"""`driftscan trust`: what it shows, what it adds, and that driftscan and ssh then both accept."""

import os
import stat
import subprocess
import sys
from contextlib import ExitStack

import paramiko
import pytest

from driftscan.machines import known_hosts
from tests.cli.conftest import environment
from tests.openssh import USER, binary, sshd
from tests.sshd import Manners, Sshd


@pytest.fixture
def server(tmp_path, work):
    with Sshd(tmp_path, Manners()) as running:
        running.known_hosts.unlink()
        write(work, running)
        yield running


def write(work, server, more=""):
    (work / "inventory.yml").write_text(
        f"hosts:\n  a: {{address: 127.0.0.1, port: {server.port}, user: deploy,"
        f" key: {server.key_file}, known_hosts: {server.known_hosts}{more}}}\n"
    )


def verdict(server, file=None):
    key = server.host_key
    known = known_hosts.load([file or server.known_hosts])
    return known.verdict("127.0.0.1", server.port, key.get_name(), key.asbytes()).state


def test_a_key_is_shown_and_not_added_where_nobody_can_be_asked(driftscan, server):
    done = driftscan("trust", "a")
    assert done.code == 3
    key = server.host_key
    assert f"  {key.get_name()} {key.fingerprint}\n" in done.out
    assert f"  known as [127.0.0.1]:{server.port} in {server.known_hosts}\n" in done.out
    assert "nobody can be asked here: give its --fingerprint, or --yes" in done.err
    assert not server.known_hosts.exists()
    assert server.commands == []


def test_the_key_of_the_fingerprint_is_added_and_no_other(driftscan, server):
    wrong = "SHA256:" + "A" * 43
    assert driftscan("trust", "a", "--fingerprint", wrong).code == 3
    assert not server.known_hosts.exists()

    done = driftscan("trust", "a", "--fingerprint", wrong, "--fingerprint", fingerprint(server))
    assert done.code == 0
    assert verdict(server) == "ok"
    assert stat.S_IMODE(server.known_hosts.stat().st_mode) == 0o600

    again = driftscan("trust", "a")
    assert (again.code, again.out) == (0, "")
    assert "is known already" in again.err


def fingerprint(server):
    return server.host_key.fingerprint


def test_what_the_file_holds_stays_and_its_mode_and_its_way_of_hashing_too(driftscan, server):
    before = f"other {server.host_key.get_name()} {server.host_key.get_base64()}"  # no newline
    server.known_hosts.write_text(before)
    server.known_hosts.chmod(0o644)
    assert driftscan("trust", "a", "--yes").code == 0
    text = server.known_hosts.read_text()
    assert text.startswith(f"{before}\n")
    assert text.count("\n") == 2
    assert stat.S_IMODE(server.known_hosts.stat().st_mode) == 0o644
    assert verdict(server) == "ok"

    subprocess.run([binary("ssh-keygen"), "-H", "-f", str(server.known_hosts)], check=True)
    other = paramiko.ECDSAKey.generate()
    server.known_hosts.write_text(server.known_hosts.read_text().split("\n")[0] + "\n")
    server.host_key, server.more_host_keys = other, []
    assert driftscan("trust", "a", "--yes").code == 0
    assert all(line.startswith("|1|") for line in server.known_hosts.read_text().splitlines())
    assert verdict(server) == "ok"


def test_another_known_key_is_replaced_only_when_that_is_asked_for(driftscan, server):
    line = server.known_line(paramiko.ECDSAKey.generate())
    kept = f"web {line.partition(' ')[2]}"
    names = f"backup,{line}"
    server.known_hosts.write_text(f"# mine\n{kept}{line}{names}")

    done = driftscan("trust", "a", "--yes")
    assert done.code == 3
    assert f"another key is known ({server.known_hosts}:3)" in done.err
    assert verdict(server) == "mismatch"

    assert driftscan("trust", "a", "--yes", "--replace").code == 0
    text = server.known_hosts.read_text()
    assert text.startswith(f"# mine\n{kept}backup {line.partition(' ')[2]}")
    assert verdict(server) == "ok"
    old = server.known_hosts.with_name(server.known_hosts.name + ".old")
    assert old.read_text() == f"# mine\n{kept}{line}{names}"


@pytest.mark.case("F13")
def test_a_certificate_authority_does_not_hide_that_a_key_has_changed(driftscan, server):
    authority = (
        f"@cert-authority * {server.known_line(paramiko.ECDSAKey.generate()).split(' ', 1)[1]}"
    )
    server.known_hosts.write_text(authority + server.known_line(paramiko.ECDSAKey.generate()))
    scanned = driftscan("scan", "a")
    assert scanned.code == 3
    assert "host_key_mismatch" in scanned.err
    assert "driftscan trust --replace a" in scanned.err
    assert "--road openssh" in scanned.err

    done = driftscan("trust", "a", "--yes")
    assert done.code == 3
    assert f"another key is known ({server.known_hosts}:2)" in done.err
    assert verdict(server) == "mismatch"

    assert driftscan("trust", "a", "--yes", "--replace").code == 0
    assert verdict(server) == "ok"
    assert server.known_hosts.read_text().startswith(authority)


def test_a_pipe_in_the_place_of_known_hosts_is_told(driftscan, server):
    os.mkfifo(server.known_hosts)
    for words in (("trust", "a", "--yes"), ("trust", "a", "--yes", "--replace"), ("scan", "a")):
        done = driftscan(*words)
        assert done.code == 3
        assert "host_key_unknown at config: known hosts file" in done.err
        assert "cannot be read (not a regular file)" in done.err
    assert server.commands == []


def test_a_revoked_key_is_never_added(driftscan, server):
    server.known_hosts.write_text(f"@revoked {server.known_line(server.host_key)}")
    done = driftscan("trust", "a", "--yes", "--replace")
    assert done.code == 3
    assert "this key is revoked" in done.err
    assert verdict(server) == "revoked"


def test_the_hosts_on_the_way_come_first(driftscan, tmp_path, work, server):
    with Sshd(tmp_path, Manners(forward=True)) as jump:
        jump.user_key = server.user_key
        write(work, server, f", jump: 'deploy@127.0.0.1:{jump.port}'")

        first = driftscan("trust", "a", "--fingerprint", fingerprint(server))
        assert first.code == 3
        assert f"[127.0.0.1]:{jump.port} was not added" in first.err
        assert jump.forwarded == []

        both = "--fingerprint", fingerprint(server), "--fingerprint", fingerprint(jump)
        assert driftscan("trust", "a", *both).code == 0
        assert verdict(server) == "ok"
        assert verdict(jump, server.known_hosts) == "ok"


def test_on_a_terminal_it_asks_and_the_answer_counts(tmp_path, work, server):
    for answer, code in ((b"\n", 3), (b"y\n", 0)):
        master, slave = os.openpty()
        with ExitStack() as stack:
            stack.callback(os.close, master)
            process = subprocess.Popen(
                [sys.executable, "-m", "driftscan", "trust", "a"],
                stdin=slave,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=work,
                env=environment(tmp_path),
            )
            os.close(slave)
            os.write(master, answer)
            out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert fingerprint(server).encode() in out
        assert b"Add this key? [y/N]" in err
        assert server.known_hosts.exists() == (code == 0)


def test_what_cannot_be_trusted_is_told(driftscan, work, server):
    assert driftscan("trust", "local://").code == 2
    assert driftscan("trust", "a", "--fingerprint", "md5:00").code == 2
    assert driftscan("trust", "a", "--yes", "--fingerprint", fingerprint(server)).code == 2
    server.known_hosts.mkdir()
    done = driftscan("trust", "a", "--yes")
    assert (done.code, done.out) == (3, "")
    assert "cannot be read" in done.err


@pytest.mark.sshd
@pytest.mark.case("F13")
def test_after_it_ssh_itself_and_driftscan_both_accept(driftscan, tmp_path, work):
    with sshd(tmp_path / "server") as real:
        known = work / "known"
        (work / "inventory.yml").write_text(
            f"hosts:\n  a: {{address: 127.0.0.1, port: {real.port}, user: {USER},"
            f" key: {real.key}, known_hosts: {known}}}\n"
        )
        assert driftscan("scan", "a").code == 3
        assert driftscan("trust", "a", "--yes").code == 0
        assert known.read_text().startswith("|1|" if hashes() else "[127.0.0.1]:")
        command = [
            *(binary("ssh"), "-F", "none", "-p", str(real.port), "-i", str(real.key)),
            *("-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes"),
            *("-o", "BatchMode=yes", f"{USER}@127.0.0.1", "true"),
        ]
        assert subprocess.run(command, capture_output=True).returncode == 0
        assert driftscan("scan", "a", "-o", "out").err.startswith("driftscan: a: out/a.json")


def hashes():
    done = subprocess.run([binary("ssh"), "-G", "x"], capture_output=True, text=True, check=True)
    return "hashknownhosts yes" in done.stdout
