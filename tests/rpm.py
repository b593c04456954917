"""Real rpms as oracles: this machine's, and Debian 13's, which reads ndb too."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab import rpm_root


def here() -> list[str]:
    """This machine's rpm (4.18 reads sqlite and BDB); the test says so where there is none."""
    found = shutil.which("rpm")
    if not found:
        pytest.skip("rpm is not on this machine: `sh .ci/tools.sh` installs it")
    return [found]


def newest() -> list[str]:
    """Debian 13's rpm, unpacked for the lab's rpm machine and run by its own loader."""
    root = rpm_root.ensure()
    libraries = root / "usr/lib/x86_64-linux-gnu"
    loader = libraries / "ld-linux-x86-64.so.2"
    config = f"RPM_CONFIGDIR={root}/usr/lib/rpm"
    return ["env", config, str(loader), "--library-path", str(libraries), f"{root}/usr/bin/rpm"]


def packages(rpm: list[str], database: Path, form: str) -> str:
    """What `rpm -qa --qf FORM` prints of a database: it may write beside it, so give it a copy."""
    argv = [*rpm, "-qa", "--dbpath", str(database), "--qf", form]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C"}
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=env, timeout=120)
    return done.stdout
