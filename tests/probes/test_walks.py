"""What the walks find of trees made by hand: names, links, modes, homes, and what they skip."""

import os
import stat
from functools import partial

import pytest

from driftscan import scan, script
from driftscan.machines.directory import at
from driftscan.machines.reading import Reader
from driftscan.model import Limits, Partial, Payload, Raw
from driftscan.probes import apps
from driftscan.probes.table import PROBES


def told(root, name):
    """The sections that a probe gives of a root directory."""
    asked = [probe for probe in PROBES if name == probe.NAME]
    questions = script.questions(asked, deadline=60)
    answer = Reader(partial(at, str(root))).ask(questions, Limits())
    (raw,) = scan.unframed(answer, questions, asked).values()
    return asked[0].parse(raw)


def make(root, *paths, text="", mode=0o755):
    """Files below the root; their owner is whoever runs the tests."""
    for path in paths:
        file = root / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)


@pytest.fixture
def root(tmp_path):
    """A machine of dpkg with no package and one account, that of the tests."""
    make(tmp_path, "/var/lib/dpkg/info/base.list", text="/usr/bin/owned\n")
    owner = f"root:x:{os.getuid()}:0::/root:/bin/sh\n"
    make(tmp_path, "/etc/passwd", text=owner + "jenkins:x:115:0::/var/lib/jenkins:/bin/sh\n")
    return tmp_path


def software(root):
    return told(root, "software")["software"]


# --- programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0o755, None), (0o555, None), (0o644, None), (0o4755, "4755"), (0o777, "777"), (0o700, "700")],
)
def test_who_may_do_what_with_a_program_is_told_where_it_is_not_as_usual(root, mode, expected):
    make(root, "/usr/local/bin/t.so", text="x", mode=mode)
    item = software(root).items["/usr/local/bin"]
    assert item["files"]["t.so"].startswith("1 ")
    modes = item.get("modes", {}).get("t.so", "").split()
    if os.getuid() == 0:
        assert modes == ([expected, "root"] if expected else [])
    else:
        assert modes == [f"{mode:o}", "root"], "another account's, by the name it has there"


def test_another_owner_is_told_by_name():
    line = "1700000000 81ed {} 0 5 /opt/a/x"
    (probe,) = [probe for probe in PROBES if probe.NAME == "software"]
    for uid, names, owner in ((0, [], None), (7, [], "7"), (7, ["uid 7 - - - ann"], "ann")):
        lines = (*names, line.format(uid), f"sum {'a' * 64}  /opt/a/x")
        raw = Raw(outputs={"unowned": Payload(lines)})
        item = probe.parse(raw)["software"].items["/opt/a"]
        assert item["modes"] == ({"x": f"755 {owner}"} if owner else {})


def test_a_link_tells_where_it_leads_unless_a_package_has_it(root):
    make(root, "/opt/app/r1/bin/x", "/usr/local/bin/x")
    (root / "opt/app/current").symlink_to("r1")
    (root / "opt/owned").symlink_to("app")
    (root / "usr/local/bin/lnk").symlink_to("/tmp/x")
    make(root, "/var/lib/dpkg/info/b.list", text="/opt/owned\n")
    items = software(root).items
    assert items["/opt/app"]["files"] == {"current": "-> r1"}
    assert items["/usr/local/bin"]["files"]["lnk"] == "-> /tmp/x"
    assert "/opt" not in items
    before = software(root)
    (root / "opt/app/current").unlink()
    (root / "opt/app/current").symlink_to("r2")
    assert software(root) != before


@pytest.mark.parametrize("place", ["/usr/games", "/root/bin", "/home/bob/bin", "/var/lib/svc/bin"])
def test_programs_in_places_of_homes_and_games_are_told(root, place):
    make(root, f"{place}/mine")
    assert list(software(root).items[place]["files"]) == ["mine"]


@pytest.mark.parametrize("name", ["software", "languages", "unpackaged"])
def test_a_line_break_in_a_name_is_a_gap_and_hides_nothing_else(root, name):
    make(root, "/usr/local/bin/a\nb", "/home/bob/a\nb.jar", "/srv/x\ny/lib/libz.so", "/srv/a/c.jar")
    make(root, "/srv/x\ny/node_modules/q/package.json", text='{"version": "1"}')
    make(root, "/usr/local/bin/tool")
    sections = told(root, name)
    assert {type(section).__name__ for section in sections.values()} <= {"Partial", "Collected"}
    partial_ = [section for section in sections.values() if isinstance(section, Partial)]
    assert partial_
    assert all(section.gaps == [apps.ODD] for section in partial_)
    if name == "software":
        assert "tool" in sections["software"].items["/usr/local/bin"]["files"]


