"""The way to a target is the one `ssh` would take, and the inventory's values win."""

import getpass
import os
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from driftscan.errors import MachineError
from driftscan.machines.openssh import OpenSsh
from driftscan.machines.openssh_config import Hop, Resolver
from driftscan.machines.ssh import Credentials, Ssh
from driftscan.model import Limits, Questions, Target


def route(tmp_path: Path, config: str, target: Target, agent: str = "") -> list[Hop]:
    path = tmp_path / "config"
    path.write_text(config)
    return Resolver(path, agent).route(target)


def hop(tmp_path: Path, config: str, name: str = "web", **more: object) -> Hop:
    (found,) = route(tmp_path, config, Target(name=name, road="ssh", **more))  # type: ignore[arg-type]
    return found


def refusal(tmp_path: Path, config: str, **more: object) -> MachineError:
    with pytest.raises(MachineError) as caught:
        hop(tmp_path, config, **more)  # type: ignore[arg-type]
    assert (caught.value.state, caught.value.stage) == ("unreachable", "config")
    return caught.value


def test_without_any_configuration_the_name_itself_is_asked_as_ourselves(tmp_path: Path) -> None:
    found = hop(tmp_path, "")
    assert (found.address, found.port, found.user) == ("web", 22, getpass.getuser())
    assert not found.chosen
    assert found.known_as == ("web", 22)
    assert Path("~/.ssh/id_ed25519").expanduser() in found.keys
    assert Path("/etc/ssh/ssh_known_hosts") in found.known_hosts


def test_no_identity_file_at_all_means_no_key_but_those_of_the_agent(tmp_path: Path) -> None:
    found = hop(tmp_path, "IdentityFile none\n")
    assert (found.keys, found.chosen) == ((), False)


@pytest.mark.case("F38")
def test_what_ssh_resolves_is_taken_with_includes_and_matches(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Match host 10.0.0.5 user ops\n  IdentitiesOnly yes\n")
    config = f"""
        Host web
          HostName 10.0.0.5   # the new one
          Port 2222
          User ops
          IdentityFile "{tmp_path}/my keys/%r@%h-%%"
          HostKeyAlias web-cluster
          UserKnownHostsFile "{tmp_path}/a b" {tmp_path}/c
          GlobalKnownHostsFile none
          IdentityAgent {tmp_path}/agent
          AddressFamily inet
        Include {tmp_path}/more
        """
    found = hop(tmp_path, config)
    assert (found.address, found.port, found.user) == ("10.0.0.5", 2222, "ops")
    assert found.keys == (tmp_path / "my keys/ops@10.0.0.5-%",)
    assert found.chosen
    assert found.only_files
    assert found.known_as == ("web-cluster", 22)
    assert found.known_hosts == (tmp_path / "a b", tmp_path / "c")
    assert found.agent == f"{tmp_path}/agent"
    assert found.family == socket.AF_INET


def test_the_values_of_the_inventory_win(tmp_path: Path) -> None:
    config = "Host *\n HostName 10.0.0.5\n Port 9\n User x\n IdentityFile /y\n HostKeyAlias z\n"
    found = hop(
        tmp_path,
        config,
        port=2201,
        user="deploy",
        key="/k",
        host_key_alias="alias",
        known_hosts=["/kh"],
    )
    assert (found.port, found.user, found.keys) == (2201, "deploy", (Path("/k"),))
    assert found.known_as == ("alias", 22)
    assert found.known_hosts[0] == Path("/kh")
    assert not any(path.name == "known_hosts" for path in found.known_hosts)


def test_the_agent_of_the_environment_serves_unless_another_or_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "/other")
    target = Target(name="web", road="ssh")
    for config, wanted in {
        "": "/mine",
        "IdentityAgent none": "",
        "IdentityAgent $OTHER": "/other",
        "IdentityAgent SSH_AUTH_SOCK": "/mine",
    }.items():
        (found,) = route(tmp_path, config, target, agent="/mine")
        assert found.agent == wanted


def test_jump_hosts_are_resolved_in_order_each_by_its_own_configuration(tmp_path: Path) -> None:
    config = """
        Host web
          ProxyJump alice@first:2200,second
        Host first
          HostName 10.0.0.1
          IdentityFile /first-key
        Host second
          User bob
          ProxyJump never-used
        """
    target = Target(name="web", road="ssh", key="/k", known_hosts=["/kh"], user="deploy")
    first, second, last = route(tmp_path, config, target)
    assert (first.address, first.port, first.user) == ("10.0.0.1", 2200, "alice")
    assert first.keys == (Path("/first-key"),)
    assert (second.name, second.user, second.keys) == ("second", "bob", (Path("/k"),))
    assert {each.known_hosts[0] for each in (first, second, last)} == {Path("/kh")}
    assert (last.name, last.user) == ("web", "deploy")


