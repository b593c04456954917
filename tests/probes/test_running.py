"""The running probe against what sysctl, findmnt and the loader said on the same machine."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Failed, Partial, Payload, Raw
from driftscan.probes import running

START = ("boot quiet", "machine x86_64")


def parsed(*lines):
    return running.parse(Raw(outputs={"kernel": Payload((*START, *lines))}))


def test_settings_read_as_sysctl_prints_them(captured, oracle):
    told = [line.split(" = ", 1) for line in oracle("running", "furnished") if " = " in line]
    expected = {name: " ".join(value.split()) for name, value in told}
    items = running.parse(captured("running", "furnished"))["sysctl"].items
    common = items.keys() & expected.keys()
    assert len(common) > 30
    assert {name: items[name]["value"] for name in common} == {n: expected[n] for n in common}


def test_the_level_of_the_cpu_is_what_the_loader_supports(captured, oracle):
    levels = [line.split(" ")[1] for line in oracle("running", "furnished") if "level " in line]
    items = running.parse(captured("running", "furnished"))["cpu"].items
    assert items == {"level": {"level": max(levels)}}


def test_mounts_are_those_of_findmnt_without_the_kernels_and_the_engines(captured, oracle):
    told = [line.split(" ")[1:] for line in oracle("running", "furnished") if "mount " in line]
    items = running.parse(captured("running", "furnished"))["mounts"].items
    assert {(point, item["type"]) for point, item in items.items()} <= set(map(tuple, told))
    assert items == {"/": {"type": "overlay", "options": []}}


# As they stood in /proc/mounts of machines whose engines keep their data elsewhere.
ENGINES = (
    "mount /data/docker/overlay2/16fc350780db78f93dfa59f8603249b3b5c6a14477142ed3199fbe187945a346"
    "/merged overlay rw,relatime overlay",
    "mount /home/ci/.local/share/containers/storage/overlay/"
    "0a1b350780db78f93dfa59f8603249b3b5c6a14477142ed3199fbe187945a346/merged fuse.fuse-overlayfs"
    " rw,nosuid fuse-overlayfs",
    "mount /data/docker/containers/"
    "16fc350780db78f93dfa59f8603249b3b5c6a14477142ed3199fbe187945a346/mounts/shm tmpfs rw shm",
    "mount /srv/k3s/agent/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs ext4 rw"
    " /dev/sda1",
)


def test_what_an_engine_mounts_is_no_fact_wherever_it_keeps_its_data():
    assert parsed(*ENGINES, "mount /data ext4 rw /dev/sdb1")["mounts"].items == {
        "/data": {"type": "ext4", "options": []}
    }


def test_mounts_of_other_machines_are_read(fixtures):
    """jc's own reading of mount(8) is the oracle for which points there are."""
    folder = fixtures / "jc" / "tests" / "fixtures"
    seen = 0
    for path in sorted(folder.glob("*/mount.json")):
        rows = json.loads(path.read_text())
        if not all(row.get("type") for row in rows):
            continue  # BSD's has the type among the options
        text = [
            f"mount {r['mount_point']} {r['type']} {','.join(r['options'])} {r['filesystem']}"
            for r in rows
            if " " not in r["mount_point"]
        ]
        items = parsed(*text)["mounts"].items
        kinds = ("ext4", "xfs", "vfat", "zfs", "btrfs")
        disks = [
            row
            for row in rows
            if row["type"] in kinds and not row["mount_point"].startswith("/var/lib/docker")
        ]
        assert {r["mount_point"] for r in disks} <= set(items), path
        assert all(item["type"] not in ("proc", "sysfs", "cgroup2") for item in items.values())
        seen += len(items)
    assert seen > 3


def test_a_network_file_system_is_told_with_its_server_a_disk_without_its_name():
    items = parsed(
        "mount / ext4 rw,relatime,errors=remount-ro /dev/vda1",
        r"mount /my\040data nfs4 ro,addr=10.0.0.1,vers=4.2 nas:/x",
        "mount /proc proc rw proc",
        "mount /run/user/0 tmpfs rw tmpfs",
        "mount /var/lib/docker/overlay2/x/merged overlay rw overlay",
    )["mounts"].items
    assert items == {
        "/": {"type": "ext4", "options": []},
        "/my data": {"type": "nfs4", "options": ["ro", "vers=4.2"], "device": "nas:/x"},
    }


def test_modules_have_their_version_and_what_taints_the_kernel():
    section = parsed(
        "have modules",
        "module zfs (POE)",
        "module ext4 ",
        "/sys/module/zfs/version:2.1.11-1",
        "/sys/module/built_in/version:1",
    )["modules"]
    assert section.items == {"zfs": {"taint": "POE", "version": "2.1.11-1"}, "ext4": {}}


def test_a_kernel_without_modules_has_none():
    assert parsed()["modules"] == Absent()
    assert parsed("have modules")["modules"] == Collected(items={})


def test_the_command_line_is_told_without_what_names_a_disk_or_an_image():
    (match,) = [running._LINE.fullmatch('boot BOOT_IMAGE=/v root=UUID=1 a="b c" a=d quiet')]
    assert running._boot(match["boot"]) == {
        "a": {"values": ["b c", "d"]},
        "quiet": {"values": [""]},
    }


def test_a_secret_on_the_command_line_is_not_told():
    items = running._boot("luks_passphrase=hunter2")
    assert "hunter2" not in str(items)


V1 = "cmov cx8 fpu fxsr mmx sse sse2 syscall"
V2 = "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"


@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ("", ""),
        (V1, "x86-64-v1"),
        (f"{V1} {V2}", "x86-64-v2"),
        (V2, ""),
    ],
)
def test_a_cpu_has_a_level_when_it_meets_all_demands(flags, level):
    section = parsed(f"flags\t\t: {flags}")["cpu"]
    assert section == (Collected(items={"level": {"level": level}}) if level else Absent())


def test_another_architecture_has_no_level():
    lines = ("boot quiet", "machine aarch64", "flags : fp asimd")
    assert running.parse(Raw(outputs={"kernel": Payload(lines)}))["cpu"] == Absent()


def test_a_setting_that_may_not_be_read_is_a_gap_not_a_difference():
    section = parsed("closed fs/protected_fifos", "vm/swappiness:60")["sysctl"]
    assert section == Partial(
        items={"vm.swappiness": {"value": "60"}}, gaps=["fs.protected_fifos: denied"]
    )


def test_without_proc_nothing_is_known():
    sections = running.parse(Raw(outputs={"kernel": Payload(("machine x86_64",))}))
    assert all(isinstance(section, Failed) for section in sections.values())
    assert all(isinstance(section, Failed) for section in running.parse(Raw()).values())


def test_an_unknown_line_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        parsed("nonsense")


LINES = st.sampled_from(
    ["boot a=b", "flags : x", "have modules", "module a ", "vm/x:1", "mount / a b c"]
)


@given(st.lists(LINES | st.text(st.characters(codec="utf-8", exclude_characters="\n"))))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        sections = parsed(*lines)
    except ParseError:
        return
    assert set(sections) == {about.name for about in running.GIVES}
