"""The tuning probe: kernel settings, limits and fstab as their programs read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Collected, Partial, Payload, Raw
from driftscan.probes import tuning

PATHS = (
    "/etc/fstab",
    "/etc/sysctl.conf",
    "/etc/sysctl.d/a.conf",
    "/etc/security/limits.conf",
    "/etc/systemd/system.conf",
)


def parsed(files=None, *more):
    lines = []
    for path, content in (files or {}).items():
        lines += [f"file {path}", *(f" {line}" for line in content)]
    return tuning.parse(Raw(outputs={"files": Payload((*lines, *more))}))


def settings(files):
    items = parsed(files)["sysctl-settings"].items
    return {key: item["value"] for key, item in items.items()}


def test_the_settings_of_a_machine_are_those_that_systemd_and_sysctl_apply(captured, oracle):
    """Oracle: what stands last in `sysctl --system --dry-run`; it skips what the kernel lacks."""
    told = [line.split(" = ", 1) for line in oracle("tuning", "furnished") if " = " in line]
    expected = {tuning.dotted(name.strip()): " ".join(value.split()) for name, value in told}
    items = tuning.parse(captured("tuning", "furnished"))["sysctl-settings"].items
    assert {key: items[key]["value"] for key in expected} == expected
    assert items.keys() - expected.keys() == {"net.ipv4.conf.eth0/1.rp_filter"}


def test_the_file_that_decides_is_evidence(captured):
    items = tuning.parse(captured("tuning", "furnished"))["tuning-files"].items
    assert items["sysctl-settings:vm.swappiness"] == {"file": "/etc/sysctl.conf"}
    assert items["limits:*/soft/nofile"] == {"file": "/etc/security/limits.d/app.conf"}


def test_limits_and_file_systems_of_a_machine(captured):
    sections = tuning.parse(captured("tuning", "furnished"))
    assert sections["limits"].items == {
        "*/soft/nofile": {"value": "65536"},
        "@www/soft/nproc": {"value": "200"},
        "@www/hard/nproc": {"value": "200"},
        "systemd/DefaultLimitNOFILE": {"value": "1024:524288"},
    }
    assert sections["fstab"].items == {
        "/": {"type": "ext4", "options": ["errors=remount-ro", "noatime"]},
        "/srv/my data": {
            "type": "nfs4",
            "options": ["ro", "soft"],
            "device": "nas:/export/my data",
        },
        "swap": {"type": "swap", "options": ["sw"]},
    }


def test_an_account_without_privileges_reads_the_same(captured):
    as_root, as_nobody = (
        tuning.parse(captured("tuning", machine)) for machine in ("furnished", "furnished-nobody")
    )
    assert as_root == as_nobody


def test_a_file_of_the_same_name_in_etc_hides_that_of_the_package():
    files = {"/usr/lib/sysctl.d/10.conf": ["a.b=1", "a.c=1"], "/etc/sysctl.d/10.conf": ["a.b=2"]}
    assert settings(files) == {"a.b": "2"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/conf/eth0.1/rp_filter", "net.ipv4.conf.eth0/1.rp_filter"),
        ("net.ipv4.conf.eth0/1.rp_filter", "net.ipv4.conf.eth0/1.rp_filter"),
    ],
)
def test_a_setting_has_one_name_however_it_is_written(written, meant):
    assert tuning.dotted(written) == meant


def test_short_and_commented_lines_of_fstab_are_passed_over():
    files = {"/etc/fstab": ["/dev/sda1 / ext4 defaults 0 1", "short line", "# x / ext4"]}
    assert parsed(files)["fstab"].items == {"/": {"type": "ext4", "options": []}}


def test_a_directory_that_may_not_be_read_is_a_gap():
    sections = parsed({"/usr/lib/sysctl.d/1.conf": ["a=1"]}, "closed /etc/sysctl.d")
    assert sections["sysctl-settings"] == Partial(
        items={"a": {"value": "1"}}, gaps=["/etc/sysctl.d: denied"]
    )
    assert isinstance(sections["limits"], Collected)


def test_an_unknown_answer_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        parsed({}, "nonsense")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)


@given(st.dictionaries(st.sampled_from(PATHS) | TEXT, st.lists(TEXT, max_size=5), max_size=5))
def test_whatever_a_host_says_only_parse_errors_escape(files):
    try:
        sections = parsed(files)
    except ParseError:
        return
    assert set(sections) == {about.name for about in tuning.GIVES}
