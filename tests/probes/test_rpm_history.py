"""The history of dnf and yum: against `dnf history info`, real databases, and bad ones."""

import re
import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import sanitize
from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Partial, Payload, Raw
from driftscan.probes import carried
from driftscan.probes import rpm_history as probe

ACCOUNTS = ("root:x:0:0:root:/root:/bin/bash", "deploy:x:1000:1000::/home/deploy:/bin/bash")


def parsed(path, data, *, more=(), files=None):
    """The sections of an answer in which this file came over."""
    lines = (*(carried.lines(path, data) if data else ()), *more)
    outputs = {"databases": Payload(lines), "accounts": Payload(ACCOUNTS)}
    texts = {name: Payload(tuple(text.splitlines())) for name, text in (files or {}).items()}
    return probe.parse(Raw(files=texts, outputs=outputs))


def made(schema, **tables):
    """A database of this schema with these rows."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema)
    for table, rows in tables.items():
        for row in rows:
            marks = ",".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608
    connection.commit()
    data = connection.serialize()
    connection.close()
    return data


# --- dnf -----------------------------------------------------------------------------------------

WORDS = {
    "Install": "install",
    "Upgrade": "upgrade",
    "Downgrade": "downgrade",
    "Reinstall": "reinstall",
    "Removed": "remove",
}
OLD = ("Upgraded", "Downgraded")
PACKAGE = re.compile(r"    (\S+) +(\S+)-([^-\s]+-[^-\s]+)\.(\w+) +@?(\S+)")


def told_by_dnf(lines):
    """The transactions of `dnf history info`, one after the other."""
    found = []
    for line in lines:
        name, _, value = (part.strip() for part in line.partition(" : "))
        package = PACKAGE.fullmatch(line)
        if name == "Transaction ID":
            found.append({"id": value, "packages": set(), "old": {}})
        elif package:
            _package(found[-1], *package.groups())
        elif found and name in ("Command Line", "User", "Begin time"):
            found[-1][name] = value
    return found


def _package(transaction, word, name, evr, arch, repository):
    key = f"{name}.{arch}"
    if word == "Reinstalled":
        return
    if word in OLD:
        transaction["old"][key] = evr
    else:
        transaction["packages"].add((WORDS[word], key, evr, repository))


def test_every_transaction_of_the_labs_machine_reads_as_dnf_says_it(captured, oracle):
    sections = probe.parse(captured("rpm-history", "rpm-a"))
    theirs = told_by_dnf(oracle("rpm-history", "rpm-a"))
    ours = list(sections["rpm-history"].items.values())
    assert isinstance(sections["rpm-history"], Collected)
    assert len(theirs) > 8
    assert [item["id"] for item in ours] == [one["id"] for one in theirs]
    for item, one in zip(ours, theirs, strict=True):
        began = datetime.strptime(one["Begin time"], "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        assert item["start"] == began.strftime("%Y-%m-%d %H:%M:%S")
        assert item["command"] == f"dnf {one['Command Line']}"
        user = re.search(r"<(.*)>", one["User"])[1]
        assert item.get("user", "unset") == user
        told = set()
        for action in WORDS.values():
            for key, version in item.get(action, {}).items():
                before, _, evr = version.rpartition(" -> ")
                assert before == one["old"].get(key, "")
                repository = item.get("repositories", {}).get(key, "System")
                told.add((action, key, evr, repository))
        assert told == {
            (a, k, v, "System" if a == "remove" else r) for a, k, v, r in one["packages"]
        }
    actions = {action for item in ours for action in item if action in WORDS.values()}
    assert actions == set(WORDS.values())


def test_what_came_for_others_is_automatic_and_what_was_removed_is_gone(captured):
    sections = probe.parse(captured("rpm-history", "rpm-a"))
    first, second = list(sections["rpm-history"].items.values())[:2]
    assert first["automatic"] == ["glibc.x86_64"]
    assert second["automatic"] == ["nginx-core.x86_64", "php-common.x86_64", "php-opcache.x86_64"]
    assert list(sections["rpm-auto"].items) == [
        "glibc.x86_64",
        "nginx-core.x86_64",
        "php-common.x86_64",
    ]


def test_secrets_on_a_command_line_are_not_kept(captured):
    section = sanitize.clean(probe.parse(captured("rpm-history", "rpm-a"))["rpm-history"])
    commands = [item["command"] for item in section.items.values()]
    assert any("--setopt=api_key=[redacted]" in command for command in commands)
    assert "hunter2" not in str(section)


def test_a_real_history_of_red_hat_has_its_transactions(fixtures):
    path = fixtures / "claircore/internal/dnf/testdata/dnf4/var/lib/dnf/history.sqlite"
    with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as connection:
        heads = connection.execute("SELECT id, dt_begin, cmdline FROM trans ORDER BY id").fetchall()
        count = connection.execute("SELECT count(*) FROM trans_item").fetchone()[0]
    items = list(parsed(probe.DNF, path.read_bytes())["rpm-history"].items.values())
    assert [(item["id"], item["command"]) for item in items] == [
        (str(number), f"dnf {command}") for number, _, command in heads
    ]
    assert all("uid" not in item for item in items), "-1 is no account"
    assert sum(len(item["install"]) for item in items) == count
    assert sum(len(item["repositories"]) for item in items) == count


@pytest.mark.parametrize("name", ["matching", "custom"])
def test_a_database_without_transactions_is_refused(fixtures, name):
    data = (fixtures / f"claircore/rhel/testdata/{name}-dnf-history.sqlite").read_bytes()
    with pytest.raises(ParseError, match="no such table: trans"):
        parsed(probe.DNF, data)


# --- dnf5, yum -----------------------------------------------------------------------------------

DNF5 = """
CREATE TABLE trans_item_action (id INTEGER, name TEXT);
INSERT INTO trans_item_action VALUES (1, 'Install'), (2, 'Upgrade'), (3, 'Downgrade'),
  (4, 'Reinstall'), (5, 'Remove'), (6, 'Replaced'), (7, 'Reason Change');
