"""`driftscan doctor`: which step fails on the way to a host, what is lost there, and each cure."""

import json
import time

import paramiko
import pytest

from driftscan import doctor
from driftscan.model import Collected, Denied, Failed, Side, Unreached
from tests import recorded
from tests.cli.test_over_ssh import fleet, write  # noqa: F401 - a fixture
from tests.made import fingerprint
from tests.sshd import Manners, saying


@pytest.fixture
def away(work):
    """Inventory lines for a host whose port refuses."""
    paramiko.ECDSAKey.generate().write_private_key_file(str(work / "key"))
    return "  away: {address: 127.0.0.1, port: 1, key: key}\n"


def test_each_step_that_can_fail_is_named_with_what_was_fine_before_and_the_cure(
    driftscan,
    fleet,  # noqa: F811
    work,
    away,
):
    servers = fleet(
        login=Manners(auth="refuse"),
        shell=Manners(play=saying(b"", b"sh: not found\x1b[31m\n", 127)),
        stranger=Manners(recorded.host),
        unusable=Manners(recorded.host),
    )
    servers["stranger"].known_hosts.write_text("")
    servers["unusable"].key_file.chmod(0o644)
    write(work, servers, away)

    done = driftscan("doctor", "-f", "json")
    found = json.loads(done.out)

    assert (done.code, done.err, found["complete"]) == (3, "", False)
    steps = {name: one["step"] for name, one in found["targets"].items()}
    assert steps == {
        "away": "connection",
        "login": "login",
        "shell": "shell",
        "stranger": "host key",
        "unusable": "key",
    }
    assert found["targets"]["stranger"]["passed"] == [
        *("configuration", "key", "name", "connection", "greeting", "key exchange")
    ]
    assert "`driftscan trust stranger`" in found["targets"]["stranger"]["cure"]
    assert "authorized_keys" in found["targets"]["login"]["cure"]
    assert "chmod 600" in found["targets"]["unusable"]["cure"]
    assert servers["unusable"].connections == 0

    text = driftscan("doctor").out
    assert text.startswith("0/5 targets fine, 5 cannot be asked\n\nFAILED   away  connection: ")
    assert (
        "         fine     configuration, key, name, connection, greeting, key exchange\n" in text
    )
    assert text.isascii()
    assert "\x1b" not in text


def test_a_host_that_is_fine_is_told_as_such_and_quiet_says_nothing(driftscan, fleet, work):  # noqa: F811
    fleet(a=Manners(recorded.host))
    done = driftscan("doctor", "a")
    first, _, second = done.out.splitlines()
    assert (done.code, first) == (0, "1/1 target fine")
    assert second.startswith("ok       a  as root, ")
    quiet = driftscan("doctor", "a", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_a_file_and_an_engine_that_are_not_there_are_their_own_trouble(driftscan, work):
    (work / "x.json").write_text("{")
    done = driftscan("doctor", "./x.json", "docker://x", "--engine", "no-such-engine")
    assert done.code == 3
    assert "FAILED   ./x.json  target: " in done.out
    assert "FAILED   docker://x  target: " in done.out
    assert "no-such-engine" in done.out


@pytest.mark.long
def test_this_machine_can_be_asked(driftscan, work):
    assert " local  as " in driftscan("doctor", "local://").out


def test_nothing_to_check_is_a_mistake(driftscan, work):
    assert driftscan("doctor").code == 2


# --- what an answer shows ----------------------------------------------------------------------


def side(facts, clock="", seconds=1.0):
    found = fingerprint("a")
    taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_800_000_000))
    from msgspec.structs import replace

    meta = replace(found.meta, taken=taken, seconds=seconds, kind="host")
    evidence = {"host": Collected(items={"self": {"clock": clock}})}
    return Side(fingerprint=replace(found, meta=meta, facts=facts, evidence=evidence))


def test_what_is_lost_for_one_reason_is_one_note_with_its_cure():
    lost = Failed(reason="this machine has no find")
    found = doctor.diagnosed(
        side({"a": lost, "b": lost, "c": Denied(cure="--become"), "d": Collected(items={})})
    )
    assert found.state == "partial"
    assert [(note.what, note.cure) for note in found.notes] == [("a, b", ""), ("c", "--become")]


@pytest.mark.parametrize(
    ("clock", "told"),
    [
        (1_800_000_000, ""),
        (1_800_000_030, ""),
        (1_800_000_045, "45 s ahead of"),
        (1_799_990_000, "10000 s behind"),
        ("", ""),
        ("x", ""),
    ],
)
def test_a_clock_that_is_wrong_is_told(clock, told):
    notes = doctor.diagnosed(side({}, str(clock))).notes
    assert [note.what for note in notes] == (["clock"] if told else [])
    assert all(told in note.why for note in notes)


def test_a_jump_host_is_no_step_that_others_pass():
    def lost(stage):
        return doctor.diagnosed(
            Unreached(target="a", state="unreachable", stage=stage, cause="why", cure="how")
        )

    assert lost("via_bastion").step == "jump host"
    assert lost("via_bastion").passed == ["configuration", "key"]
    assert "jump host" not in lost("login").passed
    assert lost("deadline").step == "deadline"
