"""What ELF files import: read of files made here, through the question, and of any bytes."""

import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.details.asking import learned as read
from driftscan.details.asking import questions_for
from driftscan.errors import ParseError
from driftscan.model import Answer, Payload, Raw, Want
from driftscan.probes.wanted import elf, imports

WANT = Want(side="subject", kind="imports", name="own")
NONCE = "0" * 32


class Elf:
    """An ELF file of 64 bits: its tables in the order in which linkers put them."""

    def __init__(self, needed=(), symbols=(), weak=(), versions=None, base=0, kind=3):
        self._names = bytearray(b"\0")
        self._base, self._kind = base, kind
        offsets = [self._name(name) for name in needed]
        rows = [(name, 0x10) for name in symbols] + [(name, 0x20) for name in weak]
        symtab = bytes(24) + b"".join(
            struct.pack("<IBBHQQ", self._name(name), info, 0, 0, 0, 0) for name, info in rows
        )
        symtab += struct.pack("<IBBHQQ", self._name("defined"), 0x12, 0, 9, 64, 8)
        order = [*(versions or {}).values()]
        verneed = self._verneed(needed, order)
        versym = struct.pack("<H", 0) + b"".join(
            struct.pack("<H", order.index(versions[n]) + 2 if versions and n in versions else 1)
            for n, _ in [*rows, ("defined", 0)]
        )
        self.start = 0x200 + base
        names = bytes(self._names)
        strtab = self.start + len(symtab)
        self.tables = symtab + names + versym + verneed
        pairs = [(1, offset) for offset in offsets]
        pairs += [(5, strtab), (6, self.start), (10, len(names))]
        if order:
            at = strtab + len(names)
            pairs += [(0x6FFFFFF0, at), (0x6FFFFFFE, at + len(versym)), (0x6FFFFFFF, 1)]
        self.dynamic = b"".join(struct.pack("<QQ", *pair) for pair in [*pairs, (0, 0)])

    def _name(self, text):
        self._names += text.encode() + b"\0"
        return len(self._names) - len(text) - 1

    def _verneed(self, needed, order):
        if not order:
            return b""
        found = struct.pack("<HHIII", 1, len(order), self._name(needed[0]), 16, 0)
        for number, version in enumerate(order):
            following = 16 if number + 1 < len(order) else 0
            found += struct.pack("<IHHII", 0, 0, number + 2, self._name(version), following)
        return found

    def imports(self):
        return elf.imports(self.dynamic, self.tables, self.start)

    def file(self):
        ident = b"\x7fELF\x02\x01\x01" + bytes(9)
        at = 0x200 + len(self.tables)
        header = ident + struct.pack(
            "<HHIQQQIHHHHHH", self._kind, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0
        )
        load = struct.pack("<IIQQQQQQ", 1, 5, 0, self._base, 0, at, at, 4096)
        dynamic = struct.pack(
            "<IIQQQQQQ", 2, 6, at, self._base + at, 0, len(self.dynamic), len(self.dynamic), 8
        )
        return (header + load + dynamic).ljust(0x200, b"\0") + self.tables + self.dynamic


PROGRAM = Elf(
    needed=["libc.so.6", "libz.so.1"],
    symbols=["puts", "strlcpy", "inflate"],
    weak=["__gmon_start__"],
    versions={"puts": "GLIBC_2.2.5", "strlcpy": "GLIBC_2.38"},
)


def test_needed_libraries_and_symbols_with_their_versions():
    assert PROGRAM.imports() == elf.Imports(
        needed=("libc.so.6", "libz.so.1"),
        symbols=("puts@GLIBC_2.2.5", "strlcpy@GLIBC_2.38", "inflate"),
    )


def test_tables_that_were_cut_are_not_whole():
    assert not elf.imports(PROGRAM.dynamic, PROGRAM.tables[:60], PROGRAM.start).whole


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 1 << 63))
def test_any_bytes_import_something_or_nothing(dynamic, tables, start):
    found = elf.imports(dynamic, tables, start)
    assert all(name.isprintable() and name for name in (*found.needed, *found.symbols))


@given(st.data())
def test_a_damaged_file_imports_something_or_nothing(data):
    damaged = bytearray(PROGRAM.tables)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    elf.imports(PROGRAM.dynamic, bytes(damaged), PROGRAM.start)


# --- through the question ----------------------------------------------------------------------


