"""A folder of fingerprints: one run at a time, the last good one kept, a run taken up again."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from driftscan import folder, store
from driftscan.errors import InputError, StoreError
from driftscan.model import Absent, Denied, Failed, Partial
from tests.made import fingerprint

LATER = "2100-01-01T00:00:00Z"


def taken(found, time=LATER):
    return replace(found, meta=replace(found.meta, taken=time))


def names(path):
    return sorted(entry.name for entry in path.iterdir())


@pytest.mark.case("D12")
def test_the_folder_and_what_is_in_it_are_private(tmp_path):
    out = tmp_path / "out"
    old = os.umask(0)
    try:
        with folder.opened(out) as opened:
            opened.keep("a", fingerprint("a", curl="1"))
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (out, *out.iterdir())}
    assert modes == {"out": 0o700, "a.json": 0o600, ".driftscan-run": 0o600}


WHOLE = fingerprint("a", curl="1")


@pytest.mark.case("D07")
@pytest.mark.parametrize(
    "section",
    [Failed(reason="x"), Denied(cure="root"), Partial(items={}, gaps=["half"])],
)
def test_a_partial_answer_goes_beside_the_good_one_until_a_good_one_comes(tmp_path, section):
    partial = replace(WHOLE, facts={"dpkg": section})
    with folder.opened(tmp_path) as opened:
        opened.keep("a", WHOLE)
        kept = opened.keep("a", partial)
        assert (kept.path.name, kept.lost) == ("a.json.partial", ["dpkg"])
        assert "of 2026-11-23T17:20:00Z stays" in kept.notes[0]
        assert store.load(tmp_path / "a.json") == WHOLE
        assert store.load(kept.path) == partial

        newer = fingerprint("a", curl="2")
        assert opened.keep("a", newer).lost == []
    assert store.load(tmp_path / "a.json") == newer
    assert names(tmp_path) == [".driftscan-run", "a.json"]


def test_what_was_never_whole_may_stay_so(tmp_path):
    partial = replace(WHOLE, facts={"dpkg": Denied(cure="root")})
    with folder.opened(tmp_path) as opened:
        opened.keep("a", partial)
        assert opened.keep("a", partial).path.name == "a.json"
        assert opened.keep("a", replace(WHOLE, facts={"dpkg": Absent()})).path.name == "a.json"


@pytest.mark.case("H33", "D07")
def test_a_collapse_since_the_last_time_is_suspect_and_does_not_replace_it(tmp_path):
    many = fingerprint("a", **{f"p{n}": "1" for n in range(400)})
    with folder.opened(tmp_path) as opened:
        opened.keep("a", many)
        kept = opened.keep("a", fingerprint("a", p0="1"))
    assert store.load(tmp_path / "a.json") == many
    (gap,) = store.load(kept.path).facts["dpkg"].gaps
    assert gap == "suspect: 1 package, where there were 400 on 2026-11-23T17:20:00Z"


@pytest.mark.case("D01", "H37")
def test_what_cannot_be_read_is_moved_out_of_the_way_and_told(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with folder.opened(tmp_path) as opened:
        kept = opened.keep("a", WHOLE)
    assert store.load(tmp_path / "a.json") == WHOLE
    assert (tmp_path / "a.json.unreadable").read_text() == "{"
    assert "cut short" in kept.notes[0]
    assert "a.json.unreadable" in kept.notes[0]


@pytest.mark.case("D08")
def test_a_fingerprint_of_a_newer_driftscan_is_kept(tmp_path):
    store.save(tmp_path / "a.json", WHOLE)
    text = (tmp_path / "a.json").read_text().replace('"schema": 1', '"schema": 99')
    (tmp_path / "a.json").write_text(text)
    with folder.opened(tmp_path) as opened:
        (note,) = opened.keep("a", WHOLE).notes
    assert "newer driftscan" in note
    assert (tmp_path / "a.json.unreadable").read_text() == text


# --- one run at a time --------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from driftscan import folder
with folder.opened(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout.readline() == b"open\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.case("D04")
def test_a_second_run_is_refused_with_the_process_and_the_start_of_the_first(tmp_path, holder):
    started = json.loads((tmp_path / folder.RUN).read_text())["started"]
    with pytest.raises(StoreError) as refused, folder.opened(tmp_path):
        pass
    assert str(refused.value) == (
        f"{tmp_path}: another driftscan writes there since {started} (process {holder.pid}):"
        " wait for it, or name another folder"
    )


@pytest.mark.case("D04", "F40")
def test_a_killed_run_leaves_no_lock_and_its_half_written_file_is_cleared(tmp_path, holder):
    (tmp_path / ".a.json.x1y2z3.part").write_text("{")
    holder.kill()
    holder.wait()
    with folder.opened(tmp_path) as opened:
        opened.keep("a", WHOLE)
    assert names(tmp_path) == [".driftscan-run", "a.json"]


# --- taken up again -----------------------------------------------------------------------------


@pytest.mark.case("D06")
def test_a_run_taken_up_again_counts_what_it_found_and_no_older_result(tmp_path):
    store.save(tmp_path / "old.json", taken(WHOLE, "2020-01-01T00:00:00Z"))
    with folder.opened(tmp_path) as opened:
        opened.keep("a", taken(WHOLE))
        began = opened.run.started
    with folder.opened(tmp_path, resume=True) as again:
        assert again.run.started == began
        assert again.result("a") == taken(WHOLE)
        assert again.result("old") is None
        assert again.result("none") is None


@pytest.mark.case("D06", "D07")
def test_a_host_whose_answer_was_partial_is_asked_again(tmp_path):
    store.save(tmp_path / "a.json", taken(WHOLE, "2020-01-01T00:00:00Z"))
    with folder.opened(tmp_path) as opened:
        opened.keep("a", taken(replace(WHOLE, facts={"dpkg": Failed(reason="x")})))
        assert opened.result("a") is None


@pytest.mark.case("D10")
def test_a_clock_that_jumps_back_asks_once_more_and_never_skips(tmp_path):
    with folder.opened(tmp_path) as opened:
        opened.keep("a", taken(WHOLE, "1970-01-01T00:00:00Z"))
        assert opened.result("a") is None
        assert store.load(tmp_path / "a.json").meta.taken == "1970-01-01T00:00:00Z"


def test_without_a_run_there_is_nothing_to_take_up(tmp_path):
    with (
        pytest.raises(InputError, match="leave --resume out"),
        folder.opened(tmp_path, resume=True),
    ):
        pass


# --- whose folder it is -------------------------------------------------------------------------


@pytest.mark.case("D03")
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_folder_that_everybody_may_write_is_refused_with_the_cure(tmp_path, mode):
    tmp_path.chmod(mode)
    with pytest.raises(StoreError, match=r"\(mode \d{4}\): chmod o-w it"), folder.opened(tmp_path):
        pass
    assert names(tmp_path) == []


@pytest.mark.case("D03")
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a folder to another account")
def test_a_folder_of_another_account_is_refused(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(StoreError, match=r"another account \(uid 65534\)"), folder.opened(tmp_path):
        pass


@pytest.mark.case("D03", "H37")
@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_fingerprint_that_everybody_may_write_is_refused_with_the_cure(tmp_path, mode):
    with folder.opened(tmp_path) as opened:
        opened.keep("a", fingerprint("a", curl="1"))
    file = tmp_path / "a.json"
    file.chmod(mode)
    for resume in (False, True):
        with folder.opened(tmp_path, resume=resume) as opened:
            wrong = rf"a\.json: everybody may write there \(mode {mode:04o}\): chmod o-w it"
            with pytest.raises(StoreError, match=wrong):
                opened.result("a")
    file.chmod(0o660)  # a group that shares the folder is trusted
    with folder.opened(tmp_path, resume=True) as opened:
        assert opened.result("b") is None
        assert opened.result("a") is None


@pytest.mark.case("D03", "H37")
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a file to another account")
def test_a_fingerprint_of_another_account_is_refused(tmp_path):
    store.save(tmp_path / "a.json", fingerprint("a", curl="1"))
    os.chown(tmp_path / "a.json", 65534, 65534)
    with folder.opened(tmp_path) as opened:
        wrong = r"another account \(uid 65534\): look at it, then chown or remove it"
        with pytest.raises(StoreError, match=wrong):
            opened.result("a")


@pytest.mark.case("D03", "H37")
def test_a_fingerprint_that_was_planted_in_the_middle_of_a_run_decides_nothing(tmp_path):
    many = {f"p{number}": "1" for number in range(100)}
    with folder.opened(tmp_path) as opened:
        store.save(tmp_path / "a.json", taken(fingerprint("a", **many)))
        (tmp_path / "a.json").chmod(0o666)
        kept = opened.keep("a", fingerprint("a", curl="1"))
    assert kept.path == tmp_path / "a.json"
    assert kept.fingerprint == fingerprint("a", curl="1")  # not `suspect` beside the planted one
    assert "everybody may write there" in kept.notes[0]
    assert names(tmp_path) == [folder.RUN, "a.json", "a.json.unreadable"]


@pytest.mark.case("H37")
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("b.json"), Path.mkdir])
def test_what_is_no_file_in_the_place_of_a_fingerprint_is_refused(tmp_path, make):
    store.save(tmp_path / "b.json", fingerprint("b", curl="1"))
    make(tmp_path / "a.json")
    with folder.opened(tmp_path) as opened:
        with pytest.raises(StoreError, match=r"a\.json: is no regular file: take it out of the"):
            opened.result("a")
        assert opened.result("b") is None


@pytest.mark.case("D03", "H38")
def test_a_link_in_the_place_of_the_lock_is_refused(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / folder.RUN).symlink_to(tmp_path / "victim")
    with pytest.raises(StoreError, match="cannot be written"), folder.opened(tmp_path):
        pass
    assert (tmp_path / "victim").read_text() == "precious"
