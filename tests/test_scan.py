"""Machines -> fingerprints: real answers of this machine's sh, and every way one can be wrong."""

import random
import subprocess
import threading
import time
import zlib
from types import SimpleNamespace

import msgspec
import pytest

from driftscan import bounded
from driftscan.errors import MachineError, ParseError
from driftscan.model import (
    Absent,
    Answer,
    Collected,
    Failed,
    Fingerprint,
    Limits,
    Partial,
    Shell,
    Unreached,
)
from driftscan.probes import host
from driftscan.probes.contract import About
from driftscan.scan import Job, each, fingerprint, scan
from driftscan.script import questions

WHO = {"target": "web-a", "kind": "host", "address": "127.0.0.1", "taken": "2026-11-23T17:20:00Z"}
LIMITS = Limits(deadline=20)


def probe(name, parse, *abouts):
    """A probe of one trivial question."""
    return SimpleNamespace(NAME=name, ASK=(Shell("x", "echo hello"),), GIVES=abouts, parse=parse)


def fact(name, **about):
    return About(name, "facts", "name", "value", **about)


def evidence(name):
    return About(name, "evidence", "name", "value")


def ask(asked):
    """The answer of this machine's own sh."""
    done = subprocess.run(
        ["sh", "-s"],
        input=asked.script.encode(),
        capture_output=True,
        timeout=60,
        start_new_session=True,
    )
    return Answer(done.stdout, done.stderr, done.returncode, 0.1)


def taken(*probes, **who):
    """The fingerprint of this machine's own answer."""
    asked = questions(probes, deadline=20)
    return fingerprint(ask(asked), asked, probes, **{**WHO, **who})


class Here:
    """This machine, through sh."""

    def ask(self, asked, limits):
        return ask(asked)


class Refusing:
    """A machine that raises what it is given."""

    def __init__(self, error):
        self.error = error

    def ask(self, asked, limits):
        raise self.error


class Hanging:
    """A machine that answers only once it is closed."""

    def __init__(self):
        self.closed = threading.Event()

    def ask(self, asked, limits):
        self.closed.wait(30)
        raise MachineError("interrupted", "answer", "closed")


def test_a_real_answer_becomes_facts_evidence_and_the_account_that_gave_it():
    user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    one = probe(
        "one",
        lambda raw: {"one": Collected(items={"a": {"said": raw.outputs["x"].lines[0]}})},
        fact("one"),
    )

    found = taken(host, one)

    assert found.facts == {"one": Collected(items={"a": {"said": "hello"}})}
    assert found.evidence["host"].items["self"]["user"] == user
    assert found.meta.privilege == ("root" if user == "root" else f"user {user}")
    assert found.meta.zone == found.evidence["host"].items["self"]["zone"]
    assert (found.meta.target, found.meta.taken) == ("web-a", "2026-11-23T17:20:00Z")
    assert found.meta.size > 100


def test_an_image_leaves_out_what_only_a_running_machine_has():
    parse = lambda raw: {"one": Absent(), "two": Absent()}  # noqa: E731
    found = taken(host, probe("one", parse, fact("one"), fact("two", live=True)), kind="image")

    assert (list(found.facts), list(found.evidence)) == (["one"], [])
    assert found.meta.privilege != "unknown"


def test_a_probe_that_does_not_understand_fails_all_its_sections_and_no_other():
    def parse(raw):
        raise ParseError("expected 'a b', got 'c\x1b[31m'")

    good = probe("good", lambda raw: {"good": Absent()}, fact("good"))
    found = taken(probe("bad", parse, fact("one"), evidence("two")), good)

    why = Failed(reason="expected 'a b', got 'c\\x1b[31m'")
    assert found.facts == {"one": why, "good": Absent()}
    assert found.evidence == {"two": why}


@pytest.mark.case("H40")
def test_a_fault_of_a_parser_is_told_with_its_place_and_costs_no_other_section():
    good = probe("good", lambda raw: {"good": Absent()}, fact("good"))
    found = taken(probe("bad", lambda raw: {}["nothing"], fact("one")), good)

    assert found.facts["good"] == Absent()
    assert "KeyError at test_scan.py:" in found.facts["one"].reason


