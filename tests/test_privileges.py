"""What plain accounts were not told: listed once for all hosts, with the rule that cures it."""

from msgspec.structs import replace

from driftscan import collector, privileges
from driftscan.model import Gap, HostReport, Meta
from driftscan.policy import judge
from driftscan.probes.table import PROBES
from driftscan.report import json as as_json
from driftscan.report.table import Look, render

DIGEST = collector.digest(PROBES)


def meta(target, privilege="user deploy", kind="host"):
    return Meta(
        target=target, kind=kind, address="", taken="2026-11-25T00:00:00Z", privilege=privilege
    )


def host(name, *gaps, privilege="user deploy", kind="host"):
    return HostReport(
        state="incomplete" if gaps else "in-sync",
        subject=meta(name, privilege, kind),
        reference=meta("image", "root", "image"),
        unknown=[Gap(what=what, side=name, why=why) for what, why in gaps],
    )


SUDO = ("sudo", privileges.DENIED)
CRON = ("cron", "/var/spool/cron/crontabs: denied")


def lost(**hosts):
    return privileges.of_reports(hosts, collector.PATH, lambda: DIGEST)


def test_it_is_one_list_for_all_hosts_with_the_lines_for_every_account():
    found = lost(
        a=host("a", SUDO, CRON), b=host("b", SUDO), c=host("c", SUDO, privilege="user ops")
    )
    assert found.sections == {"cron": ["a"], "sudo": ["a", "b", "c"]}
    assert found.accounts == {"deploy": ["a", "b"], "ops": ["c"]}
    assert found.sudoers == [
        f'Cmnd_Alias DRIFTSCAN = sha256:{DIGEST} {collector.PATH} ""',
        "Defaults:deploy !requiretty, env_reset, umask=0077",
        'Defaults:deploy secure_path="/usr/sbin:/usr/bin:/sbin:/bin"',
        "deploy ALL=(root) NOPASSWD: DRIFTSCAN",
        "Defaults:ops !requiretty, env_reset, umask=0077",
        'Defaults:ops secure_path="/usr/sbin:/usr/bin:/sbin:/bin"',
        "ops ALL=(root) NOPASSWD: DRIFTSCAN",
    ]
    assert privileges.sentence(found) == "deploy on a, b; ops on c: not all of sudo, cron (a)"


def test_what_root_would_not_cure_is_not_in_it():
    broken = ("dpkg", "line 3: not a field")
    assert lost(a=host("a", broken)) is None
    assert lost(a=host("a", SUDO, privilege="root")) is None
    assert lost(a=host("a", SUDO, kind="container")) is None
    assert lost(a=HostReport(state="timeout")) is None


def test_a_name_that_sudoers_would_take_for_something_else_is_not_written_there():
    for name in ("x ALL=(ALL) NOPASSWD: ALL", "%wheel", "ALL", "a,b", "", "Ünal"):
        found = lost(a=host("a", SUDO, privilege=f"user {name}"))
        assert found.sudoers[-1] == "ACCOUNT ALL=(root) NOPASSWD: DRIFTSCAN", name


def test_every_form_for_people_shows_it_once_and_json_has_it_whole():
    hosts = {"a": host("a", SUDO, CRON), "b": host("b", SUDO)}
    report = replace(judge(hosts, "installed"), without_root=lost(**hosts))
    for look in (Look(), Look(everything=True), Look(width=60)):
        told = render("text", report, look)
        assert told.count("deploy ALL=(root) NOPASSWD: DRIFTSCAN\n") == 1
        assert told.count(f"sha256:{DIGEST} ") == 1
    one = {"a": hosts["a"]}
    told = render("text", replace(report, hosts=one, without_root=lost(**one)), Look())
    assert "2 sections of a: only root is shown all of it" in told
    assert "nothing of what was asked" not in told
    assert told.splitlines()[-1] == "    deploy ALL=(root) NOPASSWD: DRIFTSCAN"
    assert '"without_root": {' in as_json.render(report)


def test_where_root_saw_all_nothing_is_told():
    hosts = {"a": host("a", privilege="root")}
    report = replace(judge(hosts, "installed"), without_root=lost(**hosts))
    assert "No root" not in render("text", report, Look())
