"""rpm's databases read without rpm: as rpm reads them, and never more than a file can hold."""

import sqlite3
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.rpmdb import answer, header, signature, sqlite
from tests.rpmdb import made
from tests.rpmdb.made import FORMS

EVERY = pytest.mark.parametrize("name", FORMS)
BASH = made.header(
    epoch=1,
    sourcerpm=b"bash-5.2-1.src.rpm",
    installtime=1764000000,
    buildtime=1763000000,
    vendor=b"Example",
    requirename=[b"libc.so.6()(64bit)", b"/bin/sh"],
    providename=[b"bash", b"bash(x86-64)"],
    recommendname=[b"bash-completion"],
)
TOLD = b"""- bash\tx86_64\t1\t5.2\t1\tbash-5.2-1.src.rpm\t1764000000\t1763000000\t(none)\tExample
r libc.so.6()(64bit)
r /bin/sh
p bash
p bash(x86-64)
w bash-completion
"""


@EVERY
def test_a_package_is_told_as_rpm_tells_it(name):
    bare = made.header(b"filesystem")
    line = b"- filesystem\tx86_64\t\t5.2\t1\t(none)\t(none)\t(none)\t(none)\t(none)\n"
    assert answer({name: FORMS[name](BASH, bare)}) == TOLD + line


def test_both_byte_orders_of_berkeley_db_are_read():
    assert answer({"Packages": made.bdb(BASH, order=">")}) == TOLD


def test_the_newest_form_that_is_not_empty_is_read():
    other = made.bdb(made.header(b"old"))
    assert answer({"rpmdb.sqlite": made.sqlite(BASH), "Packages": other}) == TOLD
    assert answer({"rpmdb.sqlite": b"", "Packages": other}).startswith(b"- old\t")


@EVERY
def test_a_database_without_a_package_is_never_believed(name):
    with pytest.raises(ParseError, match=f"{name} holds no package in its [0-9]+ bytes"):
        answer({name: FORMS[name]()})
    with pytest.raises(ParseError, match="there is no database of rpm"):
        answer({name: b""})


@EVERY
def test_a_file_of_another_kind_is_named_as_such(name):
    with pytest.raises(ParseError, match=rf"{name} is no .* it begins with b'\\x7fELF"):
        answer({name: b"\x7fELF" + bytes(9000)})


@EVERY
def test_a_database_cut_anywhere_is_refused_or_lost_no_package(name):
    """Behind the last package there may be filling."""
    blobs = [made.header(b"p%d" % n, vendor=b"v" * 200) for n in range(5)]
    whole = FORMS[name](*blobs)
    expected = answer({name: whole})
    refused = 0
    for end in range(1, len(whole), 61):
        try:
            assert answer({name: whole[:end]}) == expected
        except ParseError:
            refused += 1
    assert refused > len(whole) // 61 * 0.8


@EVERY
@given(data=st.data())
def test_a_damaged_database_gives_packages_or_one_clear_error(name, data):
    whole = bytearray(FORMS[name](BASH, made.header(b"big", vendor=b"v" * 1500)))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    with suppress(ParseError):
        assert len(answer({name: bytes(whole)})) < 4 * len(whole)