def test_a_section_of_two_probes_has_the_items_of_both_and_fails_with_either():
    apt = probe("apt", lambda raw: {"one": Collected(items={"a": {}})}, fact("one"))
    rpm = probe("rpm", lambda raw: {"one": Collected(items={"b": {}})}, fact("one"))
    none = probe("none", lambda raw: {"one": Absent()}, fact("one"))
    bad = probe("bad", lambda raw: {"one": Failed(reason="unread")}, fact("one"))

    assert taken(apt, rpm, none).facts == {"one": Collected(items={"a": {}, "b": {}})}
    assert taken(apt, bad).facts == {"one": Failed(reason="unread")}


def test_a_section_that_a_probe_forgets_or_invents_is_failed():
    forgets = probe("forgets", lambda raw: {}, fact("forgotten"))
    invents = probe("invents", lambda raw: {"invented": Absent()}, fact("promised"))

    found = taken(forgets, invents)

    assert "the probe forgets said nothing about it" in found.facts["forgotten"].reason
    assert "invented not in GIVES" in found.facts["promised"].reason


def test_host_text_is_made_printable_and_secrets_are_gone_before_anything_is_kept():
    items = {"k\x1b": {"url": "https://joe:hunter2@example.org/x"}}
    found = taken(probe("one", lambda raw: {"one": Collected(items=items)}, fact("one")))

    assert found.facts["one"].items == {"k\\x1b": {"url": "https://[redacted]@example.org/x"}}


def test_a_package_database_without_a_package_is_a_failed_answer():
    found = taken(probe("dpkg", lambda raw: {"dpkg": Collected(items={})}, fact("dpkg")))

    why = "suspect: the package database lists no package"
    assert found.facts["dpkg"] == Failed(reason=why)


@pytest.mark.case("F23")
def test_a_stream_cut_at_any_byte_is_never_a_fingerprint():
    asked = questions([host], deadline=20)
    whole = ask(asked)
    states = set()
    for cut in range(len(whole.output) - 1):
        with pytest.raises(MachineError) as failure:
            fingerprint(Answer(whole.output[:cut], b"", 0, 0.1), asked, [host], **WHO)
        states.add(failure.value.state)
    assert states == {"no_collector", "incomplete"}


def test_a_connection_that_ends_without_an_exit_status_is_incomplete():
    asked = questions([host], deadline=20)
    whole = ask(asked)
    with pytest.raises(MachineError) as failure:
        fingerprint(Answer(whole.output, b"", None, 0.1), asked, [host], **WHO)
    assert failure.value.state == "incomplete"


def test_a_script_that_fails_and_one_that_never_ran_are_told_apart():
    asked = questions([host], deadline=20)
    whole = ask(asked)
    states = []
    for answer in (
        Answer(whole.output, b"sh: killed\n", 137, 0.1),
        Answer(b"This account is not available.\n", b"", 1, 0.1),
        Answer(whole.output.replace(b" S host\n", b" S other\n"), b"", 0, 0.1),
    ):
        with pytest.raises(MachineError) as failure:
            fingerprint(answer, asked, [host], **WHO)
        states.append((failure.value.state, "\n" in failure.value.cause))
    assert states == [("collector_failed", False), ("no_collector", False), ("malformed", False)]


def history(count):
    """`count` entries of apt's history that hardly compress, one a minute."""
    noise = random.Random(1)
    return {
        f"{start}#1": {"start": start, "command": noise.randbytes(60).hex()}
        for n in range(count)
        if (
            start
            := f"2026-{1 + n // 40320:02}-{1 + n // 1440 % 28:02} {n // 60 % 24:02}:{n % 60:02}:00"
        )
    }


def test_evidence_over_its_limit_loses_its_oldest_log_entries_and_says_so():
    logs = history(6000)
    events = {
        "curl": {
            "events": [f"{entry['start']} upgrade {entry['command']} 2" for entry in logs.values()]
        },
        "old": {"events": ["2025-01-01 00:00:00 install <none> 1"]},
    }
    sections = {
        "apt-history": Partial(items=logs, gaps=["one line unknown"]),
        "dpkg-log": Collected(items=events),
        "other": Collected(items={"a": {"b": "c"}}),
    }
    found = taken(probe("one", lambda raw: sections, *map(evidence, sections)))

    kept = found.evidence["apt-history"]
    first = min(item["start"] for item in kept.items.values())
    said = f"entries before {first} are left out: evidence may have 256 kB compressed"
    assert kept.gaps == ["one line unknown", said]
    assert set(kept.items) == {key for key, item in logs.items() if item["start"] >= first}
    assert found.evidence["dpkg-log"].gaps == [said]
    assert list(found.evidence["dpkg-log"].items) == ["curl"]
    assert found.evidence["dpkg-log"].items["curl"]["events"][0].startswith(first)
    assert found.evidence["other"] == sections["other"]
    assert (
        0.9 * bounded.LIMIT
        < len(zlib.compress(msgspec.json.encode(found.evidence), 1))
        <= bounded.LIMIT
    )


