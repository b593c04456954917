"""The native inventory: what it makes of good files, and how it names every mistake in bad ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import InputError
from driftscan.inventory import native, yaml_lines
from driftscan.inventory.contract import Group
from driftscan.model import Target
from driftscan.policy import accept_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(tmp_path, monkeypatch):
    """`load(text)`: the inventory in `inventory.yml` of the working directory."""
    monkeypatch.chdir(tmp_path)

    def load(text):
        data = text if isinstance(text, bytes) else text.encode()
        Path("inventory.yml").write_bytes(data)
        return native.load(Path("inventory.yml"))

    return load


@pytest.fixture
def refusal(load):
    """`refusal(text)`: the lines of the error."""

    def refusal(text):
        with pytest.raises(InputError) as error:
            load(text)
        return str(error.value).split("\n")

    return refusal


def test_a_host_gets_its_defaults_then_its_group_s_variables_then_its_own(load):
    found = load("""
defaults: {user: deploy, key: keys/id, known_hosts: known_hosts, port: 22}
groups:
  web: {baseline: images/web, hosts: [web-a, web-b], vars: {port: 2200, become: true}}
hosts:
  web-a: {address: 10.0.0.7, port: 2201, known_hosts: [a, b], jump: bastion}
  web-b:
  db: {become: no, host_key_alias: db.example.org, jump: [ops@b1:22, '[::1]:2022']}
