"""The os probe against real machines and every os-release file that other projects collected."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import ParseError
from driftscan.model import Collected, Denied, Failed, Partial, Payload, Raw
from driftscan.probes import apt_sources, os, reading


def release(*lines, path="/etc/os-release"):
    return os.parse(Raw(files={path: Payload(lines)}))["os"].items["release"]


@pytest.mark.parametrize("machine", ["web-a", "web-b", "trixie", "alpine"])
def test_a_machine_reads_as_its_shell_reads_it(captured, oracle, machine):
    sections = os.parse(captured("os", machine))
    assert isinstance(sections["os"], Collected)
    told = dict(line.split("=", 1) for line in oracle("os", machine))
    items = sections["os"].items
    fields = ("id", "version_id", "codename", "pretty", "point")
    assert [items["release"].get(field, "") for field in fields] == [told[f] for f in fields]
    assert items["architecture"] == {"name": told["architecture"]}
    assert items["libc"] == {"kind": told["libc"], "version": told["libc_version"]}
    assert sections["kernel"].items == {
        "kernel": {"release": told["kernel"], "version": told["kernel_version"]}
    }


def test_every_known_os_release_file_is_read(fixtures):
    """What does not parse was judged: notes of its collector, not os-release files."""
    folders = {
        "os-release-zoo": "os-release-zoo/*/*",
        "chef": "chef-os_release/*",
        "claircore": "claircore/**/os-release",
        "syft": "syft/**/os-release",
        "alpine": "alpine-quicksand/**/os-release",
    }
    read, refused = 0, set()
    for glob in folders.values():
        files = [path for path in sorted(fixtures.glob(glob)) if path.is_file()]
        assert files, glob
        for path in files:
            lines = path.read_text(encoding="utf-8").split("\n")
            values, odd = reading.os_release(lines, path.name)
            if odd:
                refused.add(path.name)
            else:
                assert path.stat().st_size == 0 or values, path
                read += 1
    assert refused == {
        # Prose that says that this release has no os-release file.
        "centos-6.not-supported",
        "scientific-6.5.not-supported",
        # Symbolic links of the collection, stored as files that hold the link's target.
        "kubuntu-16.04.txt",
        "kubuntu-17.04.txt",
        "ubuntu-gnome-16.04.txt",
        "ubuntu-mate-16.04.txt",
    }
    assert read > 180


def test_known_files_read_as_sh_would_assign_them(fixtures):
    """shlex is the oracle, for the files that are valid sh."""
    compared = 0
    for path in sorted(fixtures.glob("chef-os_release/*")):
        lines = [line for line in path.read_text().split("\n") if line.strip()]
        expected = {}
        for line in lines:
            words = shlex.split(line, comments=True)
            expected |= dict(word.split("=", 1) for word in words)
        assert reading.os_release(lines, path.name) == (expected, []), path
        compared += 1
    assert compared > 70


def test_quotes_escapes_comments_and_blanks_follow_the_manual_page():
    item = release(
        "# comment", "", "ID=debian", "VERSION_ID='12'", r'PRETTY_NAME="a \"b\" \$c \\ \`d\` \e"'
    )
    assert item == {"id": "debian", "version_id": "12", "pretty": r'a "b" $c \ `d` \e'}


def test_a_later_assignment_wins():
    assert release("ID=a", "ID=b") == {"id": "b"}


def test_a_release_without_id_is_called_linux_as_the_manual_page_says():
    assert release("NAME=x") == {"id": "linux"}


def test_an_old_debian_tells_its_codename_in_brackets():
    assert release('VERSION="8 (jessie)"', "ID=debian")["codename"] == "jessie"


def test_the_file_in_etc_goes_before_the_one_in_usr_lib():
    files = {
        "/etc/os-release": Payload(("ID=changed",)),
        "/usr/lib/os-release": Payload(("ID=vendor",)),
    }
    assert os.parse(Raw(files=files))["os"].items["release"] == {"id": "changed"}


@pytest.mark.parametrize("line", ["ID", "ID=$(id)", 'ID="a', "ID=`id`", "export ID=a", 'ID="a" b'])
def test_a_line_that_is_no_assignment_is_a_gap_of_the_release_alone(line):
    lines = Payload(("ID=debian", line, "VERSION_CODENAME=bookworm"))
    machine = Payload(("release 6.1", "version 1", "architecture x86_64"))
    raw = Raw(files={"/etc/os-release": lines}, outputs={"machine": machine})
    sections = os.parse(raw)
    assert isinstance(sections["os"], Partial)
    assert sections["os"].items["release"] == {"id": "debian", "codename": "bookworm"}
    assert [gap.partition(": ")[0] for gap in sections["os"].gaps] == ["/etc/os-release:2"]
    assert isinstance(sections["kernel"], Collected)
    sources = Payload(("deb http://deb.debian.org/debian bookworm main",))
    found = apt_sources.parse(Raw(files={**raw.files, "/etc/apt/sources.list": sources}))
    assert list(found["repositories"].items) == ["Debian/bookworm/main"]


def test_a_release_of_which_no_line_is_an_assignment_is_not_known():
    section = os.parse(Raw(files={"/etc/os-release": Payload(("evil",))}))["os"]
    assert "release" not in section.items
    assert section.gaps[0] == "/etc/os-release:1: expected NAME=value, got 'evil'"


def test_an_unreadable_os_release_is_denied_not_missing():
    sections = os.parse(Raw(gaps={"/etc/os-release": "denied"}))
    assert sections["os"] == Denied(cure="read access to /etc/os-release")


def test_files_alone_leave_architecture_and_c_library_unknown():
    sections = os.parse(Raw(files={"/etc/os-release": Payload(("ID=debian",))}))
    assert isinstance(sections["os"], Partial)
    assert isinstance(sections["kernel"], Failed)


def test_an_unknown_answer_is_named():
    with pytest.raises(ParseError, match="'nonsense'"):
        os.parse(Raw(outputs={"machine": Payload(("nonsense",))}))


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"))),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"))),
)
def test_whatever_a_host_says_only_parse_errors_escape(lines, answers):
    raw = Raw(
        files={"/etc/os-release": Payload(tuple(lines)), "/etc/debian_version": Payload(())},
        outputs={"machine": Payload(tuple(answers))},
    )
    try:
        sections = os.parse(raw)
    except ParseError:
        return
    assert set(sections) == {about.name for about in os.GIVES}
