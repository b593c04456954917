"""Accepting a difference: the gate lets it pass until its day is over or its value changes."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import jsonschema
import msgspec
import pytest
import yaml

from driftscan import store
from driftscan.errors import StoreError
from driftscan.sanitize import safe
from tests import made
from tests.cli.conftest import ROOT, environment
from tests.report.hostile import CORPUS, attacked

FILE = "driftscan-accept.yml"
TODAY = datetime.now(UTC).date()
LATER = str(TODAY + timedelta(days=30))
WORDS = ("--reason", "migration to trixie", "--owner", "ops", "--until", LATER)


@pytest.fixture
def fleet(work, baseline):
    """Three hosts as fingerprint files: good, and two that are behind in curl, one also in bash."""
    baseline("web", curl="2", bash="2")
    for name, versions in {
        "good": {"curl": "2", "bash": "2"},
        "old": {"curl": "1", "bash": "2"},
        "older": {"curl": "1", "bash": "1"},
    }.items():
        made.machine(work, name, **versions)
    return "--baseline", "baseline://./web"


def check(driftscan, fleet, *hosts, words=()):
    done = driftscan("check", *(f"{h}.json" for h in hosts), *fleet, "-f", "json", *words)
    return done, json.loads(done.out or "null")


def rules(work):
    return yaml.load((work / FILE).read_text(), Loader=yaml.BaseLoader)["accepted"]  # noqa: S506


def test_an_accepted_difference_passes_and_stays_in_the_report(driftscan, fleet, work):
    before, _ = check(driftscan, fleet, "old")
    made_ = driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
    after, report = check(driftscan, fleet, "old")

    assert (before.code, made_.code, after.code) == (1, 0, 0)
    schema = json.loads((ROOT / "docs" / "schema" / "report.json").read_text())
    jsonschema.validate(report, schema)
    assert made_.err == (
        f"driftscan: {FILE}: dpkg:curl on old.json is accepted until {LATER},"
        " as it is on old.json\n"
    )
    host = report["hosts"]["old.json"]
    assert host["state"] == "accepted"
    assert [f["id"] for f in host["findings"]] == ["dpkg:curl"]
    (entry,) = host["accepted"]
    assert (entry["state"], entry["members"], entry["owner"]) == ("active", ["dpkg:curl"], "ops")
    assert (report["counts"]["accepted"], report["counts"]["installed"]) == (1, 0)


@pytest.mark.case("D04")
def test_many_who_accept_at_once_lose_no_rule(tmp_path, driftscan, fleet, work):
    """Every one of them waits for its turn at the file, reads it then and adds its rule."""
    done, _ = check(driftscan, fleet, "old", "older")
    (work / "report.json").write_text(done.out)
    rows = [(name, host) for name in ("dpkg:curl", "dpkg:bash") for host in ("older.json", None)]
    start = [sys.executable, "-m", "driftscan", "accept", *WORDS, "--from", "report.json"]
    running = [
        subprocess.Popen(
            [*start, name, *(["--host", host] if host else [])],
            cwd=work,
            env=environment(tmp_path),
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, host in rows
    ]
    told = [process.communicate(timeout=60)[1] for process in running]

    assert [process.returncode for process in running] == [0] * 4, told
    assert {(rule["id"], rule.get("host")) for rule in rules(work)} == set(rows)
    assert [path.name for path in work.iterdir() if path.name.endswith((".part", ".lock"))] == []


@pytest.mark.case("D04")
def test_a_file_that_another_holds_for_long_is_told(work, monkeypatch):
    monkeypatch.setattr(store, "_TURN", 0.1)
    path = work / FILE
    with (
        store.locked(path),
        pytest.raises(StoreError, match="another driftscan writes it"),
        store.locked(path),
    ):
        pass


def test_the_file_is_readable_and_pins_both_values(driftscan, fleet, work):
    driftscan("accept", "dpkg:curl", *WORDS, "--ticket", "INC-42", "--host", "old.json", *fleet)

    (rule,) = rules(work)
    (value,) = rule.pop("values")
    assert rule == {
        "id": "dpkg:curl",
        "host": "old.json",
        "reason": "migration to trixie",
        "owner": "ops",
        "ticket": "INC-42",
        "until": LATER,
    }
    assert re.fullmatch("[0-9a-f]{16}", value.pop("digest"))
    assert value == {"id": "dpkg:curl", "subject": "1", "reference": "2"}


def test_it_fails_again_when_its_value_changes(driftscan, fleet, work):
    driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
    made.machine(work, "old", curl="0", bash="2")

    done, report = check(driftscan, fleet, "old")
    text = driftscan("check", "old.json", *fleet)

    assert done.code == 1
    assert [r["state"] for r in report["hosts"]["old.json"]["accepted"]] == ["changed"]
    assert "REOPENED    dpkg:curl: not the value any more" in text.out


def test_it_fails_again_when_the_baseline_changes(driftscan, fleet, work):
    driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
    newer = made.fingerprint("web", kind="image", curl="3", bash="2")
    store.save(work / "newer.json", newer)

    assert check(driftscan, ("--baseline", "./newer.json"), "old")[0].code == 1


def test_it_fails_again_when_its_day_is_over_and_that_is_told(driftscan, fleet, work):
    driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
    yesterday = str(TODAY - timedelta(days=1))
    path = work / FILE
    path.write_text(path.read_text().replace(LATER, yesterday))

    done, report = check(driftscan, fleet, "old")
    text = driftscan("check", "old.json", *fleet)

    assert done.code == text.code == 1
    assert [r["state"] for r in report["hosts"]["old.json"]["accepted"]] == ["expired"]
    note = f"{FILE}:3: the rule for dpkg:curl on old.json ended on {yesterday}"
    assert report["notes"] == [f"{note}: repair it, or accept it again"]
    assert "EXPIRED     dpkg:curl: accepted until" in text.out


def test_it_counts_to_the_end_of_its_day(driftscan, fleet):
    driftscan("accept", "dpkg:curl", *WORDS[:-1], str(TODAY), "--host", "old.json", *fleet)
    assert check(driftscan, fleet, "old")[0].code == 0


def test_without_a_host_the_same_value_is_accepted_everywhere_and_no_other(driftscan, fleet):
    report = check(driftscan, fleet, "old", words=("-o", "json=old-report.json"))
    assert report[0].code == 1
    driftscan("accept", "dpkg:curl", *WORDS, "--from", "old-report.json")

    assert check(driftscan, fleet, "old")[0].code == 0
    done, told = check(driftscan, fleet, "older")
    accepted = told["hosts"]["older.json"]["accepted"]
    assert (done.code, [r["members"] for r in accepted]) == (1, [["dpkg:curl"]])


def test_a_cause_accepts_every_finding_it_leads(driftscan, fleet, work):
    _, report = check(driftscan, fleet, "older")
    (cause,) = report["hosts"]["older.json"]["causes"]

    driftscan("accept", cause["id"], *WORDS, "--host", "older.json", *fleet)
    done, report = check(driftscan, fleet, "older")

    assert {value["id"] for value in rules(work)[0]["values"]} == {"dpkg:bash", "dpkg:curl"}
    assert (done.code, report["counts"]["accepted"]) == (0, 2)
    made.machine(work, "older", curl="1", bash="0")
    done, report = check(driftscan, fleet, "older")
    states = {r["state"]: r["members"] for r in report["hosts"]["older.json"]["accepted"]}
    assert (done.code, states) == (1, {"active": ["dpkg:curl"], "changed": ["dpkg:bash"]})


def test_a_rule_for_one_host_is_not_for_another(driftscan, fleet):
    driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
    assert check(driftscan, fleet, "older")[0].code == 1


def test_accepted_ones_are_counted_and_shown_on_demand(driftscan, fleet):
    driftscan("accept", "dpkg:curl", *WORDS, "--host", "older.json", *fleet)

    short = driftscan("check", "older.json", *fleet).out
    full = driftscan("check", "older.json", *fleet, "--all").out

    assert f"ACCEPTED    1 finding by one rule, until {LATER} (--all)" in short
    assert "[dpkg:curl]" not in short
    assert "bash" in short
    assert "[dpkg:curl]" in full
    assert f"dpkg:curl: accepted until {LATER} by ops: migration to trixie" in full


def test_a_host_with_nothing_but_accepted_differences_is_not_said_to_be_equal(driftscan, fleet):
    driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
    text = driftscan("check", "old.json", *fleet)
    assert (text.code, text.out.count("No difference but what is accepted")) == (0, 1)


def test_a_rule_that_matches_nothing_is_told_unless_a_host_could_not_be_seen(
    driftscan, fleet, work
):
    driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
    made.machine(work, "old", curl="2", bash="2")

    done, report = check(driftscan, fleet, "old")
    other = check(driftscan, fleet, "good")[1]
    text = " ".join(driftscan("check", "old.json", *fleet).out.split())
    blind = json.loads((work / "old.json").read_text())
    blind["facts"]["dpkg"] = {"state": "failed", "reason": "damaged"}
    (work / "old.json").write_text(json.dumps(blind))
    unseen = check(driftscan, fleet, "old")[1]

    told = f"{FILE}:3: the rule for dpkg:curl on old.json matches nothing: remove it"
    assert (done.code, report["notes"]) == (0, [told])
    assert f"Note {told}" in text
    assert (other["notes"], unseen["notes"]) == ([], [])


def test_what_is_written_is_valid_against_the_published_schema(driftscan, fleet, work):
    driftscan("accept", "dpkg:curl", *WORDS, "--ticket", "1", "--host", "old.json", *fleet)
    schema = json.loads((ROOT / "docs" / "schema" / "accept.json").read_text())
    plain = yaml.load((work / FILE).read_text(), Loader=yaml.BaseLoader)  # noqa: S506
    jsonschema.validate(plain, schema)
    for key, value in (("until", "soon"), ("reason", ""), ("more", "x")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"accepted": [plain["accepted"][0] | {key: value}]}, schema)


def test_another_file_may_be_named_on_the_command_line_and_in_the_configuration(
    driftscan, fleet, work
):
    driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet, "--file", "mine.yml")
    assert not (work / FILE).exists()
    assert check(driftscan, fleet, "old")[0].code == 1
    assert check(driftscan, fleet, "old", words=("--accept", "mine.yml"))[0].code == 0
    (work / "driftscan.yml").write_text("accept: mine.yml\n")
    assert check(driftscan, fleet, "old")[0].code == 0


# --- hosts that may be missing -----------------------------------------------------------------

NOBODY = "ssh://127.0.0.1:1"


def test_so_many_hosts_as_are_allowed_may_be_missing_and_are_told(driftscan, fleet):
    words = "good.json", NOBODY, *fleet
    strict = driftscan("check", *words)
    lenient = driftscan("check", *words, "--allow-unreachable", "50%", "-o", "json=r.json")
    assert (strict.code, lenient.code) == (3, 0)
    assert f"UNREACHED   {NOBODY}  " in lenient.out
    assert "1 host was not reached, as --allow-unreachable 50% allows" in lenient.out
    quiet = driftscan("check", *words, "--allow-unreachable", "1", "-q")
    assert (quiet.code, "UNREACHED" in quiet.out) == (0, True)


@pytest.mark.parametrize("word", ["-1", "x", "5 %", "101%", "1.5%", "%", ""])
def test_a_bad_allowance_is_one_sentence(driftscan, fleet, word):
    done = driftscan("check", "good.json", *fleet, f"--allow-unreachable={word}")
    assert (done.code, done.out) == (2, "")
    assert "is neither a number of hosts, as 2, nor a share, as 5%" in done.err


# --- the file ----------------------------------------------------------------------------------


def test_a_rule_is_added_in_order_and_comments_stay(driftscan, fleet, work):
    driftscan("accept", "dpkg:curl", *WORDS, "--host", "older.json", *fleet)
    path = work / FILE
    path.write_text(path.read_text().replace("- id:", "# ask Ann\n- id:") + "# the end\n")
    before = path.read_text()

    driftscan("accept", "dpkg:bash", *WORDS, "--host", "older.json", *fleet)
    first = path.read_text()
    again = WORDS[0], "another reason", *WORDS[2:]
    driftscan("accept", "dpkg:curl", *again, "--host", "older.json", *fleet)
    second = path.read_text()

    assert [rule["id"] for rule in rules(work)] == ["dpkg:bash", "dpkg:curl"]
    assert set(before.splitlines()) <= set(first.splitlines())
    assert second.count("dpkg:curl") == first.count("dpkg:curl")
    assert '# ask Ann\n- id: "dpkg:curl"\n' in second
    assert "another reason" in second


def test_the_same_command_writes_the_same_file(driftscan, fleet, work):
    texts = set()
    for _ in range(2):
        driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
        texts.add((work / FILE).read_text())
    assert len(texts) == 1


@pytest.mark.parametrize("text", ["accepted: []\n", "accepted:\n", "# mine\naccepted: [ ] # none"])
def test_an_empty_file_is_added_to(driftscan, fleet, work, text):
    (work / FILE).write_text(text)
    done = driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
    assert (done.code, [rule["id"] for rule in rules(work)]) == (0, ["dpkg:curl"])


RULE = f"""accepted:
- id: dpkg:curl
  reason: why
  owner: ops
  until: {LATER}
  values: [{{id: "dpkg:curl", digest: "0123456789abcdef"}}]
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("accepted:", "ignored:", "1:1: 'ignored' is not known here: the only key is `accepted`"),
        (RULE, "- id: x\n", "1:1: expected `accepted:` with a list of rules, not a list"),
        (RULE, "accepted: yes\n", "1:11: accepted: expected a list of rules, not 'yes'"),
        ("  owner: ops\n", "", "2:3: the rule lacks owner"),
        ("owner: ops", "owner: ''", "4:10: owner is empty"),
        ("owner: ops", "ownr: ops", "4:3: 'ownr' is not known in a rule: known are id, reason"),
        (LATER, "2026-13-01", "5:10: until: write a day like 2026-12-31, not '2026-13-01'"),
        (LATER, "tomorrow", "5:10: until: write a day like 2026-12-31, not 'tomorrow'"),
        ("0123456789abcdef", "xyz", "6:38: digest: expected the 16 letters"),
        ('[{id: "dpkg:curl", digest: "0123456789abcdef"}]', "[]", "6:11: values: expected"),
        (
            "  owner: ops\n",
            "  owner: ops\n  host: a\n  group: b\n",
            "6:10: a rule is for a host or for a group, not for both",
        ),
        (RULE, RULE + RULE.partition("\n")[2], "7: a second rule for dpkg:curl, the first is in"),
        (RULE, "accepted: &a [*a]\n", "1:15: aliases are not allowed"),
        (RULE, "accepted: [\n", "not YAML"),
        (RULE, "", "the file is empty"),
    ],
)
def test_a_bad_file_is_one_sentence_with_its_line(driftscan, fleet, work, old, new, told):
    (work / FILE).write_text(RULE.replace(old, new, 1))
    done = driftscan("check", "old.json", *fleet)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"driftscan: {FILE}:")
    assert told in done.err