def asked(folder, shell=("sh",)):
    """What the script of the second trip learns of this folder instead of the three it looks at."""
    questions = questions_for([WANT], deadline=60, nonce=NONCE)
    script = questions.script.replace("/opt /srv /usr/local", str(folder))
    assert script != questions.script
    done = subprocess.run(
        [*shell, "-s"],
        input=script.encode(),
        capture_output=True,
        check=True,
        start_new_session=True,
    )
    answer = Answer(done.stdout, done.stderr, 0, 1.0)
    return read(answer, questions, [WANT], origin="h")["imports"]


def put(folder, **files):
    for name, data in files.items():
        path = folder / name
        path.write_bytes(data)
        path.chmod(0o755)


@pytest.mark.parametrize("shell", [("sh",), ("bash",), ("busybox", "ash"), ("zsh",)])
def test_programs_and_libraries_are_read_and_nothing_else_is_told(tmp_path, shell):
    plain = Elf(needed=["libz.so.1"], symbols=["inflate"], base=0x400000, kind=2)
    put(
        tmp_path,
        pie=PROGRAM.file(),
        program=plain.file(),
        script=b"#!/bin/sh\n",
        static=_without_dynamic(PROGRAM.file()),
        empty=b"",
        object=Elf(kind=1).file(),
    )
    (tmp_path / "with blank").mkdir()
    put(tmp_path / "with blank", library=Elf(needed=["libm.so.6"]).file())

    item = asked(tmp_path, shell).items["own"]

    assert item == {
        "needed": {
            f"{tmp_path}/pie": "libc.so.6 libz.so.1",
            f"{tmp_path}/program": "libz.so.1",
            f"{tmp_path}/static": "",
            f"{tmp_path}/with blank/library": "libm.so.6",
        },
        "symbols": {
            f"{tmp_path}/pie": "inflate puts@GLIBC_2.2.5 strlcpy@GLIBC_2.38",
            f"{tmp_path}/program": "inflate",
            f"{tmp_path}/static": "",
            f"{tmp_path}/with blank/library": "",
        },
        "unread": [],
    }


def _without_dynamic(data):
    """Its second header made one that means nothing (PT_NULL)."""
    return data[:120] + bytes(4) + data[124:]


def test_what_cannot_be_read_is_named_and_not_empty(tmp_path):
    put(tmp_path, short=PROGRAM.file()[:80], old=b"\x7fELF\x01\x01" + bytes(10) + b"\x02\x00")

    item = asked(tmp_path).items["own"]

    assert (item["needed"], item["unread"]) == ({}, [f"{tmp_path}/old", f"{tmp_path}/short"])


def test_more_files_than_are_read_is_a_gap(tmp_path):
    for number in range(imports.FILES + 1):
        put(tmp_path, **{f"f{number:03}": PROGRAM.file()})

    told = asked(tmp_path)

    assert len(told.items["own"]["needed"]) == imports.FILES
    assert told.gaps == ("there are more programs and libraries than the 60 that are read",)


def test_a_name_with_a_line_break_cannot_pass_for_an_answer(tmp_path):
    put(tmp_path, **{"x\ndynamic": PROGRAM.file(), "good": PROGRAM.file()})
    assert list(asked(tmp_path).items["own"]["needed"]) == [f"{tmp_path}/good"]


def learned(*lines):
    return imports.parse(Raw(outputs={"imports": Payload(lines)}), [WANT])


@pytest.mark.parametrize("line", ["", "x", "dynamic", " zz", "file x", "tables", "static"])
def test_a_line_that_the_question_cannot_print_is_named(line):
    with pytest.raises(ParseError, match="expected a file"):
        learned(line)


def test_a_closed_directory_is_a_gap():
    assert learned("closed /srv").gaps == ("/srv is closed to this account",)


def test_a_walk_that_did_not_end_well_is_a_gap(tmp_path):
    """A name that is not there is what find complains of, as of a directory that is closed."""
    put(tmp_path, good=PROGRAM.file())
    questions = questions_for([WANT], deadline=60, nonce=NONCE)
    script = questions.script.replace("/opt /srv /usr/local", str(tmp_path))
    script = script.replace('find -H "$@"', 'find -H "$@" /nowhere')
    done = subprocess.run(
        ["sh", "-s"], input=script.encode(), capture_output=True, check=True, start_new_session=True
    )
    told = read(Answer(done.stdout, b"", 0, 1.0), questions, [WANT], origin="h")["imports"]
    assert list(told.items["own"]["needed"]) == [f"{tmp_path}/good"]
    assert told.gaps == ("not all of /opt, /srv and /usr/local could be looked through",)
