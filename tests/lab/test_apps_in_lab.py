"""Further roots of applications on a real host: the same over SSH, through sudo, and read."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from driftscan import collector
from driftscan.model import Fingerprint, Scope
from driftscan.probes.table import PROBES, of
from tests.lab import hosts

pytestmark = pytest.mark.lab

RECIPE = Path(__file__).parents[1] / "probes/captured/apps/recipe.sh"
ROOTS = ("/data/nowhere", "/data/packaged", "/data/shop", "/srv/shop")
WORDS = tuple(word for root in ROOTS for word in ("--app", root))
BELOW = ("apps", "files", "software", "python", "npm", "jars", "go", "gems")


@pytest.fixture(scope="module")
def shop(environment: Mapping[str, str]) -> Iterator[hosts.Running]:
    """web-b with an application at /data/shop."""
    with hosts.start("apps", setup_commands=[RECIPE.read_text()]) as host:
        yield host


def fingerprint(done) -> Fingerprint:
    return msgspec.json.decode(done.out, type=Fingerprint)


def test_what_is_below_the_roots_is_the_same_over_every_road(driftscan, shop, tmp_path):
    archive = tmp_path / "root.tar"
    shop.engine.run("export", "--output", str(archive), shop.container)
    asked = {
        road: fingerprint(driftscan("scan", target, *WORDS, *more, inventory=shop.inventory))
        for road, target, more in (
            ("ssh", shop.name, ("--become",)),
            ("openssh", shop.name, ("--become", "--road", "openssh")),
            ("container", f"docker://{shop.container}", ()),
            ("archive", f"archive://{archive}", ()),
        )
    }
    first = asked.pop("ssh")
    assert first.meta.apps == list(ROOTS)
    assert first.facts["apps"].items["/data/nowhere"] == {"state": "missing"}
    assert "/data/shop/conf/shop.yml" in first.facts["files"].items
    for road, other in asked.items():
        for name in BELOW:
            assert other.facts[name] == first.facts[name], f"{name} over {road}"


def test_a_collector_looks_where_it_was_made_to_and_nowhere_else(driftscan, shop):
    scope = Scope(apps=("/data/shop",))
    for probes, words, strange in (
        (of(scope), ("--app", "/data/shop"), set()),
        (PROBES, ("--app", "/data/shop"), {"apps", "files", "software"}),
    ):
        text = collector.text(probes)
        shop.shell("mkdir -p /usr/local/libexec")
        words_ = ("exec", "--interactive", shop.container, "sh", "-c")
        shop.engine.run(*words_, f"cat >{collector.PATH}; chmod 755 {collector.PATH}", stdin=text)
        plain = shop.inventory.read_text()
        with_it = shop.inventory.with_name("collector.yml")
        with_it.write_text(
            plain.replace(f"  {shop.name}: {{", f"  {shop.name}: {{collector: {collector.PATH}, ")
        )
        found = fingerprint(driftscan("scan", shop.name, "--no-become", *words, inventory=with_it))
        failed = {name for name in BELOW if type(found.facts[name]).__name__ == "Failed"}
        assert strange <= failed
        assert bool(failed) == bool(strange)
        for name in strange:
            assert "--collector --app /data/shop`" in found.facts[name].reason
