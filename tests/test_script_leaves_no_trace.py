"""The script only reads: no word of it can write, the kernel saw no write, nothing of it stays."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from subprocess import PIPE, Popen
from types import SimpleNamespace
from typing import Any

import pytest

from driftscan import collector, framing, script
from driftscan.details.asking import questions_for
from driftscan.model import Questions, Scope, Shell, Want
from driftscan.probes.table import PROBES, of
from driftscan.probes.wanted.table import KINDS
from tests.lab.settings import LabError, need
from tests.shell import Command, commands

QUESTIONS = script.questions(PROBES, deadline=120)
PATIENCE = 60.0

# --- no word of it can write -------------------------------------------------------------------

# A word that is not here fails the test: look at what it may write before it is added.
BUILTINS = {
    *(":", "[", "break", "case", "cd", "command", "continue", "echo", "emulate", "exec", "exit"),
    "export",
    *("for", "kill", "printf", "read", "return", "set", "shift", "trap", "umask", "unset", "wait"),
}
TOOLS = {
    *(
        "awk",
        "base64",
        "cat",
        "chroot",
        "date",
        "dpkg-query",
        "env",
        "find",
        "getconf",
        "grep",
        "gzip",
        "head",
        "id",
    ),
    *(
        "ldconfig",
        "ls",
        "md5sum",
        "sha1sum",
        "od",
        "readlink",
        "realpath",
        "renice",
        "rpm",
        "sed",
        "sha256sum",
    ),
    *("sleep", "sort", "stat", "systemctl", "timeout", "tr", "uname"),
}
# payload's own argument; the loader of musl or glibc's libc.so.6, which print their versions; a
# runtime that is asked for it
EXPANSIONS = {'"$@"', '"$loader"', '"$r"'}
# These run what stands after their own words.
WRAPPERS = {
    "payload": r"",
    "of_files": r"",
    "env": r"-i|[A-Z_]+=.*",
    "timeout": r"-s|KILL|[0-9]+",
    "chroot": r"--userspec=65534:65534|--groups=65534|/",
    "exec": r"",
}
# What a tool that only reads needs, or must not have, in its arguments to be one.
NEEDED = {"gzip": r"-d?c", "date": r"\+%.*", "ldconfig": r"-p", "umask": r"077", "command": "-v"}
NEEDED |= {"systemctl": r"list-units"}
FORBIDDEN = {
    "find": r"-delete|-fprintf?|-fprint0|-fls|-ok|-okdir",
    "sort": r"-o.*|-T.*|--output.*|--temp.*|--compress.*",
    "sed": r"-[a-zA-Z]*i.*|--in-place.*|-[a-zA-Z]*f|--file.*",
    "awk": r"(?s).*(system|close)\s*\(.*|.*print[^;}\n]*>.*|.*[^|]\|\s*(\"|getline).*|-f.*|-i.*",
    "date": r"-s.*|--set.*",
}
# Without a database rpm makes one in the home directory; dpkg-query is there without dpkg's.
GUARDS = {"rpm": r"/(var/lib|usr/lib/sysimage)/rpm", "dpkg-query": r"/var/lib/dpkg"}
REDIRECTION = {"<": r".*", ">": r"/dev/null", "<&": r"[0-9-]", ">&": r"[0-9-]"}


def complaints(text: str) -> list[str]:
    """Whatever in a script could write, or has not been looked at."""
    found = commands(text)
    known = BUILTINS | TOOLS | EXPANSIONS | {command.function for command in found}
    wrong = []
    for number, command in enumerate(found):
        wrong += [f"redirection {o} {to}" for o, to in command.redirections if not _harmless(o, to)]
        names = _names(command)
        wrong += [f"command {name}" for name in names if name not in known]
        wrong += [f"arguments {command.words}" for name in names if not _reads(name, command.words)]
        wrong += [f"unguarded {n}" for n in names if not _guarded(n, command, found[:number])]
    return wrong


def _harmless(operator: str, to: str) -> bool:
    allowed = REDIRECTION.get(operator.lstrip("0123456789"))
    return allowed is not None and re.fullmatch(allowed, to) is not None


def _names(command: Command) -> list[str]:
    """The command's name, and that of each command which it runs in turn."""
    names = []
    words = command.raw
    while words:
        names.append(words[0])
        if words[0] not in WRAPPERS:
            break
        own = WRAPPERS[words[0]]
        words = words[1:]
        while words and re.fullmatch(own, words[0]):
            words = words[1:]
    marks = ("-exec", "-execdir")
    runs = [command.raw[n + 1] for n, word in enumerate(command.raw[:-1]) if word in marks]
    return names + runs


