"""The accounts probe against getent, id, sudo, sshd -T, ssh-keygen and passwd on that machine."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import sanitize
from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Partial
from driftscan.probes import accounts
from tests.probes.conftest import read_captured
from tests.probes.texts import answer


@pytest.fixture
def told(oracle):
    """The oracle's lines that begin with a word."""
    lines = oracle("accounts", "furnished")
    return lambda word: [line[len(word) + 1 :] for line in lines if line.startswith(word + " ")]


@pytest.fixture
def sections(captured):
    return accounts.parse(captured("accounts", "furnished"))


def test_users_are_those_of_getent(sections, told):
    rows = [line.split(":") for line in told("passwd")]
    items = sections["users"].items
    assert set(items) == {row[0] for row in rows}
    for name, _, uid, _, _, home, shell in rows:
        assert (items[name]["home"], items[name]["shell"]) == (home, shell)
        assert items[name].get("uid", uid) == uid
        assert ("uid" in items[name]) == (not 100 <= int(uid) <= 999)


def test_groups_of_a_user_are_those_of_id(sections, told):
    for line in told("groups"):
        name, *groups = line.split(" ")
        item = sections["users"].items[name]
        assert {item["group"], *item["groups"]} == set(groups)


def test_whether_a_password_is_set_is_what_passwd_says(sections, told):
    states = {"P": "set", "L": "locked", "NP": "none"}
    expected = {name: states[state] for name, state in map(str.split, told("state"))}
    found = sections["user-states"].items
    assert {name: item["password"] for name, item in found.items()} == expected


def test_no_hash_and_no_key_leaves_the_host():
    text = read_captured("furnished", "accounts")
    assert b"$y$" not in text
    assert b"$6$" not in text
    assert b"PRIVATE" not in text


def test_the_rules_of_sudo_are_those_that_sudo_lists(sections, told):
    listed = [line.strip() for line in told("sudo") if line.strip().startswith("(")]
    items = sections["sudo"].items
    assert "(ALL) NOPASSWD: /usr/bin/systemctl restart app" in listed
    assert items["ann ALL=(ALL) [no password] /usr/bin/systemctl restart app"] == {"kind": "rule"}
    assert "(root) /usr/bin/id" in listed
    assert items["%www-data ALL=(root) /usr/bin/id"] == {"kind": "rule"}
    assert items['Defaults env_keep += "PROXY"'] == {"kind": "default"}
    files = sections["sudo-files"].items
    assert files["%www-data ALL=(root) /usr/bin/id"] == {"file": "/etc/sudoers.d/app"}


def test_the_settings_of_sshd_are_those_it_runs_with(sections, told):
    for word, prefix in (("sshd", ""), ("ann", "match User ann|")):
        runs = dict(line.split(" ", 1) for line in told(word))
        items = sections["sshd"].items
        own = {key: item for key, item in items.items() if key.startswith(prefix)}
        own = {key.removeprefix(prefix): item for key, item in own.items()}
        single = {key: item["values"][0] for key, item in own.items() if "|" not in key}
        single.pop("acceptenv", None)
        assert single
        assert {key: runs[key] for key in single} == single


def test_settings_of_other_machines_are_read(fixtures):
    folder = fixtures / "jc" / "tests" / "fixtures" / "generic"
    expected = json.loads((folder / "sshd-T.json").read_text())
    lines = (folder / "sshd-T.out").read_text().splitlines()
    items = accounts.parse(answer({"/etc/ssh/sshd_config": lines}))["sshd"].items
    parts = ("_command", "_full", "_rate", "_time", "_strategy")  # jc takes some values apart
    assert set(items) == {name for name in expected if not name.endswith(parts)}
    assert items["port"]["values"] == list(map(str, expected["port"]))


def test_keys_are_told_by_the_fingerprint_of_ssh_keygen(sections, told):
    fingerprints = {line.split(" ")[1] for line in told("key")}
    assert {key.partition("|")[2] for key in sections["authorized-keys"].items} == fingerprints
    (item,) = sections["authorized-keys"].items.values()
    assert item == {"type": "ssh-ed25519", "options": ["command", "no-pty"]}


def test_an_account_without_privileges_is_told_what_it_may_not_know(captured):
    sections = accounts.parse(captured("accounts", "furnished-nobody"))
    assert isinstance(sections["sudo"], Denied)
    assert isinstance(sections["user-states"], Denied)
    assert sections["authorized-keys"] == Partial(
        items={}, gaps=["/home/ann/.ssh/authorized_keys: denied", "/root: denied"]
    )
    assert isinstance(sections["users"], Collected)


def test_a_configuration_of_sshd_that_includes_itself_ends_and_is_told_as_partial():
    path = "/etc/ssh/sshd_config"
    section = accounts.parse(answer({path: ["Port 22", *[f"Include {path}"] * 1000]}))["sshd"]
    assert set(section.items) == {"port"}
    assert section.gaps == [f"{path}: it includes more than 200 files"]


def test_a_secret_in_a_rule_of_sudo_is_redacted():
    rule = "ann ALL=(ALL) NOPASSWD: /bin/job --password hunter2"
    section = accounts.parse(answer({"/etc/sudoers": [rule]}))["sudo"]
    assert "hunter2" not in str(sanitize.clean(section))


def test_rules_with_and_without_password_stay_apart_when_secrets_are_redacted():
    rules = ["a ALL=(ALL) NOPASSWD: ALL", "a ALL=(ALL) NOPASSWD:/bin/id, PASSWD: /bin/sh"]
    section = sanitize.clean(accounts.parse(answer({"/etc/sudoers": rules}))["sudo"])
    assert list(section.items) == [
        "a ALL=(ALL) [no password] ALL",
        "a ALL=(ALL) [no password] /bin/id, [password] /bin/sh",
    ]


def test_comments_continuations_and_files_that_sudo_passes_over():
    files = {
        "/etc/sudoers": ["# no", "#1000 ALL=ALL # a user id", "a ALL= \\", "  b", "@includedir /x"],
        "/etc/sudoers.d/x.bak": ["c ALL=ALL"],
        "/etc/sudoers.d/y~": ["d ALL=ALL"],
    }
    section = accounts.parse(answer(files))["sudo"]
    assert set(section.items) == {"#1000 ALL=ALL", "a ALL= b"}


def test_a_machine_without_sudo_has_none():
    assert accounts.parse(answer())["sudo"] == Absent()


def test_lines_of_nis_are_passed_over():
    files = {"/etc/passwd": ["root:x:0:0::/root:/bin/sh", "+::::::"], "/etc/group": ["+:::"]}
    sections = accounts.parse(answer(files))
    assert set(sections["users"].items) == {"root"}
    assert sections["groups"].items == {}


def test_an_unknown_answer_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        accounts.parse(answer(states=["nonsense"]))


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)
ETC = [f"/etc/{name}" for name in ("passwd", "group", "sudoers", "ssh/sshd_config")]
PATHS = st.sampled_from([*ETC, "/root/.ssh/authorized_keys"])


@given(st.dictionaries(PATHS | TEXT, st.lists(TEXT | TEXT.map("{} ssh-rsa A".format), max_size=4)))
def test_whatever_a_host_says_only_parse_errors_escape(files):
    try:
        sections = accounts.parse(answer(files))
    except ParseError:
        return
    assert set(sections) == {about.name for about in accounts.GIVES}