""")
    shared = {"road": "ssh", "user": "deploy", "key": "keys/id", "known_hosts": ["known_hosts"]}
    web = {**shared, "groups": ["web"], "become": True, "baseline": "images/web"}
    assert found.hosts == {
        "web-a": Target(
            name="web-a",
            **{**web, "known_hosts": ["a", "b"]},
            address="10.0.0.7",
            port=2201,
            jump=["bastion"],
        ),
        "web-b": Target(name="web-b", **web, address="web-b", port=2200),
        "db": Target(
            name="db",
            **shared,
            address="db",
            port=22,
            host_key_alias="db.example.org",
            jump=["ops@b1:22", "[::1]:2022"],
        ),
    }
    assert found.groups == {"web": Group(("web-a", "web-b"), "images/web")}
    assert found.path == "inventory.yml"


def test_paths_are_relative_to_the_inventory_and_short_unless_a_link_is_in_them(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    text = "defaults: {key: ../id, known_hosts: [~/kh, /etc/kh]}\nhosts: {a: }\n"
    for folder in ("deep", "link"):
        (tmp_path / folder / "i.yml").write_text(text)

    straight = native.load(tmp_path / "deep" / "i.yml").hosts["a"]
    linked = native.load(tmp_path / "link" / "i.yml").hosts["a"]

    assert straight.key == str(tmp_path / "id")
    assert straight.known_hosts == [str(Path("~/kh").expanduser()), "/etc/kh"]
    assert linked.key == str(tmp_path / "link" / ".." / "id")


def test_a_host_may_be_a_container_or_this_machine(load):
    hosts = load(
        "hosts: {here: {road: local}, c1: {road: docker}, c2: {road: podman, container: x}}"
    )
    assert [(t.road, t.address, t.container) for t in hosts.hosts.values()] == [
        ("local", "", ""),
        ("docker", "", "c1"),
        ("podman", "", "x"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hosts: {a: {port: 'x'}}", "1:19: a port must be a number, got 'x'"),
        ("hosts: {a: {port: 022}}", "1:19: a port must be a number, got '022'"),
        ("hosts: {a: {port: 70000}}", "1:19: '70000' cannot be a port: use 1 to 65535"),
        ("hosts: {a: {user: no}}", "1:19: a user must be a text, got 'no' (true or false to YAML)"),
        ("hosts: {a: {user: 1.10}}", "1:19: a user must be a text, got '1.10': quote it, '1.10'"),
        ("hosts: {a: {become: 'yes'}}", "1:21: become must be true or false, got 'yes'"),
        ("hosts: {a: {become: }}", "1:21: become must be true or false, got nothing"),
        ("hosts: {a: {address: [1]}}", "1:22: an address must be a text, got a list"),
        ("hosts: {a: {prt: 22}}", "1:13: unknown key 'prt' of a host, did you mean 'port'?"),
        ("hosts: {a: {tint: red}}", "1:13: unknown key 'tint' of a host: known are"),
        ("host: {a: }", "1:1: unknown key 'host' in an inventory, did you mean 'hosts'?"),
        ("hosts: {a: }\ngroups: {web: {members: [a]}}", "2:16: unknown key 'members' in a group"),
        ("hosts: {a: }\ngroups: {web: {hosts: [b]}}", "2:24: unknown host 'b'"),
        ("hosts: {web-a: }\ngroups: {web: {hosts: [web-aa]}}", "2:24: unknown host 'web-aa', did"),
        ("hosts: {a: }\ngroups: {web: {hosts: [a, a]}}", "2:27: 'a' stands twice in this group"),
        ("hosts: {a: }\ngroups: {a: {hosts: [a]}}", "2:10: 'a' names a group and a host"),
        ("hosts:\n  a: {}\n  a: {}", "3:3: 'a' stands here a second time, first in line 2"),
        ("hosts: {a: {port: 1, port: 2}}", "1:22: 'port' stands here a second time"),
        (
            "groups: {g: {profile: vm, hosts: [a]}}\nhosts: {a: }",
            "1:23: 'vm' cannot be a profile: write it like host, container or none",
        ),
        ("hosts: {a: {profile: [host]}}", "1:22: a profile must be a text, got a list"),
        (
            "groups: {g: {profile: host, hosts: [a]}, h: {profile: none, hosts: a}}\nhosts: {a: }",
            "2:12: 'a' gets profile 'host' from group 'g' and 'none' from 'h': set profile on the"
            " host",
        ),
        ("hosts: {-oProxyCommand=x: }", "1:9: '-oProxyCommand=x' cannot be a name"),
        ("hosts: {'a;id': }", "1:9: 'a;id' cannot be a name"),
        ("hosts: {'$(id)': }", "1:9: '$(id)' cannot be a name"),
        ("hosts: {'a b': }", "1:9: 'a b' cannot be a name"),
        ('hosts: {"a\\nb": }', "1:9: 'a\\nb' cannot be a name"),
        ("hosts: {../x: }", "1:9: '../x' cannot be a name"),
        ("hosts: {all: }", "1:9: 'all' cannot be a name"),
        ("hosts: {x.json: }", "1:9: 'x.json' cannot be a name"),
        ("hosts: {no: }", "1:9: a key must be a text, not true or false: quote it, 'no'"),
        ("hosts: {1: }", "1:9: a key must be a text, not a number: quote it, '1'"),
        ("hosts: {[a]: }", "1:9: a key must be a text, not a list"),
        ("hosts: {a: {address: -x}}", "1:22: '-x' cannot be an address"),
        ("hosts: {a: {address: 'fe80::1%e;id'}}", "1:22: 'fe80::1%e;id' cannot be an address"),
        ("hosts: {a: {user: 'x y'}}", "1:19: 'x y' cannot be a user"),
        ("hosts: {a: {user: -l}}", "1:19: '-l' cannot be a user"),
        ("hosts: {a: {jump: 'b;id'}}", "1:19: 'b;id' cannot be a jump host"),
        ("hosts: {a: {jump: 'b:99999'}}", "1:19: 'b:99999' cannot be a jump host"),
        ('hosts: {a: {key: "a\\0b"}}', "1:18: 'a\\x00b' cannot be a path"),
        ("hosts: {a: {road: carrier-pigeon}}", "1:19: 'carrier-pigeon' cannot be a road"),
        ("hosts: [a]", "1:8: expected a mapping of hosts by name, got a list"),
        ("hosts: {}", "1:8: no host in `hosts:`"),
        ("groups: {}", "1:1: no `hosts:` in it"),
        ("- a", "1:1: expected a mapping in an inventory, got a list"),
        ("hosts: {a: 5}", "1:12: expected a mapping of a host, got '5'"),
        ("", "1:1: the file is empty"),
        ("# nothing\n", "1:1: the file is empty"),
        ("hosts: {a: ", "2:1: not YAML ("),
        ("hosts:\n\ta: {}", "2:1: not YAML ("),
        ("hosts:\n  a: {}\n b: {}", "3:2: not YAML ("),
        ("hosts: {a: \x1b[31m}", "1:12: a control character"),
        ("hosts: {a: }\n---\nhosts: {b: }", "3:1: a second document"),
        ("x: &x [1]\nhosts: *x", "2:8: aliases are not allowed"),
        ("hosts: {a: {<<: {port: 1}}}", "1:13: merge keys are not allowed"),
        ("[" * 100_000, "1:21: nested deeper than 20"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_line_and_column_and_what_to_do(refusal, text, told):
    assert refusal(text)[0].startswith(f"inventory.yml:{told}")


def bomb(inside="", levels=11):
    """YAML whose few lines stand for nine to the power of so many values."""
    rows = [f"{inside}x0: &x0 [{', '.join('a' * 9)}]"]
    for n in range(1, levels):
        rows.append(f"{inside}x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]")
    return "\n".join(rows) + "\n"


@pytest.mark.case("H27")
def test_a_few_lines_do_not_stand_for_billions(refusal, tmp_path):
    assert refusal("hosts: {a: {}}\n" + bomb())[0].endswith(
        "aliases are not allowed: write the value out"
    )
    with pytest.raises(InputError, match=r":\d+:\d+: more than 200000 values"):
        yaml_lines.read_leniently("all:\n  vars:\n" + bomb("    "), "hosts.yml")
    (tmp_path / "accept.yml").write_text("accepted: *x10\n" + bomb())
    with pytest.raises(InputError, match="aliases are not allowed"):
        accept_file.load(tmp_path / "accept.yml")


@pytest.mark.case("H27")
def test_a_tag_runs_nothing(refusal, tmp_path):
    refusal(f"hosts: !!python/object/apply:os.mkdir [{tmp_path}/made]")
    assert not (tmp_path / "made").exists()


def test_what_is_not_utf_8_is_named_with_its_line(refusal):
    assert refusal(b"hosts:\n  a: {user: \xff}") == [
        "inventory.yml:2: not UTF-8 text: save it as UTF-8"
    ]


def test_a_file_that_is_not_there_and_one_that_is_too_large_are_named(refusal, tmp_path):
    with pytest.raises(InputError, match=r"gone\.yml: cannot be read: No such file"):
        native.load(tmp_path / "gone.yml")
    assert refusal("#" * (9 << 20)) == ["inventory.yml: an inventory may have 8 MiB: split it"]


def test_several_mistakes_are_told_together_in_the_file_s_order_ten_at_most(refusal):
    told = refusal("hosts:\n" + "".join(f"  h{n}: {{prt: 1}}\n" for n in range(14)))
    assert [line.split(" unknown")[0] for line in told[:10]] == [
        f"inventory.yml:{n}:{8 if n < 12 else 9}:" for n in range(2, 12)
    ]
    assert told[10:] == ["and 4 more"]


def test_a_host_in_two_groups_that_disagree_must_say_itself(load, refusal):
    groups = "groups: {a: {baseline: x, hosts: [h]}, b: {baseline: y, hosts: [h]}}\n"
    assert refusal(groups + "hosts: {h: {}}") == [
        "inventory.yml:2:12: 'h' gets baseline 'x' from group 'a' and 'y' from 'b':"
        " set baseline on the host"
    ]
    assert load(groups + "hosts: {h: {baseline: y}}").hosts["h"].baseline == "y"
    same = load(groups.replace("y", "x") + "hosts: {h: {}}")
    assert (same.hosts["h"].baseline, same.hosts["h"].groups) == ("x", ["a", "b"])


def test_every_inventory_of_this_repository_is_understood():
    found = sorted(ROOT.glob("inventories/**/inventory.yml"))
    assert found
    for path in found:
        assert native.load(path).hosts


@given(st.text(alphabet="hosts:{}[]abc-\n '\"&*!#?|>%\t01", max_size=80))
def test_any_text_gives_an_inventory_or_a_named_mistake(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_text(text)
    told = ""
    try:
        native.load(path)
    except InputError as error:
        told = str(error)
    assert not told or told.startswith(str(path))


def test_a_group_says_which_profile_its_hosts_have_and_a_host_may_say_otherwise(load):
    found = load("""
