"""Configuration files of rpm's packages: as `rpm -V` says it, and what it could not say."""

import hashlib
from functools import partial

import pytest

from driftscan import rpmdb, scan, script
from driftscan.errors import ParseError
from driftscan.machines.directory import at
from driftscan.machines.reading import Reader
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Failed,
    Limits,
    Partial,
    Payload,
    Raw,
)
from driftscan.probes import rpm, rpm_history
from driftscan.probes import rpm_conffiles as probe
from tests.rpmdb import made
from tests.rpmdb.made import FORMS

SUM = "b6e43bb2e0a417a36c43ea46ceb4768b5ad07a56d37350be3f71dceb96158112"
CONF = "/etc/nginx/nginx.conf"


def parsed(*lines):
    return probe.parse(Raw(outputs={"edited": Payload(lines)}))


def test_an_edited_file_of_the_labs_machine_is_told_as_rpm_tells_it(captured, oracle):
    sections = probe.parse(captured("rpm-conffiles", "rpm-a"))
    verified, summed, package = oracle("rpm-conffiles", "rpm-a")
    marks, _, path = verified.split()
    assert marks[2] == "5"
    assert sections["conffiles"].items == {
        path: {"state": "edited", "package": package, "sum": summed.split()[0]}
    }
    assert sections["conffile-times"].items[path]["uid"] == 0


def test_what_is_missing_closed_or_left_beside_is_told():
    sections = parsed(
        *("have rpm", "missing /etc/cron.d/0hourly", f"beside {CONF}.rpmnew"),
        *("closed /etc/ssh/sshd_config", f"of nginx-core.x86_64 {SUM}  {CONF}"),
        *(f"of cronie.x86_64 {SUM}  /etc/cron.d/0hourly", f"is {'0' * 32}  {CONF}"),
        f"stat 1700000000 0 {CONF}",
    )
    found = sections["conffiles"]
    assert isinstance(found, Partial)
    assert found.items["/etc/cron.d/0hourly"] == {"state": "missing", "package": "cronie.x86_64"}
    assert found.gaps == ["1 file not readable by this account: /etc/ssh/sshd_config"]
    assert sections["conffile-times"].items[CONF]["beside"] == ["rpmnew"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((), Absent()),
        (("have rpm",), Collected(items={})),
        (
            ("have no rpm",),
            Failed(reason="there is no rpm(8) that reads its database and compares them"),
        ),
        (("denied /var/lib/rpm",), Denied(cure="read access to /var/lib/rpm, or --become")),
    ],
)
def test_nothing_edited_is_not_nothing_known(lines, told):
    assert parsed(*lines)["conffiles"] == told


@pytest.mark.parametrize("line", ["edited /etc/x", f"of a b {SUM}  /x", "is 12  /x", "missing x"])
def test_a_line_that_the_question_cannot_print_is_named(line):
    with pytest.raises(ParseError, match="expected a configuration file"):
        parsed("have rpm", line)


# --- what packages shipped, read from their database ---------------------------------------------

REGULAR, LINK = 0o100644, 0o120777


@pytest.mark.parametrize("name", FORMS)
def test_the_configuration_files_of_packages_are_read_with_their_sums(name):
    blob = made.header(
        b"nginx",
        dirnames=[b"/etc/nginx/", b"/usr/bin/"],
        basenames=[b"nginx.conf", b"nginx", b"link.conf", b"ghost.conf", b"away.conf"],
        dirindexes=made.Numbers(4, [0, 1, 0, 0, 0]),
        fileflags=made.Numbers(4, [1 | 16, 0, 1, 1 | 64, 1]),
        filemodes=made.Numbers(3, [REGULAR, REGULAR, LINK, REGULAR, REGULAR]),
        filedigests=[SUM.encode(), b"1" * 64, b"", b"2" * 64, b"3" * 64],
        filestates=made.Numbers(1, [0, 0, 0, 0, 2]),
    )
    found = list(rpmdb.shipped({name: FORMS[name](blob)}, configuration=True))
    assert found == [
        rpmdb.Shipped("nginx.x86_64", CONF, SUM, False),
        rpmdb.Shipped("nginx.x86_64", "/etc/nginx/ghost.conf", "2" * 64, True),
    ]


def test_a_list_of_numbers_that_its_bytes_do_not_hold_is_refused():
    blob = made.header(b"x", fileflags=made.Numbers(4, [1]))
    place = blob.index(b"\x00\x00\x04\x0d\x00\x00\x00\x04") + 12
    bomb = blob[:place] + b"\xff\xff\xff\xff" + blob[place + 4 :]
    with pytest.raises(ParseError, match="outside its data"):
        list(rpmdb.shipped({"rpmdb.sqlite": made.sqlite(bomb)}, configuration=True))


# --- read and not run ----------------------------------------------------------------------------


def read(root, *probes):
    """The sections of probes of a root directory that is only read."""
    questions = script.questions(probes, deadline=60)
    answer = Reader(partial(at, str(root))).ask(questions, Limits())
    raws = scan.unframed(answer, questions, probes)
    return {name: section for p in probes for name, section in p.parse(raws[p.NAME]).items()}


def test_a_root_directory_gives_its_packages_history_and_edited_files(tmp_path):
    def put(path, data):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)

    blob = made.header(
        b"nginx",
        dirnames=[b"/etc/"],
        basenames=[b"edited", b"gone", b"same"],
        dirindexes=made.Numbers(4, [0, 0, 0]),
        fileflags=made.Numbers(4, [1, 1, 1]),
        filemodes=made.Numbers(3, [REGULAR] * 3),
        filedigests=[SUM.encode(), SUM.encode(), hashlib.sha256(b"same").hexdigest().encode()],
    )
    put("var/lib/rpm/Packages.db", made.ndb(blob))
    put("etc/edited", b"x")
    put("etc/edited.rpmnew", b"y")
    put("etc/same", b"same")
    put("var/lib/dnf/history.sqlite", b"no database")
    sections = read(tmp_path, probe, rpm)
    assert list(sections["rpm"].items) == ["nginx.x86_64"]
    assert sections["conffiles"].items == {
        "/etc/edited": {
            "state": "edited",
            "package": "nginx.x86_64",
            "sum": hashlib.md5(b"x", usedforsecurity=False).hexdigest(),
        },
        "/etc/gone": {"state": "missing", "package": "nginx.x86_64"},
    }
    assert sections["conffile-times"].items["/etc/edited"]["beside"] == ["rpmnew"]
    with pytest.raises(ParseError, match="no sqlite database"):
        read(tmp_path, rpm_history)


def test_a_damaged_database_of_a_root_directory_is_no_rpm(tmp_path):
    (tmp_path / "var/lib/rpm").mkdir(parents=True)
    (tmp_path / "var/lib/rpm/Packages").write_bytes(b"\x7fELF" + bytes(9000))
    assert isinstance(read(tmp_path, probe)["conffiles"], Failed)
    with pytest.raises(ParseError, match="no Berkeley DB hash"):
        read(tmp_path, rpm)
