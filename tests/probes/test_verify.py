"""All files of packages against dpkg -V, rpm -Va, apk audit and pacman -Qkk of the same machine."""

import base64
import hashlib
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan import script
from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Failed, Partial, Payload, Raw, Scope
from driftscan.probes import verify
from driftscan.probes.loader import folded
from driftscan.probes.table import PROBES, of


def parsed(*lines, rpm=()):
    outputs = {"changed": Payload(lines), "rpm": Payload(tuple(rpm))}
    return verify.parse(Raw(outputs=outputs))["verified"]


def states(section):
    return {path: item["state"] for path, item in section.items.items()}


@pytest.mark.parametrize("machine", ["verify-dpkg", "verify-rpm"])
def test_what_is_told_is_what_dpkg_and_rpm_tell_without_configuration_and_documentation(
    machine, captured, oracle
):
    """And without what dpkg was told not to unpack; what is diverted is no difference."""
    expected = {}
    for line in oracle("verify", machine):
        marks, path = line[:11].rstrip(), folded(line.split(" ")[-1])
        if " c " not in line and "/share/doc/" not in path and "/doc/" not in f"{path}/":
            expected[path] = "missing" if marks == "missing" else "changed"
    expected.pop("/usr/share/zoneinfo/Asia/Tokyo", None)
    section = verify.parse(captured("verify", machine))["verified"]
    assert isinstance(section, Collected)
    assert states(section) == expected
    assert expected


def test_what_is_told_of_apks_packages_is_what_its_audit_tells(captured, oracle):
    section = verify.parse(captured("verify", "verify-apk"))["verified"]
    kinds = {"U": "changed", "X": "missing"}
    expected = {f"/{line[2:]}": kinds[line[0]] for line in oracle("verify", "verify-apk")}
    assert expected.items() <= states(section).items()
    beside = states(section).keys() - expected.keys()
    assert all(path.startswith("/etc/") for path in beside)
    assert "/etc/passwd" not in beside


def test_what_is_told_of_pacmans_packages_is_what_it_tells_itself(captured, oracle):
    section = verify.parse(captured("verify", "verify-pacman"))["verified"]
    told = "\n".join(oracle("verify", "verify-pacman"))
    lost = set(re.findall(r"pacman: (/\S+) \(No such file", told))
    changed = set(re.findall(r"pacman: (/\S+) \(SHA256 checksum mismatch", told))
    assert states(section) == {
        **dict.fromkeys(changed, "changed"),
        **dict.fromkeys(lost - {"/usr/share/doc/gone", "/usr/lib/link"}, "missing"),
    }
    assert lost
    assert changed
    assert section.gaps == ["7 packages have no sums, as busybox-1.35.0-4"]


def test_a_file_names_its_package_and_its_sum_and_evidence_tells_when(captured):
    sections = verify.parse(captured("verify", "verify-dpkg"))
    item = sections["verified"].items["/usr/bin/gzip"]
    assert (item["package"], item["state"]) == ("gzip", "changed")
    assert re.fullmatch("[0-9a-f]{32}", item["sum"])
    assert sections["verified-times"].items["/usr/bin/gzip"]["uid"] == 0


def test_what_an_account_may_not_read_is_a_gap_and_not_missing(captured):
    section = verify.parse(captured("verify", "verify-dpkg-nobody"))["verified"]
    assert isinstance(section, Partial)
    assert not [path for path in section.items if "/Africa/" in path]
    assert "not readable by this account: /usr/share/zoneinfo/Africa/" in section.gaps[0]


def test_large_files_of_no_package_are_summed_from_the_smallest_on(captured, oracle):
    section = verify.parse(captured("verify", "verify-dpkg"))["verified-software"]
    sums = {line[66:]: line[:32] for line in oracle("verify-large", "verify-dpkg")}
    assert {path: item["digest"] for path, item in section.items.items()} == sums
    assert section.gaps == ["1 file is told by size alone, as /opt/big/huge2: 200 MB are summed"]
    closed = verify.parse(captured("verify", "verify-dpkg-nobody"))["verified-software"]
    assert "/opt/big/tool2: denied" in closed.gaps
    assert closed.items.keys() == sums.keys() - {"/opt/big/tool2"}


def test_limits_and_prelink_are_told_and_nothing_that_they_hide_is_called_changed():
    of, is_ = f"of x {'a' * 32}  ", f"is {'b' * 32}  "
    section = parsed("prelinked", "have dpkg", f"{of}/bin/x", f"{is_}/bin/x", "cut", "more")
    assert section.items == {}
    assert len(section.gaps) == 3
    section = parsed("prelinked", "have dpkg", f"{of}/usr/share/x", f"{is_}/usr/share/x")
    assert states(section) == {"/usr/share/x": "changed"}


def test_no_manager_is_absent_and_no_tool_to_sum_with_is_unknown():
    assert isinstance(parsed(), Absent)
    assert isinstance(parsed("have dpkg", "have no md5sum"), Failed)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh", "zsh"])
def test_the_script_gives_the_digits_of_apks_sums_in_every_shell(shell, tmp_path):
    """Of base64 it makes hexadecimal in awk."""
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell} is not on this machine")
    path = tmp_path / "installed"
    sums = [hashlib.sha1(text, usedforsecurity=False).digest() for text in (b"a", b"b")]
    first, second = (base64.b64encode(digest).decode() for digest in sums)
    path.write_text(f"P:x\nF:usr/bin\nR:a b\nZ:Q1{first}\nF:\nR:top\nZ:Q1{second}\n")
    body = verify.ASK[0].body.replace("/lib/apk/db/installed", str(path))
    functions = body[: body.index("cd /\nrules=")]
    done = subprocess.run(
        [*shell.split(), "-c", f"NL='\n'\n{functions}\nv_apk"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        f"x {sums[0].hex()}  /usr/bin/a b",
        f"x {sums[1].hex()}  /top",
    ]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30)
STARTS = st.sampled_from(
    ["missing /", "closed /", f"of x {'a' * 32}  /", f"is {'a' * 32}  /", "unsummed /", "cut", ""]
)


@settings(max_examples=50)
@given(st.lists(st.builds(str.__add__, STARTS, TEXT), max_size=6))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        section = parsed("have dpkg", *lines)
        verify.parse(Raw(outputs={"large": Payload(tuple(lines))}))
    except ParseError:
        return
    assert isinstance(section, Collected | Partial)


def test_it_is_asked_with_verify_alone():
    assert verify not in PROBES
    assert of(Scope(verify=True)) == (*PROBES, verify)
    assert "v_told" not in script.template(PROBES)
