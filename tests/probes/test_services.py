"""The services probe against `systemctl list-unit-files` and crontabs that were written by hand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import sanitize
from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Partial
from driftscan.probes import services
from tests.probes.texts import answer


def parsed(files=None, *closed, **outputs):
    return services.parse(answer(files, *closed, name="jobs", **outputs))


def jobs(path, *lines):
    return parsed({path: lines})["cron"].items


def test_units_are_enabled_masked_and_aliases_as_systemctl_says(captured, oracle):
    told = dict(line.split()[:2] for line in oracle("services", "furnished"))
    items = services.parse(captured("services", "furnished"))["units"].items
    states = {name: item.get("state") for name, item in items.items()}
    known = {name: told[name] for name in states if name in told}
    assert len(known) > 15
    assert known == {name: states[name] for name in known}
    # and none that systemctl calls enabled is left out, but for instances and what /usr links
    enabled = {name for name, state in told.items() if state == "enabled" and "@" not in name}
    assert enabled - set(states) == set()
    assert {name for name in states if name not in told} == {"getty@tty1.service"}


def test_on_a_booted_machine_all_is_as_systemctl_says(captured, oracle):
    rows = [line.split() for line in oracle("services", "booted")]
    sections = services.parse(captured("services", "booted"))
    files = {row[1]: row[2] for row in rows if row[0] == "file"}
    units = {name: item.get("state") for name, item in sections["units"].items.items()}
    known = units.keys() & files.keys()
    assert {name: units[name] for name in known} == {name: files[name] for name in known}
    active = {row[1]: row[3] for row in rows if row[0] == "unit"}
    states = sections["unit-states"].items
    assert {name: item["active"] for name, item in states.items()} == active
    failed = {row[1] for row in rows if row[0] == "failed"}
    assert set(sections["failed-units"].items) == failed
    assert failed


def test_drop_ins_and_own_units_are_told(captured):
    items = services.parse(captured("services", "furnished"))["units"].items
    assert items["php8.2-fpm.service"]["dropins"] == ["override.conf"]
    assert items["app.service"] == {"state": "enabled", "wanted_by": ["multi-user.target"]}
    assert items["web.service"] == {"state": "alias", "target": "ssh.service"}
    assert items["cron.service"]["state"] == "masked"


def test_init_scripts_are_told_with_their_levels(captured):
    items = services.parse(captured("services", "furnished"))["init-scripts"].items
    assert items["exim4"] == {"levels": ["3", "4", "5"]}
    assert items["procps"] == {"levels": ["S"]}


def test_crontabs_of_the_machine_and_of_its_users(captured):
    items = services.parse(captured("services", "furnished"))["cron"].items
    own = "/var/spool/cron/crontabs/ann|$HOME/clean"
    assert items[own] == {"schedule": "30 4 * * 1", "user": "ann"}
    assert items["/etc/cron.d/app|touch /run/x"] == {"schedule": "@reboot", "user": "root"}
    assert items["/etc/cron.d/app|MAILTO="] == {"value": "ops"}
    assert items["/etc/cron.daily/app"] == {}
    assert "not-a-real-one" not in str(sanitize.clean(Collected(items=items)))


def test_crontabs_of_other_machines_are_read_as_jc_reads_them(fixtures):
    folder = fixtures / "jc" / "tests" / "fixtures"
    read = 0
    for path in sorted(folder.glob("*/crontab*.out")):
        expected = json.loads(path.with_suffix(".json").read_text())
        own = "crontab-u" not in path.name
        place = "/var/spool/cron/crontabs/x" if own else "/etc/crontab"
        items = jobs(place, *path.read_text().splitlines())
        commands = {row["command"] for row in expected["schedule"]}
        found = {key.partition("|")[2] for key, item in items.items() if "schedule" in item}
        assert found == commands, path
        read += len(found)
    assert read > 20


def test_files_that_cron_passes_over_are_passed_over():
    assert jobs("/etc/cron.d/app.dpkg-dist", "* * * * * root x") == {}
    assert parsed(startup=["job /etc/cron.daily/x.sh"])["cron"].items == {}


def test_without_privileges_the_crontabs_of_users_are_a_gap(captured):
    section = services.parse(captured("services", "furnished-nobody"))["cron"]
    assert isinstance(section, Partial)
    assert section.gaps == ["/var/spool/cron/crontabs: denied"]
    denied = parsed({}, "/var/spool/cron/crontabs")["cron"]
    assert isinstance(denied, Denied)


def test_a_job_of_at_tells_its_queue_and_time():
    job = "a000010180e2f4"
    assert parsed(active=[f"at {job}"])["at-jobs"].items == {
        job: {"queue": "a", "time": 0x0180E2F4 * 60}
    }


def test_failed_units_are_facts_and_the_rest_explains():
    sections = parsed(
        active=[
            "have systemd",
            "unit ssh.service loaded active running OpenBSD Secure Shell server",
            "unit ● app.service loaded failed failed app",
        ]
    )
    assert sections["failed-units"].items == {"app.service": {"state": "failed"}}
    running = {"load": "loaded", "active": "active", "sub": "running"}
    assert sections["unit-states"].items["ssh.service"] == running


def test_without_a_running_systemd_nothing_is_active_by_it():
    assert parsed()["unit-states"] == Absent()
    assert parsed()["failed-units"] == Absent()


def test_an_unknown_answer_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        parsed(startup=["nonsense"])
    with pytest.raises(ParseError, match="'nonsense'"):
        parsed(active=["nonsense"])


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)


@given(
    st.dictionaries(st.sampled_from(["/etc/crontab", "/etc/cron.d/a"]), st.lists(TEXT, max_size=4)),
    st.lists(TEXT | TEXT.map("l /etc/systemd/system/{} -> x".format), max_size=4),
    st.lists(TEXT.map("unit {}".format) | TEXT.map("at {}".format), max_size=4),
)
def test_whatever_a_host_says_only_parse_errors_escape(files, startup, active):
    try:
        sections = parsed(files, startup=startup, active=active)
    except ParseError:
        return
    assert set(sections) == {about.name for about in services.GIVES}
