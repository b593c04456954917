"""Links, pipes and devices in place of what the script reads; clocks that are far off."""

import os
import shutil
import subprocess

import pytest
from msgspec.structs import replace

from driftscan import diff, scan, script
from driftscan.demo import story
from driftscan.demo.server import RECORDED_NONCE, asked_for
from driftscan.explain import engine
from driftscan.model import Answer, Collected, Side
from driftscan.policy import judge
from driftscan.probes import apps, apt_history, apt_sources, dpkg, host
from driftscan.probes.table import PROBES
from driftscan.report.table import Look, render
from tests import recorded

# In a mount namespace of its own: nothing of it is seen outside, nothing is left.
GAMES = """
set -e
for d in /var/lib/dpkg /etc/apt /var/log /srv /opt /root /usr/local/lib /usr/local/bin; do
  mount -t tmpfs tmpfs "$d"
done
mkdir -p /var/log/apt /var/lib/dpkg/info /etc/apt/sources.list.d /etc/apt/preferences.d
mkfifo /var/lib/dpkg/status /etc/apt/sources.list.d/pipe.list /var/log/apt/history.log
ln -s /dev/zero /etc/apt/sources.list
ln -s /dev/zero /etc/apt/preferences
ln -s /dev/tty /var/log/dpkg.log
ln -s . /etc/apt/sources.list.d/loop.list
ln -s self.list /etc/apt/sources.list.d/self.list
printf '%s\n' 'root:$y$j9T$x7Qp9saltsalt$x7Qp9hashhashhash:20228:0:99999:7:::' > /etc/apt/shadow
ln -s ../../../../../../etc/apt/shadow /etc/apt/sources.list.d/shadow.list
mkdir /etc/apt/sources.list.d/folder.list
mkfifo /etc/apt/preferences.d/pipe
mkfifo /var/log/dpkg.log.1
ln -s /dev/urandom /var/log/apt/history.log.1.gz
# what an account without rights can do where it may write
for d in /srv/app /opt/app /root/.local /usr/local/lib/node_modules; do
  m=$d/node_modules/x p=$d/lib/python3.11/site-packages/y-1.0.dist-info
  v=$d/vendor/composer g=$d/lib/ruby/gems/3.1.0/specifications
  mkdir -p "$m" "$p" "$v" "$g" "$d/bin"
  mkfifo "$m/package.json" "$p/METADATA" "$p/RECORD" "$p/direct_url.json" "$p/INSTALLER"
  mkfifo "$v/installed.json" "$g/z-1.0.gemspec" "$d/pyvenv.cfg" "$d/bin/python3" "$d/package.json"
  mkfifo "$d/package-lock.json" "$d/composer.lock" "$d/Gemfile.lock" "$d/requirements.txt"
  ln -s /dev/zero "$d/lib/libx.so.1"
  ln -s "$d" "$d/loop"
done
for d in /etc/profile.d /etc/pam.d /etc/sudoers.d /etc/cron.d /etc/sysctl.d /etc/ld.so.conf.d \
  /etc/systemd/system /etc/security/limits.d /etc/ssh/sshd_config.d /usr/share/pam-configs; do
  if [ -d "$d" ]; then mount -t tmpfs tmpfs "$d"; fi
done
mkfifo /etc/profile.d/f.sh /etc/pam.d/common-auth /etc/sudoers.d/f /etc/cron.d/f 2>/dev/null || :
mkfifo /etc/sysctl.d/f.conf /etc/ld.so.conf.d/f.conf /etc/systemd/system/f.service || :
mkfifo /etc/security/limits.d/f.conf /etc/ssh/sshd_config.d/f.conf /usr/share/pam-configs/f || :
mkfifo /var/lib/dpkg/info/zz.list /var/lib/dpkg/info/php9.list /var/lib/dpkg/diversions
mkdir -p /usr/local/lib/python3.11/site-packages/y-1.0.dist-info
for f in INSTALLER METADATA REQUESTED direct_url.json; do
  mkfifo "/usr/local/lib/python3.11/site-packages/y-1.0.dist-info/$f"
done
mkfifo /root/.profile /root/.bashrc /usr/local/bin/python3 /usr/local/bin/app
ln -s /dev/zero /usr/local/bin/java
nl='
'
mkdir -p "/srv/x${nl}y/node_modules/q" /srv/web/node_modules/cli
printf '{"dependencies": {"version": "^9"},\n "name": "cli", "version": "17.0.0"}' \
  > /srv/web/node_modules/cli/package.json
printf '{"version": "1"}' > "/srv/x${nl}y/node_modules/q/package.json"
printf x > "/usr/local/bin/a${nl}b"
printf x > "/srv/a${nl}b.jar"
chmod 755 "/usr/local/bin/a${nl}b"
exec sh -s
"""


