"""What libraries export: captured `.symbols` files of the lab, every form of deb-symbols(5)."""

import gzip
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import sanitize
from driftscan.explain.symbols import difference, libraries
from driftscan.model import Symbols

CAPTURED = Path(__file__).parent / "captured"
CORE = "libMagickCore-6.Q16.so.6"


def _read(name):
    data = gzip.decompress((CAPTURED / f"{name}.symbols.gz").read_bytes())
    return libraries(sanitize.lines(data))


def test_the_host_s_and_the_image_s_magickcore_differ_by_five_new_symbols():
    older, newer = _read("libmagickcore-web-a"), _read("libmagickcore-web-b")

    assert {name: len(symbols) for name, symbols in older.items()} == {CORE: 1364}
    assert difference(older, newer) == Symbols(
        gained=[
            "DrawClipPath_",
            "GetMaxProfileSize",
            "IsFileResourceIdentityValid",
            "IsPathAuthorized",
            "IsRightsAuthorizedByName",
        ]
    )


def test_several_libraries_of_one_package_and_their_alternatives_are_told_apart():
    read = _read("libtinfo6")

    assert list(read) == ["libtic.so.6", "libtinfo.so.6"]
    assert all(read.values())


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (" open@Base 1.2", "open"),
        (" open@LIB_1.0 1:1.2-3~ 1", "open@LIB_1.0"),
        (" (optional)open@Base 1.2", "open"),
        (" (optional=templinst|arch=amd64 i386)_ZN1aE@Base 1.2", "_ZN1aE"),
        (' (c++)"ns::f(int, char*)@Base" 1.2', "ns::f(int, char*)"),
        (" (c++|optional)'ns::f()@V1' 1.2", "ns::f()@V1"),
        (' "ns::f(int)"@Base 1.2', "ns::f(int)"),
        ("#MISSING: 1.3# open@Base 1.2", None),
        ("# a comment", None),
        ("| other #MINVER#", None),
        ("* Build-Depends-Package: libx-dev", None),
        (" lonely", None),
        (" __snprintf@GLIBC_PRIVATE 0 1", None),
        ("", None),
    ],
)
def test_a_symbol_is_its_name_and_version_node_without_tags(line, name):
    read = libraries(["libx.so.1 libx1 #MINVER#", line])

    assert read == {"libx.so.1": frozenset({name} if name else ())}


def test_a_symbol_before_any_library_belongs_to_none():
    assert libraries([" open@Base 1", "libx.so.1", " close@Base 1"]) == {}


def test_symbols_of_a_soname_that_came_or_went_are_not_counted_each():
    older = libraries(["libx.so.1 libx1 #MINVER#", " a@Base 1"])
    newer = libraries(["libx.so.2 libx2 #MINVER#", " b@Base 1"])

    assert difference(older, newer) == Symbols(
        sonames_gained=["libx.so.2"], sonames_lost=["libx.so.1"]
    )


_LINE = st.one_of(
    st.text(),
    st.sampled_from(["libx.so.1 libx1 #MINVER#", "| alt", "* Field: x"]),
    st.from_regex(r" (\([a-z|=]*\))?[\"']?[a-z@ ]*[\"']?@Base [0-9]", fullmatch=True),
)


@given(st.lists(_LINE), st.lists(_LINE))
def test_no_text_raises_and_every_difference_is_on_one_side_only(older, newer):
    ours, theirs = libraries(older), libraries(newer)
    found = difference(ours, theirs)

    assert not set(found.gained) & {n for s in ours.keys() & theirs for n in ours[s] & theirs[s]}
    assert not set(found.sonames_gained) & set(found.sonames_lost)
    assert difference(ours, ours) == Symbols()


@pytest.mark.parametrize("unit", ['"', "'", "(", "()", " (a|", "\t", "a@", '(c++)"'])
def test_hostile_lines_take_no_time(unit):
    began = time.process_time()

    libraries(["libx.so.1 libx1 #MINVER#", " " + unit * 200_000, *[f" {unit}"] * 50_000])

    assert time.process_time() - began < 2
