"""The whole program over real SSH, against servers of good and of bad manners."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import paramiko
import pytest

from driftscan import folder, store
from driftscan.demo.server import replayed
from tests import recorded
from tests.cli.conftest import ROOT, environment
from tests.sshd import Manners, Raw, Sshd, nonce_of

LONG = pytest.mark.long


def really(channel, script, _over):
    """A host that runs the script with its own sh: this machine."""
    done = subprocess.run(
        ["sh", "-s"], input=script.encode(), stdout=subprocess.PIPE, start_new_session=True
    )
    channel.sendall(done.stdout)
    channel.send_exit_status(0)
    channel.close()


def cut_short(channel, script, _over):
    """A host whose connection ends in the middle of its answer."""
    channel.sendall(replayed(recorded.answers(), script.encode())[:2000])
    channel.get_transport().close()


@pytest.fixture
def fleet(tmp_path, work):
    """`fleet(a=Manners(...))`: such servers, and the inventory of all; gives them by name."""
    with ExitStack() as stack:

        def fleet(**manners):
            servers = {name: stack.enter_context(Sshd(tmp_path, m)) for name, m in manners.items()}
            write(work, servers)
            return servers

        yield fleet


def write(work, servers, more=""):
    rows = [
        f"  {name}: {{address: 127.0.0.1, port: {s.port}, user: deploy, key: {s.key_file},"
        f" known_hosts: {s.known_hosts}}}\n"
        for name, s in servers.items()
    ]
    (work / "inventory.yml").write_text(f"hosts:\n{''.join(rows)}{more}")


@pytest.mark.case("D12")
def test_scan_writes_a_fingerprint_a_host_and_tells_who_failed(driftscan, fleet, work):
    servers = fleet(a=Manners(recorded.host), b=Manners(recorded.host), c=Manners(auth="refuse"))

    done = driftscan("scan", "-o", "out")

    assert (done.code, done.out) == (3, "")
    assert sorted(p.name for p in (work / "out").glob("[!.]*")) == ["a.json", "b.json"]
    assert "driftscan: c: auth_failed at login: " in done.err
    found = store.load(work / "out" / "a.json")
    assert (found.meta.target, found.meta.kind) == ("a", "host")
    assert found.meta.address == f"127.0.0.1:{servers['a'].port}"
    assert stat.S_IMODE((work / "out").stat().st_mode) == 0o700
    assert stat.S_IMODE((work / "out" / "a.json").stat().st_mode) == 0o600
    assert servers["a"].commands == ["sh -s"]


def test_one_host_goes_to_standard_output_and_nothing_else_does(driftscan, fleet, work):
    fleet(a=Manners(recorded.host))
    done = driftscan("scan", "a")
    (work / "a.json").write_text(done.out)
    assert store.load(work / "a.json").meta.target == "a"


@pytest.mark.long
def test_a_host_is_as_it_was_and_then_as_this_machine(driftscan, fleet):
    fleet(a=Manners(really))
    driftscan("scan", "-o", "out")

    again = driftscan("compare", "a", "out/a.json", "-f", "json")
    here = driftscan("compare", "a", "local://", "-f", "json")

    for done in (again, here):
        (host,) = json.loads(done.out)["hosts"].values()
        assert [f for f in host.get("findings", []) if f["section"] == "dpkg"] == []


@pytest.mark.case("F23", "D07")
def test_a_stream_cut_in_the_middle_is_incomplete_and_never_drift(driftscan, fleet):
    fleet(a=Manners(recorded.host), b=Manners(cut_short))

    done = driftscan("compare", "b", "a", "-f", "json")

    report = json.loads(done.out)
    assert (done.code, report["complete"]) == (3, False)
    assert report["hosts"]["b"]["state"] == "incomplete"
    assert report["hosts"]["b"].get("findings", []) == []


def test_a_reference_that_cannot_be_asked_is_named(driftscan, fleet):
    fleet(a=Manners(recorded.host), b=Manners(auth="refuse"))

    done = driftscan("compare", "a", "b")

    assert done.code == 3
    assert done.out.startswith("a was not compared: auth_failed at login: its reference b: deploy ")


def test_a_host_behind_another_key_is_told_as_such_with_its_cure(driftscan, fleet, work):
    servers = fleet(a=Manners(recorded.host))
    other = servers["a"].known_line(paramiko.ECDSAKey.generate())
    servers["a"].known_hosts.write_text(other)

    done = driftscan("scan", "a")

    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("driftscan: a: host_key_mismatch at ")
    assert servers["a"].commands == []


def is_busy(process):
    """Whether it works, or would if it were let: a thread that waits for a processor is no idle
    one. The watchdogs of hung hosts wake now and then."""

    def works():
        for task in (Path("/proc") / str(process.pid) / "task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                if (task / "stat").read_text().rpartition(")")[2].split()[0] in "RD":
                    return True
        return False

    def later():
        time.sleep(0.1)
        return works()

    return sum(later() for _ in range(10)) > 2


def with_one_more(scanned):
    """The fingerprint, with one package more."""
    document = json.loads(scanned)
    packages = document["facts"]["dpkg"]["items"]
    packages["nothing"] = next(iter(packages.values()))
    return json.dumps(document)


def test_drift_and_a_host_that_is_away_is_4_and_limit_leaves_it_out(driftscan, fleet, work):
    fleet(a=Manners(recorded.host), b=Manners(auth="refuse"))
    (work / "reference.json").write_text(with_one_more(driftscan("scan", "a").out))

    both = driftscan("check", "--baseline", "./reference.json", "-f", "json")
    one = driftscan("check", "--baseline", "./reference.json", "--limit", "!b", "-f", "json")

    assert both.code == 4
    assert json.loads(both.out)["counts"]["unreached"] == 1
    assert list(json.loads(one.out)["hosts"]) == ["a"]


def test_become_asks_through_sudo_and_a_refusal_is_a_state(driftscan, fleet):
    def no_sudo(channel, _script, _over):
        channel.sendall_stderr(b"sudo: a password is required\n")
        channel.send_exit_status(1)
        channel.close()

    servers = fleet(a=Manners(no_sudo))
    done = driftscan("scan", "a", "--become")

    assert servers["a"].commands == ["sudo -n sh -s"]
    assert done.code == 3
    assert "a: become_failed at " in done.err


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        *(
            pytest.param(n, code, marks=LONG)
            for n, code in ((signal.SIGINT, 130), (signal.SIGHUP, 129))
        ),
    ],
)
@pytest.mark.case("F39", "D05")
def test_an_interrupt_ends_hung_hosts_at_once_and_keeps_what_is_done(
    tmp_path, fleet, work, number, code
):
    hung = {f"h{n}": Manners(exec="stall") for n in range(20)}
    fleet(a=Manners(recorded.host), **hung)
    process = subprocess.Popen(
        [sys.executable, "-m", "driftscan", "scan", "-o", "out"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=work,
        env=environment(tmp_path),
    )
    deadline = time.monotonic() + 60
    while not (work / "out" / "a.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out) == (code, "")
    assert "driftscan: out has what was found; --resume -o out asks for the rest\n" in err
    assert err.endswith("driftscan: interrupted\n")
    assert store.load(work / "out" / "a.json").meta.target == "a"
    assert [p.name for p in (work / "out").glob("[!.]*")] == ["a.json"]


@pytest.mark.case("D15")
def test_a_running_scan_would_leave_no_core(tmp_path, fleet, work):
    servers = fleet(a=Manners(exec="stall"))
    process = subprocess.Popen(
        ["sh", "-c", f"ulimit -c unlimited; exec {sys.executable} -m driftscan scan -o out"],
        stderr=subprocess.PIPE,
        cwd=work,
        env=environment(tmp_path),
    )
    deadline = time.monotonic() + 60
    while not servers["a"].commands:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    limits = (Path("/proc") / str(process.pid) / "limits").read_text()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert re.search(r"^Max core file size +0 ", limits, re.MULTILINE)


@pytest.mark.case("D05")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=LONG)]
)
def test_an_interrupted_check_tells_the_hosts_that_were_done_and_that_it_was_interrupted(
    tmp_path, driftscan, fleet, work, number, code
):
    hung = {f"h{n}": Manners(exec="stall") for n in range(5)}
    answered = []

    def answering(channel, script, over):
        recorded.host(channel, script, over)
        answered.append(channel)

    servers = fleet(a=Manners(answering), b=Manners(answering), **hung)
    (work / "reference.json").write_text(with_one_more(driftscan("scan", "a").out))
    words = ["check", "--baseline", "./reference.json", "--no-details", "-o", "junit=junit.xml"]
    process = subprocess.Popen(
        [sys.executable, "-m", "driftscan", *words, "-f", "json", "--allow-unreachable", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=work,
        env=environment(tmp_path, DRIFTSCAN_TIMEOUTS="kex=300 login=300 session=300"),
    )
    deadline = time.monotonic() + 60
    while len(answered) < 3 or not all(servers[name].commands for name in hung) or is_busy(process):
        assert time.monotonic() < deadline
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert time.monotonic() - began < 10, "a hung host would take longer"
    assert process.returncode == code
    assert err.endswith("driftscan: interrupted\n")
    report = json.loads(out)
    assert (report["complete"], report["exit_code"]) == (False, code)
    assert report["notes"][0].startswith("this run was interrupted: ")
    states = {name: host["state"] for name, host in report["hosts"].items()}
    assert states == {"a": "drift", "b": "drift", **dict.fromkeys(hung, "interrupted")}
    assert report["hosts"]["b"]["findings"]
    assert "interrupted" in (work / "junit.xml").read_text()


@pytest.mark.case("D06")
def test_a_run_taken_up_again_asks_only_the_hosts_without_a_result(driftscan, fleet, work):
    servers = fleet(a=Manners(recorded.host), b=Manners(auth="refuse"))
    assert driftscan("scan", "-o", "out").code == 3
    before = (work / "out" / "a.json").read_bytes()

    servers["b"].manners = Manners(recorded.host)
    again = driftscan("scan", "--resume", "-o", "out")

    assert again.code == 0, again.err
    assert sorted(p.name for p in (work / "out").glob("[!.]*")) == ["a.json", "b.json"]
    assert "driftscan: 1 of 2 have a result since 20" in again.err
    assert servers["a"].commands == servers["b"].commands == ["sh -s"]
    assert (work / "out" / "a.json").read_bytes() == before
    assert "not asked" not in driftscan("scan", "--resume", "-o", "out", "-q").err


@pytest.mark.case("H32")
def test_one_machine_under_two_names_is_told(driftscan, fleet):
    fleet(a=Manners(recorded.host), b=Manners(recorded.host))
    told = "a and b are one machine: look at their addresses in the inventory"

    assert json.loads(driftscan("compare", "a", "b", "-f", "json").out)["notes"] == [told]
    assert told in driftscan("compare", "a", "b").out
    assert driftscan("scan", "-o", "out").err.endswith(f"driftscan: {told}\n")


@pytest.mark.case("D14")
def test_no_raw_answer_is_kept_anywhere(driftscan, fleet, tmp_path, monkeypatch):
    """Every line of an answer stands between lines of its nonce; in no file is one of them."""
    nonces = []

    def play(channel, script, over):
        nonces.append(nonce_of(script).encode())
        recorded.host(channel, script, over)

    fleet(a=Manners(play), b=Manners(play))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert driftscan("scan", "-o", "out").code in (0, 3)
    told = driftscan("compare", "a", "b", "--details", "-o", "json=r.json", "-f", "text", "--all")
    assert told.code in (0, 1, 3, 4), told.err

    assert len(nonces) >= 4
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"a.json", "b.json", "r.json"} <= {path.name for path in files}
    kept = [str(path) for path in files if any(n in path.read_bytes() for n in nonces)]
    assert kept == []
    assert not any(nonce.decode() in told.out + told.err for nonce in nonces)


@pytest.mark.case("D04")
def test_a_second_run_into_the_same_folder_is_refused_before_anything_is_asked(
    driftscan, fleet, work
):
    servers = fleet(a=Manners(recorded.host))
    with folder.opened(work / "out"):
        done = driftscan("scan", "a", "-o", "out")
        elsewhere = driftscan("scan", "a", "-o", "other")
    assert (done.code, servers["a"].commands) == (2, ["sh -s"])
    assert done.err.startswith("driftscan: out: another driftscan writes there since ")
    assert elsewhere.code == 0


def test_resume_without_a_folder_is_a_mistake(driftscan, fleet):
    fleet(a=Manners(recorded.host))
    done = driftscan("scan", "a", "--resume")
    assert (done.code, done.out) == (2, "")
    assert "name it with -o DIR" in done.err


def test_progress_is_for_a_terminal_and_never_for_a_pipe(tmp_path, fleet, work, driftscan):
    fleet(a=Manners(recorded.host), b=Manners(auth="refuse"))
    piped = driftscan("check", "--baseline", "a")
    assert piped.err == ""
    assert "of 2 done" not in piped.out

    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "driftscan", "check", "--baseline", "a"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
        cwd=work,
        env=environment(tmp_path, TERM="xterm", COLUMNS="100"),
    )
    os.close(slave)
    shown = b""
    try:
        while data := os.read(master, 65536):
            shown += data
    except OSError:
        pass  # Linux tells the end of a terminal so
    finally:
        os.close(master)
    out, _ = process.communicate(timeout=60)

    assert b"of 2 done" in shown
    assert b"1 failed" in shown
    assert b"done" not in out


def test_a_server_that_says_nothing_is_left_at_the_deadline(driftscan, work):
    with Raw(lambda sock, over: over.wait()) as silent:
        (work / "inventory.yml").write_text(
            f"hosts: {{a: {{address: 127.0.0.1, port: {silent.port}, key: key}}}}"
        )
        paramiko.ECDSAKey.generate().write_private_key_file(str(work / "key"))
        done = driftscan("scan", "a", "--deadline", "2")
    assert done.code == 3
    assert "a: timeout at " in done.err


@pytest.mark.case("F17")
def test_without_any_key_that_can_be_used_nothing_is_judged_and_nothing_connects(
    driftscan, fleet, work
):
    servers = fleet(a=Manners(recorded.host), b=Manners(recorded.host))
    for server in servers.values():
        server.key_file.chmod(0o640)

    done = driftscan("scan", "-o", "out")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("driftscan: no host can be logged in to: key ")
    assert "chmod 600" in done.err
    assert [server.connections for server in servers.values()] == [0, 0]

    servers["a"].key_file.chmod(0o600)
    done = driftscan("scan", "-o", "out")
    assert done.code == 3
    assert "b: key_unusable at keys: " in done.err
    assert servers["b"].connections == 0


@pytest.mark.case("F36", "E01")
def test_a_dead_jump_host_is_one_line_of_the_report_for_all_behind_it(driftscan, fleet, work):
    servers = fleet(a=Manners(recorded.host))
    key = servers["a"].key_file
    behind = [
        f"  {name}: {{address: 127.0.0.9, jump: 'deploy@127.0.0.1:1', key: {key}}}\n"
        for name in ("web-1", "web-2", "web-3")
    ]
    write(work, servers, "".join(behind))

    done = driftscan("check", "--baseline", "a")

    first, *lines = done.out.splitlines()
    assert (done.code, first) == (3, "1/4 hosts complete, 3 unreachable; 0 drifted")
    (line,) = [line for line in lines if line.startswith("UNREACHED")]
    assert "web-1, web-2, web-3: unreachable at via_bastion: jump host 127.0.0.1: " in line


@pytest.mark.case("E04")
def test_at_the_end_of_the_run_s_time_the_rest_is_skipped_and_told(driftscan, fleet):
    fleet(**{f"h{n}": Manners(exec="stall") for n in range(3)})
    done = driftscan(
        "scan", "-o", "out", "--workers", "1", "--run-deadline", "1", "--timeout", "session=2"
    )
    assert done.code == 3
    assert done.err.count(": timeout at exec: ") == 1
    assert done.err.count(": skipped at deadline: ") == 2


def silent(_channel, _script, over):
    """A host that begins no answer."""
    over.wait()


def faltering(channel, script, over):
    """A host whose answer stops, though the connection stays."""
    channel.sendall(replayed(recorded.answers(), script.encode())[:2000])
    over.wait()


@pytest.mark.case("E04")
@pytest.mark.parametrize(
    ("stage", "manners", "place"),
    [
        ("session", Manners(exec="stall"), "exec"),
        pytest.param("session", Manners(session="stall"), "session", marks=LONG),
        pytest.param("login", Manners(auth="stall"), "login", marks=LONG),
        pytest.param("first-byte", Manners(silent), "stream", marks=LONG),
        pytest.param("idle", Manners(faltering), "stream", marks=LONG),
    ],
)
def test_each_stage_has_a_limit_that_the_command_line_sets(driftscan, fleet, stage, manners, place):
    fleet(a=manners)
    done = driftscan("scan", "a", "--timeout", f"{stage}=1")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"driftscan: a: timeout at {place}: ")
    assert "(1 s)" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--timeout", "tpc=5"), "the stages are dns, tcp, kex"),
        (("--timeout", "tcp"), "write it like tcp=30"),
        (("--timeout", "tcp=0"), "write it like tcp=30"),
        (("--timeout", "tcp=1e9"), "write it like tcp=30"),
    ],
)
def test_a_timeout_that_is_none_is_told(driftscan, work, words, told):
    done = driftscan("scan", "local://", *words)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


@pytest.mark.case("E06", "E07")
def test_it_works_with_an_empty_environment_and_never_reads_its_input(tmp_path, fleet, work):
    fleet(a=Manners(recorded.host))
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "driftscan", "scan", "a", "-o", "out", "--quiet"],
            stdin=reader,
            capture_output=True,
            text=True,
            cwd=work,
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "LANG": "C"},
            timeout=120,
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert store.load(work / "out" / "a.json").meta.target == "a"


@pytest.mark.case("F39")
@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_fifty_hung_hosts_end_within_three_seconds_of_an_interrupt(tmp_path, fleet, work, number):
    hung = {f"h{n}": Manners(exec="stall") for n in range(50)}
    servers = fleet(**hung)
    process = subprocess.Popen(
        [sys.executable, "-m", "driftscan", "scan", "-o", "out", "--workers", "50"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=work,
        env=environment(tmp_path, DRIFTSCAN_TIMEOUTS="kex=300 login=300 session=300"),
    )
    deadline = time.monotonic() + 120
    while sum(len(server.commands) for server in servers.values()) < 50:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert process.returncode == 128 + number
    assert err.endswith("driftscan: interrupted\n")


@pytest.mark.case("F39")
def test_a_second_interrupt_ends_at_once(tmp_path, work):
    """What hangs here cannot be closed: a program that is asked for the way."""
    (work / "bin").mkdir()
    slow = work / "bin" / "ssh"
    slow.write_text(f"#!/bin/sh\n: > {work / 'asked'}\nexec sleep 12\n")
    slow.chmod(0o755)
    paramiko.ECDSAKey.generate().write_private_key_file(str(work / "key"))
    rows = "".join(f"  h{n}: {{address: 127.0.0.1, port: 1, key: key}}\n" for n in range(3))
    (work / "inventory.yml").write_text(f"hosts:\n{rows}")
    process = subprocess.Popen(
        [sys.executable, "-m", "driftscan", "doctor"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=work,
        env=environment(tmp_path, PATH=f"{work / 'bin'}:{os.environ['PATH']}"),
    )
    deadline = time.monotonic() + 60
    while not (work / "asked").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - began < 8


def late(channel, _script, over):
    """A host that keeps its connection for a while and then runs nothing."""
    over.wait(0.4)
    channel.sendall(b"not today\n")
    channel.send_exit_status(1)
    channel.close()


@pytest.fixture
def limited(tmp_path, work):
    """`limited(32, "scan", ...)`: the program where so many descriptors are all there may be."""

    def limited(limit, *words, program="from driftscan.cli.main import run; run()"):
        start = f'ulimit -n {limit}; exec "$@"'
        return subprocess.run(
            ["sh", "-c", start, "sh", sys.executable, "-c", program, *words],
            capture_output=True,
            text=True,
            cwd=work,
            env=environment(tmp_path),
            timeout=300,
        )

    return limited


@pytest.mark.case("F40")
@pytest.mark.parametrize("limit", [32, *(pytest.param(n, marks=LONG) for n in (24, 48, 64))])
def test_with_few_descriptors_fewer_hosts_are_asked_at_once_and_all_answer(
    fleet, limited, work, limit
):
    fleet(a=Manners(recorded.host), **{f"h{n}": Manners(late) for n in range(12)})

    done = limited(limit, "scan", "-o", "out", "--workers", "40")

    told, *lines = done.stderr.splitlines()
    assert done.returncode == 3, done.stderr
    assert re.fullmatch(
        r"driftscan: not 13 machines at once but [1-7]: `ulimit -n` allows no more", told
    )
    failed = [line.split()[1:3] for line in lines if line.startswith("driftscan: h")]
    assert sorted(failed) == sorted([f"h{n}:", "no_shell"] for n in range(12))
    assert store.load(work / "out" / "a.json").meta.target == "a"


@pytest.mark.case("F40")
@LONG
def test_with_few_descriptors_a_check_ends_with_its_report(fleet, limited):
    fleet(a=Manners(recorded.host), **{f"h{n}": Manners(late) for n in range(5)})
    done = limited(24, "check", "--baseline", "a", "-f", "json", "--quiet")
    assert done.stderr == ""
    assert json.loads(done.stdout)["counts"]["unreached"] == 5


@pytest.mark.case("F40")
@LONG
@pytest.mark.parametrize("limit", [12, 18])
def test_without_descriptors_for_one_host_nothing_is_judged_and_the_cure_is_told(
    fleet, limited, limit
):
    servers = fleet(a=Manners(recorded.host))
    done = limited(limit, "scan", "a")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    told = re.fullmatch(
        r"driftscan: too few file descriptors: \d+ are open, and to ask a machine takes 16 more:"
        r" raise `ulimit -n` to (\d+) at least\n",
        done.stderr,
    )
    assert servers["a"].connections == 0
    assert "ulimit" not in limited(int(told[1]), "scan", "a").stderr


@pytest.mark.case("F40")
@LONG
@pytest.mark.parametrize("limit", [16, 32])
def test_a_host_for_which_no_descriptor_is_left_is_told_as_such_and_the_next_run_is_fine(
    fleet, limited, limit
):
    """As where the whole machine has none left: what keeps some free is taken away here."""
    fleet(a=Manners(recorded.host), **{f"h{n}": Manners(late) for n in range(40)})
    program = (
        "from driftscan.machines import descriptors; descriptors.room = lambda wanted: wanted\n"
        "from driftscan.cli.main import run; run()"
    )

    done = limited(limit, "scan", "-o", "out", "--workers", "40", program=program)

    assert done.returncode in (2, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert "no file descriptor left" in done.stderr
    assert "raise `ulimit -n`, or use fewer --workers" in done.stderr
    if done.returncode == 3:
        assert "exhausted at " in done.stderr
        assert all(f"driftscan: h{n}: " in done.stderr for n in range(40))
    assert limited(256, "scan", "a", "-o", "out").returncode == 0


@pytest.mark.case("F40")
@LONG
def test_without_memory_a_run_is_told_and_not_crashed(tmp_path, fleet, work):
    fleet(a=Manners(recorded.host))
    done = subprocess.run(
        ["sh", "-c", f"ulimit -v 300000; exec {sys.executable} -m driftscan scan a -o out"],
        capture_output=True,
        text=True,
        cwd=work,
        env=environment(tmp_path),
        timeout=120,
    )
    assert done.returncode in (0, 3), done.stderr
    assert "Traceback" not in done.stderr
