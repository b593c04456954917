"""The configuration file: the first one found, and what a file of the working directory may set."""

import json

import pytest

from driftscan.cli.configuration import defaults
from driftscan.errors import InputError


@pytest.fixture
def places(work, tmp_path, monkeypatch):
    """`places(here="...", user="...", toml="...", named="...")`: such files, and the defaults."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    (tmp_path / "xdg" / "driftscan").mkdir(parents=True)
    paths = {
        "here": work / "driftscan.yml",
        "toml": work / "pyproject.toml",
        "user": tmp_path / "xdg" / "driftscan" / "config.yml",
        "named": tmp_path / "named.yml",
    }

    def places(**texts):
        for name, text in texts.items():
            paths[name].write_text(text)
        return defaults(str(paths["named"]) if "named" in texts else None)

    return places


def test_without_a_file_there_are_no_defaults(places):
    assert places() == {}


def test_the_first_file_found_counts_and_no_other(places):
    user, toml = "deadline: 7\n", '[tool.driftscan]\nfail_on = "breaks"\n'
    assert places(user=user) == {"deadline": 7}
    assert places(toml="[tool.other]\nx = 1\n") == {"deadline": 7}
    assert places(toml=toml) == {"fail_on": "breaks"}
    assert places(here="fail_on: in-use\n") == {"fail_on": "in-use"}
    assert places(named="fail_on: never\n") == {"fail_on": "never"}


def test_the_user_s_file_may_set_everything(places, tmp_path):
    assert places(
        user="""
inventory: hosts.yml
targets: [a, b]
formats: [json, text=/var/tmp/report.txt]
fail_on: breaks
become: true
deadline: 30
workers: 4
engine: podman
"""
    ) == {
        "inventory": str(tmp_path / "xdg" / "driftscan" / "hosts.yml"),
        "targets": ["a", "b"],
        "format": "json",
        "outputs": ["text=/var/tmp/report.txt"],
        "fail_on": "breaks",
        "become": True,
        "deadline": 30,
        "workers": 4,
        "engine": "podman",
    }


def test_a_file_of_the_working_directory_may_set_what_a_pull_request_may(places):
    text = "inventory: hosts.yml\ntargets: a\nformats: [json, json=out.json]\nfail_on: breaks\n"
    assert places(here=text) == {
        "inventory": "hosts.yml",
        "targets": ["a"],
        "format": "json",
        "outputs": ["json=out.json"],
        "fail_on": "breaks",
    }


@pytest.mark.parametrize("line", ["become: true", "deadline: 5", "workers: 5", "engine: ./evil"])
def test_a_file_of_the_working_directory_may_not_set_roads_and_engines(places, line):
    key, _, value = line.partition(": ")
    plain = value if value in ("true", "5") else repr(value)
    for name, text, place in (
        ("toml", f"[tool.driftscan]\n{key} = {plain}\n", "pyproject.toml: [tool.driftscan]"),
        ("here", f"fail_on: breaks\n{line}\n", "driftscan.yml:2:1"),
    ):
        with pytest.raises(InputError) as error:
            places(**{name: text})
        told = str(error.value)
        assert told.startswith(f"{place}: {key}: a file of the working directory may set only")
        assert f"DRIFTSCAN_{key.upper()}" in told


def test_a_file_of_the_working_directory_may_not_write_outside_of_it(places, work, tmp_path):
    (work / "link").symlink_to(tmp_path)
    for path in ("/etc/cron.d/x", "../x", "link/x", "", "-"):
        with pytest.raises(InputError, match="may only name files below it"):
            places(here=f"formats: ['json={path}']")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour: red", "1:1: colour: no such key: known are inventory, targets"),
        ("fail_on: low", "1:1: fail_on: must be one of breaks, in-use, installed, never"),
        ("formats: [html]", "1:1: formats: 'html' is no format: use text or json"),
        ("targets: []", "1:1: targets: must be a text or a list of texts"),
        ("targets: [1]", "1:1: targets: must be a text or a list of texts"),
        ("inventory: 5", "1:1: inventory: must be a path"),
        ("become: 'yes'", "1:1: become: must be true or false"),
        ("deadline: soon", "1:1: deadline: must be a whole number above 0"),
        ("workers: true", "1:1: workers: must be a whole number above 0"),
        ("workers: 0", "1:1: workers: must be a whole number above 0"),
        ("engine: ''", "1:1: engine: must be the name or the path of a program"),
        ("accept: [x]", "1:1: accept: must be a path"),
        ("fail_on: never\nfail_on: never", "2:1: 'fail_on' stands here a second time"),
        ("- a", "1:1: expected a mapping"),
        ("a: [", "2:1: not YAML"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(places, tmp_path, text, told):
    with pytest.raises(InputError) as error:
        places(named=text)
    assert str(error.value).startswith(f"{tmp_path}/named.yml:{told}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.driftscan", "pyproject.toml: not TOML: "),
        ("[tool]\ndriftscan = 1\n", "pyproject.toml: tool.driftscan must be a table"),
        ("[tool.driftscan]\ntargets = [1]\n", "pyproject.toml: [tool.driftscan]: targets: must"),
    ],
)
def test_a_mistake_in_pyproject_is_named(places, text, told):
    with pytest.raises(InputError) as error:
        places(toml=text)
    assert str(error.value).startswith(told)


def test_a_named_file_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(InputError, match=r"gone\.yml: cannot be read: No such file"):
        defaults(str(tmp_path / "gone.yml"))


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    driftscan, work, machine
):
    pair = machine("old", curl="1"), machine("new", curl="2")
    (work / "driftscan.yml").write_text("fail_on: never\nformats: json\n")

    by_file = driftscan("compare", *pair)
    by_environment = driftscan("compare", *pair, DRIFTSCAN_FAIL_ON="installed")
    by_word = driftscan("compare", *pair, "--fail-on", "never", DRIFTSCAN_FAIL_ON="installed")

    assert [done.code for done in (by_file, by_environment, by_word)] == [0, 1, 0]
    assert json.loads(by_file.out)["exit_code"] == 0


def test_targets_and_files_of_the_configuration_are_those_of_the_run(driftscan, work, machine):
    machine("old", curl="1")
    (work / "driftscan.yml").write_text("targets: [./old.json]\nformats: [json=out.json]\n")

    done = driftscan("check", "--baseline", machine("new", curl="1"))

    assert done.code == 0
    assert list(json.loads((work / "out.json").read_text())["hosts"]) == ["./old.json"]


def test_config_names_another_file_for_every_command(driftscan, work, machine):
    (work / "other.yml").write_text("nonsense: 1\n")
    for words in (("--config", "other.yml", "compare", "a", "b"), ("compare", "a", "b")):
        done = driftscan(*words, DRIFTSCAN_CONFIG="other.yml")
        assert done.code == 2
        assert done.err.startswith("driftscan: other.yml:1:1: nonsense: no such key")