def test_overflow_pages_that_loop_end_with_the_length_of_the_value():
    whole = bytearray(made.bdb(made.header(vendor=b"v" * 1500)))
    pages = range(0, len(whole), made.SIZE)
    overflow = [start for start in pages if whole[start + 25] == 7]
    struct.pack_into("<I", whole, overflow[1] + 16, overflow[0] // made.SIZE)
    with pytest.raises(ParseError):
        answer({"Packages": bytes(whole)})


def test_values_that_share_their_pages_cannot_fill_the_memory():
    """1,000 keys whose value is one chain as long as the file: refused when they pass its size."""
    big = made.header(vendor=b"v" * 60_000)
    once = made.bdb(big)
    page = once[2 * made.SIZE : 3 * made.SIZE]
    many = bytearray(once + page * 1000)
    struct.pack_into("<I", many, 32, len(many) // made.SIZE - 1)
    with pytest.raises(ParseError, match="longer than the file"):
        answer({"Packages": bytes(many)})


@pytest.mark.parametrize(
    ("blob", "told"),
    [
        (b"\0\0", "has 2 bytes"),
        (struct.pack(">II", 1 << 30, 4), "says it has 1073741824 entries"),
        (struct.pack(">II", 1, 1 << 30) + bytes(16), "and 1073741824 bytes"),
        (struct.pack(">IIIIiI", 1, 2, header.NAME, 6, 9, 1) + b"a\0", "outside its data"),
        (struct.pack(">IIIIiI", 1, 2, header.NAME, 6, 0, 1) + b"ab", "without an end"),
        (struct.pack(">IIIIiI", 1, 2, header.VENDOR, 6, 0, 1) + b"a\0", "has no name"),
    ],
)
def test_what_is_no_header_is_refused(blob, told):
    with pytest.raises(ParseError, match=told):
        answer({"rpmdb.sqlite": made.sqlite(blob)})


def test_a_list_has_no_more_strings_than_its_bytes_hold():
    blob = made.header(requirename=[b""] * 3)
    place = blob.index(struct.pack(">II", header.REQUIRENAME, 8)) + 12
    bomb = blob[:place] + struct.pack(">I", 0xFFFFFFFF) + blob[place + 4 :]
    with pytest.raises(ParseError, match="without an end"):
        answer({"rpmdb.sqlite": made.sqlite(bomb)})


# --- sqlite --------------------------------------------------------------------------------------


def written(folder, *, pages="delete"):
    """A database in use: what was committed last is in its log only. Gives both files' bytes."""
    path = folder / "rpmdb.sqlite"
    path.write_bytes(made.sqlite(made.header(b"old")))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    with connection:
        blobs = [(made.header(b"new%d" % n, vendor=b"v" * 900),) for n in range(20)]
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", blobs)
    log = (folder / "rpmdb.sqlite-wal").read_bytes()
    data = path.read_bytes()
    connection.close()
    return data, log


def test_what_the_log_beside_a_database_holds_is_read_with_it(tmp_path):
    data, log = written(tmp_path)
    assert answer({"rpmdb.sqlite": data}).count(b"- ") == 1
    assert answer({"rpmdb.sqlite": data, "rpmdb.sqlite-wal": log}).count(b"- ") == 21


def test_a_log_that_is_cut_or_damaged_counts_to_its_last_whole_commit(tmp_path):
    data, log = written(tmp_path)
    for bad in (log[:-1], log[:100], b"x" * 5000, bytes([log[0] ^ 1]) + log[1:], log[:20] + log):
        assert answer({"rpmdb.sqlite": data, "rpmdb.sqlite-wal": bad}).count(b"- ") == 1


def test_a_view_in_place_of_the_table_is_not_asked():
    connection = sqlite3.connect(":memory:")
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x blob FROM c"
    connection.execute(f"CREATE VIEW Packages AS {endless}")
    with pytest.raises(ParseError, match="no table Packages"):
        answer({"rpmdb.sqlite": connection.serialize()})


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c"


def test_a_reading_that_would_not_end_is_stopped():
    def endless():
        with sqlite.opened(made.sqlite(BASH)) as connection:
            connection.execute(ENDLESS).fetchall()

    with pytest.raises(ParseError, match="interrupted"):
        endless()


# --- signatures ----------------------------------------------------------------------------------

KEY = bytes.fromhex("05b555b38483c65d")
ISSUER = b"\x09\x10" + KEY
PRINT = b"\x16\x21\x04" + bytes(12) + KEY


def v4(hashed, unhashed, head=b"\x89"):
    body = b"\4\0\1\10" + struct.pack(">H", len(hashed)) + hashed
    body += struct.pack(">H", len(unhashed)) + unhashed + bytes(40)
    length = struct.pack(">H", len(body)) if head == b"\x89" else bytes([len(body)])
    return head + length + body


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        (v4(b"", ISSUER), KEY.hex()),
        (v4(ISSUER, b""), KEY.hex()),
        (v4(PRINT, b""), KEY.hex()),
        (v4(PRINT, ISSUER, head=b"\xc2"), KEY.hex()),
        (b"\x88\x20\3\5\0" + bytes(4) + KEY + bytes(20), KEY.hex()),
        (v4(b"", b""), ""),
        (b"", ""),
        (b"\x89\xff\xff\4", ""),
        (b"\x99\x00\x10" + bytes(16), ""),
    ],
)
def test_the_key_of_a_signature_is_its_issuer(packet, told):
    assert signature.key_id(packet) == told


@given(st.binary(max_size=80))
def test_any_bytes_are_a_signature_or_none(packet):
    assert len(signature.key_id(b"\x89\0\x40\4" + packet)) in (0, 16)
