"""Machines that are read: what the script would answer there, without running anything."""

import gzip
import os
import re
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftscan import scan, script
from driftscan.errors import MachineError
from driftscan.machines.directory import Directory, at
from driftscan.machines.local import Local
from driftscan.machines.reading import Reader
from driftscan.machines.root import Root
from driftscan.model import Files, Limits, Lines, Partial, Shell, Stats, Target
from driftscan.probes import texts
from driftscan.probes.table import PROBES

LOCAL = Local(Target(name="local", road="local"))
LIMITS = Limits(deadline=60)


def asked(machine, *probes, limits=LIMITS):
    """The raw answers of a machine to some probes."""
    questions = script.questions(probes, deadline=60)
    return scan.unframed(machine.ask(questions, limits), questions, probes)


def told(raw):
    """A raw answer without the order of its lines, which find(1) does not promise."""
    outputs = {name: (sorted(p.lines), p.cut) for name, p in raw.outputs.items()}
    return dict(raw.files), outputs, dict(raw.gaps)


def probe(*questions):
    return SimpleNamespace(NAME="made", ASK=questions)


def odd(folder):
    """A directory with everything that a question may meet."""
    (folder / "sub.conf").mkdir()
    (folder / "sub.conf" / "inner.conf").write_text("[inner]\n")
    (folder / "plain.conf").write_text("[a]\nkey=1\n\n[b]\nkey=2")
    (folder / "empty.conf").write_text("")
    (folder / ".hidden.conf").write_text("[hidden]\n")
    (folder / "bytes.conf").write_bytes(b"[\xff\xfe]\n\r\x01key\n")
    (folder / "two\nlines.conf").write_text("[never]\n")
    (folder / "packed.gz").write_bytes(gzip.compress(b"[packed]\n") + gzip.compress(b"[again]\n"))
    (folder / "damaged.gz").write_bytes(gzip.compress(b"[x]\n")[:-6])
    (folder / "link.conf").symlink_to("plain.conf")
    (folder / "gone.conf").symlink_to("nowhere")
    (folder / "loop.conf").symlink_to("loop.conf")
    (folder / "up.conf").symlink_to("../" + folder.name + "/plain.conf")
    os.mkfifo(folder / "pipe.conf")
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "deep.conf").write_text("[deep]\n")
    (folder / "linked").symlink_to("a")


def test_the_generic_questions_are_answered_as_the_script_answers_them(tmp_path):
    odd(tmp_path)
    where = str(tmp_path)
    made = probe(
        Files((f"{where}/*.conf", f"{where}/*.gz", f"{where}/[a-l]*/*/*.conf", f"{where}/no*")),
        Lines("heads", (where, f"{where}/linked/b", f"{where}/none"), "*.conf", r"^\[[[:alnum:]]"),
        Lines("keys", (where,), "*", "^key", path=False),
        Stats("stats", (where, f"{where}/*"), "*.conf"),
        Stats("here", (f"{where}/a",), "[ab]"),
    )
    live, read = (asked(machine, made)["made"] for machine in (LOCAL, Reader(partial(at, "/"))))
    assert told(read) == told(live)
    assert len(live.files) > 5
    assert set(live.gaps.values()) == {"special"}


NAMES = st.text("ab.*?[-\\ \u00e9", min_size=1, max_size=6).filter(
    lambda name: name not in (".", "..")
)
GLOB = st.text("ab.*?-", min_size=1, max_size=5)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(NAMES, max_size=8), globs=st.lists(GLOB, min_size=1, max_size=4, unique=True))
def test_any_names_match_any_pattern_as_in_the_shell(tmp_path_factory, names, globs):
    folder = tmp_path_factory.mktemp("names")
    for name in names:
        (folder / name).write_text("x\n")
    made = [
        SimpleNamespace(NAME=f"p{number}", ASK=(Files((f"{folder}/{glob}",)),))
        for number, glob in enumerate(globs)
    ]
    live, read = (asked(machine, *made) for machine in (LOCAL, Reader(partial(at, "/"))))
    assert {name: dict(raw.files) for name, raw in read.items()} == {
        name: dict(raw.files) for name, raw in live.items()
    }


