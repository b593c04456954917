"""A child process as a road: bounded in time and size, nothing of it left."""

import os
import signal
import time
from pathlib import Path

import pytest

from driftscan.machines import share
from driftscan.machines.process import Child, Expired, TooMuch, converse


def children(word):
    """The processes whose command line holds the word."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in entry.read_bytes():
                found.append(entry)
        except OSError:
            continue
    return [path for path in found if path.parent.name != str(os.getpid())]


def test_both_streams_and_the_status_come_back_whatever_is_written_first():
    script = b"i=0; while [ $i -lt 20000 ]; do echo out; echo err >&2; i=$((i+1)); done; exit 3"
    said = converse(["sh", "-s"], stdin=script, deadline=30)
    assert said.status == 3
    assert said.output == b"out\n" * 20000
    assert said.errors == (b"err\n" * 20000)[: 64 << 10]


def test_a_large_input_and_a_large_output_do_not_wait_for_each_other():
    data = os.urandom(3 << 20)
    assert converse(["cat"], stdin=data, deadline=30).output == data


def test_a_child_that_does_not_read_its_input_is_no_error():
    assert converse(["true"], stdin=b"x" * (1 << 20), deadline=30).status == 0


def test_at_the_deadline_the_child_and_its_children_are_gone():
    mark = f"86399.{os.getpid()}"  # another run of this test has its own
    began = time.monotonic()
    with pytest.raises(Expired):
        converse(["sh", "-c", f"sleep {mark} & sleep {mark}; echo"], deadline=0.3)
    assert time.monotonic() - began < 10
    until = time.monotonic() + 5
    while children(mark) and time.monotonic() < until:
        time.sleep(0.05)
    assert children(mark) == []


def test_a_child_that_closes_its_outputs_and_stays_meets_the_deadline_too():
    with pytest.raises(Expired):
        converse(["sh", "-c", "exec >&- 2>&-; sleep 86399.25"], deadline=0.3)


def test_more_output_than_allowed_ends_it():
    with pytest.raises(TooMuch):
        converse(["cat", "/dev/zero"], deadline=30, output=1 << 20)


@pytest.mark.case("L04")
def test_all_children_together_say_no_more_than_there_is_memory_for(monkeypatch):
    monkeypatch.setattr(share, "MOST", 1 << 20)
    monkeypatch.setattr(share, "OWN", 1 << 10)
    with share.Share() as others:
        assert others.grow(1 << 20)
        with pytest.raises(TooMuch) as caught:
            converse(["cat", "/dev/zero"], deadline=30)
        assert caught.value.size < 1 << 20
        assert converse(["echo", "little"], deadline=30).output == b"little\n"
    assert len(converse(["head", "-c", "1000000", "/dev/zero"], deadline=30).output) == 1_000_000


def test_a_program_that_is_not_there_is_an_os_error():
    with pytest.raises(FileNotFoundError):
        converse(["/nonexistent/program"], deadline=1)


def test_merged_errors_keep_their_order():
    with Child(["sh", "-c", "echo 1; echo 2 >&2; echo 3"], deadline=30, merged=True) as child:
        assert b"".join(chunk for _, chunk in child.chunks()) == b"1\n2\n3\n"
        assert child.status() == 0


def test_no_descriptor_is_left_open():
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        converse(["cat"], stdin=b"x", deadline=30)
        with pytest.raises(Expired):
            converse(["sleep", "9"], deadline=0.05)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.long
def test_what_a_child_said_while_nobody_read_is_read_after_its_end():
    heard = []
    with Child(["sh", "-c", "echo a; sleep 0.2; echo b"], deadline=20) as child:
        for _, chunk in child.chunks():
            heard.append(chunk)
            time.sleep(2.5)  # this process gets no turn for longer than the grace
    assert b"".join(heard) == b"a\nb\n"


def test_a_child_that_may_not_be_killed_is_left_to_its_own_end(monkeypatch):
    def refuse(*_):  # what sudo made root is not ours
        raise PermissionError

    monkeypatch.setattr(os, "killpg", refuse)
    with Child(["sh", "-c", "echo begun; exec sleep 1"], deadline=20) as child:
        for _ in child.chunks():
            child.kill()
        assert child.status() == -signal.SIGKILL


@pytest.mark.long
def test_what_a_child_wrote_at_its_end_is_read_by_a_process_that_gets_no_turn(monkeypatch):
    looked = Child._has_ended

    def late(child):
        time.sleep(2.2)  # longer than the grace, between looking and deciding
        return looked(child)

    monkeypatch.setattr(Child, "_has_ended", late)
    assert converse(["sh", "-c", "sleep 3; echo last"], deadline=60).output == b"last\n"
