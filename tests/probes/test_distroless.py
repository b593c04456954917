"""Packages of images without dpkg: real descriptions, dpkg-deb's own words, and bad input."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Absent, Denied, Failed, Payload, Raw
from driftscan.probes import distroless

PLACE = "/var/lib/dpkg/status.d"


def raw(*lines, cut=False):
    return Raw(outputs={"pieces": Payload(tuple(lines), cut=cut)})


def from_folder(folder):
    """What the question would be answered for the files of a folder."""
    asked = re.compile(distroless.ASK[0].regex)
    lines = [
        f"{PLACE}/{path.name}:{line}"
        for path in sorted(folder.iterdir())
        for line in path.read_text(encoding="utf-8", errors="backslashreplace").split("\n")
        if asked.search(line)
    ]
    return distroless.parse(raw(*lines))["dpkg"]


def test_every_package_reads_as_dpkg_deb_says_it(captured, oracle):
    items = distroless.parse(captured("distroless", "distroless"))["dpkg"].items
    told = [line.split("\t") for line in oracle("distroless", "distroless")]
    fields = ("version", "architecture", "source", "source_version")
    assert {name: tuple(item[field] for field in fields) for name, item in items.items()} == {
        name: tuple(rest) for name, *rest in told
    }
    assert len(told) == 6
    assert {item["status"] for item in items.values()} == {"installed"}


def test_needs_are_told_as_dpkg_has_them(captured):
    needs = distroless.parse(captured("distroless", "distroless"))["dpkg-needs"].items
    assert needs["libsqlite3-0"]["depends"].startswith("libc6 (>= ")


def test_a_machine_without_the_folder_has_no_such_packages(captured):
    sections = distroless.parse(captured("distroless", "web-b"))
    assert sections == {about.name: Absent() for about in distroless.GIVES}


def test_a_folder_that_may_not_be_read_is_denied(captured):
    for section in distroless.parse(captured("distroless", "distroless-closed")).values():
        assert section == Denied(cure=f"read access to {PLACE}, or --become")


def test_more_than_the_limit_fails():
    section = distroless.parse(raw(cut=True))["dpkg"]
    assert section == Failed(reason=f"{PLACE} is larger than the limit")


SYFT = "syft/syft/pkg/cataloger/debian/testdata/image-distroless-deb/var/lib/dpkg/status.d"
COVERAGE = "syft/cmd/syft/internal/test/integration/testdata/image-pkg-coverage/pkgs"


@pytest.mark.parametrize("path", [SYFT, f"{COVERAGE}/var/lib/dpkg/status.d"])
def test_images_of_other_projects_give_what_their_text_gives(fixtures, path):
    folder = fixtures / path
    told = {}
    for file in folder.iterdir():
        fields = dict(re.findall(r"^(Package|Version): (.*)$", file.read_text(), re.MULTILINE))
        if "Package" in fields:
            told[fields["Package"]] = fields["Version"]
    items = from_folder(folder).items
    assert {name: item["version"] for name, item in items.items()} == told != {}


@pytest.mark.parametrize("line", ["x", f"{PLACE}/a:Version: 1", f"{PLACE}/a:Package: ../a"])
def test_what_is_no_description_is_named(line):
    with pytest.raises(ParseError):
        distroless.parse(raw(line))


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"))
FIELD = st.sampled_from(["Package: a", "Version: 1", "Architecture: all", "Status: x"])


@given(st.lists(LINE | FIELD.map(f"{PLACE}/a:{{}}".format)))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        sections = distroless.parse(raw(*lines))
    except ParseError:
        return
    assert set(sections) == {about.name for about in distroless.GIVES}
