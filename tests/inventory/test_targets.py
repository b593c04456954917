"""TARGET on the command line and `--limit`: every form, and every form refused."""

import pytest

from driftscan.errors import InputError
from driftscan.inventory.contract import Group, Inventory
from driftscan.inventory.limit import select
from driftscan.inventory.targets import parse
from driftscan.model import Target


def host(name, **fields):
    return Target(name=name, road="ssh", address=name, **fields)


INVENTORY = Inventory(
    "inv.yml",
    {name: host(name) for name in ("web-a", "web-b", "db")},
    {
        "web": Group(("web-a", "web-b"), "images/php"),
        "old": Group(("web-b",)),
        "none": Group(()),
    },
)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("web-a", host("web-a")),
        ("a/b", Target(name="a/b", road="file", path="a/b")),
        ("x.json", Target(name="x.json", road="file", path="x.json")),
        ("ssh://h", Target(name="ssh://h", road="ssh", address="h")),
        (
            "ssh://joe@h:2222",
            Target(name="ssh://joe@h:2222", road="ssh", address="h", port=2222, user="joe"),
        ),
        (
            "ssh://[::1]:22",
            Target(name="ssh://[::1]:22", road="ssh", address="::1", port=22),
        ),
        ("local://", Target(name="local", road="local")),
        ("docker://c_1", Target(name="docker://c_1", road="docker", container="c_1")),
        ("podman://c", Target(name="podman://c", road="podman", container="c")),
        (
            "image://r.io:5000/a/b@sha256:0f",
            Target(
                name="image://r.io:5000/a/b@sha256:0f", road="image", path="r.io:5000/a/b@sha256:0f"
            ),
        ),
        (
            "dockerfile://../x/Dockerfile",
            Target(name="dockerfile://../x/Dockerfile", road="dockerfile", path="../x/Dockerfile"),
        ),
        ("baseline://web", Target(name="baseline://web", road="baseline", path="images/php")),
        ("baseline://php", Target(name="baseline://php", road="baseline", path="images/php")),
        ("baseline://./x", Target(name="baseline://./x", road="baseline", path="./x")),
    ],
)
def test_each_form_names_its_target(text, target):
    assert parse(text, INVENTORY) == target


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("web-c", "'web-c' is not in the inventory inv.yml, did you mean 'web-"),
        ("nothing-like-it", "is not in the inventory inv.yml: `driftscan inventory`"),
        ("web", "'web' is a group of inv.yml: use --limit web"),
        ("-oProxyCommand=x", "is not in the inventory"),
        ("a;id", "'a;id' is not in the inventory"),
        ("a\x1b[31m", "'a\\x1b[31m' is not in the inventory"),
        ("web-a@2026-10-01", "NAME@DATE needs the history, which is not there yet"),
        ("shh://x", "'shh' is no kind of target, did you mean 'ssh'?"),
        ("://x", "'' is no kind of target: use one of ssh"),
        ("ssh://", "write it like ssh://"),
        ("ssh://-oProxyCommand=x", "write it like ssh://"),
        ("ssh://a;id", "write it like ssh://"),
        ("ssh://a:0", "write it like ssh://"),
        ("ssh://::1", "write it like ssh://"),
        ("ssh://-l@a", "write it like ssh://"),
        ("ssh://a/x", "write it like ssh://host/docker/NAME, or podman"),
        ("ssh://a/docker/-v", "'-v' cannot be the name of a container"),
        ("ssh://a/docker/x/y", "'x/y' cannot be the name of a container"),
        ("local://x", "this machine is written local://"),
        ("docker://-v", "'-v' cannot be the name of a container"),
        ("docker://", "'' cannot be the name of a container"),
        ("image://--privileged", "write it like image://"),
        ("image://", "write it like image://"),
        ("dockerfile://", "write it like dockerfile://"),
        ("baseline://wev", "no such baseline of inv.yml, did you mean 'web'?"),
        ("rootfs://", "write it like rootfs:///mnt"),
        ("archive://", "write it like archive://image.tar"),
    ],
)  # fmt: skip
def test_each_mistake_is_refused_and_told(text, told):
    with pytest.raises(InputError) as error:
        parse(text, INVENTORY)
    assert told in str(error.value)


def test_a_name_without_an_inventory_tells_what_to_give():
    with pytest.raises(InputError, match="name one with -i"):
        parse("web-a", None)
    with pytest.raises(InputError, match="there is no inventory"):
        parse("baseline://web", None)


@pytest.mark.parametrize(
    ("limit", "names"),
    [
        ([], ["web-a", "web-b", "db"]),
        (["all"], ["web-a", "web-b", "db"]),
        (["db,web-a"], ["web-a", "db"]),
        (["web"], ["web-a", "web-b"]),
        (["w*"], ["web-a", "web-b"]),
        (["web", "!old"], ["web-a"]),
        (["!web-*"], ["db"]),
        (["!web-a , web"], ["web-b"]),
    ],
)
def test_a_limit_selects_names_groups_and_globs_and_takes_others_away(limit, names):
    assert [target.name for target in select(INVENTORY, limit)] == names


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (["web-c"], "--limit 'web-c' matches no host of inv.yml, did you mean"),
        (["web", "!dbb"], "--limit 'dbb' matches no host of inv.yml, did you mean 'db'?"),
        (["none"], "no host is selected: --limit none leaves none of inv.yml"),
        (["web,!web"], "no host is selected: --limit web,!web leaves none of inv.yml"),
    ],
)
def test_a_limit_that_matches_nothing_is_a_mistake(limit, told):
    with pytest.raises(InputError) as error:
        select(INVENTORY, limit)
    assert told in str(error.value)