def _reads(name: str, words: Sequence[str]) -> bool:
    arguments = words[1:]
    needed, forbidden = NEEDED.get(name), FORBIDDEN.get(name)
    if needed and not any(re.fullmatch(needed, word) for word in arguments):
        return False
    if forbidden and any(re.fullmatch(forbidden, word) for word in arguments):
        return False
    return name != "sed" or _sandboxed(arguments)


def _sandboxed(arguments: Sequence[str]) -> bool:
    """Whether GNU sed takes the program where it may neither write, read nor run anything."""
    argv = ["sed", "--sandbox", *arguments]
    status = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True).returncode
    return status != 1  # sed(1): an invalid command; 2 is a file that is not here


def _guarded(name: str, command: Command, before: Sequence[Command]) -> bool:
    if name not in GUARDS:
        return True
    tests = [c for c in before if c.function == command.function and c.words[:1] == ["["]]
    return any(re.search(GUARDS[name], word) for test in tests for word in test.words)


@pytest.mark.case("P05", "P06")
def test_every_word_of_the_script_only_reads() -> None:
    assert complaints(QUESTIONS.script) == []


UNTIMED = ("q_software_",)
"""Walks that only the script's own watchdog ends."""


@pytest.mark.case("P07")
def test_every_walk_is_bounded_and_the_script_is_nice() -> None:
    """A walk has one level, or stays on its file system and within a time; all is renice'd."""
    found = commands(QUESTIONS.script)
    names = [name for command in found for name in _names(command)]
    assert "renice" in names
    for command in found:
        if "find" in _names(command):
            walk = {*command.raw}
            assert walk & {"-maxdepth", "-prune", "."}, command.raw
            timed = walk & {"timeout", "/etc"} or command.function.startswith(UNTIMED)
            assert "-xdev" not in walk or timed, command.raw


def test_every_word_of_the_collector_only_reads() -> None:
    assert complaints(collector.text(PROBES)) == []


def test_every_word_of_what_is_asked_on_demand_only_reads() -> None:
    scope = Scope(apps=("/data/one", "/data/two"), verify=True)
    asked = script.questions(of(scope), deadline=120, scope=scope)
    assert complaints(asked.script) == []


def test_every_word_of_the_second_trip_only_reads() -> None:
    names = {"classes": "java", "status": "dpkg"}
    wants = [
        Want(side="subject", kind=kind.KIND, name=names.get(kind.KIND, "bash"), names=("bash",))
        for kind in KINDS
    ]
    assert complaints(questions_for(wants, deadline=120).script) == []


@pytest.mark.parametrize(
    "line",
    [
        *("echo x > /tmp/x", "echo x >> /dev/null", "cat <<X\nX", ": >| /dev/null", "exec 3<> /x"),
        *("x=$(echo x > /tmp/x)", 'echo "$(date > /tmp/x)"', "[ -e /x ] && echo x 2> /x"),
        *("tee /tmp/x", "cat /x | tee /x", "mv a b", "rm x", "touch x", "mkdir x", "ln -s a b"),
        *("cp a b", "dd of=/x", "install x y", "chmod 600 x", "chown a x", "mktemp", "gzip x"),
        *("sed -i s/a/b/ x", "sed 's/a/b/w /tmp/x' x", "sed -n '1w/tmp/x'", "sed 's/a/id/e'"),
        *("awk '{ print > \"/tmp/x\" }'", "awk 'BEGIN { system(\"id\") }'", "awk '1 | \"sh\"'"),
        *("find / -delete", "find / -exec rm '{}' +", "find / -fprint x", "sort -o x y"),
        *("apt list", "apt-get -s upgrade", "yum list", "dnf list", "pip list", "npm ls", "java"),
        *("curl http://x", "wget http://x", "ssh x", "date -s now", "date", "ldconfig", "umask 0"),
        *("env -i rm x", "timeout 5 rm x", "command rm x", "payload rm x", "rpm -qa", "exec rm"),
        *("f() {\n[ -d /var/lib/rpm ]\n}\nrpm -qa", "dpkg-query -W", '"$x"', "$x", "eval x", ". x"),
        *(
            "case x in a) rm x ;; esac",
            "if rm x; then :; fi",
            "for x in y; do rm x; done",
            "! rm x",
        ),
    ],
)
def test_a_word_that_could_write_is_found(line: str) -> None:
    assert complaints(line) != []


