"""What may be imported before it is needed: heavy libraries are not, whatever is only asked for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from driftscan import store
from driftscan.cli.main import COMMANDS
from driftscan.model import Collected, Fingerprint, Meta

LIGHT = {"click", "msgspec", "typing_extensions"}

RUN = """
import atexit, json, sys
before = set(sys.modules)
def tell():
    names = {name.partition('.')[0] for name in set(sys.modules) - before}
    foreign = sorted(names - set(sys.stdlib_module_names) - {'driftscan', '__mp_main__'})
    print(json.dumps(foreign), file=sys.stderr)
atexit.register(tell)
"""
PROGRAM = "from driftscan.cli.main import run\nrun()\n"


def imported(*argv: str, program: str = PROGRAM, code: int = 0) -> set[str]:
    """The top-level modules from outside the standard library that a run imports."""
    done = subprocess.run(
        [sys.executable, "-c", RUN + program, *argv], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    names: list[str] = json.loads(done.stderr.splitlines()[-1])
    return set(names)


@pytest.mark.case("L12")
def test_the_help_of_a_command_imports_only_what_is_light() -> None:
    """One process for all: what any of them imports is seen."""
    all_of_them = [[command, "--help"] for command in COMMANDS] + [["--help"], ["--version"]]
    program = f"from driftscan.cli.main import execute\nfor a in {all_of_them}: execute(a)\n"
    assert imported(program=program) - LIGHT == set()


@pytest.mark.parametrize("argv", [["script"], ["completion", "bash"]])
def test_what_asks_no_machine_imports_only_what_is_light(argv: list[str]) -> None:
    assert imported(*argv) - LIGHT == set()


def test_two_saved_fingerprints_are_compared_without_ssh(tmp_path: Path) -> None:
    for name, version in (("a", "1.0-1"), ("b", "1.0-2")):
        package = {"version": version, "source": "x", "status": "installed", "want": "install"}
        fingerprint = Fingerprint(
            meta=Meta(
                target=name,
                kind="host",
                address="127.0.0.1",
                taken="2026-11-23T17:20:00Z",
                privilege="root",
            ),
            facts={"dpkg": Collected(items={"x": package})},
            evidence={},
        )
        store.save(tmp_path / f"{name}.json", fingerprint)
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]

    names = imported("compare", *files, code=1)

    assert names & {"paramiko", "cryptography", "jinja2", "rich"} == set()
    assert "univers" in names, "versions were not compared"


def test_an_import_is_seen() -> None:
    assert "yaml" in imported(program="import yaml")
