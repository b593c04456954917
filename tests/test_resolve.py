"""Targets -> sides: files, baselines and this machine; and what is refused before any asking."""

import json
import time

import paramiko
import pytest

from driftscan import resolve, store
from driftscan.errors import EngineError, InputError, StoreError
from driftscan.inventory.contract import Inventory
from driftscan.model import Limits, Side, Target, Unreached
from driftscan.probes import host as host_probe
from driftscan.probes import os as os_probe
from driftscan.resolve import Options, baseline_of, load_baseline, sides, takes_time
from tests.made import baseline, fingerprint, machine
from tests.sshd import Raw

NONE = Options(engine="/bin/false")


def file(path):
    return Target(name=str(path), road="file", path=str(path))


def test_a_file_gives_the_side_it_holds(tmp_path):
    folder = baseline(tmp_path, "web", curl="1")
    plain, image = file(machine(tmp_path, "a", curl="1")), file(folder / "baseline.json")

    found = dict(sides([plain, image], NONE))

    assert found[plain.name] == Side(fingerprint=fingerprint("a", curl="1"))
    assert found[image.name].baseline == store.load(folder / "baseline.json")
    assert (found[plain.name].is_image, found[image.name].is_image) == (False, True)


def test_a_baseline_is_the_file_in_its_folder_or_the_file_itself(tmp_path):
    folder = baseline(tmp_path, "web", curl="1")
    assert load_baseline(folder) == load_baseline(folder / "baseline.json")
    target = Target(name="baseline://web", road="baseline", path=str(folder))
    assert dict(sides([target], NONE))["baseline://web"].baseline == load_baseline(folder)


def test_a_baseline_that_is_not_there_or_not_one_is_told(tmp_path):
    (tmp_path / "web").mkdir()
    with pytest.raises(InputError, match=r"`driftscan baseline build .*web`"):
        load_baseline(tmp_path / "web")
    with pytest.raises(InputError, match="no such folder of a baseline"):
        load_baseline(tmp_path / "gone")
    with pytest.raises(InputError, match="is a fingerprint, not a baseline"):
        load_baseline(machine(tmp_path, "a", curl="1"))
    (tmp_path / "web" / "baseline.json").write_text("{")
    with pytest.raises(StoreError, match="cut short"):
        load_baseline(tmp_path / "web")


def test_a_host_s_baseline_is_its_group_s():
    inventory = Inventory("inv.yml", {}, {})
    host = Target(name="a", road="ssh", baseline="images/web")
    assert baseline_of(host, inventory) == Target(
        name="baseline://images/web", road="baseline", path="images/web"
    )
    with pytest.raises(InputError, match=r"a has no baseline: give its group .* in inv\.yml"):
        baseline_of(Target(name="a", road="ssh"), inventory)
    ansibles = Inventory("inv.ini", {}, {}, is_ansibles=True)
    with pytest.raises(InputError, match="a has no baseline: set `driftscan_baseline` for its"):
        baseline_of(Target(name="a", road="ssh"), ansibles)
    with pytest.raises(InputError, match="a has no baseline: name one with --baseline"):
        baseline_of(Target(name="a", road="ssh"), None)


@pytest.fixture
def key(tmp_path):
    """The path of a private key: without any no host is asked at all."""
    path = tmp_path / "id_ecdsa"
    paramiko.ECDSAKey.generate().write_private_key_file(str(path))
    return str(path)


@pytest.fixture
def few_questions(monkeypatch):
    """This machine is asked a little: what it has installed is not what these tests are about."""
    monkeypatch.setattr(resolve, "PROBES", (host_probe, os_probe))


@pytest.mark.usefixtures("few_questions")
def test_this_machine_is_asked_like_any_other():
    ((name, side),) = sides([Target(name="local", road="local")], NONE)
    assert name == "local"
    assert side.fingerprint.meta.kind == "host"
    assert side.fingerprint.evidence["host"].items["self"]["uid"]


@pytest.mark.usefixtures("few_questions")
def test_two_words_for_one_target_are_asked_once():
    local = Target(name="local", road="local")
    assert len(list(sides([local, local], NONE))) == 1


@pytest.mark.parametrize("road", ["docker", "podman", "image", "dockerfile"])
def test_an_engine_that_does_not_answer_is_told_before_any_host_is_asked(road, key):
    with Raw(lambda sock, over: None) as server:
        host = Target(name="h", road="ssh", address="127.0.0.1", port=server.port, key=key)
        other = Target(name="x", road=road, container="x", path="x")
        with pytest.raises(EngineError, match="no container engine answers"):
            list(sides([host, other], NONE))
        assert server.connections == 0


def test_a_host_that_is_away_is_a_result_beside_the_others(tmp_path, key):
    with Raw(lambda sock, over: sock.close()) as server:
        host = Target(name="h", road="ssh", address="127.0.0.1", port=server.port, key=key)
        loaded = file(machine(tmp_path, "a", curl="1"))
        options = Options(limits=Limits(deadline=3), engine="/bin/false")
        found = dict(sides([host, loaded], options))
    assert isinstance(found["h"], Unreached)
    assert isinstance(found[loaded.name], Side)


def test_only_what_takes_time_is_counted_once(tmp_path):
    local = Target(name="local", road="local")
    built = Target(name="d", road="dockerfile", path="d")
    assert takes_time([local, local, built, file("a.json")]) == 2


@pytest.mark.usefixtures("few_questions")
def test_leaving_early_ends_what_is_under_way(tmp_path, key):
    with Raw(lambda sock, over: over.wait()) as server:
        host = Target(name="h", road="ssh", address="127.0.0.1", port=server.port, key=key)
        loaded = file(machine(tmp_path, "a", curl="1"))
        here = Target(name="local", road="local")
        arriving = sides([host, here, loaded], NONE)
        names = [next(arriving)[0], next(arriving)[0]]
        began = time.monotonic()
        arriving.close()
    assert names == [loaded.name, "local"]
    assert time.monotonic() - began < 10


def test_a_file_that_is_a_folder_or_a_report_is_told(tmp_path):
    with pytest.raises(InputError, match="is a folder: write baseline://"):
        list(sides([file(tmp_path)], NONE))
    (tmp_path / "r.json").write_text(json.dumps({"schema": "driftscan/report/1", "hosts": {}}))
    with pytest.raises(StoreError, match="is a report"):
        list(sides([file(tmp_path / "r.json")], NONE))
