"""Repositories and keys of apk, from a real machine and in every form that apk reads."""

import hashlib
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Denied, Payload, Raw
from driftscan.probes import apk_repositories

MAIN = "/etc/apk/repositories"


def raw(files=(), keys=(), gaps=None):
    told = {path: Payload(tuple(text.split("\n"))) for path, text in dict(files).items()}
    return Raw(files=told, outputs={"keys": Payload(tuple(keys))}, gaps=gaps or {})


def repositories(*lines, **more):
    sections = apk_repositories.parse(raw({MAIN: "\n".join(lines), **more}))
    return sections["repositories"].items, sections["repository-sources"].items


def test_a_machine_tells_its_repositories_in_order(captured):
    sections = apk_repositories.parse(captured("apk-repositories", "alpine-apk"))
    assert sections["repositories"].items == {
        "apk/v3.23/lab": {"position": 0},
        "apk/edge/lab": {"position": 1, "tag": "edge"},
    }
    assert sections["repository-sources"].items["apk/edge/lab"] == {
        "urls": ["/srv/apks/edge/lab"],
        "places": ["/etc/apk/repositories:2"],
    }


def test_a_key_is_known_by_what_it_is(captured):
    """openssl, on the same text, is the oracle."""
    answer = captured("apk-repositories", "alpine-apk")
    found = apk_repositories.parse(answer)["apk-keys"].items
    files = {}
    for line in answer.outputs["keys"].lines:
        path, _, text = line.partition(".pub:")
        files.setdefault(path.rpartition("/")[2] + ".pub", []).append(text)
    assert len(files) >= 3
    for name, lines in files.items():
        argv = ["openssl", "pkey", "-pubin", "-outform", "DER"]
        der = subprocess.run(argv, input="\n".join(lines).encode(), capture_output=True, check=True)
        assert found[hashlib.sha256(der.stdout).hexdigest()] == {"name": name}


def test_a_mirror_is_no_drift():
    ours, told = repositories("https://dl-cdn.alpinelinux.org/alpine/v3.23/main", "#x", "")
    theirs, _ = repositories("http://mirror.example.org/pub/alpine/v3.23/main/ ")
    assert ours == theirs == {"apk/v3.23/main": {"position": 0}}
    assert told["apk/v3.23/main"]["urls"] == ["https://dl-cdn.alpinelinux.org/alpine/v3.23/main"]


def test_every_form_of_a_line_is_read():
    found, _ = repositories(
        "set -default mirror=https://a.example/alpine/edge",
        "set other=${mirror}/x",
        "v3 ${mirror} main community",
        "v2 @old /media/cdrom/apks",
        "ndx https://a.example/one/two/Packages.adb",
        "default v3",
        "@t https://a.example/only",
    )
    assert found == {
        "apk/edge/main": {"position": 0},
        "apk/edge/community": {"position": 1},
        "apk/cdrom/apks": {"position": 2, "tag": "old"},
        "apk/one/two": {"position": 3},
        "apk/a.example/only": {"position": 4, "tag": "t"},
    }


def test_the_first_of_two_files_of_a_name_counts():
    found, _ = repositories(
        "/a/b/c",
        **{
            "/lib/apk/repositories.d/x.list": "/from/lib",
            "/lib/apk/repositories.d/a.list": "/also/lib",
            "/etc/apk/repositories.d/x.list": "/from/etc",
        },
    )
    assert list(found) == ["apk/b/c", "apk/from/etc", "apk/also/lib"]


def test_two_mirrors_of_a_repository_are_one(captured):
    found, told = repositories("http://a/v3/main", "http://b/v3/main", "http://a/v3/x")
    assert [item["position"] for item in found.values()] == [0, 1]
    assert told["apk/v3/main"]["urls"] == ["http://a/v3/main", "http://b/v3/main"]


@pytest.mark.parametrize("line", ["v3", "@tag", "ndx http://a/b c", "relative/path", "v2 @x"])
def test_a_line_that_apk_refuses_is_named(line):
    with pytest.raises(ParseError, match=re.escape(f"{MAIN}:2: ")):
        repositories("http://a/b", line)


@pytest.mark.parametrize("lines", [["garbage"], ["-----BEGIN PUBLIC KEY-----", "MII"]])
def test_a_file_that_is_no_key_is_named(lines):
    keys = [f"/etc/apk/keys/x.pub:{line}" for line in lines]
    with pytest.raises(ParseError, match=r"^/etc/apk/keys/x\.pub: no public key"):
        apk_repositories.parse(raw(keys=keys))


def test_what_may_not_be_read_is_denied(captured):
    sections = apk_repositories.parse(captured("apk-repositories", "alpine-closed"))
    assert sections["repositories"] == Denied(cure=f"read access to {MAIN}, or --become")
    assert sections["apk-keys"] == Denied(cure="read access to /etc/apk/keys, or --become")


def test_a_machine_without_apk_has_none():
    sections = apk_repositories.parse(raw())
    assert sections == {about.name: Absent() for about in apk_repositories.GIVES}


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
WORDS = st.lists(st.sampled_from(["set", "v3", "@t", "a=b", "${a}", "/x", "ndx", "default"]))


@given(st.lists(LINE | WORDS.map(" ".join)), st.lists(LINE | LINE.map("/k/x.pub:{}".format)))
def test_whatever_a_host_says_only_parse_errors_escape(lines, keys):
    try:
        sections = apk_repositories.parse(raw({MAIN: "\n".join(lines)}, keys))
    except ParseError:
        return
    assert set(sections) == {about.name for about in apk_repositories.GIVES}
