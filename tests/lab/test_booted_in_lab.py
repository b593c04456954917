"""A machine that systemd runs, scanned alive: units and timers are what systemctl says."""

import os

import msgspec
import pytest

from driftscan.model import Collected, Fingerprint
from tests.lab import booted, engine
from tests.lab.settings import LabError

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def machine(environment):
    chosen = engine.current()
    try:
        with booted.started(chosen, f"driftscan-lab-test-booted-{os.getpid()}") as name:
            yield name
    except LabError as error:
        pytest.skip(f"this engine runs no systemd (captured/booted serves): {error}")


@pytest.fixture(scope="module")
def fingerprint(machine, driftscan):
    done = driftscan("scan", f"docker://{machine}", "-f", "json")
    return msgspec.json.decode(done.out, type=Fingerprint)


def systemctl(machine, *words):
    told = engine.current().run("exec", machine, "systemctl", *words, "--no-legend", "--no-pager")
    return [line.split() for line in told.splitlines()]


def items(fingerprint, section):
    found = {**fingerprint.facts, **fingerprint.evidence}[section]
    assert isinstance(found, Collected)
    return found.items


def test_enabled_masked_and_aliases_are_what_systemctl_says(machine, fingerprint):
    told = {name: state for name, state, *_ in systemctl(machine, "list-unit-files")}
    states = {name: item.get("state") for name, item in items(fingerprint, "units").items()}
    known = {name: told[name] for name in states if name in told}
    assert len(known) > 15
    assert known == {name: states[name] for name in known}
    enabled = {name for name, state in told.items() if state == "enabled" and "@" not in name}
    assert enabled - set(states) == set()
    assert states["app.timer"] == "enabled"
    assert states["exim4.service"] == "masked"
    assert "fstrim.timer" not in states


def test_what_is_active_is_what_systemctl_says(machine, fingerprint):
    told = systemctl(machine, "list-units", "--all", "--plain", "--type=service,timer,socket")
    states = items(fingerprint, "unit-states")
    expected = {row[0]: row[2] for row in told}
    assert {name: states[name]["active"] for name in expected if name in states} == {
        name: active for name, active in expected.items() if name in states
    }
    assert set(expected) <= set(states)
    assert states["app.service"]["sub"] == "running"
    assert states["app.timer"]["active"] == "active"


def test_what_failed_is_a_fact(machine, fingerprint):
    failed = {row[0] for row in systemctl(machine, "list-units", "--failed", "--plain")}
    assert "broken.service" in failed
    assert failed == set(items(fingerprint, "failed-units"))


def test_processes_are_told_with_their_unit(fingerprint):
    """Without CAP_SYS_PTRACE some stay hidden, which is said."""
    services = {item["service"] for item in fingerprint.evidence["processes"].items.values()}
    assert "app.service" in services
