"""What is written beside the reports: remedies as files, bills of materials, messages, logs."""

import json

import pytest
from msgspec.structs import replace

from driftscan import cyclonedx, sanitize, scan
from driftscan.cli import faults
from driftscan.cli.progress import State
from driftscan.errors import MachineError
from driftscan.model import Collected, Failed, Remedy, Step
from driftscan.report import fix
from driftscan.sanitize import safe
from tests.made import fingerprint, package
from tests.report.hostile import CORPUS, MARK, attacked

ATTACKS = pytest.mark.parametrize("attack", sorted(CORPUS))


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
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        faults.tell(error)
    told = capsys.readouterr()
    assert told.out == ""
    assert_safe(told.err)
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
