"""What holds for every probe: it is registered, tested, captured, documented and says its own."""

import re
from functools import cache
from importlib import import_module
from itertools import combinations
from pathlib import Path
from types import ModuleType

import pytest

import driftscan.probes
from driftscan import sanitize
from driftscan.errors import ParseError
from driftscan.model import Collected, Files, Lines, Partial, Payload, Raw, Shell
from driftscan.probes.table import ON_DEMAND
from driftscan.probes.table import PROBES as USUAL
from driftscan.probes.twins import tools
from tests.probes.conftest import CAPTURED, read_captured, read_transcript

PROBES = (*USUAL, *ON_DEMAND)
MODULES = [
    import_module(f"driftscan.probes.{path.stem}")
    for path in sorted(Path(driftscan.probes.__path__[0]).glob("[a-z]*.py"))
]
PARTS = {"NAME", "ASK", "GIVES", "parse"}
EVERY = pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.NAME)


def transcripts(probe):
    """The machines on which the probe was captured."""
    return sorted({path.parent.name for path in CAPTURED.glob(f"*/{probe.NAME}.txt*")})


ANSWERS = [(probe, machine) for probe in PROBES for machine in transcripts(probe)]


def test_a_module_is_a_whole_probe_in_the_table_or_helps_one():
    probes = [module for module in MODULES if {"NAME", "GIVES"} & set(vars(module))]
    for module in probes:
        assert set(vars(module)) >= PARTS, f"{module.__name__} is half a probe"
    assert sorted(map(repr, probes)) == sorted(map(repr, PROBES))
    table = import_module("driftscan.probes.table")
    used = set().union(*(_modules(module) - {module} for module in MODULES if module != table))
    assert {m for m in MODULES if m not in probes} - used == {table}, "nothing uses them"


def _modules(module):
    """The modules of the package that a module takes something from."""
    values = vars(module).values()
    names = {value.__name__ for value in values if isinstance(value, ModuleType)}
    names |= {getattr(value, "__module__", "") for value in values}
    return {other for other in MODULES if other.__name__ in names}


SHARED = {"repositories", "repository-sources", "python", "conffiles", "conffile-times"}
SHARED |= {"dpkg", "dpkg-needs"}
"""What several probes tell of their own places or managers: united to one section."""


def test_names_of_probes_and_sections_are_unique_but_for_what_package_managers_share():
    names = [probe.NAME for probe in PROBES]
    abouts = [about for probe in PROBES for about in probe.GIVES]
    sections = [about.name for about in abouts if about.name not in SHARED]
    assert len(names) == len(set(names))
    assert len(sections) == len(set(sections))
    shared = {(about.name, about.holds, about.live) for about in abouts if about.name in SHARED}
    assert {name for name, _, _ in shared} == SHARED
    assert len(shared) == len(SHARED), "one is a fact of one probe and evidence of another"


@EVERY
def test_a_probe_has_a_test_and_a_captured_answer(probe):
    module = probe.__name__.rpartition(".")[2]
    assert (Path(__file__).parent / f"test_{module}.py").is_file()
    assert transcripts(probe), f"capture it: python -m tests.probes.capture MACHINE {probe.NAME}"


UNHAPPY = re.compile(
    r".*-(?:closed|damaged|nobody|ops)|closed|emptied|odd|removed|truncated|unprivileged|unreadable"
)
"""The machines on which something was closed to the account, or damaged."""
# Probes without such captures -> the test that shows it, and why it has no more than that.
NO_ORACLE = {
    "host": (
        "a_machine_tells_who_answers_and_what_its_clock_says",
        "its answer is id's and date's",
    ),
    "apk-repositories": ("a_machine_tells_its_repositories_in_order", "apk has no word for them"),
    "apk-history": (
        "what_the_log_says_was_done_last_is_what_is_installed",
        "nothing but the log tells of it: compared with what apk says is installed",
    ),
    "pacman-repositories": (
        "a_machine_tells_its_repositories_in_order",
        "pacman has no word either",
    ),
    "pacman-history": (
        "what_the_log_says_was_done_last_is_what_is_installed",
        "nothing but the log tells of it: compared with what pacman says is installed",
    ),
    "automatic-updates": (
        "a_real_host_tells_its_settings_its_stamps_and_why_it_fails",
        "nothing but the files it reads tells of it",
    ),
}
NO_ORACLE["set-times"] = (
    "a_machine_tells_the_files_of_repositories_pins_and_drop_ins",
    "the answer is stat's own, compared with what the recipe of the machine wrote",
)
NO_UNHAPPY = {
    "set-times": ("what_is_shut_or_does_not_fit_is_a_gap_and_the_rest_is_told", "evidence alone"),
    "host": ("an_unknown_line_is_named", "no file of it can be closed or damaged"),
    "rpm": ("a_closed_database_names_what_opens_it", "its test makes such databases itself"),
    "dnf": (
        "a_closed_file_of_repositories_makes_all_unknown_and_a_closed_setting_only_itself",
        "the lab's rpm machine is asked as root",
    ),
    "rpm-history": (
        "a_damaged_database_gives_transactions_or_one_clear_error",
        "its test damages databases of dnf itself",
    ),
    "unpackaged": ("a_closed_directory_is_a_gap", "a gap is all that an account is told of it"),
    "rpm-conffiles": ("what_is_missing_closed_or_left_beside_is_told", "rpm's own words, typed"),
    "automatic-updates": (
        "what_this_account_may_not_read_is_no_absence",
        "the files are open to all as Debian has them",
    ),
}


