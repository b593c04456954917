"""Inventories of Ansible: INI, YAML, JSON, directories, group_vars; what is told, not guessed."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import InputError
from driftscan.inventory import loading, yaml_lines


@pytest.fixture
def write(tmp_path, monkeypatch):
    """`write(hosts="[web]...", **{"group_vars/web.yml": "..."})`; works in that folder."""
    monkeypatch.chdir(tmp_path)

    def files(**texts):
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return files


def settings(target):
    """What of a target is not as it is by itself."""
    plain = {"name", "groups", "road"}
    return {
        key: getattr(target, key)
        for key in target.__struct_fields__
        if key not in plain and getattr(target, key)
    }


INI = """\
lone:2200
[web]
web[01:03].example.org ansible_user=deploy
[db]
db-a ansible_host=10.0.0.9 ansible_port=2222 # by hand
[web:vars]
ansible_become = yes
ansible_user=ops
[site:children]
web
db
[site:vars]
ansible_ssh_private_key_file="/keys/site"
"""


def test_an_ini_file_gives_hosts_groups_and_what_each_host_gets(write):
    write(hosts=INI)
    found = loading.load("hosts")
    assert list(found.hosts) == [
        "lone",
        *(f"web0{n}.example.org" for n in (1, 2, 3)),
        "db-a",
    ]
    assert settings(found.hosts["lone"]) == {"address": "lone", "port": 2200}
    assert settings(found.hosts["web02.example.org"]) == {
        "address": "web02.example.org",
        "user": "deploy",
        "key": "/keys/site",
        "become": True,
    }
    assert settings(found.hosts["db-a"])["address"] == "10.0.0.9"
    assert found.hosts["db-a"].groups == ["site", "db"]
    assert found.groups["site"].hosts == (*found.groups["web"].hosts, "db-a")
    assert found.groups["ungrouped"].hosts == ("lone",)


YAML = """\
all:
  vars: &shared {ansible_user: ops}
  children:
    web:
      hosts:
        web-[a:b]: {ansible_port: 2201}
      vars: {<<: *shared, ansible_connection: ansible.builtin.ssh}
    boxes:
      hosts:
        box: {ansible_connection: community.docker.docker, ansible_host: box-1}
        here: {ansible_connection: local}
