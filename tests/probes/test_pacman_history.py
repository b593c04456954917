"""pacman's log: what a real machine wrote, older forms, and bad input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.model import Absent, Collected, Denied, Partial, Payload, Raw
from driftscan.probes import pacman, pacman_history

LOG = "/var/log/pacman.log"
AT = "[2026-11-05T13:31:02-0500]"


def history(*lines, cut=False):
    outputs = {"log": Payload(tuple(lines), cut=cut), "size": Payload(())}
    return pacman_history.parse(Raw(outputs=outputs))["pacman-history"]


def test_a_machine_tells_each_command_with_what_it_did(captured):
    section = pacman_history.parse(captured("pacman-history", "arch"))["pacman-history"]
    assert isinstance(section, Collected)
    items = list(section.items.values())
    upgrade = next(item for item in items if "upgrade" in item)
    assert upgrade["upgrade"] == {"libgreet": "1.0-1 -> 1.1-1", "greet": "1.0-1 -> 1:0.9-2"}
    assert (upgrade["start"][:10], upgrade["zone"]) == ("2026-11-05", "-0500")
    dependency = next(item for item in items if "--asdeps" in item["command"])
    assert dependency["automatic"] == ["libgreet"]
    actions = {action for item in items for action in item if isinstance(item[action], dict)}
    assert actions == {"install", "reinstall", "upgrade", "downgrade", "remove"}
    named = next(item for item in items if "greet" in item.get("install", {}))
    assert "automatic" not in named


def test_what_the_log_says_was_done_last_is_what_is_installed(captured):
    section = pacman_history.parse(captured("pacman-history", "arch"))["pacman-history"]
    told = {}
    for item in section.items.values():
        for action in ("install", "upgrade", "downgrade", "reinstall"):
            for name, version in item.get(action, {}).items():
                told[name] = version.rpartition(" -> ")[2]
        for name in item.get("remove", {}):
            del told[name]
    installed = pacman.parse(captured("pacman", "arch"))["pacman"].items
    assert told == {name: item["version"] for name, item in installed.items()}


def test_only_what_was_named_was_asked_for():
    section = history(
        f"{AT} [PACMAN] Running 'pacman -S extra/greet'",
        f"{AT} [ALPM] transaction started",
        f"{AT} [ALPM] installed libgreet (1-1)",
        f"{AT} [ALPM] installed greet (1-1)",
        f"{AT} [ALPM] transaction completed",
    )
    (item,) = section.items.values()
    assert item["automatic"] == ["libgreet"]


def test_a_transaction_that_failed_says_so():
    section = history(f"{AT} [ALPM] transaction started", f"{AT} [ALPM] transaction failed")
    assert [item["error"] for item in section.items.values()] == ["transaction failed"]


def test_a_command_that_changed_nothing_is_no_transaction():
    section = history(f"{AT} [PACMAN] Running 'pacman -Sy'", f"{AT} [PACMAN] Running 'pacman -Q'")
    assert section == Absent()


def test_a_log_of_2013_is_read():
    section = history(
        "[2013-02-03 12:00] Running 'pacman -Syu'",
        "[2013-02-03 12:01] upgraded glibc (2.16-1 -> 2.17-3)",
        "[2013-02-03 12:02] [PACMAN] Running 'pacman -S vim'",
        "[2013-02-03 12:02] [PACMAN] installed vim (7.3-1)",
    )
    first, second = section.items.values()
    assert first == {
        "start": "2013-02-03 12:01:00",
        "command": "pacman -Syu",
        "upgrade": {"glibc": "2.16-1 -> 2.17-3"},
    }
    assert (second["command"], second["install"]) == ("pacman -S vim", {"vim": "7.3-1"})


@pytest.mark.parametrize("line", ["x", f"{AT} [ALPM] installed x", "[now] [ALPM] installed x (1)"])
def test_a_line_that_is_not_understood_is_counted(line):
    section = history(f"{AT} [ALPM] installed a (1)", line)
    assert isinstance(section, Partial)
    assert (len(section.items), section.gaps) == (1, [f"1 lines not understood in {LOG}"])


def test_a_damaged_log_is_partial(captured):
    section = pacman_history.parse(captured("pacman-history", "arch-damaged"))["pacman-history"]
    assert isinstance(section, Partial)
    assert len(section.items) == 8


def test_a_log_over_the_limit_is_partial():
    assert isinstance(history(f"{AT} [ALPM] installed a (1)", cut=True), Partial)


def test_a_log_that_may_not_be_read_is_denied(captured):
    section = pacman_history.parse(captured("pacman-history", "arch-closed"))["pacman-history"]
    assert section == Denied(cure=f"read access to {LOG}, or --become")


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
STEP = st.builds(f"{AT} [ALPM] {{}} {{}} ({{}})".format, st.just("installed") | LINE, LINE, LINE)


@given(st.lists(LINE | STEP | st.just(f"{AT} [ALPM] transaction started")))
def test_no_line_of_a_log_makes_it_fail(lines):
    assert isinstance(history(*lines), Absent | Collected | Partial)
