"""The files probe against stat, sha256sum and dpkg -S on the same machine."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Partial, Payload, Raw
from driftscan.probes import etc_paths, files
from driftscan.probes.twins import files as twin
from tests.probes.conftest import read_captured

STAT = "1700000000 81a4 0 0 5 "
SUM = "sum " + "a" * 64 + "  "


def parsed(*lines):
    return files.parse(Raw(outputs={"etc": Payload(lines)}))


@pytest.fixture
def told(oracle):
    return oracle("files", "furnished")


def test_mode_and_account_are_those_of_stat(captured, told):
    items = files.parse(captured("files", "furnished"))["files"].items
    rows = [line.split(" ") for line in told if line[:1] in "67" and line.count(" ") == 2]
    compared = 0
    for mode, account, path in rows:
        item = items.get(f"/etc/{path}", {})
        if "mode" in item:
            assert (item["mode"], item["account"]) == (mode, account)
            compared += 1
    assert compared >= 4
    assert items["/etc/app/conf.d/link.conf"] == {"target": "../app.conf"}


def test_a_digest_is_that_of_sha256sum_and_only_of_what_no_package_owns(captured, told):
    items = files.parse(captured("files", "furnished"))["files"].items
    (summed,) = [line.split()[0] for line in told if line.endswith("  app/app.conf")]
    assert items["/etc/app/app.conf"]["digest"] == summed[:32]
    owners = [line.split(": ") for line in told if ": /etc/" in line]
    assert {path: items[path]["package"] for _, path in owners} == {p: o for o, p in owners}
    assert not [path for path, item in items.items() if {"package", "digest"} <= set(item)]


def test_no_digest_of_a_secret_leaves_the_host(captured):
    items = files.parse(captured("files", "furnished"))["files"].items
    assert items["/etc/app/private.key"] == {"mode": "600", "account": "root:root"}
    lines = captured("files", "furnished").outputs["etc"].lines
    summed = [line.partition("  ")[2] for line in lines if line.startswith("sum ")]
    assert summed
    assert not [path for path in summed if etc_paths.secret(path)]
    assert b"shadow" not in b"".join(
        line for line in read_captured("furnished", "files").splitlines() if b" sum " in line
    )


def test_what_another_section_tells_is_left_out(captured):
    items = files.parse(captured("files", "furnished"))["files"].items
    assert {"/etc/app/app.conf", "/etc/logrotate.conf"} <= set(items)
    assert not {"/etc/passwd", "/etc/hosts", "/etc/machine-id", "/etc/sudoers"} & set(items)
    assert not [path for path in items if etc_paths.pruned(path)]


def test_an_account_without_privileges_says_what_it_could_not_see(captured):
    section = files.parse(captured("files", "furnished-nobody"))["files"]
    assert isinstance(section, Partial)
    assert any("denied" in gap for gap in section.gaps)
    assert "/etc/app/app.conf" in section.items


def test_the_time_and_the_account_of_a_change_are_evidence(captured):
    items = files.parse(captured("files", "furnished"))["file-times"].items
    assert items["/etc/app/app.conf"]["changed"] > 1_700_000_000
    assert "/etc/pam.d/sshd" not in items


def test_more_files_than_the_limit_make_the_section_partial():
    lines = [f"{STAT}/etc/f{n:05}" for n in range(twin.MOST + 1)]
    lines += [f"{SUM}/etc/f{n:05}" for n in range(twin.MOST + 1)]
    section = parsed(*lines)["files"]
    assert len(section.items) == twin.MOST
    assert section.gaps == [f"more than {twin.MOST} files: the rest was not looked at"]


def test_a_file_that_was_not_summed_is_a_gap_and_no_item():
    section = parsed(f"{STAT}/etc/big", f"{STAT}/etc/a", f"{SUM}/etc/a")["files"]
    assert set(section.items) == {"/etc/a"}
    assert section.gaps == ["1 files are closed or too large to sum, as /etc/big"]


def test_owners_of_every_package_manager_are_understood():
    section = parsed("owned libc6:amd64.list:/etc/a", f"{STAT}/etc/a", "link /etc/b -> c")["files"]
    assert section.items["/etc/a"]["package"] == "libc6"
    assert section.items["/etc/b"] == {"target": "c"}


def test_the_shell_and_python_agree_on_which_files_have_no_digest():
    """The patterns go into a `case` of sh and into fnmatch: both match across slashes."""
    paths = ["/etc/a/private/b", "/etc/x.key", "/etc/app.conf", "/etc/shadow-", "/etc/y/passwd.db"]
    paths += ["/etc/passwd", "/etc/cron.d/x", "/etc/sudoers.d/a/b", "/etc/sudoers.dd"]
    script = f"for f in {' '.join(paths)}; do case $f in {files._UNSUMMED}) echo $f ;; esac; done"
    sh = shutil.which("sh")
    done = subprocess.run([sh, "-c", script], capture_output=True, text=True, check=True)
    hidden = [path for path in paths if etc_paths.secret(path) or etc_paths.told(path)]
    assert done.stdout.split() == hidden
    assert len(hidden) == len(paths) - 2


def test_without_etc_there_is_nothing():
    assert parsed() == {"files": Absent(), "file-times": Absent()}


def test_an_unknown_answer_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        parsed("nonsense")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)
STARTS = st.sampled_from([STAT + "/etc/", SUM + "/etc/", "owned a.list:/", "link /", "uid 0 ", ""])


@given(st.lists(st.builds(str.__add__, STARTS, TEXT), max_size=8))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        sections = parsed(*lines)
    except ParseError:
        return
    assert isinstance(sections["files"], Collected | Partial | Absent)


def test_on_a_machine_of_rpm_a_packages_file_is_told_by_its_package(captured):
    item = files.parse(captured("files", "owned-rpm"))["files"].items["/etc/nginx/nginx.conf"]
    assert item["package"] == "nginx-core.x86_64"
    assert "digest" not in item