"""


def test_a_yaml_file_with_anchors_gives_the_same(write):
    write(**{"site.yml": YAML})
    found = loading.load("site.yml")
    assert settings(found.hosts["web-b"]) == {"address": "web-b", "user": "ops", "port": 2201}
    assert (found.hosts["box"].road, found.hosts["box"].container) == ("docker", "box-1")
    assert found.hosts["here"].road == "local"


def test_files_of_variables_win_over_the_inventory_and_hosts_over_groups(write):
    write(
        hosts="[web]\nw1\nw2 ansible_user=own\n[web:vars]\nansible_user=ini\nansible_port=1\n",
        **{
            "group_vars/all.yml": "ansible_port: 2\nansible_become: true\n",
            "group_vars/web/one.yml": "ansible_user: folder\nother: [1, 2]\n",
            "host_vars/w1": "ansible_port: 3\n",
        },
    )
    hosts = loading.load("hosts").hosts
    assert settings(hosts["w1"]) == {
        "address": "w1",
        "user": "folder",
        "port": 3,
        "become": True,
    }
    assert (hosts["w2"].user, hosts["w2"].port) == ("own", 2)


def test_a_directory_is_all_the_inventories_in_it(write):
    write(
        **{
            "inv/1.ini": "[web]\nw1\n",
            "inv/2.yml": "web: {hosts: {w2: }}\n",
            "inv/notes.md": "no [inventory",
            "inv/.hidden": "[",
            "inv/group_vars/web.yml": "ansible_user: ops\n",
        }
    )
    found = loading.load("inv")
    assert found.groups["web"].hosts == ("w1", "w2")
    assert {target.user for target in found.hosts.values()} == {"ops"}


def test_the_output_of_ansible_inventory_is_an_inventory(write, monkeypatch):
    text = '{"_meta": {"hostvars": {"a": {"ansible_port": 22, "ansible_become": true}}},'
    text += ' "all": {"children": ["web"]}, "web": {"hosts": ["a"]}}'
    write(**{"listed.json": text})
    found = loading.load("listed.json")
    assert settings(found.hosts["a"]) == {"address": "a", "port": 22, "become": True}


def test_ours_is_told_from_ansibles(write):
    write(**{"a.yml": "hosts: {a: {address: x}}\n", "b": "hosts: {a: {address: x}}\n"})
    assert loading.load("a.yml").hosts["a"].address == "x"
    assert loading.load("b").hosts["a"].address == "x"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("ansible_ssh_common_args='-J ops@bastion:2222,b2'", {"jump": ["ops@bastion:2222", "b2"]}),
        ("ansible_ssh_common_args='-o ProxyJump=bastion'", {"jump": ["bastion"]}),
        (
            "ansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p -q -p 22 ops@bastion\"'",
            {"jump": ["ops@bastion:22"]},
        ),
        ("ansible_ssh_extra_args='-i /k -p 7 -l me'", {"key": "/k", "port": 7, "user": "me"}),
        ("ansible_ssh_args='-C -o ControlMaster=auto -o ControlPersist=60s'", {}),
        ("ansible_ssh_host=1.2.3.4 ansible_ssh_port=9", {"address": "1.2.3.4", "port": 9}),
        ("ansible_host=fe80::1", {"address": "fe80::1"}),
        ("driftscan_profile=container", {"profile": "container"}),
    ],
)
def test_arguments_of_ssh_are_settings(write, words, told):
    write(hosts=f"h {words}\n")
    found = loading.load("hosts")
    assert settings(found.hosts["h"]) == {"address": "h", **told}
    assert found.notes == ()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("ansible_host='{{ address }}'", "ansible_host is the template '{{ address }}'"),
        ("ansible_connection=winrm", "the connection 'winrm' is none of ssh, local"),
        ("ansible_host='-oProxyCommand=x'", "'-oProxyCommand=x' cannot be address"),
        ("ansible_user='a b'", "'a b' cannot be user"),
        ("ansible_port=70000", "'70000' cannot be a port"),
        ("driftscan_profile=vm", "'vm' cannot be a profile: write host, container, none"),
        ("ansible_become=maybe", "ansible_become is 'maybe'"),
        ("ansible_ssh_common_args='-J $(reboot)'", "'$(reboot)' cannot be a jump host"),
        ("ansible_ssh_common_args='-o ProxyCommand=nc'", "ProxyCommand 'nc' is not understood"),
    ],
)
def test_a_host_whose_way_is_not_plain_is_never_asked_on_a_guess(write, words, why):
    write(hosts=f"plain\nh {words}\n")
    found = loading.load("hosts")
    assert found.hosts["h"].unusable.startswith("hosts:2: ")
    assert why in found.hosts["h"].unusable
    assert found.hosts["plain"].unusable == ""


def test_a_value_in_a_vault_is_told_and_not_guessed(write):
    write(
        hosts="h\n",
        **{"host_vars/h.yml": "ansible_user: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"},
    )
    why = loading.load("hosts").hosts["h"].unusable
    assert why == (
        "host_vars/h.yml:1:1: ansible_user is not known: it is encrypted with ansible-vault,"
        " which is not opened"
    )


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ("ansible_password=x", "hosts:1: ansible_password is not used: only keys are"),
        (
            "ansible_become_method=doas",
            "hosts:1: ansible_become_method 'doas' is not used: sudo is",
        ),
        (
            "ansible_ssh_args='-o StrictHostKeyChecking=no'",
            "hosts:1: -o 'StrictHostKeyChecking=no' of ssh is not used",
        ),
    ],
)
def test_what_is_not_used_is_told(write, words, note):
    write(hosts=f"h {words}\n")
    assert loading.load("hosts").notes == (note,)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("hosts", "h port=1 x\n", "hosts:1: expected name=value after the host, got 'x'"),
        ("hosts", "[a]\nh 'x\n", "hosts:2: a quote is not closed"),
        ("hosts", "[a:b]\n", "hosts:1: '[a:b]' is none of [GROUP], [GROUP:children]"),
        ("hosts", "[a:children]\nb\n", "hosts:2: group 'b' is in no [b]: add one"),
        ("hosts", "[a:vars]\nx=1\n", "hosts:1: group 'a' is in no [a]: add one"),
        ("hosts", "h[3:1]\n", "hosts:1: 'h[3:1]' has a range that ends before it begins"),
        ("hosts", "h[1:999999999]\n", "hosts:1: 'h[1:999999999]' stands for more than 100000"),
        (
            "hosts",
            "[a]\nh\n[a:children]\nb\n[b:children]\na\n",
            "hosts: group 'a' is within itself",
        ),
        ("hosts", "# nothing\n", "hosts:1:1: the file is empty"),
        ("hosts", "[a]\n", "hosts: no host in it: name at least one"),
        ("hosts", "#!/bin/sh\n", "hosts: a script, which is not run"),
        ("h.toml", "[web]\nhosts = {}\n", "h.toml: TOML is not read: save what `ansible-inventory"),
        ("site.yml", "- hosts: web\n  roles: [x]\n", "site.yml: a playbook of Ansible's: name the"),
        ("c.yml", "plugin: aws_ec2\n", "c.yml: configures a plugin of Ansible, which is not run"),
        ("h.yml", "web: {hosts: [a]}\n", "h.yml:1:14: expected a mapping, got a list"),
        ("h.json", "{", "h.json: not what `ansible-inventory --list` prints"),
        ("h.json", '{"a": 5}', "h.json: 'a' is no group of `ansible-inventory --list`"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line(write, name, text, told):
    write(**{name: text})
    with pytest.raises(InputError) as error:
        loading.load(name)
    assert str(error.value).startswith(told)


def test_a_script_is_not_run(write, tmp_path):
    write(hosts="touch ran\n")
    (tmp_path / "hosts").chmod(0o755)
    with pytest.raises(InputError, match="a script, which is not run"):
        loading.load("hosts")
    assert not (tmp_path / "ran").exists()


def test_a_few_aliases_cannot_stand_for_billions():
    text = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    with pytest.raises(InputError, match="more than 200000 values"):
        yaml_lines.read_leniently(text, "bomb.yml")


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)
KNOWN = st.sampled_from(
    ["[a]", "[b:children]", "[a:vars]", "a", "h[1:3] ansible_host=x", "ansible_port=1", "x=y"]
)


@given(
    st.lists(LINE | KNOWN, max_size=12).map("\n".join), st.sampled_from(["i", "i.yml", "i.json"])
)
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(tmp_path_factory, text, name):
    path = tmp_path_factory.mktemp("inventory") / name
    path.write_text(text, encoding="utf-8")
    try:
        found = loading.load(str(path))
    except InputError:
        return
    for target in found.hosts.values():
        assert target.unusable or not target.address.startswith("-")


def test_our_own_form_may_be_written_as_json(tmp_path):
    path = tmp_path / "inventory.yml"
    path.write_text('{"defaults": {"user": "ops"}, "hosts": {"a": {"address": "127.0.0.1"}}}')
    assert [(h.name, h.user) for h in loading.load(str(path)).hosts.values()] == [("a", "ops")]


def test_an_empty_standard_input_is_told_as_such(monkeypatch):
    for data in (b"", b"\n \n"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(InputError, match="standard input: nothing came"):
            loading.load("-")
