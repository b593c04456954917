"""`--limit`: Ansible's patterns, each as its guide describes it."""

import pytest

from driftscan.errors import InputError
from driftscan.inventory.contract import Group, Inventory
from driftscan.inventory.limit import select
from driftscan.model import Target

WEB = tuple(f"web{n}" for n in range(1, 6))
INVENTORY = Inventory(
    "inv",
    {name: Target(name=name, road="ssh") for name in (*WEB, "db1", "db2.example.org")},
    {
        "web": Group(WEB),
        "prod": Group(("web1", "web3", "web4", "db1")),
        "db": Group(("db1", "db2.example.org")),
    },
    empty=("idle",),
)
# What stands here Ansible itself says too: test_against_ansible.py asks it.
SELECTED = [
    ("web:&prod:!web3", "web1 web4"),
    ("web,&prod,!web3", "web1 web4"),
    ("!web3:&prod:web", "web1 web4"),
    ("&prod", "web1 web3 web4 db1"),
    ("!web", "db1 db2.example.org"),
    ("~(web|db)[12]", "web1 web2 db1 db2.example.org"),
    ("~web[1-2]$", "web1 web2"),
    ("web[0]", "web1"),
    ("web[-1]", "web5"),
    ("web[0:2]", "web1 web2 web3"),
    ("web[1:]", "web2 web3 web4 web5"),
    ("web[:1]:db", "web1 db1 db2.example.org"),
    ("w*1:*.example.org", "web1 db2.example.org"),
    ("all:!prod:!db", "web2 web5"),
    ("*", "web1 web2 web3 web4 web5 db1 db2.example.org"),
    ("~web.*:!web1", "web2 web3 web4 web5"),
    ("~(?:web|db)1,", "web1 db1"),
    ("~(web|db)[12]:&prod", "web1 db1"),
    ("all[0:2]", "web1 web2 web3"),
    ("*[5:]", "web1 web2 web3 web4 web5 db1 db2.example.org"),
    ("web[1:0]", "web2"),
    ("web[0-1]", "web1 web2"),
    ("web 	db1", "web1 web2 web3 web4 web5 db1"),
    ("all:!idle", "web1 web2 web3 web4 web5 db1 db2.example.org"),
    ("idle,web1", "web1"),
    ("a*", "web1 web2 web3 web4 web5 db1 db2.example.org"),
    ("w[:e]b", "web1 web2 web3 web4 web5"),
]


@pytest.mark.parametrize(("limit", "names"), SELECTED)
def test_a_pattern_selects_what_ansible_selects(limit, names):
    assert [target.name for target in select(INVENTORY, [limit])] == names.split()


def test_a_file_of_patterns_is_a_limit(tmp_path):
    path = tmp_path / "retry"
    path.write_text("# failed last time\nweb1\n\nweb:&prod\n")
    assert [target.name for target in select(INVENTORY, [f"@{path}"])] == ["web1", "web3", "web4"]
    assert [target.name for target in select(INVENTORY, [f"@{path}:!web1"])] == ["web3", "web4"]
    assert len(select(INVENTORY, [f"db*,@{path}"])) == 4


def test_a_file_of_patterns_that_names_itself_ends(tmp_path):
    path = tmp_path / "retry"
    path.write_text(f"@{path}\n")
    with pytest.raises(InputError, match="matches no host"):
        select(INVENTORY, [f"@{path}"])


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("idle", "leaves none of inv"),
        ("prod[:1]", "'prod[:1]' matches no host"),
        ("web1:nothere", "'nothere' matches no host"),
        ("all:!nothere", "'nothere' matches no host"),
        ("wep", "'wep' matches no host of inv, did you mean 'web'?"),
        ("web[9]", "'web[9]': web has 5 hosts, counted from 0"),
        ("~(", "not a regular expression"),
        ("web:!web", "leaves none of inv"),
        ("!", "nothing stands after ! or &"),
        ("@/gone/file", "/gone/file: cannot be read"),
    ],
)
def test_a_pattern_that_selects_nothing_is_told(limit, told):
    with pytest.raises(InputError) as error:
        select(INVENTORY, [limit])
    assert told in str(error.value)