def test_package_tools_pass_behind_a_guard() -> None:
    line = (
        "q() {\n[ -d /var/lib/rpm ] || return 0\nrpm -qa\n}\n[ -r /var/lib/dpkg ] && dpkg-query -W"
    )
    assert complaints(line) == []


def test_the_script_is_one_function_that_reads_nothing_from_its_input() -> None:
    assert QUESTIONS.script.startswith("main() {\n")
    assert QUESTIONS.script.endswith("\n}\nmain </dev/null\nexit $?\n")
    assert len(QUESTIONS.script.encode()) < 72 << 10


# --- a script that was cut runs whole or not at all --------------------------------------------

SHELLS = {
    "sh": ["sh"],
    "dash": ["dash"],
    "bash": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
    "zsh": ["zsh"],
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    """Every shell of this machine; `sh` is on all of them."""
    argv = SHELLS[request.param]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed on this machine")
    return argv


def probe(body: str) -> Any:
    """A probe of one question."""
    return SimpleNamespace(NAME="one", ASK=(Shell("x", body),))


def run(shell: list[str], text: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*shell, "-s"],
        input=text.encode(),
        capture_output=True,
        timeout=120,
        cwd="/",
        start_new_session=True,
    )


@pytest.mark.parametrize("places", [10, pytest.param(200, marks=pytest.mark.long)])
def test_a_script_that_was_cut_runs_whole_or_not_at_all(shell: list[str], places: int) -> None:
    one = probe("echo hello")
    asked = script.questions([*PROBES, one], deadline=20)
    body = asked.script.rindex("\n}\nmain ")
    inside = random.Random(2).sample(range(body), places)
    for end in [*inside, body, body + 1]:
        done = run(shell, asked.script[:end])
        assert (done.stdout, end) == (b"", end)

    short = script.questions([one], deadline=20)
    tail = short.script.rindex("\n}\nmain ") + 2
    whole = 0
    for end in range(tail, len(short.script) + 1):
        done = run(shell, short.script[:end])
        if done.stdout:
            raws = framing.unframe(done.stdout, short.nonce, [one])
            assert raws["one"].outputs["x"].lines == ("hello",)
            whole += 1
    assert whole >= len("exit $?\n")


# --- nothing of it stays -----------------------------------------------------------------------


