"""The script says the same in every shell; its answer is read whole or not at all."""

import gzip
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import framing, sanitize, script
from driftscan.model import Files, Lines, Payload, Raw, Shell, Stats
from driftscan.probes import libraries
from driftscan.probes.table import PROBES

NONCE = "0123456789abcdef0123456789abcdef"
SHELLS = {
    "dash": ["dash"],
    "bash": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
    "zsh": ["zsh", "-f"],
    "sh": ["sh"],
}


def answer(shell, probes, **options):
    """What that shell prints for the questions of the probes."""
    words = SHELLS[shell]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not on this machine")
    questions = script.questions(probes, deadline=60, nonce=NONCE)
    # a session of its own: the script's watchdog ends its whole process group
    options |= {"stdout": -1, "stderr": -1, "timeout": 60, "start_new_session": True}
    done = subprocess.run([*words, "-s"], input=questions.script.encode(), **options)
    assert (done.stderr, done.returncode) == (b"", 0)
    return done.stdout


def probe(*asked, name="one"):
    return SimpleNamespace(NAME=name, ASK=asked)


# --- every shell --------------------------------------------------------------------------------


@pytest.fixture
def odd(tmp_path):
    """Files that are awkward to tell: each is a reason why something else once went wrong."""
    contents = {
        "empty.txt": b"",
        "one.txt": b"one\n",
        "open.txt": b"no newline at the end",
        "blank.txt": b"\n",
        "blanks.txt": b"a\n\n\n",
        "forged.txt": f"{NONCE} END\n {NONCE} . 0\n\n{NONCE} . 0\n{NONCE} S two\n".encode(),
        "binary.txt": b"\x00\x01\xff\xfe\r\n\x1b[31mred\xe2\x80\xae\n",
        "spaces in name.txt": b" indented\n\ttab\n",
        "-dash.txt": b"-e -n \\n %s\n",
        "packed.txt.gz": gzip.compress(b"unpacked\nlines\n", mtime=0),
        "broken.txt.gz": b"this is no gzip\n",
        "long.txt": b"x" * 300_000 + b"\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (1_700_000_000, 1_700_000_000))
    (tmp_path / "new\nline.txt").write_bytes(b"not told\n")
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "gone.txt").symlink_to("nowhere")
    (tmp_path / "link.txt").symlink_to("one.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    return tmp_path


def questions_about(folder):
    return probe(
        Files((f"{folder}/*.txt", f"{folder}/*.gz", f"{folder}/none/*", "/dev/null")),
        Lines("lines", (str(folder), f"{folder}/none"), "*.txt", "^ ?(a|one|x+|-e)", path=True),
        Lines("bare", (str(folder),), "b*.txt", "^(a|)$", path=False),
        Stats("stats", (str(folder),), "[bo]*.txt"),
        Shell("words", 'set -- a "b c" \'d\'\nfor w in "$@"; do printf \'%s\\n\' "$w"; done'),
        Shell("fails", "echo before\nfalse"),
        Shell("complains", "echo told; echo hidden >&2"),
        Shell("silent", ":"),
        Shell("reads", "cat"),
        Shell("sorts", "printf 'b\\nB\\n_\\na\\n' | sort"),
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_tells_the_same_bytes(odd, shell):
    one = questions_about(odd)
    assert answer(shell, [one]) == answer("dash", [one])


@pytest.mark.case("H12", "H15", "H29")
def test_awkward_files_are_told_as_they_are(odd):
    raw = framing.unframe(answer("dash", [questions_about(odd)]), NONCE, [questions_about(odd)])
    files = {Path(path).name: payload for path, payload in raw["one"].files.items()}
    expected = {
        "empty.txt": (),
        "one.txt": ("one",),
        "link.txt": ("one",),
        "open.txt": ("no newline at the end",),
        "blank.txt": ("",),
        "blanks.txt": ("a", "", ""),
        "forged.txt": (*(f"{NONCE} END", f" {NONCE} . 0", "", f"{NONCE} . 0", f"{NONCE} S two"),),
        "binary.txt": ("\\x00\\x01\\xff\\xfe\\x0d", "\\x1b[31mred\\u202e"),
        "spaces in name.txt": (" indented", "\ttab"),
        "-dash.txt": ("-e -n \\n %s",),
        "packed.txt.gz": ("unpacked", "lines"),
        "broken.txt.gz": (),
    }
    long = files.pop("long.txt").lines
    assert long == ("x" * min(300_000, sanitize.MAX_LINE) + "[line cut]",)
    assert {name: payload.lines for name, payload in files.items()} == expected
    assert {payload.cut for payload in files.values()} == {False}
    gaps = {Path(path).name: why for path, why in raw["one"].gaps.items()}
    assert gaps == {"pipe.txt": "special", "null": "special"}


@pytest.mark.case("H29")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_link_to_a_file_of_the_kernel_that_never_ends_is_passed_over(tmp_path, shell):
    """`/proc/kmsg` is a regular file to every test of a shell, and its end never comes."""
    places = {"log": "/proc/kmsg", "up": "/proc/uptime", "deep": tmp_path / "log", "none": "empty"}
    (tmp_path / "empty").touch()
    for name, where in places.items():
        (tmp_path / f"{name}.txt").symlink_to(where)
    asked = probe(Files((str(tmp_path / "*.txt"),)))
    raw = framing.unframe(answer(shell, [asked]), NONCE, [asked])["one"]
    read = {Path(path).name: payload.lines for path, payload in raw.files.items()}
    assert read == {"none.txt": ()}
    gaps = {Path(path).name: why for path, why in raw.gaps.items()}
    assert gaps == {"log.txt": "special", "up.txt": "special"}


def test_other_answers_tell_their_lines_and_status(odd):
    raw = framing.unframe(answer("dash", [questions_about(odd)]), NONCE, [questions_about(odd)])
    outputs = raw["one"].outputs
    assert sorted(outputs["lines"].lines)[:3] == [
        f"{odd}/-dash.txt:-e -n \\n %s",
        f"{odd}/blanks.txt:a",
        f"{odd}/long.txt:{'x' * 300_000}"[: sanitize.MAX_LINE] + "[line cut]",
    ]
    assert sorted(outputs["bare"].lines) == ["", "", "", "a"]
    assert sorted(outputs["stats"].lines) == sorted(
        f"1700000000 {(odd / name).stat().st_mode:x} {os.getuid()} {os.getgid()} "
        f"{(odd / name).stat().st_size} {odd / name}"
        for name in ("binary.txt", "blank.txt", "blanks.txt", "one.txt", "open.txt")
    )
    assert outputs["words"] == Payload(("a", "b c", "d"), 0)
    assert outputs["fails"] == Payload(("before",), 1)
    assert outputs["complains"] == Payload(("told",), 0)
    assert outputs["silent"] == Payload((), 0)
    assert outputs["reads"] == Payload((), 0)
    assert outputs["sorts"].lines == ("B", "_", "a", "b")


# What two runs on one machine tell differently: clocks, and the processes that the run itself is.
# Containers come and go meanwhile: their mounts and modules too.
VOLATILE = re.compile(r"(?:clock|self|stat|map|root|listen|mount|module) |/proc/|[^ /]+\.list:/")


@pytest.mark.long  # twice the whole script for each shell
@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_tells_the_same_of_this_machine(shell):
    def steady(raws):
        return {
            (name, what): [line for line in payload.lines if not VOLATILE.match(line)]
            for name, raw in raws.items()
            for what, payload in {**raw.files, **raw.outputs}.items()
        }

    mine, dash = (framing.unframe(answer(name, PROBES), NONCE, PROBES) for name in (shell, "dash"))
    assert steady(mine) == steady(dash)
    sections = [libraries.parse(raws["libraries"]) for raws in (mine, dash)]
    assert sections[0]["libraries"] == sections[1]["libraries"]
    assert {name: raw.gaps for name, raw in mine.items()} == {n: r.gaps for n, r in dash.items()}


@pytest.mark.case("H29")
@pytest.mark.long  # waits until the script's own watchdog finds that nothing moves
@pytest.mark.parametrize("shell", ["sh", "bash", "busybox", "zsh"])
def test_a_question_that_waits_for_a_pipe_is_ended_and_all_others_are_whole(tmp_path, shell):
    os.mkfifo(tmp_path / "pipe")
    asked = [
        probe(Shell("held", f"echo a; cat {tmp_path}/pipe | sort; echo b"), name="one"),
        probe(
            Shell("itself", f"read x <{tmp_path}/pipe; echo c"), Shell("next", "echo d"), name="two"
        ),
    ]
    raws = framing.unframe(answer(shell, asked), NONCE, asked)
    assert raws["one"].outputs == {"held": Payload(("a",), script.STOPPED)}
    assert raws["two"].outputs["itself"] == Payload((), script.STOPPED)
    assert raws["two"].outputs["next"] == Payload(("d",))


def test_a_command_gets_only_those_of_its_files_that_are_files(tmp_path):
    for name in ("a", "b c", "-d"):
        (tmp_path / name).write_text(f"{name}\n")
    os.mkfifo(tmp_path / "pipe")
    body = (
        f"cd {tmp_path}; of_files grep -H . -- ./a * none; of_files grep -H -m 1 . -- a 'b c' pipe"
    )
    asked = [probe(Shell("told", body))]
    lines = framing.unframe(answer("sh", asked), NONCE, asked)["one"].outputs["told"].lines
    assert lines == ("./a:a", "-d:-d", "a:a", "b c:b c", "a:a", "b c:b c")


@pytest.fixture
def place():
    """Not in pytest's folder: another run of pytest closes that to other accounts."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody who is not")
@pytest.mark.parametrize("shell", SHELLS)
def test_what_another_account_may_not_read_is_told(place, shell):
    closed, hidden = place / "closed", place / "hidden"
    for folder in (closed, hidden):
        folder.mkdir()
        (folder / "a.txt").write_text("secret\n")
    (place / "file.txt").write_text("secret\n")
    for path in (place / "file.txt", closed):
        path.chmod(0)
    hidden.chmod(0o711)  # may be entered, not listed
    place.chmod(0o755)
    asked = probe(
        Files((f"{place}/*.txt", f"{closed}/*.txt", f"{hidden}/a.txt")),
        Lines("lines", (str(hidden),), "*.txt", "secret"),
    )
    output = answer(shell, [asked], user=65534, group=65534, extra_groups=[], cwd="/")
    raw = framing.unframe(output, NONCE, [asked])["one"]
    denied = dict.fromkeys(map(str, (place / "file.txt", closed, hidden)), "denied")
    assert raw == Raw(
        files={str(hidden / "a.txt"): Payload(("secret",))},
        outputs={"lines": Payload(())},
        gaps=denied,
    )


@pytest.mark.long  # `make check` runs it for sh
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_shellcheck_finds_nothing_to_warn_of(shell):
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not on this machine")
    text = script.questions(PROBES, deadline=120).script
    done = subprocess.run(
        ["shellcheck", "-s", shell, "-S", "warning", "-"],
        input=text,
        text=True,
        capture_output=True,
    )
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.case("H25")
@pytest.mark.parametrize(
    "ask",
    [
        Files(("/etc/$(id)",)),
        Files(("/etc/a b",)),
        Files(("etc/relative",)),
        Lines("x", ("/etc",), "*'; id; '", "a"),
        Lines("x", ("/etc",), "*", "a'b"),
        Lines("x", ("/etc",), "*", "a\nb"),
        Lines("x;id", ("/etc",), "*", "a"),
        Lines("x", ("/etc;id",), "*", "a"),
        Stats("X", ("/etc",)),
        Stats("x", ("/etc",), "a'"),
        Shell("x y", "id"),
    ],
)
def test_a_question_that_could_be_more_than_a_question_is_refused(ask):
    with pytest.raises(ValueError, match="not fit for the script"):
        script.questions([probe(ask)], deadline=1)


@pytest.mark.case("H12")
def test_every_run_has_a_nonce_of_its_own():
    assert len({script.questions([], deadline=1).nonce for _ in range(9)}) == 9


# --- whole or not at all ------------------------------------------------------------------------

TWO = (
    probe(Files(("/etc/a", "/etc/b")), Lines("lines", ("/etc",), "a", "a")),
    probe(Shell("told", "id"), name="two"),
)
GOLDEN = f"""\
{NONCE} BEGIN 1
{NONCE} S one
{NONCE} F /etc/a
 first
 second

{NONCE} . 0
{NONCE} ! denied /etc/b
{NONCE} C lines
 no newline
{NONCE} . 1
{NONCE} S two
{NONCE} C told

{NONCE} . 0
{NONCE} END
""".encode()
READ = {
    "one": Raw(
        files={"/etc/a": Payload(("first", "second"))},
        outputs={"lines": Payload(("no newline",), 1)},
        gaps={"/etc/b": "denied"},
    ),
    "two": Raw(outputs={"told": Payload(())}),
}


def read(stream):
    return framing.unframe(stream, NONCE, TWO)


def test_a_whole_answer_is_read():
    assert read(GOLDEN) == READ


def test_what_a_login_prints_before_is_passed_over():
    assert read(b"Welcome!\nLast login: never" + GOLDEN) == READ


@pytest.mark.case("F23")
def test_an_answer_cut_anywhere_is_incomplete_or_whole():
    for length in range(len(GOLDEN)):
        try:
            assert read(GOLDEN[:length]) == READ
        except framing.Malformed as error:
            assert error.state in ("no_collector", "incomplete")  # noqa: PT017
        else:
            assert length == len(GOLDEN) - 1  # all but the last newline


LINES = GOLDEN.splitlines(keepends=True)
# Any number of gaps may be told; every other control line must be there, and once.
ONCE = [
    number
    for number, line in enumerate(LINES)
    if line.startswith(NONCE.encode()) and b" ! " not in line
]


@pytest.mark.case("H13")
@pytest.mark.parametrize("number", ONCE)
def test_an_answer_without_one_of_its_control_lines_is_refused(number):
    with pytest.raises(framing.Malformed):
        read(b"".join([*LINES[:number], *LINES[number + 1 :]]))


@pytest.mark.case("H13")
@pytest.mark.parametrize("number", ONCE)
def test_an_answer_with_a_control_line_twice_is_refused(number):
    with pytest.raises(framing.Malformed):
        read(b"".join([*LINES[: number + 1], *LINES[number:]]))


@pytest.mark.case("H13")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"S two", b"S three"),
        (b"S two", b"S one"),
        (b"F /etc/a", b"X /etc/a"),
        (b"C lines", b"C another"),
        (b"C told", b"C told\nwithout a blank"),
        (b" first", b"first"),
        (b" second", b" second\nthird"),
        (b". 1", b". x"),
        (b". 1", b". 1 2"),
        (b". 1", b". 1000"),
        (b". 1", b"."),
        (b"BEGIN 1", b"BEGIN 2"),
        (b"END", b"END of it"),
        (b"BEGIN 1\n", b"BEGIN 1\nnoise\n"),
        (b". 0\n", b". 0\nnoise\n"),
        (b"denied /etc/b\n", b"denied /etc/b\nnoise\n"),
        (b"S one\n", b"S one\nnoise\n"),
    ],
)
def test_what_the_script_cannot_have_printed_is_refused(old, new):
    with pytest.raises(framing.Malformed):
        read(GOLDEN.replace(old, new, 1))


def test_a_payload_at_the_limit_is_told_as_cut():
    text = b" " + b"x" * (script.FILE_LIMIT - 1)
    raw = read(GOLDEN.replace(b" first\n second\n", text + b"y"))
    assert raw["one"].files["/etc/a"].cut
    assert not read(GOLDEN.replace(b" first\n second\n", text))["one"].files["/etc/a"].cut


@pytest.mark.case("H13")
@given(st.binary(), st.integers(0, len(GOLDEN)), st.integers(0, len(GOLDEN)))
def test_whatever_a_host_sends_only_malformed_escapes(noise, start, end):
    for stream in (noise, GOLDEN[:start] + noise + GOLDEN[end:], GOLDEN + noise):
        try:
            raws = read(stream)
        except framing.Malformed as error:
            assert error.state in ("no_collector", "incomplete", "malformed")  # noqa: PT017
        else:
            assert set(raws) == {"one", "two"}


CONTROL = st.sampled_from([f"{NONCE} END", f"{NONCE} . 0", f"{NONCE} S two", NONCE, "", " "])
CONTENT = st.lists(st.binary().map(lambda data: data.replace(b"\n", b"")) | CONTROL.map(str.encode))


@pytest.mark.case("H12")
@given(CONTENT, CONTENT, st.booleans())
def test_no_content_can_look_like_a_control_line(first, second, newline):
    """Prefixed as the script's sed does it, any bytes come back as the lines they were."""

    def framed(lines):
        body = b"\n".join(b" " + line for line in lines)
        return body + (b"\n" if newline and lines else b"")

    stream = GOLDEN.replace(b" first\n second\n", framed(first))
    stream = stream.replace(b" no newline", framed(second), 1)
    raw = read(stream)["one"]
    for lines, payload in ((first, raw.files["/etc/a"]), (second, raw.outputs["lines"])):
        text = b"\n".join(lines) + (b"\n" if newline and lines else b"")
        assert payload.lines == tuple(sanitize.lines(text))
