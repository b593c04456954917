"""What files tell of themselves, against readelf, sha256sum and Python's zipfile."""

import hashlib
import re
import shutil
import subprocess
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.details.asking import learned, questions_for
from driftscan.errors import ParseError
from driftscan.model import Answer, Payload, Raw, Want
from driftscan.probes.wanted import binaries
from tests.probes.conftest import read_captured

NONCE = "00000000driftscan-capture00000000"
PATHS = ("tool", "libz.so.1", "script", "cart.jar", "boot.jar", "comment.jar", "late.jar")
MANIFEST = (
    "Manifest-Version: 1.0\r\nImplementation-Title: x\r\nImplementation-Version: 1.2.3\r\n"
    "Specification-Version: 1.2\r\nBundle-Version: 1.2.3.v2026\r\n\r\n"
    "Name: org/example\r\nImplementation-Version: 9\r\n"
)
TOLD = {"implementation": "1.2.3", "bundle": "1.2.3.v2026", "specification": "1.2"}


def wants(*paths):
    return [Want(side="subject", kind=binaries.KIND, name=path) for path in paths]


def asked(paths, shell="sh"):
    """What the script tells of files of this machine."""
    questions = questions_for(wants(*paths), deadline=60, nonce=NONCE)
    output = subprocess.run(
        [*shell.split(), "-s"],
        input=questions.script.encode(),
        capture_output=True,
        check=True,
        start_new_session=True,
    ).stdout
    answer = Answer(output[output.find(f"{NONCE} BEGIN".encode()) :], b"", 0, 1.0)
    return learned(answer, questions, wants(*paths), "x")[binaries.KIND]


def jar(path, manifest=MANIFEST, *, comment=b"", prefix=b"", method=zipfile.ZIP_DEFLATED, before=0):
    path.write_bytes(prefix)
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("META-INF/", "")
        for number in range(before):
            archive.writestr(f"META-INF/services/x{number}", "x")
        if manifest is not None:
            archive.writestr("META-INF/MANIFEST.MF", manifest)
        for number in range(20):
            archive.writestr(f"org/example/{number}.class", bytes(200))
        archive.comment = comment
    return str(path)


def test_builds_and_digests_of_a_lab_host_are_those_of_readelf_and_sha256sum():
    """A container of web-b: copies of /bin/true and zlib, and archives that zipfile wrote."""
    paths = [f"/opt/tools/{name}" for name in PATHS]
    questions = questions_for(wants(*paths), deadline=60, nonce=NONCE)
    answer = Answer(read_captured("binaries", "wanted"), b"", 0, 1.0)
    found = learned(answer, questions, wants(*paths), "x")[binaries.KIND]
    oracle = read_captured("binaries", "wanted.oracle").decode()
    builds = dict(re.findall(r"File: (\S+)\n[^/]*?Build ID: ([0-9a-f]+)", oracle))
    sums = {path: digest for digest, path in re.findall(r"([0-9a-f]{64})  (/\S+)", oracle)}
    assert {p: i["build_id"] for p, i in found.items.items() if "build_id" in i} == builds
    assert {p: i["digest"] for p, i in found.items.items()} == {p: d[:32] for p, d in sums.items()}
    assert len(builds) == 2
    assert len(sums) == len(PATHS)
    for name in ("cart.jar", "boot.jar", "comment.jar", "late.jar"):
        assert found.items[f"/opt/tools/{name}"].items() >= TOLD.items()


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh", "zsh"])
def test_a_manifest_is_found_wherever_the_archive_has_it(tmp_path, shell):
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell} is not on this machine")
    long = f"Implementation-Version: {'1.0-' + 'a' * 40}\r\n bbb\r\n\r\n"
    named = {
        jar(tmp_path / "plain.jar"): TOLD,
        jar(tmp_path / "stored.war", method=zipfile.ZIP_STORED): TOLD,
        jar(tmp_path / "comment.jar", comment=b"c" * 400): TOLD,
        jar(tmp_path / "boot.jar", prefix=b"#!/bin/sh\nexec java -jar $0\n" * 30): TOLD,
        jar(tmp_path / "late.ear", before=100): TOLD,
        jar(tmp_path / "long.jar", long): {"implementation": "1.0-" + "a" * 40 + "bbb"},
        jar(tmp_path / "none.jar", None): {},
        jar(tmp_path / "far.jar", before=2000): {},
    }
    (tmp_path / "cut.jar").write_bytes((tmp_path / "plain.jar").read_bytes()[:-30])
    (tmp_path / "text.jar").write_text("no archive")
    (tmp_path / "empty.jar").write_bytes(b"")
    for name in ("cut.jar", "text.jar", "empty.jar"):
        named[str(tmp_path / name)] = {}
    found = asked(named, shell).items
    for path, told in named.items():
        item = dict(found[path])
        with open(path, "rb") as file:  # noqa: PTH123
            assert item.pop("digest") == hashlib.sha256(file.read()).hexdigest()[:32]
        assert item == told, path


