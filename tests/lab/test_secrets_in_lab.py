"""Secrets everywhere on a machine: none of them in what is stored, reported or complained of."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftscan.cli.configuration import FORMATS
from tests.lab import engine
from tests.lab.conftest import Program

pytestmark = pytest.mark.lab

IMAGE = "driftscan-lab/web-a:latest"
STEM = "x7Qp9"
PYTHON = "/usr/local/lib/python3.11/dist-packages/inhouse-1.0.dist-info"

# Each `@` is another secret.
FILES = {
    "/etc/apt/sources.list.d/one.list": "deb https://deploy:@@apt.example.com/debian sid main\n",
    "/etc/apt/sources.list.d/two.sources": "Types: deb\nURIs: https://u:@@apt2.example.com/debian\n"
    "Suites: sid\nComponents: main\n",
    "/etc/apt/auth.conf": "machine apt.example.com login deploy password @\n",
    "/etc/apt/auth.conf.d/more.conf": "machine apt2.example.com login u password @\n",
    "/etc/apt/apt.conf.d/99proxy": 'Acquire::http::Proxy "http://u:@@proxy.example.com:3128";\n',
    "/etc/environment": "API_TOKEN=@\nDB_URL=postgres://app:@@db.example.com/app\nPLAIN=seen\n",
    "/etc/profile.d/app.sh": "export AWS_SECRET_ACCESS_KEY=@\nexport PGPASSWORD='@'\n",
    "/etc/default/app": "DB_PASSWORD=@\nOPTS='--api-key @'\n",
    "/etc/systemd/system/app.service": "[Service]\nEnvironment=TOKEN=@ MODE=fast\n"
    'Environment="APP_SECRET=@"\nExecStart=/usr/bin/app --password @ --db mysql://a:@@db/x\n',
    "/etc/systemd/system/app.service.d/more.conf": "[Service]\nEnvironment=SESSION_KEY=@\n",
    "/etc/cron.d/backup": "PASSWORD=@\n0 3 * * * root curl -u backup:@ https://b.example.com/\n",
    "/var/spool/cron/crontabs/root": "0 4 * * * mysqldump -p@ app\n",
    "/etc/pip.conf": "[global]\nindex-url = https://u:@@pypi.example.com/simple\n",
    "/root/.config/pip/pip.conf": "[global]\nextra-index-url = https://u:@@pypi.example.com/s\n",
    f"{PYTHON}/METADATA": "Metadata-Version: 2.1\nName: inhouse\nVersion: 1.0\n",
    f"{PYTHON}/INSTALLER": "pip\n",
    f"{PYTHON}/RECORD": "",
    f"{PYTHON}/direct_url.json": '{"url": "https://u:@@git.example.com/x.git",'
    ' "vcs_info": {"vcs": "git", "commit_id": "abc"}}\n',
    "/root/.npmrc": "//registry.npmjs.org/:_authToken=@\n",
    "/usr/local/lib/node_modules/inhouse/package.json": '{"name": "inhouse", "version": "1.0.0",'
    ' "_resolved": "https://u:@@npm.example.com/x.tgz"}\n',
    "/etc/yum.repos.d/x.repo": "[x]\nbaseurl=https://u:@@yum.example.com/\npassword=@\n",
    "/var/log/auth.log": "Nov 20 10:00:00 web-a sudo: deploy : TTY=pts/0 ; PWD=/ ; USER=root ;"
    " COMMAND=/usr/bin/mysql -uroot -p@ app\n",
    "/root/.my.cnf": "[client]\npassword=@\n",
    "/root/.netrc": "machine x.example.com login u password @\n",
    "/root/.ssh/id_rsa": "-----BEGIN OPENSSH PRIVATE KEY-----\n@\n-----END",
    "/etc/ssh/sshd_config.d/x.conf": "# the token is @\nPermitRootLogin no\n",
    "/etc/sudoers.d/app": "# password @\napp ALL=(root) NOPASSWD: /usr/bin/app --token=@\n",
    "/etc/ld.so.preload.d/none": "@\n",
    "/opt/app/config.ini": "secret=@\n",
    "/usr/local/bin/app-run": "#!/bin/sh\nexec app --token @\n",
}
HISTORY = """
Start-Date: 2026-11-20  10:00:00
Commandline: apt-get install -o Acquire::http::Proxy=http://u:@@proxy.example.com curl --token=@
Requested-By: deploy (1000)
Upgrade: curl:amd64 (7.88.1-10, 7.88.1-10+deb12u1)
End-Date: 2026-11-20  10:00:02
"""


class Canaries:
    """Gives a new secret at each `@@` (user info, followed by `@`) and each `@`."""

    def __init__(self) -> None:
        self.count = 0

    def _one(self, found: re.Match[str]) -> str:
        self.count += 1
        return f"{STEM}{self.count:03}kV" + ("@" if found[0] == "@@" else "")

    def planted(self, text: str) -> str:
        return re.sub("@@?", self._one, text)


@pytest.fixture
def planted() -> Iterator[str]:
    """A running container of a lab image with all of these files and processes."""
    chosen, canaries = engine.current(), Canaries()
    name = f"driftscan-lab-test-secrets-{os.getpid()}"
    environment = canaries.planted("--env DB_PASSWORD=@ --env REDIS_URL=redis://:@@r.example.com/0")
    words = ["--name", name, "--network", "none", *chosen.limits(), *environment.split()]
    chosen.run("run", "--detach", *words, IMAGE, "sleep", "3600")
    try:
        for path, text in FILES.items():
            place = shlex.quote(path)
            write = f"mkdir -p $(dirname {place}) && cat > {place}"
            chosen.run("exec", "-i", name, "sh", "-c", write, stdin=canaries.planted(text))
        log = "cat >> /var/log/apt/history.log"
        chosen.run("exec", "-i", name, "sh", "-c", log, stdin=canaries.planted(HISTORY))
        service = canaries.planted("exec -a 'app --password @ --db x://u:@@h' sleep 3600")
        secret = canaries.planted("LD_API_KEY=@")
        chosen.run("exec", "--detach", "--env", secret, name, "bash", "-c", service)
        assert canaries.count > 40
        yield name
    finally:
        chosen.succeeds("rm", "-f", name)


@pytest.mark.case("H30", "D14", "D15")
def test_no_planted_secret_is_stored_or_told(
    planted: str, driftscan: Program, tmp_path: Path
) -> None:
    out, fixes = tmp_path / "out", tmp_path / "fixes"
    told = [driftscan("scan", f"docker://{planted}", "-o", str(out))]
    for form in FORMATS:
        options = ("-f", form, "--all") if form == "text" else ("-f", form)
        words = ("compare", f"docker://{planted}", f"image://{IMAGE}", *options)
        details = "--details" if form == "text" else "--no-details"
        told.append(driftscan(*words, "--fix", str(fixes), details))
    for about in ("curl", "inhouse", "AWS_SECRET_ACCESS_KEY"):
        words = ("explain", f"docker://{planted}", f"image://{IMAGE}", "--about", about)
        told.append(driftscan(*words))

    texts = {f"{done.code} {n} {s}": getattr(done, s) for n, done in enumerate(told) for s in _BOTH}
    texts |= {str(p): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    leaks = {
        where: text[max(0, at - 80) : at + 20]
        for where, text in texts.items()
        if (at := text.find(STEM)) >= 0
    }
    assert leaks == {}
    # what stands beside the secrets was read
    (stored,) = (path.read_text() for path in out.glob("*.json"))
    for seen in (
        "apt.example.com",
        "apt2.example.com",
        "AWS_SECRET_ACCESS_KEY",
        "proxy.example.com",
    ):
        assert seen in stored
    assert "Traceback" not in "".join(texts.values())


_BOTH = ("out", "err")
