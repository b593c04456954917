"""What is left out of the files below /etc is told by another section, or has its reason."""

from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import pytest

from driftscan import scan, script
from driftscan.machines.directory import at
from driftscan.machines.reading import Reader
from driftscan.model import Limits
from driftscan.probes import etc_paths
from driftscan.probes.table import PROBES

# Of each pattern the probe that tells of it, and two contents that mean something else.
PAIRS = {
    "/etc/apt/sources.list": (
        "apt-sources",
        "deb http://a.example/x s main\n",
        "deb http://a.example/x s new\n",
    ),
    "/etc/apt/sources.list.d/*": (
        "apt-sources",
        "deb http://b.example/x s main\n",
        "deb [trusted=yes] http://b.example/x s main\n",
    ),
    "/etc/apt/preferences.d/*": (
        "apt-sources",
        "Package: a\nPin: version 1\nPin-Priority: 500\n",
        "Package: a\nPin: version 1\nPin-Priority: 501\n",
    ),
    "/etc/passwd": ("accounts", "root:x:0:0::/root:/bin/sh\n", "root:x:0:0::/root:/bin/bash\n"),
    "/etc/group": ("accounts", "adm:x:4:\n", "adm:x:4:bob\n"),
    "/etc/sudoers": ("accounts", "root ALL=(ALL) ALL\n", "root ALL=(ALL) NOPASSWD: ALL\n"),
    "/etc/sudoers.d/*": ("accounts", "b ALL=(ALL) /bin/a\n", "b ALL=(ALL) /bin/b\n"),
    "/etc/crontab": ("services", "1 * * * * root /bin/a\n", "2 * * * * root /bin/a\n"),
    "/etc/cron.d/*": ("services", "1 * * * * root /bin/b\n", "1 * * * * bob /bin/b\n"),
    "/etc/ssh/sshd_config": ("accounts", "PermitRootLogin no\n", "PermitRootLogin yes\n"),
    "/etc/ssh/sshd_config.d/*": ("accounts", "X11Forwarding no\n", "X11Forwarding yes\n"),
    "/etc/nsswitch.conf": ("naming", "hosts: files dns\n", "hosts: dns files\n"),
    "/etc/fstab": ("tuning", "/dev/a /a ext4 ro 0 0\n", "/dev/a /a ext4 rw 0 0\n"),
    "/etc/sysctl.conf": ("tuning", "vm.swappiness=1\n", "vm.swappiness=2\n"),
    "/etc/sysctl.d/*": ("tuning", "vm.nr_hugepages=1\n", "vm.nr_hugepages=2\n"),
    "/etc/security/limits.conf": ("tuning", "* soft nofile 1\n", "* soft nofile 2\n"),
    "/etc/security/limits.d/*": ("tuning", "* hard nofile 1\n", "* hard nofile 2\n"),
    "/etc/timezone": ("regional", "Europe/Vienna\n", "Europe/Rome\n"),
    "/etc/locale.conf": ("regional", "LC_TIME=C\n", "LC_TIME=POSIX\n"),
    "/etc/default/locale": ("regional", "LANG=C\n", "LANG=de_AT.UTF-8\n"),
    "/etc/environment": ("environment", "A=1\n", "A=2\n"),
    "/etc/ld.so.conf": ("libraries", "/opt/a\n", "/opt/b\n"),
    "/etc/ld.so.conf.d/*": ("libraries", "/opt/c\n", "/opt/d\n"),
    "/etc/ld.so.preload": ("libraries", "/a.so\n", "/b.so\n"),
    "/etc/apk/repositories": (
        "apk-repositories",
        "http://c.example/v3/main\n",
        "http://c.example/v3/community\n",
    ),
    "/etc/yum.repos.d/*": (
        "dnf",
        "[a]\nbaseurl=http://d.example\ngpgcheck=1\n",
        "[a]\nbaseurl=http://d.example\ngpgcheck=0\n",
    ),
    "/etc/pam.d/common-*": (
        "files",
        "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n",
        "auth sufficient pam_permit.so\nauth requisite pam_deny.so\n",
    ),
}
NAMES = {"/etc/apt/sources.list.d/*": "a.list", "/etc/yum.repos.d/*": "a.repo"}
NAMES |= {"/etc/ssh/sshd_config.d/*": "a.conf", "/etc/ld.so.conf.d/*": "a.conf"}
NAMES |= {"/etc/security/limits.d/*": "a.conf", "/etc/sysctl.d/*": "a.conf"}


