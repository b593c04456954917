"""The root of the rpm machine: Debian's rpm and dnf with all they need, unpacked and not installed.

So it has no database of dpkg: what its own rpm installs is all that any package manager knows.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from tests.lab.settings import cache, folder, run, say

RELEASE = "trixie"
NAMES = (
    *("rpm", "dnf", "createrepo-c", "bash", "coreutils", "sed", "grep", "gzip", "tar", "mawk"),
    *("findutils", "util-linux", "passwd", "hostname", "base-files", "libc-bin", "procps"),
    *("openssh-server", "libfaketime", "bsdutils", "diffutils", "xz-utils", "zstd"),
)
_SOURCE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
_APT = """Dir::Etc::sourcelist "{here}/sources.list";
Dir::Etc::sourceparts "/nonexistent";
Dir::State "{here}/state";
Dir::State::status "{here}/status";
Dir::Cache "{here}/cache";
Acquire::Languages "none";
"""
_ACCOUNTS = (("root", 0, 0, "/root", "/bin/bash"), ("sshd", 101, 65534, "/run/sshd", "/bin/false"))
_ACCOUNTS += (("deploy", 1000, 1000, "/home/deploy", "/bin/bash"),)
_ACCOUNTS += (("ops", 1001, 1001, "/home/ops", "/bin/bash"),)
_ACCOUNTS += (("nobody", 65534, 65534, "/nonexistent", "/bin/false"),)
# What Debian's package scripts would have made.
_LINKS = {"usr/bin/sh": "bash", "usr/bin/awk": "mawk", "usr/bin/which": "which.debianutils"}
_UNWANTED = ("var/lib/dpkg", "etc/apt", "usr/share/doc", "usr/share/man", "usr/share/locale")


def ensure() -> Path:
    """The root, fetched once (60 MB) into the lab's cache."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    place = cache() / f"rpm-{RELEASE}-{key}"
    if not (place / "root").is_dir():
        say("rpm: downloading its root (60 MB, once)")
        _fetch(place)
        for package in (place / "cache/archives").glob("*.deb"):
            run("dpkg-deb", "-x", package, place / "part")
        _finish(place / "part")
        (place / "part").rename(place / "root")
        shutil.rmtree(place / "cache")
    return place / "root"


def _fetch(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    for name in ("state/lists/partial", "cache/archives/partial", "part"):
        folder(place / name)
    (place / "sources.list").write_text(f"{_SOURCE} http://deb.debian.org/debian {RELEASE} main\n")
    (place / "status").touch()
    config = place / "apt.conf"
    config.write_text(_APT.format(here=place))
    env = {"APT_CONFIG": str(config)}
    run("apt-get", "-qq", "update", env=env)
    options = ("-qq", "-y", "--download-only", "--no-install-recommends")
    run("apt-get", *options, "install", *NAMES, env=env)


def _finish(root: Path) -> None:
    for link, target in _LINKS.items():
        (root / link).unlink(missing_ok=True)
        (root / link).symlink_to(target)
    for name in _UNWANTED:
        shutil.rmtree(root / name, ignore_errors=True)
    rows = [f"{name}:x:{uid}:{gid}::{home}:{shell}" for name, uid, gid, home, shell in _ACCOUNTS]
    (root / "etc/passwd").write_text("".join(f"{row}\n" for row in rows))
    groups = ("root:x:0:", "deploy:x:1000:", "ops:x:1001:", "nogroup:x:65534:")
    (root / "etc/group").write_text("".join(f"{row}\n" for row in groups))
    run("chroot", root, "/usr/sbin/ldconfig", env={"PATH": f"{os.environ['PATH']}:/usr/sbin"})