@pytest.mark.long
def test_this_machine_read_as_a_directory_gives_the_facts_that_it_answers(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    questions = script.questions(PROBES, deadline=60)

    def facts(machine):
        answer = machine.ask(questions, LIMITS)
        found = scan.fingerprint(
            answer, questions, PROBES, target="x", kind="image", address="x", taken="x"
        )
        return found.facts

    live, read = facts(LOCAL), facts(Reader(partial(at, "/")))
    if live != read:  # somebody may have installed a package meanwhile
        live, read = facts(LOCAL), facts(Reader(partial(at, "/")))
    # a walk of a busy machine may come to its limit of time, which reading has not
    short = {name for name, found in live.items() if isinstance(found, Partial)}
    assert {name: read[name] for name in read if name not in short} == {
        name: live[name] for name in live if name not in short
    }
    assert len(short) < len(live) / 2


@contextmanager
def as_nobody():
    """As an account that may not read everything, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    groups, nobody = os.getgroups(), 65534
    os.setgroups([])
    os.setresgid(nobody, nobody, 0)
    os.setresuid(nobody, nobody, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


def test_what_is_closed_to_this_account_is_denied_and_not_empty():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        where = Path(folder)
        where.chmod(0o755)
        (where / "closed").mkdir(mode=0)
        (where / "secret").touch(mode=0)
        (where / "open").write_text("x\n")
        made = probe(Files((f"{where}/closed/*", f"{where}/*")), Stats("in", (f"{where}/closed",)))
        with as_nobody():
            machines = (LOCAL, Reader(partial(at, "/")))
            live, read = (asked(machine, made)["made"] for machine in machines)
        (where / "closed").chmod(0o700)
    assert told(read) == told(live)
    assert read.gaps == {f"{where}/closed": "denied", f"{where}/secret": "denied"}


_MEANT = re.compile(r"#include|#clear|#1000|^[ \t]*[ax/]")
LINES = st.lists(
    st.tuples(
        st.sampled_from(("", " ", "\t")),
        st.sampled_from(
            ("#", "//", "# ", "#include /x", "#clear y;", "#1000 ALL=", "a # b", "x=#")
        ),
        st.sampled_from(("", "word", "more \\", "\\\\", "*/", "\xe4")),
    ).map("".join),
    max_size=6,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LINES)
def test_comments_stay_behind_on_both_ways_and_lines_keep_their_numbers(tmp_path, lines):
    path = tmp_path / "some.conf"
    path.write_text("\n".join(lines), encoding="latin-1")
    made = probe(texts.question("files", (str(path),)))
    live, read = asked(LOCAL, made), asked(Reader(partial(at, "/")), made)
    assert told(live["made"]) == told(read["made"])
    kept = texts.read(live["made"], "files").files.get(str(path), [])
    assert len(kept) == len(path.read_text(encoding="latin-1").splitlines())
    meant = [
        n for n, line in enumerate(lines) if re.search(r"include|clear|1000|^[ \t]*[ax/]", line)
    ]
    assert all(kept[n].encode() for n in meant)


def test_a_question_that_only_runs_has_an_empty_answer(tmp_path):
    made = probe(Shell("live", "echo never"))
    assert asked(Reader(partial(at, str(tmp_path))), made)["made"].outputs["live"].lines == ()


def test_links_are_resolved_inside_the_root(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "secret"
    outside.write_text("secret\n")
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "real").write_text("inside\n")
    (root / "etc" / "absolute").symlink_to("/etc/real")
    (root / "etc" / "up").symlink_to("../../../../../etc/real")
    (root / "etc" / "out").symlink_to(outside)
    (root / "etc" / "far").symlink_to("../../secret")
    (root / "way").symlink_to("/etc")
    (root / "host").symlink_to("/proc/self/root/etc")
    made = probe(Files(("/etc/*", "/way/real", "/host/passwd")))
    found = asked(Reader(partial(at, str(root))), made)["made"]
    assert {path: payload.lines for path, payload in found.files.items()} == {
        "/etc/absolute": ("inside",),
        "/etc/real": ("inside",),
        "/etc/up": ("inside",),
        "/way/real": ("inside",),
    }
    with at(str(root)) as directory:
        tree = Root(directory)
        assert tree.real("/way/absolute") == "/etc/real"
        assert tree.real("/way/new") == "/etc/new"
        assert tree.real("/none/new") == ""
        assert tree.read("/etc/far", 100) == b""


def test_a_path_with_a_link_in_it_never_leaves_the_root(tmp_path):
    """What a path was found to be may be a link by now: then nothing is opened."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_text("secret")
    (root / "link").symlink_to(tmp_path / "out")
    (root / "etc" / "file").symlink_to(tmp_path / "out" / "file")
    with at(str(root)) as directory:
        assert directory.read("/link/file", 100) == b""
        assert directory.read("/etc/file", 100) == b""
        assert directory.names("/link") == []
        assert directory.node("/link/file") is None


def test_nothing_but_a_file_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for a writer
    (tmp_path / "file").write_text("x")
    with at(str(tmp_path)) as directory:
        assert directory.read("/pipe", 10) == b""
        assert directory.read("/file", 10) == b"x"


def test_file_systems_that_may_hang_are_closed():
    with at("/") as directory:
        tree = Root(directory)
        assert tree.lstat("/proc") is not None
        assert not tree.readable("/proc")
        assert tree.names("/proc") == []
        assert tree.read("/proc/version", 100) == b""


def test_a_directory_that_is_not_there_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    for name, cause in (("none", "no such file"), ("file", "not a directory")):
        with pytest.raises(MachineError, match=cause) as error:
            Directory(str(tmp_path / name))
        assert error.value.state == "unreachable"
        assert "is the machine's /" in error.value.cure


def test_reading_ends_at_its_deadline_when_stopped_and_at_its_limit(tmp_path):
    for number in range(20):
        (tmp_path / f"{number}.conf").write_text("x" * 1000)
    made = probe(Files(("/*.conf",)))

    @contextmanager
    def slow(_check):
        with at(str(tmp_path)) as directory:
            time.sleep(0.05)
            yield directory

    stopped = Reader(partial(at, str(tmp_path)))
    stopped.close()
    for machine, limits, state in (
        (Reader(slow), Limits(deadline=0.01), "timeout"),
        (Reader(slow), Limits(output=5000), "output_limit"),
        (stopped, LIMITS, "interrupted"),
    ):
        with pytest.raises(MachineError) as error:
            asked(machine, made, limits=limits)
        assert error.value.state == state