def test_an_accept_file_that_is_named_has_to_be_there(driftscan, fleet):
    done = driftscan("check", "old.json", *fleet, "--accept", "gone.yml")
    assert (done.code, done.err) == (
        2,
        "driftscan: gone.yml: cannot be read: No such file or directory\n",
    )


def test_rules_that_share_a_line_are_not_added_to(driftscan, fleet, work):
    line = '{id: x, reason: r, owner: o, until: 2030-01-01, values: [{id: x, digest: "%016d"}]}'
    (work / FILE).write_text(f"accepted: [{line % 1}, {line.replace('id: x', 'id: y') % 2}]\n")
    done = driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet)
    assert done.code == 2
    assert "rules can only be added where each begins on a line of its own" in done.err


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--until", "2020-01-01"), "--until 2020-01-01 is over: today is"),
        (("--until", "next week"), "--until 'next week': write a day like"),
        (("--reason", " "), "--reason is empty"),
        (("--owner", ""), "--owner is empty"),
        (("--group", "web"), "give --host or --group, not both"),
    ],
)
def test_a_rule_that_helps_nobody_is_refused(driftscan, fleet, work, words, told):
    done = driftscan("accept", "dpkg:curl", *WORDS, "--host", "old.json", *fleet, *words)
    assert (done.code, (work / FILE).exists()) == (2, False)
    assert told in done.err