def test_evidence_that_is_too_large_without_its_logs_loses_the_largest_section_and_says_so():
    big = Collected(
        items={f"{n}": {"x": random.Random(n).randbytes(50).hex()} for n in range(9000)}
    )
    sections = {"big": big, "small": Collected(items={"a": {"b": "c"}})}
    found = taken(probe("one", lambda raw: sections, *map(evidence, sections)))

    assert found.evidence["big"] == Failed(reason="left out: evidence may have 256 kB compressed")
    assert found.evidence["small"] == sections["small"]


@pytest.mark.case("H40", "D15")
def test_one_machine_s_failure_is_its_own_result_and_every_name_gets_one():
    events = []
    jobs = [
        Job("good", "host", "here", Here()),
        Job(
            "refused", "host", "r", Refusing(MachineError("unreachable", "connect", "no\x1b", "go"))
        ),
        Job("broken", "host", "b", Refusing(RuntimeError("password=hunter2"))),
    ]
    found = dict(scan(jobs, probes=[host], limits=LIMITS, on_event=lambda *e: events.append(e)))

    assert isinstance(found["good"], Fingerprint)
    assert found["refused"] == Unreached(
        target="refused",
        state="unreachable",
        stage="connect",
        cause="no\\x1b",
        cure="go",
        seconds=found["refused"].seconds,
    )
    assert found["broken"].state == "internal_error"
    assert "RuntimeError at test_scan.py:" in found["broken"].cause
    assert "hunter2" not in found["broken"].cause
    assert sorted((name, event) for name, event, _ in events) == [
        ("broken", "failed"),
        ("broken", "started"),
        ("good", "done"),
        ("good", "started"),
        ("refused", "failed"),
        ("refused", "started"),
    ]


def test_machines_are_asked_at_once():
    gate = threading.Barrier(8, timeout=10)

    class Meeting:
        def ask(self, asked, limits):
            gate.wait()
            raise MachineError("unreachable", "connect", "met the others")

    jobs = [Job(f"h{n}", "host", "x", Meeting()) for n in range(8)]
    found = dict(scan(jobs, probes=[host], limits=LIMITS))
    assert {result.cause for result in found.values()} == {"met the others"}


def test_no_machine_is_asked_before_there_is_a_thread_for_each():
    jobs = [Job(f"h{n}", "host", "x", None) for n in range(40)]
    threads = dict(each(jobs, lambda _: threading.active_count(), workers=40))
    assert len(threads) == 40
    assert min(threads.values()) > 40


@pytest.mark.case("E08")
def test_machines_are_asked_in_another_order_each_time():
    jobs = [Job(f"h{n}", "host", "x", None) for n in range(30)]
    orders = []
    for _ in range(2):
        order = []
        list(each(jobs, lambda job, order=order: order.append(job.name), workers=1))
        orders.append(order)
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(job.name for job in jobs)
    assert orders[0] != orders[1]


@pytest.mark.case("E04")
def test_no_machine_is_begun_after_the_end_of_the_run_and_each_is_told():
    asked = []
    jobs = [Job(f"h{n}", "host", "x", None) for n in range(3)]
    found = dict(each(jobs, lambda job: asked.append(job), until=time.monotonic() - 1))
    assert asked == []
    assert {(lost.state, lost.stage) for lost in found.values()} == {("skipped", "deadline")}


def test_no_machine_is_no_result():
    assert dict(scan([], probes=[host], limits=LIMITS)) == {}


@pytest.mark.case("D05")
def test_an_interrupt_keeps_what_finished_closes_the_rest_and_ends_at_once():
    hanging = [Hanging() for _ in range(40)]
    jobs = [Job("good", "host", "here", Here())]
    jobs += [Job(f"h{n}", "host", "x", machine) for n, machine in enumerate(hanging)]

    def close():
        for machine in hanging:
            machine.closed.set()

    began = time.monotonic()
    results = scan(jobs, probes=[host], limits=LIMITS, workers=41, close=close)
    first, _ = next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt())

    assert first == "good"
    assert time.monotonic() - began < 10
    deadline = time.monotonic() + 5
    while any(t.name.startswith("driftscan") for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