# --- packages of languages ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "home",
    [
        *("/var/lib/jenkins", "/home/bob/.virtualenvs", "/home/bob/.cache/pypoetry/virtualenvs"),
        *("/home/bob/.npm-global", "/home/bob/.rvm", "/home/bob/.env"),
    ],
)
def test_homes_of_services_and_their_hidden_places_are_looked_into(root, home):
    (root / home[1:] / "v/lib/python3.11/site-packages/hid-1.0.dist-info").mkdir(parents=True)
    items = told(root, "languages")["python"].items
    assert [item["version"] for item in items.values()] == ["1.0"]


@pytest.mark.parametrize(
    "home", ["/var/cache/man", "/var/spool/x", "/proc/x", "/home/bob/.cache/x"]
)
def test_caches_spools_and_what_the_kernel_makes_are_not(root, home):
    make(root, "/etc/passwd", text=f"x:x:7:7::{home}:/bin/sh\n")
    (root / home[1:] / "lib/python3.11/site-packages/hid-1.0.dist-info").mkdir(parents=True)
    assert told(root, "languages")["python"].items == {}


def test_eggs_and_a_direct_url_of_many_lines_are_told(root):
    place = "/opt/app/lib/python3.11/site-packages"
    (root / place[1:] / "zipped-1.0-py3.11.egg/EGG-INFO").mkdir(parents=True)
    url = '{\n  "url": "file:///srv/ed",\n  "dir_info": {"editable": true}\n}\n'
    make(root, f"{place}/ed-0.1.dist-info/direct_url.json", text=url)
    items = told(root, "languages")["python"].items
    assert items[f"pypi//zipped@{place}"]["version"] == "1.0"
    assert items[f"pypi//ed@{place}"]["url"] == "file:///srv/ed"
    assert items[f"pypi//ed@{place}"]["editable"] is True


def test_archives_of_java_are_found_however_their_names_are_written(root):
    make(root, "/srv/APP-1.0.JAR", "/srv/web.War", mode=0o644)
    items = told(root, "languages")["jars"].items
    assert {key: item["version"] for key, item in items.items()} == {
        "jar//APP@/srv": "1.0",
        "jar//web@/srv": "",
    }


MODULES = {
    "@angular/cli": '{\n "dependencies": {"version": "^9.9.9"},\n'
    ' "name":"@angular/cli",\n "version" :"17.0.0"}',
    "noversion": '{"name":"noversion"}',
    "alias": '{"name":"real-name","version":"2.0.0"}',
    "esc": '{"name":"esc","version":"1.0.0-\\u0061"}',
    "left-pad": '{\n "name": "left-pad",\n "version": "1.3.0" }',
    "quote": '{"description":"a \\"version\\": \\"6\\" \\\\","version":"3.2.1","name":"quote"}',
    "list": '{"files":["version",":","9"],"version":["8"],"name":"list"}',
}


def test_a_package_of_npm_has_its_own_version_and_its_own_name(root):
    for name, text in MODULES.items():
        make(root, f"/srv/web/node_modules/{name}/package.json", text=text, mode=stat.S_IRUSR)
    store = root / "srv/web/node_modules/.pnpm"
    for name in ("file+..+local@1.0.0", "@babel+core@7.1.0(x@1)", "lodash@4.17.21"):
        (store / name).mkdir(parents=True)
    items = told(root, "languages")["npm"].items
    assert {key.partition("@/srv")[0]: item["version"] for key, item in items.items()} == {
        "npm/@angular/cli": "17.0.0",
        "npm//noversion": "",
        "npm//real-name": "2.0.0",
        "npm//esc": "1.0.0-a",
        "npm//left-pad": "1.3.0",
        "npm//quote": "3.2.1",
        "npm//list": "",
        "npm//local": "1.0.0",
        "npm/@babel/core": "7.1.0",
        "npm//lodash": "4.17.21",
    }


INFO = "usr/lib/python3.12/site-packages/six-1.16.0.dist-info"
LISTS = {
    "/lib/apk/db/installed": f"P:py3-six\nV:1\nF:{INFO}\nR:METADATA\n\n",
    "/var/lib/pacman/local/py3-six-1.16.0-2/files": f"%FILES%\nusr/\n{INFO}/\n{INFO}/METADATA\n",
}


@pytest.mark.parametrize("place", LISTS)
def test_a_package_of_python_that_another_manager_brought_names_its_owner(tmp_path, place):
    (tmp_path / INFO).mkdir(parents=True)
    (tmp_path / "usr/lib/python3.12/site-packages/own-1.0.dist-info").mkdir()
    make(tmp_path, place, text=LISTS[place])
    items = told(tmp_path, "unpackaged")["python"].items
    owners = {key.partition("@")[0]: item["owner"] for key, item in items.items()}
    assert owners == {"pypi//six": "py3-six", "pypi//own": ""}
