"""Further roots of applications: what the walks tell below them, against stat and sha256sum."""

import shutil
import subprocess
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan import framing, script
from driftscan.errors import ParseError
from driftscan.machines.directory import at
from driftscan.machines.reading import answer
from driftscan.machines.root import Root
from driftscan.model import Collected, Partial, Payload, Raw, Scope, Shell
from driftscan.probes import apps, files, languages, software
from driftscan.probes.table import PROBES, of
from driftscan.probes.twins import apps as twin

NONCE = "0123456789abcdef0123456789abcdef"


def parsed(*lines):
    return apps.parse(Raw(outputs={"roots": Payload(lines)}))["apps"]


def test_each_root_is_told_with_what_is_there(captured):
    section = apps.parse(captured("apps", "apps"))["apps"]
    assert {root: item["state"] for root, item in section.items.items()} == {
        "/data/shop": "directory",
        "/srv/shop": "directory",
        "/data/nowhere": "missing",
        "/data/packaged": "directory",
    }
    assert apps.lost({"apps": section}) == ["/data/nowhere"]


def test_a_root_that_is_closed_is_unknown_and_not_missing():
    assert parsed("closed /a", "other /b") == Partial(
        items={"/b": {"state": "other"}}, gaps=["/a: denied"]
    )


def test_files_below_the_roots_are_as_stat_and_sha256sum_tell(captured, oracle):
    """Each of them once: programs, libraries and archives as software, the rest as files."""
    found = files.parse(captured("files", "apps"))["files"].items
    programs = software.parse(captured("software", "apps"))["software"].items
    links = {path for path, item in found.items() if "target" in item}
    compared = 0
    for line in oracle("apps", "apps"):
        mode, account, size, digest, path, owner = line.split(" ", 5)
        place, _, name = path.rpartition("/")
        if path in links:
            continue
        if name in programs.get(place, {}).get("files", {}):
            assert programs[place]["files"][name] == f"{size} {digest}"
            assert path not in found
        else:
            item = found[path]
            assert (item["mode"], item["account"]) == (mode, account)
            assert item.get("package", "") == owner
            hidden = owner or "/private/" in path or path.endswith(".env")
            assert item.get("digest") == (None if hidden else digest)
        compared += 1
    assert compared == 15
    assert links >= {"/data/shop/conf/current.yml", "/srv/shop/conf/current.yml"}


def test_packages_of_languages_below_the_roots_are_told(captured):
    found = languages.parse(captured("languages", "apps"))
    assert "pypi//requests@/data/shop/venv/lib/python3.11/site-packages" in found["python"].items
    assert "npm//left-pad@/srv/shop/node_modules" in found["npm"].items
    assert found["jars"].items["jar//cart@/data/shop/lib"]["version"] == "1.2.3"


@pytest.mark.parametrize(("probe", "section"), [(software, "software"), (files, "files")])
def test_what_is_closed_below_a_root_is_a_gap_for_who_may_not_look(captured, probe, section):
    as_root = probe.parse(captured(probe.NAME, "apps"))[section]
    as_nobody = probe.parse(captured(probe.NAME, "apps-nobody"))[section]
    assert isinstance(as_root, Collected)
    assert {"/data/shop/closed: denied", "/srv/shop/closed: denied"} <= set(as_nobody.gaps)


def test_without_roots_nothing_more_is_asked():
    assert of(Scope()) is PROBES
    before = {ask.name: ask.body for probe in PROBES for ask in probe.ASK if isinstance(ask, Shell)}
    after = {
        ask.name: ask.body
        for probe in of(Scope(("/data/x",)))
        for ask in probe.ASK
        if isinstance(ask, Shell)
    }
    differ = {name for name in after if after[name] != before.get(name)}
    assert differ == {"roots", "unowned", "walk", "etc"}


@pytest.mark.parametrize("root", ["/a b", "/a;b", "a", "/a/../b", "/", "/a/", "/$x", "/a\n", "/a'"])
def test_a_root_that_a_shell_could_take_for_something_else_never_gets_into_a_script(root):
    with pytest.raises(ValueError, match="not fit"):
        of(Scope((root,)))


# --- the script and its twin ---------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path):
    """An application with a link to it, and a name with a wildcard's character that is none."""
    for name in ("conf/x.yml", "conf/.env", "log/y", ".git/config", "a/b/c/d/e/f/g/h/i/j/k/deep"):
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "shop" / "run").write_text("#!/bin/sh\n")
    (tmp_path / "shop" / "run").chmod(0o755)
    (tmp_path / "shop" / "odd\nname").write_text("")
    (tmp_path / "shop" / "link").symlink_to("conf/x.yml")
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "film").write_bytes(bytes(software.twin.LARGEST + 1))
    (tmp_path / "current").symlink_to("shop")
    (tmp_path / "file").write_text("")
    return tmp_path


ROOTS = ("shop", "current", "nowhere", "file", "big")


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh", "zsh"])
def test_the_walk_of_the_script_and_that_of_its_twin_tell_the_same(shop, shell):
    words = shell.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not on this machine")
    roots = tuple(f"{shop}/{name}" for name in ROOTS)
    walked = _Walked(roots)
    asked = script.questions([walked], deadline=60, nonce=NONCE)
    live = subprocess.run(
        [*words, "-s"],
        input=asked.script.encode(),
        capture_output=True,
        check=True,
        start_new_session=True,
    ).stdout
    with at("/") as store:
        read = b"".join(answer(asked, Root(store, lambda: None)))
    ours, theirs = (framing.unframe(said, NONCE, [walked])["walked"] for said in (live, read))
    assert ours.outputs["roots"] == theirs.outputs["roots"]
    assert sorted(ours.outputs["walk"].lines) == sorted(theirs.outputs["walk"].lines)
    told = {line.removeprefix(f"{shop}/") for line in ours.outputs["walk"].lines}
    assert {"shop/conf/x.yml", "current/run", "big/film", "shop/link"} <= told
    assert not [line for line in told if "log/" in line or ".git" in line]
    assert [line for line in told if line.startswith("deep ")]


class _Walked:
    """The walk alone, with every file and link by its path."""

    NAME = "walked"

    def __init__(self, roots):
        pruned = ("*/log", "*/.git")
        walk = apps.walk(roots, pruned, """! -type d ! -name "*$NL*" -print""")
        self.ASK = (*apps.asked(roots), Shell("walk", walk, partial(_read, roots, pruned)))


def _read(roots, pruned, tree):
    for path, _ in twin.walk(tree, roots, pruned):
        if "\n" not in path:
            yield path


# --- whatever is said ----------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30)
STARTS = st.sampled_from(["directory /", "missing /", "closed /", "deep /", "unwalked", ""])


@settings(max_examples=50)
@given(st.lists(st.builds(str.__add__, STARTS, TEXT), max_size=6))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    for probe, name in ((apps, "roots"), (software, "unowned"), (files, "etc")):
        try:
            sections = probe.parse(Raw(outputs={name: Payload(tuple(lines))}))
        except ParseError:
            continue
        assert set(sections) == {about.name for about in probe.GIVES}
