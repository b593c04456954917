"""The gate over the recorded servers of the story: real answers over real SSH."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from driftscan.demo import story

pytestmark = pytest.mark.long

TODAY = datetime.now(UTC).date()
UNTIL = str(TODAY + timedelta(days=14))
WORDS = ("--reason", "update on Thursday", "--owner", "ops", "--until", UNTIL, "--host", "web-a")
CAUSE = "repository-missing:bookworm-security"


@pytest.fixture
def inventory():
    with story.served() as path:
        yield path


def _check(driftscan, inventory):
    done = driftscan("check", "web-a", "-i", inventory, "-f", "json")
    host = json.loads(done.out)["hosts"]["web-a"]
    shown = {n for r in host["accepted"] if r["state"] == "active" for n in r["members"]}
    return done.code, {f["id"] for f in host["findings"]} - shown, host


def test_a_difference_accepted_today_passes_and_fails_again_when_its_value_or_its_day_is_another(
    driftscan, inventory, work
):
    code, found, host = _check(driftscan, inventory)
    assert code == 1
    assert "dpkg:imagemagick" in found

    for cause in sorted({f["cause"] for f in host["findings"]}):
        done = driftscan("accept", cause, *WORDS, "-i", inventory)
        assert done.code == 0, done.err
    assert _check(driftscan, inventory)[:2] == (0, set())

    image = inventory.parent / "web" / "baseline.json"
    before = image.read_text()
    image.write_text(re.sub(r"(dfsg-1\.6\+deb12u)(\d+)", r"\g<1>99", before))
    assert _check(driftscan, inventory)[:2] == (1, {"dpkg:imagemagick"})
    image.write_text(before)
    assert _check(driftscan, inventory)[0] == 0

    rules = work / "driftscan-accept.yml"
    over = str(TODAY - timedelta(days=1))
    rules.write_text(rules.read_text().replace(UNTIL, over))
    assert _check(driftscan, inventory)[:2] == (1, found)
    assert "EXPIRED     dpkg:" in driftscan("check", "web-a", "-i", inventory).out


def test_the_cause_pins_both_versions_of_every_package(driftscan, inventory, work):
    driftscan("accept", CAUSE, *WORDS, "-i", inventory)
    text = (work / "driftscan-accept.yml").read_text()
    ((rule,),) = yaml.safe_load(text).values()
    pinned = {
        value["id"]: (value.get("subject"), value.get("reference")) for value in rule["values"]
    }
    ours, theirs = pinned["dpkg:imagemagick"]
    assert ours.startswith("8:6.9.11.60+dfsg-1.6+deb12u")
    assert ours != theirs
    assert len(pinned) > 30


def test_a_rule_for_a_group_is_for_all_its_hosts_and_is_no_use_to_none(driftscan, inventory):
    code, found, host = _check(driftscan, inventory)
    for cause in sorted({f["cause"] for f in host["findings"]}):
        words = [*WORDS[:-2], "--group", "web", "-i", inventory]
        assert driftscan("accept", cause, *words).code == 0

    done = driftscan("check", "-i", inventory, "-f", "json")

    report = json.loads(done.out)
    states = {name: host["state"] for name, host in report["hosts"].items()}
    assert (code, done.code, report["notes"]) == (1, 0, [])
    assert states == {"web-a": "accepted", "web-b": "in-sync"}
    assert report["counts"]["accepted"] == len(found)