@EVERY
def test_a_probe_is_compared_with_an_oracle_and_has_unhappy_captures_or_a_named_reason(probe):
    tests = (Path(__file__).parent / f"test_{probe.__name__.rpartition('.')[2]}.py").read_text()
    compared = any(CAPTURED.glob(f"*/{probe.NAME}.oracle.txt*")) or ", oracle" in tests
    unhappy = any(UNHAPPY.fullmatch(machine) for machine in transcripts(probe))
    for has, reasons in ((compared, NO_ORACLE), (unhappy, NO_UNHAPPY)):
        assert has != (probe.NAME in reasons), f"{probe.NAME}: capture it, or say why it has none"
        if not has:
            test, reason = reasons[probe.NAME]
            assert f"def test_{test}(" in tests
            assert reason


@EVERY
def test_a_probe_says_all_about_its_sections(probe):
    assert probe.__doc__.strip().splitlines()[0].endswith(".")
    assert probe.GIVES
    for about in probe.GIVES:
        assert re.fullmatch(r"[a-z][a-z-]*", about.name)
        assert about.holds in ("facts", "evidence")
        assert about.key
        assert about.fields
        assert about.privilege
    assert any(about.cost for about in probe.GIVES), "measure what it costs the host"


@EVERY
def test_answers_of_a_probe_are_told_apart(probe):
    names = [ask.name for ask in probe.ASK if not isinstance(ask, Files)]
    assert len(names) == len(set(names))
    globs = [glob for ask in probe.ASK if isinstance(ask, Files) for glob in ask.globs]
    for one, other in combinations(globs, 2):
        assert not overlap(one, other), f"{one} and {other} may match the same file"


def overlap(one, other):
    """Whether some path matches both globs."""
    parts = (one.split("/"), other.split("/"))
    return len(parts[0]) == len(parts[1]) and all(map(_both, *parts))


@cache
def _both(one, other):
    """Whether some name matches both; a bracket counts as any character."""
    one, other = (re.sub(r"\[[^]]*\]", "?", pattern) for pattern in (one, other))
    if not one or not other:
        return not one.strip("*") and not other.strip("*")
    if one[0] == "*":
        return _both(one[1:], other) or _both(one, other[1:])
    if other[0] == "*":
        return _both(other, one)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and _both(one[1:], other[1:])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("/a/*.conf", "/a/b.conf", True),
        ("/a/*.list", "/a/*.sources", False),
        ("/a/*", "/a/b/c", False),
        ("/a/x*", "/a/*y", True),
        ("/a/x*", "/a/y*", False),
        ("/a/[0-9]", "/a/b*", True),
        ("/*/b", "/a/*", True),
        ("/a/b", "/a/bb", False),
    ],
)
def test_the_check_of_globs_finds_an_overlap(one, other, expected):
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


@pytest.mark.parametrize(("probe", "machine"), ANSWERS, ids=lambda x: getattr(x, "NAME", x))
def test_every_captured_answer_gives_the_sections_it_promises(probe, machine):
    raw = read_transcript(read_captured(machine, probe.NAME))[probe.NAME]
    sections = probe.parse(raw)
    assert set(sections) == {about.name for about in probe.GIVES}
    assert probe.parse(raw) == sections
    fields = {about.name: set(re.findall(r"[a-z_]+", about.fields)) for about in probe.GIVES}
    for name, section in sections.items():
        cleaned = sanitize.clean(section)
        assert type(cleaned) is type(section)
        assert sanitize.clean(cleaned) == cleaned
        if isinstance(section, Collected | Partial):
            told = {field for item in section.items.values() for field in item}
            assert told <= fields[name], f"About of {name} lacks {told - fields[name]}"
            assert len(cleaned.items) == len(section.items)


@EVERY
def test_what_a_script_tells_of_more_than_the_running_machine_is_read_from_files_too(probe):
    """`driftscan/probes/twins/` has the readers; a question of live sections needs none."""
    if all(about.live for about in probe.GIVES):
        return
    unread = [ask.name for ask in probe.ASK if isinstance(ask, Shell) and ask.read is None]
    assert unread == [], "images without a shell, archives and root directories cannot answer"


@EVERY
def test_what_matches_lines_is_understood_without_grep_too(probe):
    for ask in probe.ASK:
        if isinstance(ask, Lines):
            re.compile(tools.python_regex(ask.regex))
            assert "[:" not in tools.python_regex(ask.regex)


@EVERY
def test_an_answer_that_tells_nothing_is_understood_or_refused(probe):
    """Tools that are missing answer nothing, with a status."""
    outputs = {ask.name: Payload((), 127) for ask in probe.ASK if not isinstance(ask, Files)}
    try:
        sections = probe.parse(Raw(outputs=outputs))
    except ParseError:
        return
    assert set(sections) == {about.name for about in probe.GIVES}
