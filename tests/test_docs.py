"""The documentation says what the code does."""

import contextlib
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from driftscan.cli.main import main
from driftscan.inventory import native
from driftscan.policy import accept_file
from tests import generated

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/README.md")])


def test_the_generated_files_are_current():
    stale = [p.name for p, text in generated.everything().items() if p.read_text() != text]
    assert stale == [], "run `make docs`"


def _commands(page: str) -> list[str]:
    return re.findall(r"^(?:    |\$ )(driftscan .*?)(?: +#.*)?$", page, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_understood(page):
    for line in _commands(page.read_text()):
        _understood(line)


def _understood(line):
    _, name, *arguments = shlex.split(line)
    command = main.get_command(click.Context(main), name)
    assert command is not None, line
    with contextlib.suppress(click.exceptions.Exit):
        command.make_context(name, arguments, resilient_parsing=False)


def _blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)


def test_the_pipelines_of_the_page_are_of_the_form_their_servers_read():
    github, gitlab = (yaml.safe_load(block) for block in _blocks("docs/recipes/ci.md", "yaml"))
    (jenkins,) = _blocks("docs/recipes/ci.md", "groovy")

    steps = github["jobs"]["drift"]["steps"]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    (pinned,) = [step["uses"] for step in steps if "uses" in step]
    assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", pinned)
    assert gitlab["drift"]["artifacts"]["reports"]["junit"] == "driftscan.xml"
    assert jenkins.count("{") == jenkins.count("}")
    scripts = [step["run"] for step in steps if "run" in step] + gitlab["drift"]["script"]
    commands = [line for script in scripts for line in script.splitlines() if "driftscan" in line]
    commands += re.findall(r"sh '(driftscan .*)'", jenkins)
    assert len(commands) == 3
    for line in commands:
        _understood(line)


def test_the_accept_file_of_the_page_is_one():
    (text,) = _blocks("docs/accept.md", "yaml")
    (rule,) = accept_file.parse(text, "page").rules
    assert (rule.id, rule.until, len(rule.values)) == ("dpkg:imagemagick", "2026-12-31", 1)


@pytest.mark.parametrize("path", sorted(ROOT.glob("inventories/**/inventory.yml")), ids=str)
def test_every_example_inventory_loads(path):
    assert native.load(path).hosts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    lost = [x for x in links if "://" not in x and not (page.parent / x).exists()]
    assert lost == []


def test_every_decision_is_numbered_without_a_gap():
    numbers = [int(p.name[:4]) for p in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
