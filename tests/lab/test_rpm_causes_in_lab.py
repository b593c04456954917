"""The rpm machine explained by the Dockerfile that it should be: dnf's record beside its line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.lab import engine, rpm_machine

pytestmark = pytest.mark.lab

RECIPE = Path(__file__).parent / "recipes" / "rpm" / "Dockerfile"


@pytest.fixture(scope="module")
def machine(environment):
    """The container of the rpm machine."""
    return rpm_machine.ensure(engine.current())


@pytest.fixture
def report(driftscan, machine, tmp_path):
    """The explained pair, as JSON."""
    folder = tmp_path / "web"
    folder.mkdir()
    shutil.copy(RECIPE, folder)
    made = driftscan("baseline", "build", str(folder), "--cached", "--network", "none")
    assert made.code == 0, made.err
    image = json.loads((folder / "baseline.json").read_text())["image"]
    try:
        done = driftscan(
            "compare", f"docker://{machine}", str(folder / "baseline.json"), "-f", "json"
        )
    finally:
        engine.current().succeeds("rmi", image)
    (told,) = json.loads(done.out)["hosts"].values()
    return told


def test_causes_name_command_account_time_and_line(report):
    causes = {cause["id"]: cause for cause in report["causes"]}

    removed = causes["removed:php-opcache.x86_64"]
    record = removed["host_record"]
    assert (record["command"], record["user"], record["source"]) == (
        "dnf -qy remove php-opcache",
        "ops",
        "dnf history",
    )
    assert record["zone"] == "UTC"
    assert len(record["time"]) == len("2026-11-18 18:28")
    line = RECIPE.read_text().splitlines().index(removed["image_record"]["text"]) + 1
    assert removed["image_record"]["line"] == line

    missing = causes["repository-missing:updates"]
    assert missing["confidence"] == "recorded"  # the image's own history says where it got them
    assert "rpm:openssl-libs.x86_64" in missing["claims"]
    assert causes["hold:nginx-core"]["host_record"] is None  # dnf logs no versionlock
    assert causes["local-package:backup-agent.noarch"]["confidence"] == "recorded"

    (fix, *_) = (r for r in report["remedies"] if r["direction"] == "subject")
    runs = [step["run"] for step in fix["steps"]]
    assert "dnf config-manager --set-enabled updates" in runs
    assert "dnf versionlock delete nginx-core" in runs
    assert any(note.endswith("`dnf history undo 9`") for note in fix["notes"])


def test_what_changed_is_read_out_of_the_package_database(report):
    (openssl,) = (f for f in report["findings"] if f["key"] == "openssl-libs")
    assert openssl["changes"]["entries"] >= 1
    assert openssl["changes"]["cites"] == ["reference/rpm-changelogs:openssl-libs"]
