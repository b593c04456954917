"""compare, check and explain over fingerprint files: what is printed where, and the exit code."""

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from driftscan.cli import configuration
from driftscan.policy import FAIL_ON
from driftscan.report.table import FORMS
from tests.cli.conftest import environment


@pytest.fixture
def pair(machine):
    """Two machines that differ in the version of curl and in a package more."""
    old = machine("old", curl="7.88.1-10", bash="5.2", telnetd="0.17")
    return old, machine("new", curl="7.88.1-12", bash="5.2")


def hosts(done):
    return json.loads(done.out)["hosts"]


def test_two_equal_machines_are_0_and_two_that_differ_are_1(driftscan, pair, machine):
    same = driftscan("compare", pair[0], pair[0])
    other = driftscan("compare", *pair)

    assert (same.code, same.err) == (0, "")
    assert "No difference" in same.out
    assert (other.code, other.err) == (1, "")
    assert "curl" in other.out
    assert "telnetd" in other.out


def test_json_is_the_whole_report_with_ids_and_the_exit_code(driftscan, pair):
    done = driftscan("compare", *pair, "-f", "json")

    report = json.loads(done.out)
    assert (report["exit_code"], report["complete"], done.code) == (1, True, 1)
    assert report["counts"]["hosts"] == 1
    ids = {finding["id"] for finding in report["hosts"][pair[0]]["findings"]}
    assert ids == {"dpkg:curl", "dpkg:telnetd"}


@pytest.mark.case("E06")
def test_the_same_machines_give_the_same_bytes_in_any_order_and_with_any_seed(
    tmp_path, work, machine, baseline
):
    """What Python orders by hash is another each time it starts."""
    baseline("web", curl="2", bash="2", tar="1")
    names = [machine(f"host-{n}", curl=str(n % 3), bash="1", **{f"x{n}": "1"}) for n in range(5)]
    told = []
    for seed, order in (("1", names), ("2", [*names[:1:-1], *names[:2]])):
        files = [word for form in sorted(FORMS) for word in ("-o", f"{form}={seed}.{form}")]
        words = ["check", *order, "--baseline", "baseline://./web", "--all", *files]
        done = subprocess.run(
            [sys.executable, "-m", "driftscan", *words],
            capture_output=True,
            cwd=work,
            env=environment(tmp_path, PYTHONHASHSEED=seed),
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, b"")
        told.append({form: (work / f"{seed}.{form}").read_bytes() for form in FORMS})
    assert all(told[0].values())
    assert [form for form in FORMS if len({one[form] for one in told}) > 1] == []


def test_the_same_two_files_give_the_same_bytes(driftscan, pair):
    for form in ("text", "json"):
        first, second = (driftscan("compare", *pair, "-f", form, "--all") for _ in range(2))
        assert first == second


def test_two_fingerprints_of_one_host_are_told_apart_by_their_files(driftscan, work, machine):
    (work / "before").mkdir()
    old = work / machine("web-a", curl="7.88.1-10", bash="5.2")
    old.rename(work / "before" / old.name)
    new = machine("web-a", curl="7.88.1-12", bash="5.2")

    done = driftscan("compare", new, "before/web-a.json")

    assert done.out.startswith(f"{new}  vs  before/web-a.json  as root\n")
    assert f"Or the other way: driftscan compare before/web-a.json {new}" in done.out


@pytest.mark.parametrize(("level", "code"), [("installed", 1), ("breaks", 0), ("never", 0)])
def test_fail_on_decides_what_is_drift(driftscan, pair, level, code):
    assert driftscan("compare", *pair, "--fail-on", level).code == code
    assert driftscan("compare", *pair, DRIFTSCAN_FAIL_ON=level).code == code


