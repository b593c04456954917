"""An installed collector answers as the script does; what it asks otherwise is unknown."""

import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import collector, framing, scan, script
from driftscan.errors import MachineError
from driftscan.model import Answer, Failed, Raw, Scope, Shell
from driftscan.probes import dpkg, host
from driftscan.probes import os as os_release
from driftscan.probes.table import PROBES, of

NONCE = "0123456789abcdef0123456789abcdef"
SHELLS = {
    "dash": ["dash"],
    "bash": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
    "zsh": ["zsh", "-f"],
}


def probe(name, body="echo hello"):
    return SimpleNamespace(NAME=name, ASK=(Shell("x", body),))


ONE, TWO = probe("one"), probe("two", "echo world; echo again")
OTHER = probe("two", "echo other")


def installed(folder, probes, text=""):
    path = folder / "driftscan-collect"
    path.write_text(text or collector.text(probes))
    path.chmod(0o755)
    return path


def run(argv, order):
    return subprocess.run(
        argv, input=order, capture_output=True, timeout=60, start_new_session=True
    )


def order(nonce=NONCE, seconds="20"):
    return f"driftscan {nonce} {seconds}\n".encode()


def answered(path, ours, output=None):
    """The raw answers as this version reads them, where it would ask `ours`."""
    output = output if output is not None else run([str(path)], order()).stdout
    asked = script.questions(ours, deadline=20, nonce=NONCE, installed=True)
    return scan.unframed(Answer(output, b"", 0, 1.0), asked, ours)


# --- the same answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_a_collector_answers_as_the_script_does_in_every_shell(shell, tmp_path):
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"{shell} is not on this machine")
    path = installed(tmp_path, [ONE, TWO])
    done = run([*SHELLS[shell], str(path)], order())
    sent = script.questions([ONE, TWO], deadline=20, nonce=NONCE)

    assert (done.returncode, done.stderr) == (0, b"")
    assert answered(path, [ONE, TWO], done.stdout) == framing.unframe(
        run([*SHELLS[shell], "-s"], sent.script.encode()).stdout, NONCE, [ONE, TWO]
    )


def test_it_tells_the_digest_of_its_own_file(tmp_path):
    path = installed(tmp_path, [ONE])
    first = run([str(path)], order()).stdout.split(b"\n")[0].decode()

    assert first == f"{NONCE} BEGIN 1 collector {collector.digest([ONE])}"


def test_the_program_for_real_is_the_same_each_time_and_asks_what_the_script_asks():
    text = collector.text(PROBES)

    assert text == collector.text(PROBES)
    assert text.startswith("#!/bin/sh\n")
    assert "@" not in "".join(re.findall(r"@[A-Z]+@", text))
    for name in collector.digests(PROBES):
        assert f'say "S {name} ' in text


# --- the order is data ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"\n", b"driftscan\n", b"driftscan  \n", b"id\n", b"$(touch F)\n", b"`touch F`\n"),
        order("$(touch F)") + b"x",
        *(order("; touch F"), order("x" * 32), order(NONCE[:-1]), order(NONCE + "0")),
        *(order(NONCE.upper()), order(f"2{NONCE[:2]}"), order(seconds="20; touch F")),
        *(order(seconds=""), order(seconds="0"), order(seconds="-1"), order(seconds="1000000")),
        *(order(seconds="20 20"), order() + b"touch F\n", b"driftscan " + b"0" * 5000),
        b"driftscan \xff\xfe\x00" + NONCE.encode() + b" 20\n",
        b"main() { touch F; }; main\n",
    ],
)
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_what_is_no_order_is_refused_and_never_run(shell, line, tmp_path):
    mark = tmp_path / "F"
    done = run([*SHELLS[shell], str(installed(tmp_path, [ONE]))], line.replace(b"F", bytes(mark)))

    assert (done.returncode, done.stdout, mark.exists()) == (64, b"", False)
    assert b"expected one line: driftscan NONCE SECONDS" in done.stderr


def test_its_arguments_and_environment_change_nothing(tmp_path):
    path = installed(tmp_path, [ONE])
    odd = {"SSH_ORIGINAL_COMMAND": "touch x", "ENV": str(tmp_path / "x"), "PATH": str(tmp_path)}
    done = subprocess.run(
        [str(path), "-c", "touch x"], input=order(), capture_output=True, env=odd, cwd=tmp_path
    )

    assert answered(path, [ONE], done.stdout)["one"].outputs["x"].lines == ("hello",)
    assert list(tmp_path.iterdir()) == [path]


# --- other versions ------------------------------------------------------------------------------