@pytest.mark.case("H29")
@pytest.mark.long  # the whole script, on whatever this machine has besides
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, for a mount namespace of its own")
def test_pipes_devices_and_loops_are_passed_over_and_told():
    asked = script.questions(PROBES, deadline=60)
    words = [shutil.which("unshare"), "-m", "sh", "-c", GAMES]
    # a session of its own: the script's watchdog ends its whole process group
    done = subprocess.run(
        words,
        input=asked.script.encode(),
        capture_output=True,
        timeout=90,
        start_new_session=True,
    )
    if b"must be superuser" in done.stderr or b"Operation not permitted" in done.stderr:
        pytest.skip(f"no right to mount here: {done.stderr.decode()}")
    answer = Answer(done.stdout, done.stderr, done.returncode, 1.0)

    raws = scan.unframed(answer, asked, PROBES)
    assert len(done.stdout) < 16 << 20
    special = {path for name, raw in raws.items() for path, why in raw.gaps.items()}
    assert {"/etc/apt/sources.list", "/etc/apt/sources.list.d/pipe.list"} <= special
    found = scan.fingerprint(
        answer,
        asked,
        PROBES,
        target="a",
        kind="host",
        address="a",
        taken="2026-11-25T00:00:00Z",
    )
    # nothing was waited for
    told = [
        payload for raw in raws.values() for payload in (*raw.outputs.values(), *raw.files.values())
    ]
    assert [payload for payload in told if payload.status == script.STOPPED] == []
    # a line break in a name hides nothing else
    for name in ("npm", "jars", "go", "gems", "programs", "vendored", "software"):
        assert apps.ODD in found.facts[name].gaps
    assert found.facts["npm"].items["npm//cli@/srv/web/node_modules"]["version"] == "17.0.0"
    # a pipe in the place of the package database is no empty machine
    assert type(found.facts["dpkg"]).__name__ in ("Failed", "Denied")
    assert "[redacted]:20228" in repr(found)
    assert "x7Qp9" not in repr(found)


CLOCKS = ["0", "1", "4294967296", "99999999999999999", "-1", "1e9", "\uff11\uff12", "now"]
STAMPS = ["1970-01-01  00:00:00", "2038-01-19  03:14:08", "2027-12-25  10:00:00", "9999-99-99"]


@pytest.mark.case("H31", "D10")
@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_is_far_off_changes_no_fact_and_no_order(clock):
    probes = (host, dpkg, apt_sources, apt_history)
    asked = script.questions(probes, deadline=20, nonce=RECORDED_NONCE.decode())
    honest = asked_for([story.recorded("web-a")], asked.script.encode())
    (line,) = [x for x in honest.split(b"\n") if x.startswith(b" clock ")]
    who = {"target": "a", "kind": "host", "address": "a", "taken": "2026-11-25T00:00:00Z"}

    def read(output):
        return scan.fingerprint(Answer(output, b"", 0, 0.1), asked, probes, **who)

    whole, odd = read(honest), read(honest.replace(line, b" clock " + clock.encode()))
    assert odd.facts == whole.facts
    assert odd.meta.taken == whole.meta.taken == "2026-11-25T00:00:00Z"


@pytest.mark.case("H31", "D10")
@pytest.mark.parametrize(
    ("ahead", "told"),
    [(0, ""), (25, ""), (90, "90 s ahead of"), (-86400, "86400 s behind"), (2**32, "ahead of")],
)
def test_how_far_a_host_s_clock_is_off_is_told_in_the_report_and_changes_no_verdict(ahead, told):
    subject, reference, comparison = recorded.pair("web-b")
    fingerprint = subject.fingerprint
    own = fingerprint.evidence["host"].items["self"]
    clock = {"self": {**own, "clock": str(int(own["clock"]) + ahead)}}
    evidence = {**fingerprint.evidence, "host": Collected(items=clock)}
    odd = Side(fingerprint=replace(fingerprint, evidence=evidence))

    host = engine.explain(odd, reference, comparison)

    gaps = [gap for gap in host.unknown if gap.what == "clock"]
    assert [(gap.side, gap.blocks) for gap in gaps] == ([("web-b", False)] if told else [])
    assert all(told in gap.why and "timedatectl" in gap.cure for gap in gaps)
    report = judge({"web-b": host}, "installed")
    assert (report.exit_code, report.complete) == (0, True)
    for form in ("text", "json"):
        shown = " ".join(render(form, report, Look(everything=True)).split())
        assert told in shown


@pytest.mark.case("H31")
@pytest.mark.parametrize("stamp", STAMPS)
def test_records_of_any_year_are_explained(stamp):
    subject, reference, comparison = recorded.pair("web-a")
    fingerprint = subject.fingerprint
    history = fingerprint.evidence["apt-history"]
    items = {k: {**v, "start": stamp.replace("  ", " ")} for k, v in history.items.items()}
    evidence = {**fingerprint.evidence, "apt-history": Collected(items=items)}
    times = fingerprint.evidence["dpkg-times"]
    evidence["dpkg-times"] = Collected(
        items={key: {**item, "changed": 2**62} for key, item in times.items.items()}
    )
    odd = Side(fingerprint=replace(fingerprint, evidence=evidence))
    report = engine.explain(odd, reference, comparison)
    assert len(report.findings) > 0
    assert diff.compare(odd.fingerprint, reference.fingerprint) == comparison