@pytest.mark.case("D11", "D12")
def test_reports_go_to_files_too_private_and_whole(driftscan, work, pair):
    done = driftscan("compare", *pair, "-o", "json=report.json", "-o", "text=report.txt")

    assert done.out == (work / "report.txt").read_text()
    assert json.loads((work / "report.json").read_text())["exit_code"] == 1
    assert stat.S_IMODE((work / "report.json").stat().st_mode) == 0o600
    assert sorted(p.name for p in work.iterdir()) == sorted([*pair, "report.json", "report.txt"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_one_file_that_cannot_be_written_costs_no_other_and_not_the_report(driftscan, work, pair):
    done = driftscan("compare", *pair, "-o", "json=/dev/full", "-o", "markdown=r.md")
    assert done.code == 2
    assert "/dev/full: cannot be written: No space left on device" in done.err
    assert "telnetd" in done.out
    assert "telnetd" in (work / "r.md").read_text()


def test_a_dash_is_standard_output(driftscan, pair):
    done = driftscan("compare", *pair, "-o", "json=-")
    assert json.loads(done.out)["exit_code"] == 1


def test_quiet_prints_nothing_where_nothing_is_wrong_and_the_report_where_something_is(
    driftscan, pair
):
    assert driftscan("compare", pair[0], pair[0], "-q") == (0, "", "")
    assert driftscan("compare", *pair, "-q").out == driftscan("compare", *pair).out


def test_brief_is_shorter_and_all_is_longer(driftscan, pair):
    brief, usual, everything = (
        driftscan("compare", *pair, *words).out for words in (["--brief"], [], ["--all"])
    )
    assert len(brief) < len(usual) <= len(everything)


def test_width_is_kept_but_for_commands(driftscan, pair):
    done = driftscan("compare", *pair, "--width", "60")
    assert max(len(line) for line in done.out.splitlines() if "Fix" not in line) <= 60


@pytest.mark.parametrize(
    ("words", "more", "colored"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {}, False),
        ([], {"DRIFTSCAN_COLOR": "always"}, True),
    ],
)
def test_colour_is_for_terminals_unless_it_is_asked_for(driftscan, pair, words, more, colored):
    assert ("\x1b[" in driftscan("compare", *pair, *words, **more).out) == colored


# The program once for each environment, in one process.
_EACH = """
import json, os, sys
from driftscan.cli.main import execute
for more in json.loads(sys.argv[1]):
    os.environ.update(more)
    execute(sys.argv[2:])
    for name in more:
        del os.environ[name]
    print("that was it", flush=True)
"""


def on_a_terminal(tmp_path, work, words, environments):
    """What the program shows in each environment when standard output is a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _EACH, json.dumps(environments), *words],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.PIPE,
        cwd=work,
        env=environment(tmp_path),
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
    assert process.communicate(timeout=60) == (None, b"")
    assert process.returncode == 0
    return shown.decode().split("that was it\r\n")[:-1]


def test_a_terminal_gets_colour_unless_no_color_says_no(tmp_path, work, pair):
    environments = [
        {"TERM": "xterm"},
        {"TERM": "xterm", "NO_COLOR": "1"},
        {"TERM": "xterm", "NO_COLOR": ""},
        {"TERM": "dumb"},
    ]
    shown = on_a_terminal(tmp_path, work, ["compare", *pair], environments)
    assert all("curl" in text for text in shown)
    assert ["\x1b[" in text for text in shown] == [True, False, True, False]


@pytest.mark.case("D11")
def test_a_reader_that_goes_away_is_no_mistake_and_the_verdict_stays(tmp_path, work, machine):
    many = {f"p{n}": "1" for n in range(1000)}
    few = {f"p{n}": "1" for n in range(200)}
    words = ["compare", machine("a", **many), machine("b", **few), "-f", "json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "driftscan", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=work,
        env=environment(tmp_path),
    )
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 1


@pytest.mark.case("D02")
def test_a_full_standard_output_is_told(tmp_path, work, pair):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "driftscan", "compare", *pair],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=work,
            env=environment(tmp_path),
        )
    assert done.returncode == 2
    assert done.stderr == (
        "driftscan: standard output cannot be written: No space left on device\n"
    )


def test_a_terminal_without_the_letters_of_a_name_shows_their_codes(tmp_path, work):
    (work / "inventory.yml").write_text("hosts: {a: {key: größer}}")
    done = subprocess.run(
        [sys.executable, "-m", "driftscan", "inventory", "-f", "json"],
        capture_output=True,
        cwd=work,
        env=environment(tmp_path, PYTHONIOENCODING="ascii"),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"gr\xf6\xdfer" in done.stdout


# --- check -------------------------------------------------------------------------------------


def inventory(work, hosts, baseline):
    (work / "inventory.yml").write_text(
        f"groups: {{web: {{baseline: {baseline}, hosts: [{', '.join(hosts)}]}}}}\n"
        f"hosts: {{{', '.join(f'{host}: {{}}' for host in hosts)}}}\n"
    )


def test_check_compares_files_with_the_baseline_that_is_named(driftscan, machine, baseline):
    baseline("web", curl="2")
    good, old = machine("good", curl="2"), machine("old", curl="1")

    done = driftscan("check", good, old, "--baseline", "baseline://./web", "-f", "json")

    found = {name: host["state"] for name, host in hosts(done).items()}
    assert (done.code, found) == (1, {good: "in-sync", old: "drift"})


def test_the_line_of_the_dockerfile_is_named(driftscan, machine, baseline):
    baseline("web", curl="2")
    done = driftscan("check", machine("old", curl="1"), "--baseline", "baseline://./web", "--all")
    assert "web/Dockerfile:2" in done.out


def test_a_section_that_could_not_be_read_is_incomplete_never_in_sync(driftscan, work, machine):
    whole = json.loads((work / machine("a", curl="1")).read_text())
    whole["facts"]["dpkg"] = {"state": "failed", "reason": "damaged"}
    (work / "b.json").write_text(json.dumps(whole))

    done = driftscan("compare", "a.json", "b.json", "-f", "json")

    report = json.loads(done.out)
    assert (done.code, report["complete"], report["counts"]["incomplete"]) == (3, False, 1)
    assert report["hosts"]["a.json"]["state"] == "incomplete"


# --- explain -----------------------------------------------------------------------------------


@pytest.mark.parametrize("about", ["telnetd", "dpkg:telnetd"])
def test_explain_about_one_thing_leaves_out_the_others(driftscan, pair, about):
    done = driftscan("explain", *pair, "--about", about, "-f", "json")

    (host,) = hosts(done).values()
    assert [finding["id"] for finding in host["findings"]] == ["dpkg:telnetd"]
    assert {claim for cause in host["causes"] for claim in cause["claims"]} >= {"dpkg:telnetd"}


def test_explain_about_a_cause_tells_all_it_claims(driftscan, pair):
    (host,) = hosts(driftscan("explain", *pair, "-f", "json")).values()
    cause = host["causes"][0]

    (only,) = hosts(driftscan("explain", *pair, "--about", cause["id"], "-f", "json")).values()

    assert [one["id"] for one in only["causes"]] == [cause["id"]]
    assert all(cause["id"] in (f["cause"], *f.get("also", ())) for f in only["findings"])


def test_explain_about_what_does_not_differ_tells_all_that_is_known_of_it(driftscan, pair):
    done = driftscan("explain", *pair, "--about", "bash")
    assert done.code == 0
    assert "bash does not differ: it is the same on both sides." in done.out
    assert "ABOUT       bash: 5.2 on both sides  [dpkg:bash]" in done.out

    (host,) = hosts(driftscan("explain", *pair, "--about", "bash", "-f", "json")).values()
    assert [s["side"] for s in host["about"]["standings"]] == ["subject", "reference"]


def test_explain_about_what_neither_side_has_is_one_sentence_with_the_nearest_name(driftscan, pair):
    done = driftscan("explain", *pair, "--about", "telnet")
    assert (done.code, done.out) == (2, "")
    assert "is called 'telnet', did you mean 'telnetd'?" in done.err


def test_explain_needs_a_reference_or_a_baseline(driftscan, pair):
    done = driftscan("explain", pair[0])
    assert done.code == 2
    assert "old.json has no baseline" in done.err


# --- one place says it -------------------------------------------------------------------------


def test_the_levels_of_the_command_line_are_those_of_the_policy():
    assert configuration.FAIL_ON == FAIL_ON
