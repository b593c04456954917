"""The software probe against stat, sha256sum and dpkg -S on the same machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Collected, Partial, Payload, Raw
from driftscan.probes import software
from driftscan.probes.twins import software as twin

STAT = "1700000000 81ed 0 0 5 "
SUM = "sum " + "a" * 64 + "  "


def parsed(*lines):
    return software.parse(Raw(outputs={"unowned": Payload(lines)}))


def test_what_no_package_owns_is_told_and_what_one_owns_is_not(captured, oracle):
    items = software.parse(captured("software", "furnished"))["software"].items
    compared = 0
    for line in oracle("software", "furnished"):
        size, digest, path, owner = line.split(" ", 3)
        place, _, name = path.rpartition("/")
        told = items.get(place, {"files": {}})["files"].get(name)
        assert told == (None if owner else f"{size} {digest}"), path
        compared += 1
    assert compared == 8


def test_an_account_without_privileges_sees_the_same(captured):
    as_root, as_nobody = (
        software.parse(captured("software", machine))["software"]
        for machine in ("furnished", "furnished-nobody")
    )
    assert as_root == as_nobody


def test_times_and_accounts_are_evidence(captured):
    items = software.parse(captured("software", "furnished"))["software-files"].items
    assert items["/opt/app/bin/app"]["uid"] == 0
    assert items["/opt/app/bin/app"]["changed"] > 1_700_000_000


def test_paths_of_a_merged_usr_are_told_once():
    section = parsed("have owners", f"{STAT}/lib/x.so", f"{SUM}/lib/x.so")["software"]
    told = {"files": {"x.so": f"5 {'a' * 32}"}, "modes": {}}
    assert section == Collected(items={"/usr/lib": told})


def test_a_large_file_is_told_by_its_size_alone():
    line = f"1700000000 81ed 0 0 {twin.LARGEST + 1} /opt/a/big"
    section = parsed("have owners", line)["software"]
    assert section.items == {"/opt/a": {"files": {"big": str(twin.LARGEST + 1)}, "modes": {}}}


def test_a_file_that_may_not_be_read_is_a_gap_not_a_difference():
    section = parsed("have owners", f"{STAT}/opt/a/x")["software"]
    assert section == Partial(items={}, gaps=["/opt/a/x: denied"])


def test_without_lists_of_packages_nothing_is_missing():
    section = parsed(f"{STAT}/srv/a/x", f"{SUM}/srv/a/x")["software"]
    assert section == Collected(items={"/srv/a": {"files": {"x": f"5 {'a' * 32}"}, "modes": {}}})


def test_more_files_than_the_limit_make_the_section_partial():
    many = [f"{STAT}/opt/a/{n:05}" for n in range(twin.MOST + 1)]
    sums = [f"{SUM}/opt/a/{n:05}" for n in range(twin.MOST + 1)]
    section = parsed("have owners", *many, *sums)["software"]
    assert len(section.items["/opt/a"]["files"]) == twin.MOST
    assert section.gaps == [f"more than {twin.MOST} files: the rest was not looked at"]


def test_an_unknown_answer_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        parsed("nonsense")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)
STARTS = st.sampled_from([f"{STAT}/", f"{SUM}/", "have ", ""])


@given(st.lists(st.builds(str.__add__, STARTS, TEXT), max_size=8))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        sections = parsed(*lines)
    except ParseError:
        return
    assert set(sections) == {about.name for about in software.GIVES}


def test_on_a_machine_of_rpm_what_its_packages_have_is_not_told(captured, oracle):
    items = software.parse(captured("software", "owned-rpm"))["software"].items
    told = {f"{place}/{name}" for place, item in items.items() for name in item["files"]}
    assert {path for path in told if path.startswith("/usr/") and "/local/" not in path} == set(
        oracle("software", "owned-rpm")
    )
    assert "/usr/bin/sleep" not in told