def test_a_probe_that_an_older_collector_lacks_is_unknown_with_the_cure(tmp_path):
    raws = answered(installed(tmp_path, [ONE]), [ONE, TWO])

    assert raws["one"].outputs["x"].lines == ("hello",)
    assert raws["two"] == Raw(strange=raws["two"].strange)
    assert raws["two"].strange == (
        f"the installed collector ({collector.digest([ONE])[:12]}) does not ask this:"
        " install what `driftscan script --collector` prints"
    )


def test_a_question_that_was_asked_otherwise_is_unknown_though_it_was_answered(tmp_path):
    raws = answered(installed(tmp_path, [ONE, OTHER]), [ONE, TWO])

    assert raws["one"].outputs["x"].lines == ("hello",)
    assert "asks this otherwise" in raws["two"].strange


def test_what_a_newer_collector_asks_besides_is_left_out(tmp_path):
    assert set(answered(installed(tmp_path, [TWO, ONE]), [ONE])) == {"one"}


def test_an_unknown_probe_makes_its_own_sections_failed_and_no_others(tmp_path):
    probes = (host, os_release, dpkg)
    path = installed(tmp_path, (host, os_release))
    output = run([str(path)], order(seconds="100")).stdout
    asked = script.questions(probes, deadline=100, nonce=NONCE, installed=True)
    found = scan.fingerprint(
        *(Answer(output, b"", 0, 1.0), asked, probes),
        target="a",
        kind="host",
        address="a",
        taken="2026-11-25T00:00:00Z",
    )

    assert isinstance(found.facts["dpkg"], Failed)
    assert "does not ask this" in found.facts["dpkg"].reason
    assert not isinstance(found.facts["os"], Failed)


@pytest.mark.case("F33")
def test_a_file_that_was_changed_on_the_host_is_told_and_nothing_of_it_is_believed(tmp_path):
    text = collector.text([ONE]).replace("say END", ": ; say END")
    path = installed(tmp_path, [ONE], text)

    with pytest.raises(MachineError) as caught:
        answered(path, [ONE])

    assert caught.value.state == "collector_changed"
    assert "was changed (sha256 " in caught.value.cause


# --- cut and forged ------------------------------------------------------------------------------


def test_a_collectors_answer_that_was_cut_anywhere_is_never_taken_for_a_whole_one(tmp_path):
    path = installed(tmp_path, [ONE, OTHER])
    whole = run([str(path)], order()).stdout
    good = answered(path, [ONE, TWO], whole)

    for end in range(len(whole)):
        try:
            found = answered(path, [ONE, TWO], whole[:end])
        except MachineError:
            continue
        assert (end, found) == (len(whole) - 1, good)  # only the last newline is missing


@given(st.binary(max_size=300), st.integers(0, 2000))
def test_bytes_in_an_answer_are_malformed_or_payload_and_never_another_error(data, place):
    digest, short = collector.digest([ONE]), collector.digests([ONE])["one"]
    head = f"{NONCE} BEGIN 1 collector {digest}\n{NONCE} S one {short}\n"
    body = f"{NONCE} C x\n hello\n\n{NONCE} . 0\n{NONCE} END\n"
    whole = (head + body).encode()
    with suppress(MachineError):
        answered(Path(), [ONE], whole[:place] + data + whole[place:])


def test_the_roots_change_what_is_asked_of_these_probes_and_of_no_other():
    with_roots, without = (collector.digests(made) for made in (of(Scope(("/data/x",))), PROBES))
    changed = {name for name in without if with_roots[name] != without[name]}
    assert changed == {"languages", "software", "files"}
    assert with_roots.keys() - without.keys() == {"apps"}


@pytest.mark.long
def test_a_collector_looks_below_the_roots_it_was_made_with_and_tells_of_others(tmp_path):
    """No order can have it look elsewhere; all that no root touches is known all the same."""
    with_roots, without = of(Scope(("/data/x",))), PROBES
    for made, ours in ((with_roots, without), (without, with_roots)):
        scope = Scope(("/data/x",)) if ours is with_roots else Scope()
        asked = script.questions(ours, deadline=20, nonce=NONCE, installed=True, scope=scope)
        output = run([str(installed(tmp_path, made))], order()).stdout
        raws = scan.unframed(Answer(output, b"", 0, 1.0), asked, ours)
        strange = {name: raw.strange for name, raw in raws.items() if raw.strange}
        roots = {"apps"} if ours is with_roots else set()
        assert strange.keys() == {"languages", "software", "files", *roots}
        cure = "--collector --app /data/x`" if ours is with_roots else "--collector`"
        assert all(cure in why for why in strange.values())