def test_the_first_jump_host_may_have_one_of_its_own(tmp_path: Path) -> None:
    config = "Host web\n ProxyJump inner\nHost inner\n ProxyJump outer\n"
    names = [found.name for found in route(tmp_path, config, Target(name="web", road="ssh"))]
    assert names == ["outer", "inner", "web"]


def test_jump_hosts_of_the_inventory_win_and_may_be_ipv6(tmp_path: Path) -> None:
    target = Target(name="web", road="ssh", jump=["ops@[::1]:22022"])
    jump, _ = route(tmp_path, "Host web\n ProxyJump other\n", target)
    assert (jump.address, jump.port, jump.user) == ("::1", 22022, "ops")


def test_jump_hosts_in_a_circle_are_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "Host web b\n ProxyJump a\nHost a\n ProxyJump b\n")
    assert "circle" in error.cause


@pytest.mark.parametrize(
    "option",
    [
        "ProxyCommand nc %h %p",
        "CertificateFile /x",
        "BindAddress 127.0.0.2",
        "RevokedHostKeys /x",
        "KnownHostsCommand /bin/true",
        "BindInterface lo",
        "PKCS11Provider /x.so",
        "CheckHostIP yes",
        "PubkeyAuthentication no",
        "PreferredAuthentications password,keyboard-interactive",
    ],
)
@pytest.mark.case("F37", "F38")
def test_what_would_change_the_way_or_the_trust_is_refused_not_ignored(
    tmp_path: Path, option: str
) -> None:
    error = refusal(tmp_path, f"Host web\n {option}\n")
    assert option.split()[0] in error.cause
    assert "road: openssh" in error.cure


LISTS = """Ciphers aes256-ctr
MACs hmac-sha2-256
KexAlgorithms curve25519-sha256
HostKeyAlgorithms -ssh-ed25519*
PubkeyAcceptedAlgorithms rsa-sha2-512
RequiredRSASize 2048
"""


@pytest.mark.case("F38")
def test_the_algorithms_that_ssh_s_configuration_restricts_are_those_of_each_hop(
    tmp_path: Path,
) -> None:
    found = hop(tmp_path, LISTS)
    allowed = dict(found.allowed)
    assert found.rsa_bits == 2048
    assert {kind: allowed[kind] for kind in ("ciphers", "macs", "kex", "pubkeys")} == {
        "ciphers": {"aes256-ctr"},
        "macs": {"hmac-sha2-256"},
        "kex": {"curve25519-sha256"},
        "pubkeys": {"rsa-sha2-512"},
    }
    assert "rsa-sha2-512" in allowed["keys"]
    assert "ssh-ed25519" not in allowed["keys"]


@pytest.mark.case("F38")
def test_what_ssh_does_by_itself_restricts_nothing_and_loose_settings_loosen_nothing(
    tmp_path: Path,
) -> None:
    loose = "StrictHostKeyChecking no\nVerifyHostKeyDNS yes\nNoHostAuthenticationForLocalhost yes\n"
    more = "PasswordAuthentication yes\nAddKeysToAgent yes\nForwardAgent yes\nUpdateHostKeys yes\n"
    assert hop(tmp_path, loose + more) == hop(tmp_path, "")
    assert hop(tmp_path, "").allowed == ()


@pytest.mark.case("F38")
def test_a_configuration_that_ssh_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    error = refusal(tmp_path, "Host web\n NoSuchOption yes\n")
    assert "terminating" in error.cause


@pytest.mark.parametrize("path", ["/keys/%C", "/keys/%L"])
@pytest.mark.case("F38")
def test_a_token_we_do_not_know_is_refused(tmp_path: Path, path: str) -> None:
    assert "%" in refusal(tmp_path, f"Host web\n IdentityFile {path}\n").cause


@pytest.mark.parametrize("bad", ["a;touch x", "-oProxyCommand=x", "$(x)", "a b", "user@host", "ü"])
@pytest.mark.case("H24")
def test_a_bad_name_never_reaches_ssh(tmp_path: Path, bad: str) -> None:
    marker = tmp_path / "ran"
    config = f'Match exec "echo %n >> {marker}"\n User x\n'
    refusal(tmp_path, config, address=bad)
    refusal(tmp_path, config, user=bad)
    assert not marker.exists()
    refusal(tmp_path, config, jump=[bad.replace("@", "@@")])
    assert marker.read_text() == "web\n"


