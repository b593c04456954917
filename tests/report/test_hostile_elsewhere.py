"""What is written beside the reports: remedies as files, bills of materials, messages, logs."""

import json
import re
from pathlib import Path

import pytest
from click import UsageError
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from driftscan import cyclonedx, sanitize, scan
from driftscan.cli import baseline, doctor, faults, inventory, trust
from driftscan.cli.progress import State
from driftscan.doctor import Diagnosis, Note
from driftscan.errors import MachineError
from driftscan.inventory.contract import Group, Inventory
from driftscan.machines.known_hosts import Verdict
from driftscan.machines.openssh_config import Hop
from driftscan.machines.trusting import Offer
from driftscan.model import Baseline, Collected, Failed, Place, Remedy, Step, Target
from driftscan.report import fix
from driftscan.sanitize import safe
from tests.made import fingerprint, package
from tests.report.hostile import CORPUS, MARK, attacked

ATTACKS = pytest.mark.parametrize("attack", sorted(CORPUS))


# GitHub's runner and Azure's agent: what they do on reading a line (the older form anywhere in it)
COMMAND = re.compile(r"^\s*::[A-Za-z]|##\w*\[", re.MULTILINE)


def assert_obeyed_by_nobody(text):
    assert_safe(text)
    assert COMMAND.search(text) is None


def assert_safe(text):
    for line in text.removesuffix("\n").split("\n"):
        assert safe(line) == line
    text.encode()


@pytest.mark.case("H16", "H39")
@ATTACKS
def test_a_remedy_as_a_file_has_no_line_that_is_not_ours(attack):
    text = CORPUS[attack]
    host = next(iter(attacked(text).hosts.values()))
    step = Step(run="true", why=text, phase="packages", words=["a=1"])
    remedy = Remedy(id="r", causes=[host.causes[0].id], steps=[step], notes=[text], simulated=text)
    files = fix.files("web-a", replace(host, remedies=[remedy]))

    ours = {"", "#!/bin/sh", "set -eu", 'cd "$(dirname "$0")"', "true"}
    assert list(files) == ["web-a.sh"]
    for line in files["web-a.sh"].split("\n"):
        assert line in ours or line.startswith("# ")
    assert_safe(files["web-a.sh"])


@pytest.mark.case("H15", "H16", "H20")
@ATTACKS
def test_a_bill_of_materials_is_plain_json(attack):
    text = CORPUS[attack]
    item = {**package(text, text), "status": text, "want": text}
    facts = {"dpkg": Collected(items={text: item, "a": item}), "rpm": Failed(reason=text)}
    found = fingerprint("a")
    facts |= {"os": Collected(items={"release": {"id": text, "version_id": text, "pretty": text}})}
    clean = {name: sanitize.clean(section) for name, section in facts.items()}
    meta = replace(found.meta, target=safe(text))

    bill = cyclonedx.render(replace(found, meta=meta, facts=clean))

    assert_safe(bill)
    assert json.loads(bill)["compositions"] == [{"aggregate": "incomplete"}]


@pytest.mark.case("H16", "H39", "H40")
@ATTACKS
def test_no_message_and_no_traceback_carries_an_attack(attack, capsys):
    text = CORPUS[attack]
    faults.say(text)
    faults.say(f"{text}: in the middle\n{text}")
    faults.progress(text)
    faults.refuse(UsageError(text))
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        faults.tell(error)
    told = capsys.readouterr()
    assert told.out == ""
    assert_obeyed_by_nobody(told.err)
    assert told.err.startswith("driftscan: ")


@pytest.mark.case("H16", "H40")
@ATTACKS
def test_no_failure_of_a_machine_and_no_reason_carries_an_attack(attack):
    text = CORPUS[attack]
    lost = scan.unreached("a", MachineError("unreachable", "tcp", text, text), 1.0)
    assert_safe(lost.cause + lost.cure)
    assert "\n" not in lost.cause + lost.cure
    bug = scan.unreached("a", scan.fault(RuntimeError(text)), 1.0)
    assert_safe(bug.cause)
    assert_safe(sanitize.clean(Failed(reason=text)).reason)


def test_progress_tells_names_and_never_what_a_machine_said():
    state = State(2)
    state.on_event("web-a", "started", MARK)
    state.on_event("web-a", "failed", MARK)
    state.on_event("web-b", "started", MARK)
    assert state.line() == "1 of 2 done, 1 failed, slowest web-b (0 s)"


@pytest.mark.case("H16", "H39")
@ATTACKS
def test_doctor_prints_nothing_that_a_terminal_or_a_ci_log_obeys(attack):
    text = CORPUS[attack]
    note = Note(what=text, why=text, cure=text)
    found = {
        "a": Diagnosis(state="failed", step="greeting", cause=text, cure=text, passed=[text]),
        f"b {text}": Diagnosis(state="partial", account=text, notes=[note]),
    }
    assert_obeyed_by_nobody(doctor._text(found))
    # what reaches it was made printable where it came in
    (cause,) = (one.cause for one in found.values() if one.step)
    printable = {"a": Diagnosis(state="failed", step="greeting", cause=safe(cause))}
    said = doctor._json(printable)
    assert_obeyed_by_nobody(said)
    assert json.loads(said)["targets"]["a"]["cause"] == safe(text)


@pytest.mark.case("H16", "H39")
@ATTACKS
def test_trust_inventory_and_baseline_print_nothing_that_a_ci_log_obeys(attack, capsys):
    text = CORPUS[attack]
    target = Target(name=text, road="ssh", address=text, user=text, groups=[text], unusable=text)
    known = Inventory(text, {text: target}, {text: Group((text,), text)})
    assert_obeyed_by_nobody(inventory._text(known, [target]))

    shown = Offer(_hop(text), "ssh-ed25519", b"", "SHA256:x", Verdict("unknown"))
    assert not trust._settled(target, shown, trust._Answer(("SHA256:y",), yes=False, replace=False))
    told = capsys.readouterr()
    assert_obeyed_by_nobody(told.out)
    assert_obeyed_by_nobody(told.err)

    line = Place(kind="line", file=text, line=2, text=text)
    found = Baseline(
        **dict.fromkeys(("name", "image", "built", "builder", "dockerfile", "digest"), text),
        text=text,
        attributions={},
        places={"2": line},
        fingerprint=fingerprint("a"),
    )
    assert_obeyed_by_nobody(baseline._text(found))


def _hop(text):
    plain = dict.fromkeys(("name", "address", "user", "agent", "alias"), text)
    files = (Path("/known"),)
    return Hop(**plain, port=22, keys=(), chosen=False, only_files=True, known_hosts=files)


@given(st.text(max_size=80) | st.sampled_from(sorted(CORPUS.values())))
def test_json_that_is_printed_says_the_same_and_nothing_obeys_it(text):
    plain = json.dumps({text: [text]}, ensure_ascii=False, indent=1)
    said = sanitize.inert_json(plain)
    assert json.loads(said) == {text: [text]}
    assert_obeyed_by_nobody(said)
