"""The documentation says what the code does."""

import re
from pathlib import Path

import pytest

from driftscan.inventory import native
from tests import generated

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/README.md")])


@pytest.mark.parametrize("path", sorted(generated.everything()), ids=lambda path: path.name)
def test_a_generated_file_is_current(path):
    assert path.read_text() == generated.everything()[path], "run `make docs`"


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
