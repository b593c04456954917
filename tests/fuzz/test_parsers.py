"""Whatever bytes a parser gets, it reads them or says in its own words what is wrong with them."""

import re
import struct
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import driftscan
from driftscan.errors import ParseError
from driftscan.rpmdb.header import Header
from tests.fuzz.targets import TARGETS, bytes_of, raw_of, seeds

ROOT = Path(driftscan.__path__[0])
known = cache(lambda name: tuple(seeds(name)) or (b"",))


@st.composite
def damaged(draw, name):
    """Good bytes with a part of it lost, doubled, or replaced."""
    data = draw(st.sampled_from(known(name)))
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 200)))
    new = draw(st.one_of(st.binary(max_size=20), st.just(data[start:end] * 2)))
    return data[:start] + new + data[end:]


@pytest.mark.parametrize("name", TARGETS)
def test_only_its_own_errors_escape_a_parser(name):
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(st.binary(max_size=400), damaged(name)))
    def reads(data):
        TARGETS[name](data)

    reads()


@pytest.mark.parametrize("name", [name for name in TARGETS if name.startswith("probe-")])
def test_every_probe_is_fuzzed_from_a_captured_answer(name):
    assert any(seeds(name))


def test_an_answer_as_bytes_is_the_same_answer():
    for data in known("probe-os"):
        assert raw_of(bytes_of(raw_of(data))) == raw_of(data)


# --- what a long run once found ------------------------------------------------------------------


def test_a_header_of_rpm_whose_strings_have_no_data_is_damaged():
    entry = struct.pack(">IIiI", 1000, 6, 0, 1)
    with pytest.raises(ParseError, match="tag 1000 without an end"):
        Header(struct.pack(">II", 1, 0) + entry).text(1000)


# --- no parser is forgotten ----------------------------------------------------------------------

# Which target goes through a module that refuses what it does not understand.
COVERED = {
    "machines/databases.py": "layer-dpkg",
    "rpmdb/answering.py": "rpmdb.sqlite",
    "rpmdb/bdb.py": "Packages",
    "rpmdb/header.py": "Packages.db",
    "rpmdb/ndb.py": "Packages.db",
    "rpmdb/sqlite.py": "rpmdb.sqlite",
    "attribution.py": "image",
    "collector.py": "collector",
    "framing.py": "frame",
}
REFUSES = re.compile(r"raise (?:framing\.)?(?:ParseError|Malformed)\(")


def refusing():
    """The modules that raise ParseError or Malformed: what others wrote is read there."""
    for path in sorted(ROOT.rglob("*.py")):
        if REFUSES.search(path.read_text()):
            yield str(path.relative_to(ROOT))


def test_every_module_that_refuses_bytes_of_others_is_fuzzed():
    left = {name for name in refusing() if not name.startswith("probes/")}

    assert left - COVERED.keys() == set(), "give it a row in tests/fuzz/targets.py and name it here"
    assert {COVERED[name] for name in left} <= TARGETS.keys()
