"""Bad input ends with exit code 2 and says what, where and what to do, before any connection."""

import json
import os
import socket

import paramiko
import pytest

from driftscan import store
from tests.made import fingerprint
from tests.sshd import Raw


@pytest.fixture
def listening():
    """A server that no bad input may reach."""
    with Raw(lambda sock, over: None) as server:
        yield server
    assert server.connections == 0


HOST = "{{address: 127.0.0.1, port: {port}}}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hosts: {{a: HOST", "inventory.yml:2:1: not YAML ("),
        ("hosts:\n  a: HOST\n  a: HOST\n", "inventory.yml:3:3: 'a' stands here a second time"),
        ("hosts:\n  a: HOST\n  b: {{prt: 2}}\n", "inventory.yml:3:7: unknown key 'prt'"),
        ("hosts:\n  -oProxyCommand=x: HOST\n", "inventory.yml:2:3: '-oProxyCommand=x' cannot be"),
        ("hosts:\n  a;id: HOST\n", "inventory.yml:2:3: 'a;id' cannot be a name"),
        ("hosts: {{}}\n", "inventory.yml:1:8: no host in `hosts:`"),
    ],
)
@pytest.mark.parametrize("command", ["scan", "check", "compare"])
def test_a_wrong_inventory_is_named_with_its_line(driftscan, work, listening, command, text, told):
    (work / "inventory.yml").write_text(text.replace("HOST", HOST).format(port=listening.port))
    words = ("a", "a") if command == "compare" else ()

    done = driftscan(command, *words)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"driftscan: {told}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("check", "--limit", "x*"), "--limit 'x*' matches no host of inventory.yml"),
        (("scan", "--limit", "a,!a"), "no host is selected"),
        (("check", "b"), "'b' is not in the inventory inventory.yml"),
        (("check", "a"), "a has no baseline: give its group a `baseline:` in inventory.yml"),
        (("check", "a", "--limit", "a"), "give TARGETs or --limit, not both"),
        (("check", "--baseline", "baseline://web"), "no such baseline of inventory.yml"),
        (("check", "--baseline", "./gone.json"), "gone.json: cannot be read: No such file"),
        (("check", "--baseline", "baseline://./gone"), "gone: no such folder of a baseline"),
        (("compare", "a", "."), "'.' is not in the inventory"),
        (("compare", "a", "./"), ".: is a folder: write baseline://."),
        (("compare", "a", "rootfs://"), "write it like rootfs:///mnt"),
        (("scan", "a", "local://"), "2 targets: say with -o DIR where their files go"),
        (("scan", "-o", "no/such/folder"), "no/such/folder: cannot be made: No such file"),
        (("scan", "-i", "gone.yml"), "gone.yml: cannot be read: No such file"),
        (("scan", "docker://x", "--engine", "/bin/false"), "no container engine answers"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_told_before_anything_is_asked(driftscan, work, listening, words, told):
    (work / "inventory.yml").write_text(
        f"hosts: {{a: {{address: 127.0.0.1, port: {listening.port}}}}}"
    )
    done = driftscan(*words)
    assert (done.code, done.out) == (2, ""), done.err
    assert told in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("chekc",), "no such command 'chekc', did you mean 'check'?"),
        (("check", "--fail-on", "low"), "'low' is not one of 'breaks', 'in-use', 'installed'"),
        (("check", "-o", "html=x"), "'html=x' is not one of text=PATH, json=PATH"),
        (("check", "-o", "json"), "'json' is not one of text=PATH, json=PATH"),
        (("check", "-o", "json=no/where"), "the folder 'no' is not there"),
        (("check", "--deadline", "0"), "0.0 is not in the range"),
        (("check", "--symptom", "fix"), "'fix' is too short to look for in changelogs"),
        (("compare", "x"), "Missing argument 'REFERENCE'"),
        (("baseline", "build", ".", "--build-arg", "X"), "write it like BASE=debian:bookworm"),
    ],
)
def test_wrong_usage_is_told_with_the_way_to_help(driftscan, words, told):
    done = driftscan(*words)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert "Try 'driftscan" in done.err


def test_no_inventory_at_all_tells_how_to_name_one(driftscan):
    for words in (("scan",), ("check",), ("inventory",), ("baseline", "list")):
        done = driftscan(*words)
        assert done.code == 2
        assert done.err.startswith("driftscan: there is no inventory: name one with -i FILE")


@pytest.mark.case("D08")
def test_a_fingerprint_that_is_cut_short_or_newer_is_named(driftscan, work, machine):
    good = machine("good", curl="1")
    whole = store.encode(fingerprint("x", curl="1"))
    (work / "cut.json").write_bytes(whole[: len(whole) // 2])
    (work / "newer.json").write_bytes(whole.replace(b'"schema": 1', b'"schema": 2'))

    cut = driftscan("compare", good, "cut.json")
    newer = driftscan("compare", "newer.json", good)

    assert (cut.code, newer.code) == (2, 2)
    assert cut.err.startswith("driftscan: cut.json: cut short after")
    assert newer.err.startswith("driftscan: newer.json: written by a newer driftscan (schema 2")


def test_a_baseline_that_was_never_built_tells_the_command_that_builds_it(driftscan, work):
    (work / "web").mkdir()
    (work / "inventory.yml").write_text(
        "groups: {web: {baseline: web, hosts: [a]}}\nhosts: {a: {road: local}}\n"
    )
    done = driftscan("check")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "driftscan: web/baseline.json is not there: make it with `driftscan baseline build web`\n"
    )


@pytest.mark.case("H39", "H40")
def test_host_text_in_a_mistake_cannot_reach_the_terminal_or_forge_a_line(driftscan, work):
    done = driftscan("scan", "a\x1b]52;c;x\x07\ndriftscan: all is well")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert done.err.rstrip("\n").isprintable()


def test_a_closed_port_is_a_result_and_no_mistake_of_the_user(driftscan, work, machine):
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    (work / "inventory.yml").write_text(
        f"hosts: {{a: {{address: 127.0.0.1, port: {port}, known_hosts: {os.devnull}, key: key}}}}"
    )
    paramiko.ECDSAKey.generate().write_private_key_file(str(work / "key"))
    done = driftscan("compare", "a", machine("b", curl="1"))
    assert (done.code, done.err) == (3, "")
    assert "a was not compared: unreachable" in done.out


HOSTILE_NAMES = ("-oProxyCommand=touch made", "a;touch made", "$(touch made)", "`touch made`")


@pytest.mark.case("H24")
@pytest.mark.parametrize("road", ["ssh", "openssh"])
@pytest.mark.parametrize("field", ["address", "user", "jump", "container"])
def test_shell_text_and_options_in_an_inventory_run_nothing(driftscan, work, road, field):
    key = work / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    for value in (*HOSTILE_NAMES, "a\ntouch made"):
        fields = {"address": "127.0.0.1", "port": 1, "road": road, "key": str(key)}
        fields |= {field: value} if field != "container" else {"engine": "docker", field: value}
        (work / "inventory.yml").write_text(json.dumps({"hosts": {"a": fields}}))
        done = driftscan("scan", "a", "--deadline", "5")
        assert done.code in (2, 3), "refused in the inventory, or before anything is started"
        assert done.out == ""
        assert "connection refused" not in done.err.lower(), (value, done.err)
        assert sorted(path.name for path in work.iterdir()) == ["inventory.yml", "key"]
