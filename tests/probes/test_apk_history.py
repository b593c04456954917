"""apk's log: what a real machine wrote, and bad input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.model import Absent, Collected, Denied, Partial, Payload, Raw
from driftscan.probes import apk, apk_history

LOG = "/var/log/apk.log"
BEGIN = "Running `apk add greet` at 2026-10-28 18:00:07"


def history(*lines, path=LOG, **more):
    raw = Raw(files={path: Payload(tuple(lines), **more)})
    return apk_history.parse(raw)["apk-history"]


def test_a_machine_tells_each_command_with_what_it_did(captured):
    section = apk_history.parse(captured("apk-history", "alpine-apk"))["apk-history"]
    assert isinstance(section, Collected)
    by_command = {item["command"]: item for item in section.items.values()}
    first = by_command["apk add --allow-untrusted greet greet-doc relay legacy"]
    assert first["install"] == {
        "libgreet": "1.0-r0",
        "greet": "1.0-r0",
        "greet-doc": "1.0-r0",
        "legacy": "0.9-r1",
        "relay": "4.2-r0",
    }
    assert first["automatic"] == ["libgreet"]
    assert first["zone"] == "UTC"
    assert by_command["apk del --allow-untrusted legacy"]["remove"] == {"legacy": "0.9-r1"}
    upgrade = by_command["apk add --allow-untrusted --upgrade relay"]
    assert upgrade["upgrade"] == {"relay": "4.2-r0 -> 4.2-r1"}
    added = by_command["apk add --allow-untrusted /srv/local/localtool-0.1-r0.apk"]
    assert "automatic" not in added


def test_what_the_log_says_was_done_last_is_what_is_installed(captured):
    """The log of one machine and its database agree about every package that the log names."""
    section = apk_history.parse(captured("apk-history", "alpine-apk"))["apk-history"]
    told = {}
    for item in section.items.values():
        for action in ("install", "upgrade", "downgrade", "reinstall"):
            for name, version in item.get(action, {}).items():
                told[name] = version.rpartition(" -> ")[2]
        for name in item.get("remove", {}):
            del told[name]
    installed = apk.parse(captured("apk", "alpine-apk"))["apk"].items
    assert {name: installed[name]["version"] for name in told} == told
    assert len(told) > 40


def test_an_error_is_part_of_its_transaction():
    section = history(BEGIN, "ERROR: unable to select packages:", "  greet (no such package):")
    (item,) = section.items.values()
    assert item["error"] == "unable to select packages:"


def test_equal_starts_keep_the_order_of_the_log():
    section = history(BEGIN, "(1/1) Installing a (1)", BEGIN, "(1/1) Purging a (1)")
    assert list(section.items) == ["2026-10-28 18:00:07#00", "2026-10-28 18:00:07#01"]
    assert section.items["2026-10-28 18:00:07#01"]["remove"] == {"a": "1"}


@pytest.mark.parametrize(
    ("lines", "gap"),
    [
        ((BEGIN, "(1/1) Dancing a (1)"), f"1 lines not understood in {LOG}"),
        ((BEGIN, "Running `apk"), f"1 lines not understood in {LOG}"),
        (("(1/1) Installing a (1)", BEGIN), f"1 steps without a command in {LOG}"),
    ],
)
def test_what_is_not_understood_is_counted_and_the_rest_stands(lines, gap):
    section = history(*lines)
    assert isinstance(section, Partial)
    assert (len(section.items), section.gaps) == (1, [gap])


def test_a_damaged_log_is_partial(captured):
    section = apk_history.parse(captured("apk-history", "alpine-damaged"))["apk-history"]
    assert isinstance(section, Partial)
    assert section.gaps == [f"2 lines not understood in {LOG}"]


def test_a_log_over_the_limit_is_partial():
    assert isinstance(history(BEGIN, cut=True), Partial)


def test_a_log_that_may_not_be_read_is_denied(captured):
    section = apk_history.parse(captured("apk-history", "alpine-closed"))["apk-history"]
    assert section == Denied(cure=f"read access to {LOG}, or --become")


def test_an_older_apk_keeps_no_log():
    assert apk_history.parse(Raw()) == {"apk-history": Absent()}


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
STEP = st.builds(
    "(1/1) {} {} ({})".format, st.sampled_from(["Installing", "Purging", "X"]), LINE, LINE
)


@given(st.lists(LINE | STEP | st.just(BEGIN)))
def test_no_line_of_a_log_makes_it_fail(lines):
    assert isinstance(history(*lines), Absent | Collected | Partial)