def path_of(pattern):
    head, star, _ = pattern.rpartition("*")
    return head + NAMES.get(pattern, "a") if star else pattern


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root directory with the first content of each file."""
    place = tmp_path_factory.mktemp("root")
    for pattern, (_, before, _) in PAIRS.items():
        file = place / path_of(pattern)[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(before)
    (place / "etc/dnf").mkdir()
    (place / "etc/dnf/dnf.conf").write_text("[main]\n")
    (place / "etc/ld.so.conf").write_text("/opt/a\ninclude /etc/ld.so.conf.d/*.conf\n")
    (place / "etc/ssh/sshd_config").write_text(
        "PermitRootLogin no\nInclude /etc/ssh/sshd_config.d/*.conf\n"
    )
    (place / "etc/sudoers").write_text("root ALL=(ALL) ALL\n@includedir /etc/sudoers.d\n")
    for file in filter(Path.is_file, place.rglob("*")):
        file.chmod(0o644)
    return place


def facts(root, name="files"):
    """What a probe tells of a root directory."""
    asked = [probe for probe in PROBES if name == probe.NAME]
    questions = script.questions(asked, deadline=60)
    answer = Reader(partial(at, str(root))).ask(questions, Limits())
    (raw,) = scan.unframed(answer, questions, asked).values()
    return {about.name: asked[0].parse(raw)[about.name] for about in asked[0].GIVES}


def compared(root, name):
    told = facts(root, name)
    (probe,) = [probe for probe in PROBES if name == probe.NAME]
    return {about.name: told[about.name] for about in probe.GIVES if about.holds == "facts"}


@pytest.mark.parametrize("pattern", etc_paths.TOLD)
def test_another_content_of_a_file_without_a_digest_changes_a_fact(pattern, root):
    probe, old, new = PAIRS[pattern]
    before = compared(root, probe)
    file = root / path_of(pattern)[1:]
    kept = file.read_text()
    file.write_text(kept.replace(old, new))
    assert file.read_text() != kept
    try:
        after = compared(root, probe)
    finally:
        file.write_text(kept)
    assert before != after
    item = facts(root)["files"].items[path_of(pattern)]
    assert {"mode", "account"} <= item.keys()
    assert "digest" not in item


def test_who_may_change_a_file_is_told_of_each(root):
    before = facts(root)["files"].items
    paths = [path_of(pattern) for pattern in etc_paths.TOLD]
    files = [root / path[1:] for path in paths]
    for file in files:
        file.chmod(0o666)
    try:
        after = facts(root)["files"].items
    finally:
        for file in files:
            file.chmod(0o644)
    assert {path: after[path]["mode"] for path in paths} == dict.fromkeys(paths, "666")
    assert {before[path]["mode"] for path in paths} == {"644"}


@pytest.mark.parametrize(
    "line", ["ExecStart=/bin/b", "User=bob", "OnCalendar=daily", "LimitNOFILE=5"]
)
@pytest.mark.parametrize("name", ["a.service", "a.timer", "cron.service.d/a.conf"])
def test_another_line_of_a_unit_or_drop_in_changes_its_digest(name, line, tmp_path):
    unit = tmp_path / "etc/systemd/system" / name
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/bin/a\n")
    (tmp_path / "etc/systemd/system/b.service").symlink_to("/dev/null")
    before = facts(tmp_path)["files"].items
    unit.write_text(f"[Service]\n{line}\n")
    after = facts(tmp_path)["files"].items
    path = f"/etc/systemd/system/{name}"
    assert before.keys() == after.keys() == {path}, "links are told by `units`"
    assert before[path]["digest"] != after[path]["digest"]


def test_every_pattern_without_a_digest_is_tried_and_hides_no_other():
    assert set(PAIRS) == set(etc_paths.TOLD)
    for pattern in etc_paths.TOLD:
        assert fnmatchcase(path_of(pattern), pattern)
        assert not etc_paths.pruned(path_of(pattern))