def test_a_path_that_is_not_plain_is_never_sent_and_told():
    paths = ["/opt/a b", "/opt/$(id)", "/opt/'x'", "/opt/../etc/shadow"]
    (question,) = binaries.questions(wants(*paths))
    assert "all=''" in question.body
    told = binaries.parse(Raw(outputs={binaries.KIND: Payload(())}), wants(*paths))
    assert set(told.missing) == set(paths)


def test_what_is_closed_or_too_much_to_sum_says_so_and_keeps_the_rest():
    lines = ("closed /a", "file /b", " 7f 45", "unsummed /b", "unsummed /c")
    told = binaries.parse(Raw(outputs={binaries.KIND: Payload(lines)}), wants("/a", "/b", "/c"))
    assert told.items == {}
    assert told.missing["/a"] == "not readable by this account: try --become"
    assert told.missing["/c"] == "not summed: all would be more than 200 MB"


def test_a_manifest_that_unpacks_to_very_much_is_cut(tmp_path):
    path = tmp_path / "bomb.jar"
    jar(path, "Implementation-Version: 1\r\n" + "x" * 10_000_000)
    data = path.read_bytes()
    entry = data[data.index(b"PK\3\4", 1) :]
    assert len(binaries._manifest(entry)) <= 4 * binaries.MANIFEST
    assert binaries.versions(entry) == {"implementation": "1"}


@given(st.binary(max_size=400))
def test_no_bytes_raise_an_error(data):
    binaries.build_id(b"\x7fELF" + data)
    binaries.versions(data)
    binaries.versions(b"PK\3\4" + data)


@settings(max_examples=30)
@given(st.data())
def test_a_head_with_any_changed_bytes_gives_a_build_id_or_none(data):
    head = bytearray(_head())
    for _ in range(data.draw(st.integers(1, 6))):
        head[data.draw(st.integers(4, len(head) - 1))] = data.draw(st.integers(0, 255))
    assert re.fullmatch(r"(?:[0-9a-f]{2}){0,64}", binaries.build_id(bytes(head)))


def _head():
    """The head of a little program: one segment of notes, with a build-id of 20 bytes."""
    note = (4).to_bytes(4, "little") + (20).to_bytes(4, "little") + (3).to_bytes(4, "little")
    note += b"GNU\0" + bytes(range(20))
    segment = (4).to_bytes(4, "little") + bytes(4) + (120).to_bytes(8, "little") + bytes(16)
    segment += len(note).to_bytes(8, "little") + bytes(16)
    start = b"\x7fELF\2\1\1" + bytes(9) + bytes(16) + (64).to_bytes(8, "little") + bytes(14)
    return (
        start + (56).to_bytes(2, "little") + (1).to_bytes(2, "little") + bytes(6) + segment + note
    )


def test_a_build_id_is_read_of_wide_and_narrow_files_of_both_orders():
    assert binaries.build_id(_head()) == bytes(range(20)).hex()
    for order in ("little", "big"):
        note = b"".join(n.to_bytes(4, order) for n in (4, 8, 3)) + b"GNU\0" + b"abcdefgh"
        head = b"\x7fELF\1" + (b"\1" if order == "little" else b"\2") + bytes(22)
        head += (52).to_bytes(4, order) + bytes(10) + (32).to_bytes(2, order)
        head += (1).to_bytes(2, order) + bytes(6)
        words = (4, 84, 0, 0, len(note), 0, 0, 0)
        head += b"".join(n.to_bytes(4, order) for n in words)
        assert binaries.build_id(head + note) == b"abcdefgh".hex()


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30)))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        told = binaries.parse(Raw(outputs={binaries.KIND: Payload(tuple(lines))}), wants("/a"))
    except ParseError:
        return
    assert set(told.items) <= {"/a"}