def test_what_does_not_differ_cannot_be_accepted(driftscan, fleet, work):
    done = driftscan("accept", "dpkg:curly", *WORDS, "--host", "old.json", *fleet)
    assert (done.code, (work / FILE).exists()) == (2, False)
    assert "no host in scope has 'dpkg:curly', did you mean 'dpkg:curl'?" in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("{", "cut short"),
        ('{"hosts": {}}', "not a report as `driftscan check -f json` writes it"),
        ("[" * 100_000, "not a report"),
    ],
)
def test_a_report_that_cannot_be_read_is_told(driftscan, work, text, told):
    (work / "r.json").write_text(text)
    done = driftscan("accept", "dpkg:curl", *WORDS, "--from", "r.json")
    assert done.code == 2
    assert told in done.err


@pytest.mark.case("H16")
@pytest.mark.parametrize("attack", sorted(CORPUS.keys() - {"surrogate", "empty", "blank"}))
def test_a_hostile_report_writes_a_file_that_is_plain_text(driftscan, work, attack):
    report = attacked(CORPUS[attack])
    (work / "r.json").write_bytes(msgspec.json.encode(report))
    name = next(iter(report.hosts.values())).findings[0].id

    done = driftscan("accept", name, *WORDS, "--from", "r.json")

    assert done.code in (0, 3), done.err
    text = (work / FILE).read_text()
    assert all(line.isprintable() for line in text.split("\n"))
    assert [rule["id"] for rule in rules(work)] == [safe(name)]
    assert all(line.isprintable() for line in done.err.split("\n"))


def test_a_group_is_one_of_the_inventory(driftscan, fleet, work):
    check(driftscan, fleet, "old", "good", words=("-o", "json=r.json"))
    (work / "inventory.yml").write_text(
        "groups: {web: {hosts: [a]}, db: {hosts: [b]}}\nhosts: {a: {}, b: {}}\n"
    )
    unknown = driftscan("accept", "dpkg:curl", *WORDS, "--from", "r.json", "--group", "wbe")
    nobody = driftscan("accept", "dpkg:curl", *WORDS, "--from", "r.json", "--group", "web")
    assert unknown.code == nobody.code == 2
    assert "did you mean 'web'?" in unknown.err
    assert "no host in scope is in this report" in nobody.err
