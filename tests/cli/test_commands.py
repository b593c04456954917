"""The table of commands: all there, all helped, light to start, completed by the shell."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from driftscan import collector, context, dockerfile
from driftscan.cli import main as entry
from driftscan.cli.completion import SHELLS
from driftscan.folder import file_name
from driftscan.model import Scope
from driftscan.probes.table import PROBES, of
from tests.cli.conftest import environment

CLI = Path(entry.__file__).parent


def every_command():
    """Each command and command of a group, by what is typed."""
    context = click.Context(entry.main)
    for name in entry.COMMANDS:
        command = entry.main.get_command(context, name)
        yield (name,), command
        for inner in getattr(command, "commands", {}):
            yield (name, inner), command.commands[inner]


COMMANDS = dict(every_command())


def test_every_module_with_a_command_is_in_the_table():
    modules = {path.stem for path in CLI.glob("*.py") if "\ndef command(" in path.read_text()}
    assert modules == set(entry.COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_its_help(words):
    command = COMMANDS[words]
    assert command.help
    first = command.help.split("\n")[0]
    assert first.endswith(".")
    assert len(first) < 66, "the list of commands would cut it"
    lacking = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert lacking == []


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
def test_help_is_printed_to_standard_output_even_if_the_configuration_is_wrong(
    driftscan, work, words
):
    (work / "driftscan.yml").write_text("nonsense: [")
    done = driftscan(*words, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {' '.join(['driftscan', *words])}")


def test_help_has_the_table_of_exit_codes(driftscan):
    done = driftscan("--help")
    for code in ("0", "1", "2", "3", "4", "70", "130"):
        assert f"\n    {code.ljust(5)}" in done.out


def test_the_version_is_the_package_s(driftscan):
    from driftscan import __version__

    assert driftscan("--version").out == f"driftscan {__version__}\n"


@pytest.mark.case("L12")
def test_help_imports_nothing_heavy(work, tmp_path):
    """CPU time is measured by `make bench`; what costs it is known."""
    words = ["compare", "--help"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "driftscan", *words],
        capture_output=True,
        text=True,
        cwd=work,
        env=environment(tmp_path),
    )
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    heavy = {"paramiko", "deepdiff", "rich", "univers", "yaml", "msgspec", "cryptography"}
    assert heavy & imported == set()


@pytest.mark.case("H40", "D15")
def test_a_fault_of_ours_keeps_its_traceback_but_no_control_character_and_no_secret(work, tmp_path):
    code = """
import sys, types, click
from driftscan.cli import main
@click.command()
def broken():
    raise RuntimeError("\\x1b]52;c;x\\x07 https://joe:hunter2@example.org/")
sys.modules["driftscan.cli.script"] = types.SimpleNamespace(command=broken)
sys.argv = ["driftscan", "script"]
main.run()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=work,
        env=environment(tmp_path),
    )
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "hunter2" not in done.stderr
    assert all(line.isprintable() for line in done.stderr.split("\n"))
    assert "this is a fault of driftscan" in done.stderr


# --- script ------------------------------------------------------------------------------------


def test_the_script_is_printed_for_review_the_same_each_time(driftscan):
    first, second = driftscan("script"), driftscan("script")
    assert first == second
    assert first.code == 0


@pytest.mark.long
def test_the_script_that_is_printed_answers_every_probe(driftscan):
    first = driftscan("script")
    # a session of its own: the script's watchdog ends its whole process group
    done = subprocess.run(
        ["sh", "-s"], input=first.out.encode(), capture_output=True, start_new_session=True
    )
    assert done.returncode == 0
    for probe in PROBES:
        assert f"\n{'0' * 32} S {probe.NAME}\n".encode() in done.stdout


def test_the_collector_is_printed_with_its_digest_beside_it(driftscan):
    done = driftscan("script", "--collector")
    digest = hashlib.sha256(done.out.encode()).hexdigest()

    assert done.code == 0
    assert done.out == collector.text(PROBES)
    assert done.err == f"driftscan: sha256:{digest} /usr/local/libexec/driftscan-collect\n"


def test_the_script_that_is_printed_looks_below_the_roots_that_are_named(driftscan):
    done = driftscan("script", "--collector", "--app", "/data/shop", "--app", "/data/shop")
    assert done.out == collector.text(of(Scope(("/data/shop",))))
    assert "/data/shop" in driftscan("script", "--app", "/data/shop").out
    refused = driftscan("script", "--app", "/data/$(reboot)")
    assert refused.code == 2
    assert "'/data/$(reboot)' is not an absolute path of letters" in refused.err


