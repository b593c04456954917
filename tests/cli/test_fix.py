"""--fix: remedies as files, and a report that names only files that were written."""

import json
import shutil
import stat
import subprocess

import pytest

OLD = {"curl": "7.88.1-10", "libcurl4": "7.88.1-10"}
NEW = {"curl": "7.88.1-12", "libcurl4": "7.88.1-12"}


@pytest.fixture
def pair(machine):
    return machine("web-a", **OLD), machine("web-b", **NEW)


@pytest.mark.case("D12")
def test_the_script_and_its_lists_are_written_private_and_the_report_names_them(
    driftscan, work, pair
):
    done = driftscan("compare", *pair, "--fix", "fixes")

    folder = work / "fixes"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"web-a.sh": 0o700, "web-a.pins": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "web-a.pins").read_text() == "curl=7.88.1-12\nlibcurl4=7.88.1-12\n"
    command = "apt-get install --only-upgrade --no-install-recommends $(cat web-a.pins)"
    assert command in (folder / "web-a.sh").read_text().splitlines()
    assert command in done.out
    assert "curl=7.88.1-12" not in done.out
    assert "more steps" not in done.out
    assert done.code == 1


def test_without_fix_the_packages_are_printed_in_full_and_nothing_is_written(driftscan, work, pair):
    done = driftscan("compare", *pair)

    assert "curl=7.88.1-12 libcurl4=7.88.1-12" in done.out
    assert "$(cat" not in done.out
    assert sorted(path.name for path in work.iterdir()) == sorted(pair)


def test_the_json_report_names_the_file_and_has_its_words(driftscan, pair):
    done = driftscan("compare", *pair, "--fix", "fixes", "-f", "json")

    (host,) = json.loads(done.out)["hosts"].values()
    (step,) = [step for step in host["remedies"][0]["steps"] if step["file"]]
    assert (step["file"], step["words"]) == ("web-a.pins", ["curl=7.88.1-12", "libcurl4=7.88.1-12"])


def test_the_script_is_shell_and_says_why(driftscan, work, pair):
    driftscan("compare", *pair, "--fix", "fixes")

    script = work / "fixes" / "web-a.sh"
    assert "\nset -eu\n" in script.read_text()
    assert "# behind:packages: web-a has the same repositories" in script.read_text() or (
        "# unexplained:dpkg:" in script.read_text()
    )
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not on this machine")
    checked = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert checked.stdout == ""


def test_an_earlier_remedy_is_replaced(driftscan, work, pair):
    assert driftscan("compare", *pair, "--fix", "fixes").code == 1
    first = (work / "fixes" / "web-a.sh").read_bytes()
    assert driftscan("compare", *pair, "--fix", "fixes").code == 1
    assert (work / "fixes" / "web-a.sh").read_bytes() == first


@pytest.mark.case("H37")
@pytest.mark.parametrize("name", ["web-a.sh", "web-a.pins"])
def test_what_is_not_ours_is_not_replaced_and_the_report_is_told_first(driftscan, work, pair, name):
    (work / "fixes").mkdir()
    (work / "fixes" / name).write_text("mine\n")

    done = driftscan("compare", *pair, "--fix", "fixes")

    assert done.code == 2
    assert f"fixes/{name} is there and no remedy of driftscan" in done.err
    assert "curl=7.88.1-12" in done.out
    assert [path.name for path in (work / "fixes").iterdir()] == [name]
    assert (work / "fixes" / name).read_text() == "mine\n"


@pytest.mark.case("H23")
def test_a_name_that_no_file_can_have_is_refused(driftscan, machine, work):
    shutil.move(machine("a b", **OLD), work / "x.json")

    done = driftscan("compare", "x.json", machine("web-b", **NEW), "--fix", "fixes")

    assert done.code == 2
    assert "give the host a name in the inventory" in done.err
    assert not (work / "fixes").exists()


def test_a_folder_that_cannot_be_is_a_mistake_before_anything_is_asked(driftscan, pair):
    for word in (pair[0], "not/there"):
        done = driftscan("compare", *pair, "--fix", word)
        assert done.code == 2
        assert done.out == ""


def test_where_nothing_differs_nothing_is_written(driftscan, work, pair):
    assert driftscan("compare", pair[0], pair[0], "--fix", "fixes").code == 0
    assert list((work / "fixes").iterdir()) == []


def test_a_saved_fingerprint_is_not_simulated_and_says_why(driftscan, work, pair):
    done = driftscan("compare", *pair, "--fix", "fixes", "--width", "200")

    why = "not simulated: the package database of web-a is not known: a saved fingerprint"
    assert why in done.out
    assert why in (work / "fixes" / "web-a.sh").read_text()