CREATE TABLE trans_item_reason (id INTEGER, name TEXT);
INSERT INTO trans_item_reason VALUES (1, 'Dependency'), (2, 'User'), (4, 'Weak Dependency');
CREATE TABLE trans (id INTEGER, dt_begin INTEGER, dt_end INTEGER, user_id INTEGER,
  description TEXT, state_id INTEGER);
CREATE TABLE repo (id INTEGER, repoid TEXT);
CREATE TABLE pkg_names (id INTEGER, name TEXT);
CREATE TABLE archs (id INTEGER, name TEXT);
CREATE TABLE rpm (item_id INTEGER, name_id INTEGER, epoch INTEGER, version TEXT, release TEXT,
  arch_id INTEGER);
CREATE TABLE trans_item (id INTEGER, trans_id INTEGER, item_id INTEGER, repo_id INTEGER,
  action_id INTEGER, reason_id INTEGER, state_id INTEGER);
"""


def dnf5(**more):
    tables = {
        "trans": [
            (1, 1764000000, 1764000009, 1000, "dnf upgrade vim", 2),
            (2, 1764000100, None, 4294967295, "", 3),
        ],
        "repo": [(1, "updates"), (2, "@System")],
        "pkg_names": [(1, "vim"), (2, "vim-data")],
        "archs": [(1, "x86_64"), (2, "noarch")],
        "rpm": [(1, 1, 2, "9.0", "1", 1), (2, 1, 2, "9.1", "1", 1), (3, 2, 0, "9.1", "1", 2)],
        "trans_item": [
            (1, 1, 2, 1, 2, 2, 2),
            (2, 1, 1, 2, 6, 2, 2),
            (3, 1, 3, 1, 1, 1, 2),
            (4, 2, 3, 2, 5, 2, 3),
        ],
    }
    return made(DNF5, **tables | more)


def test_dnf5_tells_what_it_replaced_and_by_whom():
    sections = parsed(probe.DNF5, dnf5())
    assert sections["rpm-history"].items == {
        "2025-11-24 16:00:00#00": {
            "start": "2025-11-24 16:00:00",
            "end": "2025-11-24 16:00:09",
            "zone": "UTC",
            "id": "1",
            "command": "dnf upgrade vim",
            "uid": 1000,
            "user": "deploy",
            "upgrade": {"vim.x86_64": "2:9.0-1 -> 2:9.1-1"},
            "install": {"vim-data.noarch": "9.1-1"},
            "automatic": ["vim-data.noarch"],
            "repositories": {"vim-data.noarch": "updates", "vim.x86_64": "updates"},
        },
        "2025-11-24 16:01:40#00": {
            "start": "2025-11-24 16:01:40",
            "zone": "UTC",
            "id": "2",
            "error": "dnf recorded that it failed",
        },
    }
    assert list(sections["rpm-auto"].items) == ["vim-data.noarch"]


@pytest.mark.parametrize(
    ("text", "automatic"),
    [
        ('[packages]\n"vim.x86_64" = { reason = "Dependency" }\n', ["vim.x86_64"]),
        ('[packages]\n"a.x86_64" = { reason = "User" }\n', []),
        ("packages = 3\n", ["vim-data.noarch"]),
        ("[packages\n", ["vim-data.noarch"]),
    ],
)
def test_dnf5s_own_list_of_reasons_is_believed_before_the_history(text, automatic):
    sections = parsed(probe.DNF5, dnf5(), files={probe.REASONS: text})
    assert list(sections["rpm-auto"].items) == automatic


YUM = """
CREATE TABLE trans_beg (tid INTEGER, timestamp INTEGER, rpmdb_version TEXT, loginuid INTEGER);
CREATE TABLE trans_end (tid INTEGER, timestamp INTEGER, rpmdb_version TEXT, return_code INTEGER);
CREATE TABLE trans_data_pkgs (tid INTEGER, pkgtupid INTEGER, done BOOL, state TEXT);
CREATE TABLE pkgtups (pkgtupid INTEGER, name TEXT, arch TEXT, epoch TEXT, version TEXT,
  release TEXT, checksum TEXT);