@pytest.mark.parametrize("name", ["::1", "fe80::1%eth0", "127.0.0.1", "web_1.example.org", "1a"])
def test_usual_names_and_addresses_pass(tmp_path: Path, name: str) -> None:
    assert hop(tmp_path, "", address=name).address == name


def test_where_there_is_no_ssh_the_inventory_alone_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = hop(tmp_path, "Host web\n Port 9\n", user="deploy", known_hosts=["/kh"], key="/k")
    assert (found.address, found.port, found.user) == ("web", 22, "deploy")
    assert (found.keys, found.known_hosts) == ((Path("/k"),), (Path("/kh"),))


def asked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real ssh, behind a program that counts how often it is started."""
    count, real = tmp_path / "count", shutil.which("ssh")
    (tmp_path / "bin").mkdir()
    counting = tmp_path / "bin/ssh"
    counting.write_text(f'#!/bin/sh\necho >> {count}\nexec {real} "$@"\n')
    counting.chmod(0o755)
    monkeypatch.setenv("PATH", f"{counting.parent}:{os.environ['PATH']}")
    return count


NAMES = ("web", "WEB-2.Example", "10.0.0.7", "127.1", "::1", "1a", "a.", "localhost", "0x7f.1")


@pytest.mark.parametrize(
    ("config", "alike"),
    [
        ("", True),
        ("# Host web\nUser x\nHost *\n\tPort 9\n IdentityFile /k\nSendEnv LANG LC_*\n", True),
        ("Match all\n User x\n", False),
        ("Host web\n User x\n", False),
        ("Host=web\n User x\n", False),
        ('"Host" web\n User x\n', False),
        ("HOST * !web\n User x\n", False),
        ("HostName %h\n", False),
        ("hostname=one\n", False),
        ("Host *\n ProxyJump none\n", False),
        ("IdentityFile /keys/%h\n", False),
        ("Include @/m*\n", False),
    ],
)
@pytest.mark.case("F38")
def test_one_ssh_answers_for_a_fleet_where_its_files_tell_no_names_apart_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, alike: bool
) -> None:
    (tmp_path / "more").write_text("Host web\n User included\n")
    (tmp_path / "config").write_text(config.replace("@", str(tmp_path)))
    targets = [Target(name=name, road="ssh") for name in (NAMES if alike else NAMES[:3])]
    ports = range(2200, 2206 if alike else 2202)
    targets += [Target(name="web", road="ssh", user="ops", port=n) for n in ports]
    alone = [Resolver(tmp_path / "config", "").route(target) for target in targets]

    count = asked_through(tmp_path, monkeypatch)
    shared = Resolver(tmp_path / "config", "")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(shared.route, targets)) == alone
    started = len(count.read_text())
    assert started < 9 if alike else started >= len(targets)


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Path]:
    """A configuration whose command never ends; `pid` beside it gets its process."""
    config = tmp_path / "hanging"
    config.write_text(f'Match exec "echo $$ > {tmp_path}/pid; exec sleep 600"\n User x\n')
    yield config
    started = (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""
    assert not started or gone(int(started)), "the command of Match exec was left behind"


def gone(pid: int) -> bool:
    """Whether the process has ended, or does so in a moment; who has to bury it may be anybody."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def roads(config: Path) -> list[Ssh | OpenSsh]:
    target = Target(name="127.0.0.1", port=9, road="ssh")
    return [Ssh(target, Credentials(ssh_config=config, agent="")), OpenSsh(target, config=config)]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.case("F38")
def test_what_ssh_s_configuration_runs_ends_with_the_host_s_time(
    hanging: Path, number: int
) -> None:
    with pytest.raises(MachineError) as caught:
        roads(hanging)[number].ask(Questions((), "x", "n"), Limits(deadline=1.5))
    error = caught.value
    assert (error.state, error.stage) == ("timeout", "config")
    assert "did not answer within" in error.cause
    assert "Match exec" in error.cure


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.case("F38", "D05")
def test_what_ssh_s_configuration_runs_ends_on_request(hanging: Path, number: int) -> None:
    road = roads(hanging)[number]

    def stop() -> None:
        while not (hanging.with_name("pid").exists() and hanging.with_name("pid").read_text()):
            time.sleep(0.01)
        road.credentials.close_all() if isinstance(road, Ssh) else road.close()

    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(stop)
        with pytest.raises(MachineError) as caught:
            road.ask(Questions((), "x", "n"), Limits())
        stopped.result()
    assert (caught.value.state, caught.value.stage) == ("interrupted", "config")