def session(leader: int) -> list[str]:
    """The processes of a session that are still there, by name."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = place.read_text(errors="replace").split(" (", 1)
        except OSError:
            continue  # ended meanwhile
        name, rest = rest.rsplit(") ", 1)
        state, _parent, _group, number = rest.split(" ")[:4]
        if int(number) == leader and state != "Z":
            found.append(f"{name} {pid}")
    return found


def soon_gone(leader: int) -> list[str]:
    until = time.monotonic() + PATIENCE
    while session(leader) and time.monotonic() < until:
        time.sleep(0.02)
    return session(leader)


@contextmanager
def started(shells: Iterable[list[str]], *asked: Questions) -> Iterator[list[Popen[bytes]]]:
    """Each script in each shell, all at once, as leaders of sessions and with pipes of ours."""
    with ExitStack() as running:
        processes = [
            running.enter_context(
                Popen([*argv, "-s"], stdin=PIPE, stdout=PIPE, cwd="/", start_new_session=True)
            )
            for argv in shells
            for _ in asked
        ]
        for process, one in zip(processes, cycle(asked), strict=False):
            assert process.stdin is not None
            process.stdin.write(one.script.encode())
            process.stdin.close()
            process.stdin = None
        yield processes


def installed() -> list[list[str]]:
    return [argv for argv in SHELLS.values() if shutil.which(argv[0])]


def test_the_watchdog_ends_with_the_script(shell: list[str]) -> None:
    asked = script.questions([probe("echo hello")], deadline=3600)

    with started([shell], asked) as (process,):
        output, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert output.endswith(b" END\n")
    assert soon_gone(process.pid) == []


HANGS = ("sleep 3600", "trap '' TERM; sleep 3600", "sleep 3600 & wait", "sleep 3600 | sleep 3600")


@pytest.mark.case("F28")
def test_the_watchdog_ends_a_script_that_hangs() -> None:
    asked = [script.questions([probe(body)], deadline=1) for body in HANGS]

    with started(installed(), *asked) as processes:
        for process in processes:
            output, _ = process.communicate(timeout=PATIENCE)

            assert process.returncode != 0, process.args
            assert b" BEGIN 1\n" in output
            assert b" END" not in output
            assert soon_gone(process.pid) == [], process.args


@pytest.mark.case("F28")
def test_the_watchdog_ends_a_script_whose_connection_is_lost() -> None:
    asked = script.questions([probe("trap '' HUP; sleep 3600")], deadline=1)

    with started(installed(), asked) as processes:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline().endswith(b" BEGIN 1\n")
            process.stdout.close()
            os.killpg(process.pid, signal.SIGHUP)
        for process in processes:
            assert soon_gone(process.pid) == [], process.args


# --- the kernel saw no write -------------------------------------------------------------------

ACCOUNTS = ("root", "nobody")
LOOKING = {
    *("access", "faccessat", "faccessat2", "stat", "lstat", "fstat", "newfstatat", "fstatat64"),
    *("statx", "statfs", "fstatfs", "readlink", "readlinkat", "getcwd", "chdir", "fchdir"),
    *("open", "openat", "read", "readv", "pread64", "close", "lseek", "getdents64", "mmap"),
    *("fcntl", "ioctl", "dup", "dup2", "dup3", "pipe", "pipe2", "poll", "ppoll", "select"),
    *("pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "execve", "fadvise64"),
    *("getxattr", "lgetxattr", "readahead", "splice", "sendfile", "memfd_create", "close_range"),
    # to what is open: only pipes and /dev/null can be open for writing
    *("write", "writev"),
    *("socket", "connect", "sendto", "sendmsg", "recvfrom", "recvmsg", "setsockopt", "getsockopt"),
}
WRITING = re.compile(r"O_(WRONLY|RDWR|CREAT|TMPFILE|TRUNC|APPEND)")
NOWHERE = re.compile(r'(AT_FDCWD, )?"/dev/(null|tty)", ')
# Who `id` may ask what an account is called: all on this machine.
NAME_SERVICES = re.compile(r'sun_path="/(var/)?(run/nscd|run/systemd/userdb|lib/sss/pipes)/')
CALL = re.compile(r"[0-9]+ +(?P<name>[a-z0-9_]+)\((?P<arguments>.*)")


def offences(trace: str) -> list[str]:
    """The system calls of a trace that do anything but look."""
    found = []
    for line in trace.splitlines():
        call = CALL.match(line)
        if call and not _only_looks(call["name"], call["arguments"]):
            found.append(line)
    return found


def _only_looks(name: str, arguments: str) -> bool:
    if name in ("open", "openat"):
        return not WRITING.search(arguments) or NOWHERE.match(arguments) is not None
    if name == "socket":
        return arguments.startswith("AF_UNIX")
    if name == "connect":
        return NAME_SERVICES.search(arguments) is not None
    if name == "ioctl":
        return re.search(r"TCGETS|TIOCG", arguments) is not None
    return name in LOOKING


def traced(text: str, account: str, folder: Path) -> tuple[Popen[bytes], bytes, str]:
    """The ended process, its output, and what its processes asked of the kernel."""
    trace = folder / "trace"
    argv = [_strace(), "-f", "-q", "-s", "4096", "-o", str(trace)]
    argv += ["-e", "trace=%file,%desc,%network", "-u", account, "sh", "-s"]
    with Popen(
        argv,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd="/",
        start_new_session=True,
    ) as process:
        output, errors = process.communicate(text.encode(), timeout=300)
    assert trace.exists(), errors.decode()
    return process, output, trace.read_text(errors="replace")


def _strace() -> str:
    if os.environ.get("DRIFTSCAN_LAB") == "off":
        pytest.skip("DRIFTSCAN_LAB=off: strace is not asked for on this machine")
    if os.geteuid() != 0:
        pytest.skip("not root: strace cannot change accounts; the lab's hosts prove the same")
    try:
        return need("strace", "strace", "to see that the script writes nothing")
    except LabError as error:
        pytest.fail(str(error))


@pytest.mark.sshd
@pytest.mark.case("P01")
@pytest.mark.parametrize("account", ACCOUNTS)
def test_the_kernel_sees_no_write_and_no_connection(account: str, tmp_path: Path) -> None:
    process, output, trace = traced(QUESTIONS.script, account, tmp_path)

    assert process.returncode == 0
    assert set(framing.unframe(output, QUESTIONS.nonce, PROBES)) == {p.NAME for p in PROBES}
    assert trace.count("execve(") > 20, "this is not the trace of the whole script"
    assert "/var/lib/dpkg/status" in trace or not Path("/var/lib/dpkg/status").exists()
    assert offences(trace) == []
    assert soon_gone(process.pid) == []


@pytest.mark.sshd
@pytest.mark.parametrize(
    "line",
    [
        *("echo x > F", "echo x >> D/g", ": <> F", "touch F", "mkdir D/new", "rm D/old"),
        *("mv D/old D/new", "ln -s x D/new", "ln D/old D/new", "chmod 600 D/old", "mkfifo D/new"),
        *("chown 1 D/old", "truncate -s 0 D/old", "cp D/old D/new", "sed -i s/a/b/ D/old"),
        *("mktemp -p D", "bash -c 'exec 3<>/dev/udp/127.0.0.1/9'"),
    ],
)
def test_a_write_is_seen_in_the_trace(line: str, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("a\n")
    text = line.replace("F", f"{tmp_path}/new").replace("D", str(tmp_path))

    _, _, trace = traced(text, "root", tmp_path)

    assert offences(trace) != []


# --- a whole file system under it stays empty ----------------------------------------------------

# An overlay over / whose upper layer is fresh: whatever is written anywhere lands there.
_OVERLAY = """set -e
base=$1 account=$2
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
mount --rbind /proc "$base/root/proc"
mount --rbind /dev "$base/root/dev"
chroot --userspec="$account" "$base/root" sh -s
find "$base/upper" -mindepth 1 >&2
"""


def written(text: str, account: str, folder: Path) -> tuple[bytes, list[str]]:
    """The output of a script over an overlay, and the paths that it changed in any way."""
    if os.geteuid() != 0:
        pytest.skip("not root: an overlay cannot be mounted; the lab's hosts prove the same")
    argv = ["unshare", "-m", "sh", "-c", _OVERLAY, "sh", str(folder), account]
    done = subprocess.run(
        argv, input=text.encode(), capture_output=True, cwd="/", start_new_session=True, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()
    start = len(f"{folder}/upper")
    return done.stdout, [line[start:] for line in done.stderr.decode().splitlines()]


@pytest.mark.sshd
@pytest.mark.case("P02")
@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_overlay_over_the_whole_machine_stays_empty(account: str, tmp_path: Path) -> None:
    output, changed = written(QUESTIONS.script, account, tmp_path)

    assert set(framing.unframe(output, QUESTIONS.nonce, PROBES)) == {p.NAME for p in PROBES}
    assert changed == []


@pytest.mark.sshd
def test_a_write_anywhere_is_seen_in_the_overlay(tmp_path: Path) -> None:
    _, changed = written("echo x > /etc/driftscan-test; chmod 755 /usr/bin/env", "root", tmp_path)

    assert {"/etc/driftscan-test", "/usr/bin/env"} <= {*changed}
    assert not Path("/etc/driftscan-test").exists()