"""
YUM_LATER = """
CREATE TABLE trans_cmdline (tid INTEGER, cmdline TEXT);
CREATE TABLE pkg_yumdb (pkgtupid INTEGER, yumdb_key TEXT, yumdb_val TEXT);
"""
YUM_ROWS = {
    "trans_beg": [(7, 1764000000, "", 1000)],
    "trans_end": [(7, 1764000009, "", 1)],
    "trans_data_pkgs": [
        (7, 1, "TRUE", "Updated"),
        (7, 2, "TRUE", "Update"),
        (7, 3, "TRUE", "Dep-Install"),
        (7, 4, "TRUE", "Erase"),
    ],
    "pkgtups": [
        (1, "vim", "x86_64", "2", "7.3", "1", ""),
        (2, "vim", "x86_64", "2", "7.4", "1", ""),
        (3, "gpm-libs", "x86_64", "0", "1.20", "6", ""),
        (4, "nano", "x86_64", "0", "2.3", "1", ""),
    ],
}
YUM_PATH = f"{probe.YUM}history-2024-01-02.sqlite"


def test_yum_tells_the_same_of_its_own():
    rows = {
        "trans_cmdline": [(7, "update vim")],
        "pkg_yumdb": [(2, "from_repo", "updates"), (2, "reason", "user")],
    }
    data = made(YUM + YUM_LATER, **YUM_ROWS, **rows)
    assert list(parsed(YUM_PATH, data)["rpm-history"].items.values()) == [
        {
            "start": "2025-11-24 16:00:00",
            "end": "2025-11-24 16:00:09",
            "zone": "UTC",
            "id": "7",
            "command": "yum update vim",
            "uid": 1000,
            "user": "deploy",
            "error": "yum recorded that it failed",
            "automatic": ["gpm-libs.x86_64"],
            "upgrade": {"vim.x86_64": "2:7.3-1 -> 2:7.4-1"},
            "install": {"gpm-libs.x86_64": "1.20-6"},
            "remove": {"nano.x86_64": "2.3-1"},
            "repositories": {"vim.x86_64": "updates"},
        }
    ]


def test_an_older_yum_recorded_no_command():
    (item,) = parsed(YUM_PATH, made(YUM, **YUM_ROWS))["rpm-history"].items.values()
    assert "command" not in item
    assert "repositories" not in item


def test_a_machine_that_was_upgraded_has_the_records_of_both_tools():
    both = tuple(carried.lines(YUM_PATH, made(YUM, **YUM_ROWS)))
    items = parsed(probe.DNF5, dnf5(), more=both)["rpm-history"].items
    assert list(items) == [
        "2025-11-24 16:00:00#00",
        "2025-11-24 16:00:00#01",
        "2025-11-24 16:01:40#00",
    ]


# --- what is missing or wrong --------------------------------------------------------------------


def test_no_history_is_none_and_a_closed_one_says_what_opens_it():
    assert parsed(probe.DNF, b"")["rpm-history"] == Absent()
    closed = ("denied /var/lib/yum/history",)
    cure = "read access to /var/lib/yum/history, or --become"
    assert parsed(probe.DNF, b"", more=closed)["rpm-history"] == Denied(cure=cure)
    told = parsed(probe.DNF5, dnf5(), more=("denied /var/lib/dnf/history.sqlite",))["rpm-history"]
    assert isinstance(told, Partial)
    assert told.gaps == ["/var/lib/dnf/history.sqlite: denied"]


@given(data=st.data())
def test_a_damaged_database_gives_transactions_or_one_clear_error(data):
    whole = bytearray(dnf5())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    try:
        sections = parsed(probe.DNF5, bytes(whole))
    except ParseError:
        return
    assert set(sections) == {"rpm-history", "rpm-auto"}


def test_odd_values_in_a_row_are_no_fault_of_ours():
    trans = [(1, "soon", 1 << 60, "me", b"\xff", 2), (2, -5, None, None, None, None)]
    items = parsed(probe.DNF5, dnf5(trans=trans))["rpm-history"].items
    assert {item["id"] for item in items.values()} == {"1", "2"}
