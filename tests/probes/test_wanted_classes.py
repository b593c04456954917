"""Versions of class files: out of class files and archives that zip tools wrote, and bad input."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.details.asking import learned as read
from driftscan.details.asking import questions_for
from driftscan.errors import ParseError
from driftscan.model import Answer, Payload, Raw, Want
from driftscan.probes.wanted import classes
from tests.probes.capture import NONCE
from tests.probes.conftest import read_captured

WANT = Want(side="subject", kind="classes", name="java")


def test_class_files_of_a_real_machine_are_found_and_those_of_its_java_are_not():
    """One loose class of a directory, an archive of it, and one that Java 8 can run."""
    answer = Answer(read_captured("handmade", "classes"), b"", 0, 1.0)
    found = read(answer, questions_for([WANT], deadline=9, nonce=NONCE), [WANT], origin="handmade")
    assert found["classes"].items == {
        "java": {
            "files": {
                "/srv/app/app.jar": "61",
                "/srv/app/classes/App.class": "61",
                "/srv/app/lib/x.jar": "52",
            }
        }
    }


def java(version):
    return b"\xca\xfe\xba\xbe\x00\x00" + version.to_bytes(2, "big") + b"\x00" * 900


class Pipe(io.BytesIO):
    """What cannot be sought: zipfile then writes the sizes after each entry, as `jar` does."""

    def seekable(self):
        return False

    def tell(self):
        raise OSError

    def seek(self, *_args):
        raise OSError


def archive(entries, method=zipfile.ZIP_DEFLATED, file=None):
    file = file or io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, data in entries:
            zipped.writestr(name, data)
    return file.getvalue()


ENTRIES = [
    ("META-INF/", b""),
    ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n" * 9),
    ("META-INF/versions/21/A.class", java(65)),
    ("LICENSE", b"free " * 900),
    ("a/A.class", java(61)),
    ("a/B.class", java(52)),
]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_the_first_class_of_an_archive_tells_its_version(method):
    assert classes.version("/srv/a.jar", archive(ENTRIES, method)) == 61


def test_an_archive_written_to_a_pipe_is_read_too():
    assert classes.version("/srv/a.jar", archive(ENTRIES, file=Pipe())) == 61


def test_a_class_that_the_limit_cut_still_tells_its_version():
    data = archive(ENTRIES[3:])
    start = data.index(b"a/A.class") + len("a/A.class")
    assert classes.version("/srv/a.jar", data[: start + 60]) == 61
    assert classes.version("/srv/a.jar", data[:start]) == 0


def test_a_loose_class_tells_its_version_and_what_is_none_does_not():
    assert classes.version("/srv/A.class", java(55)) == 55
    assert classes.version("/srv/A.class", b"\x7fELF\x00\x00\x00\x00") == 0
    assert classes.version("/srv/a.jar", b"#!/bin/sh\nexec java -jar $0\n") == 0


def dumped(path, data):
    rows = [data[at : at + 16] for at in range(0, len(data), 16)]
    return [f"file {path}", *("".join(f" {byte:02x}" for byte in row) for row in rows)]


def learned(*lines):
    return classes.parse(Raw(outputs={"classes": Payload(lines)}), [WANT])


def test_what_od_printed_is_read_back_by_file():
    jar = archive(ENTRIES)
    lines = [*dumped("/srv/A.class", java(55)[:8]), *dumped("/srv/a b.jar", jar), "file /srv/x.jar"]
    assert learned(*lines).items == {
        "java": {"files": {"/srv/A.class": "55", "/srv/a b.jar": "61"}}
    }


def test_a_closed_directory_is_a_gap():
    assert learned("closed /srv").gaps == ("/srv is closed to this account",)


@pytest.mark.parametrize("line", ["", "x", " zz", " ca fe", "file x", "closed"])
def test_a_line_that_the_question_cannot_print_is_named(line):
    with pytest.raises(ParseError, match="expected a file"):
        learned(line)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_have_a_version_or_none(data, zipped):
    data = b"PK\x03\x04" + data if zipped else data
    assert 0 <= classes.version("/a.jar", data) <= 0xFFFF
    assert 0 <= classes.version("/a.class", data) <= 0xFFFF
