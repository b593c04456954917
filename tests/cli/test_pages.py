"""docs/inventory.md and docs/configuration.md: their examples work, their tables are whole."""

import re

import pytest

from driftscan.cli import configuration
from driftscan.inventory import ansible_vars, native, targets
from driftscan.inventory import limit as limits
from tests.cli.conftest import ROOT

INVENTORY = (ROOT / "docs" / "inventory.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()


def example(page):
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    return text


def first_cells(page):
    """The code words of the first column of every table."""
    cells = re.findall(r"^\| (`[^|]*`) \|", page, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


@pytest.fixture
def inventory(work):
    (work / "inventory.yml").write_text(example(INVENTORY))
    return native.load(work / "inventory.yml")


def test_the_inventory_of_the_page_is_understood_as_it_says(inventory):
    web_a, web_b, db, *apps = inventory.hosts.values()
    assert [(app.name, app.user) for app in (apps[0], apps[-1])] == [
        ("app01", "app"),
        ("app20", "app"),
    ]
    assert (web_a.port, web_a.become, web_a.user) == (2201, True, "deploy")
    assert (web_b.address, db.become, db.jump) == ("web-b", False, ["ops@bastion.example.org"])


def test_every_key_of_a_host_is_on_the_page_and_no_other():
    ours = INVENTORY.partition("## TARGET")[0]
    keys = {word for word in first_cells(ours) if re.fullmatch("[a-z_]+", word)}
    assert keys == set(native.KEYS)


def test_every_form_of_a_target_is_on_the_page():
    schemes = {word.partition("://")[0] for word in first_cells(INVENTORY) if "://" in word}
    assert schemes == set(targets.SCHEMES)


def test_the_limit_of_the_page_selects_what_it_says(inventory):
    (limit,) = re.findall(r"--limit '(.*?)'", INVENTORY)
    assert [target.name for target in limits.select(inventory, [limit])] == ["web-a"]


def test_every_variable_of_ansible_on_the_page_is_used():
    theirs = INVENTORY.partition("## Ansible")[2]
    named = {word for word in first_cells(theirs) if re.fullmatch("[a-z_]+", word)}
    assert named
    assert named <= set(ansible_vars.CONNECTION)


def test_the_configuration_of_the_page_is_understood_and_has_every_key(tmp_path):
    (tmp_path / "c.yml").write_text(example(CONFIGURATION))
    assert configuration.defaults(str(tmp_path / "c.yml"))["outputs"] == [
        f"json={tmp_path}/report.json"
    ]
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (yes|no)[^|]*\|$", CONFIGURATION, re.MULTILINE))
    assert rows.keys() == configuration.KEYS.keys()
    here = {key for key, allowed in rows.items() if allowed == "yes"}
    assert here == set(configuration.HERE)
