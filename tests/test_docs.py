"""The documentation says what the code does."""

import contextlib
import re
import shlex
from pathlib import Path

import click
import pytest

from driftscan.cli.main import main
from driftscan.inventory import native
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
        _, name, *arguments = shlex.split(line)
        command = main.get_command(click.Context(main), name)
        assert command is not None, line
        with contextlib.suppress(click.exceptions.Exit):
            command.make_context(name, arguments, resilient_parsing=False)


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