def test_a_root_that_is_named_is_asked_about_and_told_where_it_is_missing(driftscan, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "x.yml").write_text("a: 1\n")
    (tmp_path / "etc").mkdir()
    done = driftscan("scan", f"rootfs://{tmp_path}", "--app", "/shop", "--app", "/gone")
    found = json.loads(done.out)
    assert found["meta"]["apps"] == ["/gone", "/shop"]
    assert "/shop/x.yml" in found["facts"]["files"]["items"]
    assert "/gone is no directory there (--app)" in done.err


def test_an_image_that_records_its_packages_as_distroless_does_is_whole(driftscan, tmp_path):
    """Nothing of it is unknown: what it does not have is not there, and no privilege shows it."""
    head = bytes.fromhex("7f454c4602010100000000000000000002003e00")
    for name, version in (("a", "1"), ("b", "1"), ("c", "2")):
        status = tmp_path / name / "var/lib/dpkg/status.d"
        status.mkdir(parents=True)
        stanza = f"Package: base-files\nVersion: {version}\nArchitecture: amd64\nMaintainer: x\n"
        (status / "base-files").write_text(stanza)
        (tmp_path / name / "etc").mkdir()
        (tmp_path / name / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
        (tmp_path / name / "app").write_bytes(head)
    same = driftscan("compare", f"rootfs://{tmp_path}/a", f"rootfs://{tmp_path}/b")
    assert (same.code, "Unknown     nothing" in same.out) == (0, True), same.out
    other = driftscan("compare", f"rootfs://{tmp_path}/a", f"rootfs://{tmp_path}/c")
    assert (other.code, "base-files" in other.out) == (1, True), other.out


# --- inventory ---------------------------------------------------------------------------------

INVENTORY = """
defaults: {user: deploy}
groups: {web: {baseline: images/web, hosts: [web-a]}}
hosts: {web-a: {address: 10.0.0.7, port: 2201, become: true}, db: {}}
"""


def test_inventory_prints_what_was_understood(driftscan, work):
    (work / "inventory.yml").write_text(INVENTORY)
    assert driftscan("inventory").out == (
        "HOST   ROAD  ADDRESS        USER    BECOME  GROUPS  BASELINE\n"
        "web-a  ssh   10.0.0.7:2201  deploy  yes     web     images/web\n"
        "db     ssh   db             deploy  -       -       -\n"
        "\n"
        "2 of 2 hosts of inventory.yml, read by driftscan\n"
    )
    plain = json.loads(driftscan("inventory", "--limit", "web", "-f", "json").out)
    assert plain == {
        "inventory": "inventory.yml",
        "hosts": {
            "web-a": {
                "name": "web-a",
                "road": "ssh",
                "address": "10.0.0.7",
                "port": 2201,
                "user": "deploy",
                "become": True,
                "groups": ["web"],
                "baseline": "images/web",
            }
        },
        "groups": {"web": {"hosts": ["web-a"], "baseline": "images/web"}},
        "notes": [],
        "reader": "driftscan",
    }


def test_the_inventory_is_named_by_option_or_environment_or_found_here(driftscan, work):
    for name in ("a", "b", "inventory"):
        (work / f"{name}.yml").write_text(f"hosts: {{of-{name}: }}")
    found = [
        driftscan(*words, **more).out.split("\n")[1].split()[0]
        for words, more in (
            (("inventory", "-i", "a.yml"), {"DRIFTSCAN_INVENTORY": "b.yml"}),
            (("inventory",), {"DRIFTSCAN_INVENTORY": "b.yml"}),
            (("inventory",), {}),
        )
    ]
    assert found == ["of-a", "of-b", "of-inventory"]


# --- baseline ----------------------------------------------------------------------------------


def test_baseline_show_tells_what_each_line_brought(driftscan, baseline):
    baseline("web", curl="2", bash="5")
    done = driftscan("baseline", "show", "web")
    assert done.code == 0
    assert "web/Dockerfile:2  RUN apt-get install\n    brought 2 packages: bash, curl\n" in done.out

    plain = json.loads(driftscan("baseline", "show", "web", "-f", "json").out)
    assert plain == json.loads(Path("web/baseline.json").read_text())


@pytest.mark.case("D09")
def test_baseline_list_tells_which_are_built_and_which_dockerfile_has_changed(
    driftscan, work, baseline
):
    good, stale = baseline("good", curl="2"), baseline("stale", curl="2")
    digest = hashlib.sha256((good / "Dockerfile").read_bytes()).hexdigest()
    for folder in (good, stale):
        text = (folder / "baseline.json").read_text().replace("c7ef28d7", digest)
        (folder / "baseline.json").write_text(text)
    (stale / "Dockerfile").write_text("FROM debian:trixie\n")
    (work / "never").mkdir()
    (work / "inventory.yml").write_text(
        "groups:\n"
        + "".join(f"  g-{x}: {{baseline: {x}, hosts: [a]}}\n" for x in ("good", "stale", "never"))
        + "hosts: {a: {baseline: good}}\n"
    )
    lines = driftscan("baseline", "list").out.splitlines()
    assert lines[0].startswith("g-good  good: image sha256:0f0f")
    assert lines[0].endswith("1 package")
    assert lines[1].endswith("; its Dockerfile has changed since: build it again")
    assert lines[2] == (
        "g-never  never/baseline.json is not there: make it with `driftscan baseline build never`"
    )


@pytest.mark.case("D09")
def test_baseline_list_and_show_tell_of_what_the_dockerfile_copies(driftscan, work, baseline):
    folder = baseline("web", curl="2")
    text = "FROM debian\nRUN apt-get install -y curl\nCOPY conf /etc/web\n"
    (folder / "Dockerfile").write_text(text)
    (folder / "conf").mkdir()
    (folder / "conf" / "web.conf").write_text("a=1\n")
    parsed = dockerfile.parse(text)
    made = json.loads((folder / "baseline.json").read_text())
    made["digest"] = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    made["context"] = context.digest(folder / "Dockerfile", parsed)
    (folder / "baseline.json").write_text(json.dumps(made))
    (work / "inventory.yml").write_text(
        "groups: {web: {baseline: web, hosts: [a]}}\nhosts: {a: {}}\n"
    )

    (folder / "notes").write_text("nothing copies this\n")
    assert driftscan("baseline", "list").out.endswith("1 package\n")
    assert (
        f"copied from its folder  {made['context']}\n" in driftscan("baseline", "show", "web").out
    )

    (folder / "conf" / "web.conf").write_text("a=2\n")
    told = "1 package; what its Dockerfile copies has changed since: build it again\n"
    assert driftscan("baseline", "list").out.endswith(told)

    (folder / ".dockerignore").write_text("[\n[z-a]\n")
    told = "web/.dockerignore: '[z-a]' is no pattern: bad character range z-a at position 1\n"
    assert driftscan("baseline", "list").out.endswith(told)


# --- completion --------------------------------------------------------------------------------


def completed(work, tmp_path, words, **more):
    """What bash is offered for the last of the words."""
    line = " ".join(["driftscan", *words])
    more |= {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words)),
        "_DRIFTSCAN_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        [sys.executable, "-m", "driftscan"],
        capture_output=True,
        text=True,
        cwd=work,
        env=environment(tmp_path, **more),
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_completion(driftscan, shell):
    done = driftscan("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert "_DRIFTSCAN_COMPLETE" in done.out
    if shutil.which(shell):
        check = subprocess.run([shell, "-n"], input=done.out, text=True, capture_output=True)
        assert (check.returncode, check.stderr) == (0, "")


def test_commands_hosts_groups_and_baselines_are_completed(work, tmp_path):
    (work / "inventory.yml").write_text(INVENTORY)
    (work / "other.yml").write_text("hosts: {web-x: }")
    assert completed(work, tmp_path, ["co"]) == ["plain,compare", "plain,completion"]
    assert completed(work, tmp_path, ["compare", "w"]) == ["plain,web-a"]
    assert completed(work, tmp_path, ["compare", "-i", "other.yml", "w"]) == ["plain,web-x"]
    assert completed(work, tmp_path, ["check", "--baseline", "base"]) == [
        "plain,baseline://web",
    ]
    assert completed(work, tmp_path, ["check", "--limit", "web,!d"]) == ["plain,web,!db"]
    assert completed(work, tmp_path, ["compare", "./"]) == ["file,./"]


def test_completion_is_silent_about_a_wrong_inventory_or_configuration(work, tmp_path):
    (work / "inventory.yml").write_text("hosts: [")
    (work / "driftscan.yml").write_text("nonsense: [")
    assert completed(work, tmp_path, ["compare", "x"]) == []
    assert completed(work, tmp_path, ["compare", "ss"]) == ["plain,ssh://"]


# --- names of files ----------------------------------------------------------------------------


@pytest.mark.case("H23")
def test_a_target_s_file_stays_in_its_folder_and_is_its_own():
    names = [
        "web-a",
        "ssh://a/../../etc/x",
        "ssh://a.b",
        "ssh://a/b",
        "a" * 300,
        "\x00",
        "..",
        "x/y",
    ]
    files = [file_name(name) for name in names]
    assert files[0] == "web-a.json"
    assert len(set(files)) == len(names)
    for file in files:
        assert os.path.basename(file) == file  # noqa: PTH119 - as the file system sees it
        assert len(file) < 255
        assert file.removesuffix(".json").replace("-", "").isalnum()
