"""What the readers of files take apart by themselves, against the tools that do it elsewhere."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.probes.twins import loader, tools

CACHE = Path("/etc/ld.so.cache")


@pytest.mark.skipif(not CACHE.exists(), reason="no linker's cache here: not a glibc system")
def test_the_linkers_cache_is_read_as_ldconfig_prints_it():
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
    said = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    expected = re.findall(r"^\t(\S+) \((.*)\) => (.*)$", said, re.MULTILINE)
    assert loader.cached(CACHE.read_bytes()) == expected
    assert expected


def test_a_cache_that_is_cut_or_none_gives_nothing_and_no_error():
    data = CACHE.read_bytes() if CACHE.exists() else b"glibc-ld.so.cache1.1" + bytes(100)
    for end in range(0, min(len(data), 400)):
        assert loader.cached(data[:end]) == []
    assert loader.cached(b"") == []
    assert loader.cached(b"ld.so-1.7.0" + bytes(100)) == []


@given(st.binary(max_size=300))
def test_no_bytes_after_a_caches_mark_raise_an_error(data):
    loader.cached(b"glibc-ld.so.cache1.1" + data)


def test_an_old_caches_head_is_skipped_and_its_systems_are_told():
    """The form of glibc 2.31 (Debian 11): both heads, and an OS ABI for each entry."""
    names = b"libc.so.6\0/lib/libc.so.6\0"
    strings = 48 + 24
    entry = (
        (0x0303).to_bytes(4, "little")
        + strings.to_bytes(4, "little")
        + (strings + 10).to_bytes(4, "little")
        + (3 << 16 | 2 << 8).to_bytes(4, "little")
        + (1 << 37).to_bytes(8, "little")
    )
    head = b"glibc-ld.so.cache1.1" + (1).to_bytes(4, "little") + len(names).to_bytes(4, "little")
    old = b"ld.so-1.7.0\0" + (1).to_bytes(4, "little") + bytes(12) + bytes(4)
    [found] = loader.cached(old + head.ljust(48, b"\0") + entry + names)
    kind = "libc6,x86-64, hwcap: 0x0000002000000000, OS ABI: Linux 3.2.0"
    assert found == ("libc.so.6", kind, "/lib/libc.so.6")


def test_a_packed_file_is_unpacked_as_far_as_it_is_whole_and_wanted():
    packed = gzip.compress(b"a" * 1000) + gzip.compress(b"b" * 1000)
    assert tools.unpacked(packed) == (b"a" * 1000 + b"b" * 1000, True)
    assert tools.unpacked(packed, 1500) == (b"a" * 1000 + b"b" * 500, True)
    assert tools.unpacked(packed[:-9])[1] is False
    assert tools.unpacked(b"no gzip") == (b"", False)
    assert tools.unpacked(b"") == (b"", True)


def test_a_bomb_is_unpacked_no_further_than_the_limit():
    bomb = gzip.compress(bytes(50 << 20))
    assert tools.unpacked(bomb, 1 << 20) == (bytes(1 << 20), True)


@given(st.binary(max_size=200))
def test_any_bytes_survive_being_text(data):
    assert tools.bytes_of(tools.text_of(data)) == data