defaults: {profile: host}
groups:
  lxc: {profile: container, hosts: [a, b]}
hosts: {a: , b: {profile: none}, c: }
""")
    profiles = {name: target.profile for name, target in found.hosts.items()}
    assert profiles == {"a": "container", "b": "none", "c": "host"}


def test_further_roots_are_a_list_or_one_and_the_nearest_counts(load):
    text = (
        "defaults: {app: /srv/a}\n"
        "groups: {g: {hosts: [one, two], vars: {app: [/srv/b, /data/c, /srv/b]}}}\n"
        "hosts: {one: {}, two: {app: []}, three: {}}\n"
    )
    hosts = load(text).hosts
    assert [hosts[name].app for name in ("one", "two", "three")] == [
        ["/data/c", "/srv/b"],
        [],
        ["/srv/a"],
    ]


@pytest.mark.parametrize(
    "root", ["a", "/", "/a/../b", "'/a b'", "'/a;b'", "/proc/1", "/sys", "/dev/shm", "/run/x"]
)
def test_a_root_that_may_not_be_walked_is_named(refusal, root):
    (told,) = refusal(f"hosts: {{one: {{app: {root}}}}}\n")
    assert "cannot be a root of applications: an absolute path" in told


def test_a_host_has_no_more_roots_than_the_limit(refusal):
    many = ", ".join(f"/srv/{n}" for n in range(17))
    assert refusal(f"hosts: {{one: {{app: [{many}]}}}}\n")[0].endswith(
        "17 roots in `app`: a host may have 16"
    )
