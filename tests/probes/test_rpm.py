"""The rpm probe: against this machine's rpm over real databases, and against bad answers."""

import base64
import gzip
import lzma
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import framing, rpmdb, sanitize, script
from driftscan.errors import ParseError
from driftscan.machines.directory import at
from driftscan.machines.root import Root
from driftscan.model import Absent, Collected, Denied, Failed, Partial, Payload, Raw
from driftscan.probes import carried as carrying
from driftscan.probes import rpm as probe
from driftscan.probes.twins import rpm as twin
from tests import rpm
from tests.rpmdb import made
from tests.rpmdb.made import FORMS

DATABASE = "database /var/lib/rpm/rpmdb.sqlite"
BASH = (
    "- bash\tx86_64\t\t5.1.8\t6.el9\tbash-5.1.8-6.el9.src.rpm\t1700000000\t1690000000\t{}\tCentOS"
)
SIGNED = "RSA/SHA256, Tue 05 Nov 2024 09:14:31 AM UTC, Key ID 05b555b38483c65d"


def parsed(*lines, files=None, cut=False):
    """The sections of an answer with these lines behind the name of the database."""
    outputs = {"packages": Payload((DATABASE, *lines), cut=cut)}
    texts = {path: Payload(tuple(text.splitlines())) for path, text in (files or {}).items()}
    return probe.parse(Raw(files=texts, outputs=outputs))


def package(name, version="1-1", epoch="", arch="x86_64", installed=7, source="", vendor="(none)"):
    number, release = version.split("-")
    source = source or f"{name}-{version}.src.rpm"
    fields = (name, arch, epoch, number, release, source, installed, 5, "(none)", vendor)
    return "- " + "\t".join(map(str, fields))


def test_a_package_has_its_facts_its_times_and_who_signed_it():
    sections = parsed(BASH.format(SIGNED))
    assert sections["rpm"].items == {
        "bash.x86_64": {
            "version": "5.1.8-6.el9",
            "source": "bash",
            "source_version": "5.1.8-6.el9",
            "architecture": "x86_64",
            "vendor": "CentOS",
            "want": "install",
        }
    }
    assert sections["rpm-times"].items == {
        "bash.x86_64": {"changed": 1700000000, "built": 1690000000, "key": "05b555b38483c65d"}
    }


@pytest.mark.parametrize(
    ("epoch", "version", "source", "told"),
    [
        ("", "9.0-1", "", ("9.0-1", "vim", "9.0-1")),
        ("0", "9.0-1", "", ("9.0-1", "vim", "9.0-1")),
        ("2", "9.0-1", "", ("2:9.0-1", "vim", "2:9.0-1")),
        ("2", "9.0-1", "vim-base-9.1-4.el9.nosrc.rpm", ("2:9.0-1", "vim-base", "9.1-4.el9")),
        ("", "9.0-1", "(none)", ("9.0-1", "vim", "9.0-1")),
    ],
)
def test_epoch_0_is_none_and_the_source_keeps_the_epoch_of_the_same_version(
    epoch, version, source, told
):
    item = parsed(package("vim", version, epoch, source=source))["rpm"].items["vim.x86_64"]
    assert (item["version"], item["source"], item["source_version"]) == told


def test_versions_side_by_side_are_one_item_with_the_newest_first():
    kernels = [package("kernel-core", f"5.14.0-{n}.el9", installed=t) for n, t in ((70, 3), (9, 9))]
    for lines in (kernels, kernels[::-1]):
        sections = parsed(*lines)
        item = sections["rpm"].items["kernel-core.x86_64"]
        assert item["version"] == "5.14.0-70.el9"
        assert item["versions"] == ["5.14.0-70.el9", "5.14.0-9.el9"]
        assert sections["rpm-times"].items["kernel-core.x86_64"]["changed"] == 3


def test_two_architectures_are_two_items():
    both = parsed(package("glibc"), package("glibc", arch="i686"))["rpm"].items
    assert list(both) == ["glibc.i686", "glibc.x86_64"]


def test_keys_that_rpm_trusts_are_set_apart():
    key = package("gpg-pubkey", "8483c65d-5ccc5b19", arch="(none)", source="(none)")
    sections = parsed(key, package("bash"))
    assert list(sections["rpm"].items) == ["bash.x86_64"]
    assert sections["rpm-keys"].items == {"8483c65d": {"changed": 7}}
    assert parsed(key)["rpm"] == Failed(reason="the database of rpm lists keys and no package")


def test_what_is_needed_is_told_by_who_provides_it():
    sections = parsed(
        *(package("nginx"), "r libssl.so.3()(64bit)", "r webserver-config", "r nginx-core"),
        *("r nginx(x86-64)", "p nginx", "p nginx(x86-64)", "p webserver"),
        *("r /bin/sh", "r rpmlib(PayloadIsZstd)", "w (nginx-lang if langpacks)"),
        *(package("openssl-libs"), "p libssl.so.3()(64bit)", "p openssl-libs"),
        *(package("a"), "p webserver-config", package("b"), "p webserver-config"),
        *(package("nginx-lang", arch="noarch"), "p nginx-lang"),
    )
    assert sections["rpm-needs"].items["nginx.x86_64"] == {
        "depends": "a.x86_64 | b.x86_64, openssl-libs.x86_64",
        "recommends": "nginx-lang.noarch",
        "provides": "nginx, webserver",
    }


@pytest.mark.parametrize(
    ("path", "text", "held"),
    [
        ("/etc/dnf/plugins/versionlock.list", "# Added\nbash-0:5.1.8-6.el9.*\n", True),
        ("/etc/dnf/plugins/versionlock.list", "!bash-0:5.1.8-6.el9.*\n", False),
        ("/etc/dnf/plugins/versionlock.list", "bash-completion-1:2.11-4.el9.*", False),
        ("/etc/yum/pluginconf.d/versionlock.list", "0:bash-5.1.8-6.el7.*", True),
        ("/etc/yum/pluginconf.d/versionlock.list", "ba*", True),
        ("/etc/dnf/versionlock.toml", 'version = "1.0"\n[[packages]]\nname = "bash"\n', True),
    ],
)
def test_a_versionlock_holds_the_packages_it_names(path, text, held):
    item = parsed(BASH, files={path: text})["rpm"].items["bash.x86_64"]
    assert item["want"] == ("hold" if held else "install")


def test_what_rpm_complained_about_makes_the_sections_partial():
    sections = parsed(BASH, "! 2 error: rpmdbNextIterator: skipping h# 12")
    assert sections["rpm"] == Partial(
        items=sections["rpm"].items, gaps=["2 error: rpmdbNextIterator: skipping h# 12"]
    )


def test_a_machine_without_rpm_has_none():
    nothing = probe.parse(Raw(outputs={"packages": Payload(())}))
    assert nothing == dict.fromkeys(("rpm", "rpm-times", "rpm-needs", "rpm-keys"), Absent())


def test_no_package_is_never_an_empty_machine():
    told = parsed("! 3 error: cannot open Packages database")["rpm"]
    assert isinstance(told, Failed)
    assert "cannot open Packages database" in told.reason
    assert "there is no rpm that reads it" in parsed()["rpm"].reason


def test_a_closed_database_names_what_opens_it():
    told = parsed("denied /var/lib/rpm/Packages")["rpm"]
    assert told == Denied(cure="read access to /var/lib/rpm/Packages, or --become")


def carried(name, data, *, packed=None):
    """The lines of a file that came over."""
    if packed is None:
        return tuple(carrying.lines(f"/var/lib/rpm/{name}", data))
    return (f"bytes /var/lib/rpm/{name}", *base64.encodebytes(packed).decode().splitlines())


@pytest.mark.parametrize("name", FORMS)
def test_a_database_that_came_over_is_read_here(name):
    blobs = [made.header(b"bash", vendor=b"v" * 900), made.header(b"sed")]
    sections = parsed("! 1 error: of rpm", *carried(name, FORMS[name](*blobs)))
    assert isinstance(sections["rpm"], Collected)
    assert list(sections["rpm"].items) == ["bash.x86_64", "sed.x86_64"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (carried("rpmdb.sqlite", b"", packed=b""), "did not come over whole"),
        (
            carried("rpmdb.sqlite", b"", packed=gzip.compress(bytes(9999))[:20]),
            "not come over whole",
        ),
        (carried("rpmdb.sqlite", b"", packed=b"x" * 50), "did not come over whole"),
        (("bytes rpmdb.sqlite", "*"), "did not come over whole"),
        (carried("rpmdb.sqlite", b"x" * 9999), "no sqlite database"),
        (carried("other", b"x" * 9999), "there is no database of rpm"),
        (carried("Packages", b"", packed=bytes(carrying.PACKED_LIMIT)), "incorrect header"),
    ],
)
def test_a_database_that_did_not_come_over_whole_is_refused(lines, told):
    with pytest.raises(ParseError, match=told):
        parsed(*lines)


@pytest.mark.parametrize(
    "line",
    [
        *("bash", "- bash", "r glibc", BASH.replace("\t", " "), "x " + BASH),
        *(BASH.replace("1700000000", "soon"), BASH.replace("bash\t", "../bash\t")),
    ],
)
def test_a_line_that_rpm_would_not_print_is_named(line):
    with pytest.raises(ParseError, match="expected"):
        parsed(line)


def test_an_answer_that_was_cut_is_refused():
    with pytest.raises(ParseError, match="more than the limit"):
        parsed(BASH, cut=True)


MARKS = st.sampled_from(["- ", "r ", "p ", "w ", "! ", "bytes ", "denied ", ""])
LINE = st.builds(
    lambda mark, fields: mark + "\t".join(fields),
    MARKS,
    st.lists(
        st.sampled_from(["a", "1", "(none)", "", "x86_64"]) | st.text(max_size=5), max_size=11
    ),
)


@given(st.lists(LINE, max_size=6))
def test_whatever_a_host_says_only_parse_errors_escape(lines):
    try:
        sections = parsed(*lines)
    except ParseError:
        return
    assert set(sections) == {about.name for about in probe.GIVES}


# --- the question, asked with this machine's rpm -------------------------------------------------


LOST = "the database of rpm is gone, which is no machine without packages"


def asked(folder, shell="sh", path="", release="ID=debian"):
    """The raw answer of the script, for which `folder` is where rpm keeps its database."""
    questions = script.questions([probe], deadline=60)
    text = questions.script.replace("/usr/lib/sysimage/rpm", "/nonexistent/rpm")
    (folder.parent / "os-release").write_text(f"{release}\n")
    text = text.replace("/etc/os-release", str(folder.parent / "os-release"))
    text = text.replace("/var/lib/rpm", str(folder)).replace(
        "PATH=/usr/sbin", f"PATH={path}/usr/sbin"
    )
    done = subprocess.run(
        [shell, "-s"], input=text.encode(), capture_output=True, timeout=100, start_new_session=True
    )
    assert done.returncode == 0, done.stderr
    return framing.unframe(done.stdout, questions.nonce, [probe])["rpm"]


def state(folder):
    return {p.name: (p.stat().st_mtime_ns, p.stat().st_size) for p in (folder, *folder.iterdir())}


@pytest.fixture
def place(tmp_path):
    """A folder that every account may enter, for rpm as nobody."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == tmp_path.stat().st_uid and folder.name:
            folder.chmod(folder.stat().st_mode | 0o011)
    folder = tmp_path / "rpm"
    folder.mkdir(mode=0o755)
    return folder


def put(place, name, *blobs):
    file = place / name
    file.write_bytes(FORMS[name](*blobs))
    file.chmod(0o644)


BLOBS = [
    made.header(b"bash", requirename=[b"libc.so.6"], providename=[b"bash"], epoch=1),
    made.header(b"glibc", providename=[b"libc.so.6", b"glibc"], recommendname=[b"bash"]),
]


@pytest.mark.parametrize("shell", ["dash", "bash", "zsh"])
def test_the_hosts_own_rpm_and_our_reader_say_the_same(fixtures, place, shell):
    """Beside the database are log and index, which rpm makes as on a machine in use."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed on this machine")
    packed = fixtures / "go-rpmdb/pkg/testdata/amazonlinux2023-plain/rpmdb.sqlite.xz"
    data = lzma.decompress(packed.read_bytes())
    (place / "rpmdb.sqlite").write_bytes(data)
    rpm.packages(rpm.here(), place, "x")
    before = state(place)
    raw = asked(place, shell)
    assert not any(line.startswith("bytes ") for line in raw.outputs["packages"].lines)
    lines = sanitize.lines(rpmdb.answer({"rpmdb.sqlite": data}))
    read = Raw(outputs={"packages": Payload((DATABASE, *lines))})
    assert probe.parse(raw) == probe.parse(read)
    assert state(place) == before


@pytest.mark.parametrize("name", FORMS)
def test_a_database_that_rpm_would_write_beside_or_cannot_read_comes_over(place, name):
    put(place, name, *BLOBS)
    before = state(place)
    sections = probe.parse(asked(place, path="/nonexistent:"))
    assert list(sections["rpm"].items) == ["bash.x86_64", "glibc.x86_64"]
    assert state(place) == before


def test_an_empty_folder_of_rpm_is_no_rpm_but_on_a_system_of_rpm(place):
    (place / ".rpm.lock").touch()
    assert probe.parse(asked(place))["rpm"] == Absent()
    for line in ("ID=fedora", 'ID_LIKE="rhel centos fedora"'):
        section = probe.parse(asked(place, release=line))["rpm"]
        assert section == Failed(reason=f"{place} is empty: {LOST}")


@pytest.mark.parametrize("name", rpmdb.DATABASES)
def test_a_database_of_no_bytes_is_no_machine_without_packages(place, name):
    file = place / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    assert probe.parse(asked(place))["rpm"] == Failed(reason=f"{file} is empty: {LOST}")
    root = place.parent / "root"
    (root / "var/lib").mkdir(parents=True)
    shutil.copytree(place, root / "var/lib/rpm")
    with at(str(root)) as tree:
        lines = tuple(twin.packages(Root(tree)))
    read = probe.parse(Raw(outputs={"packages": Payload(lines)}))["rpm"]
    assert read == Failed(reason=f"/var/lib/rpm/{name} is empty: {LOST}")


# --- captured ------------------------------------------------------------------------------------


def test_every_package_of_the_labs_machine_reads_as_its_rpm_says_it(captured, oracle):
    sections = probe.parse(captured("rpm", "rpm-a"))
    told, times = set(), {}
    for line in oracle("rpm", "rpm-a"):
        name, epoch, version, release, arch, installed = line.split("\t")
        evr = f"{version}-{release}" if epoch == "0" else f"{epoch}:{version}-{release}"
        told.add((f"{name}.{arch}", evr))
        times[f"{name}.{arch}"] = max(times.get(f"{name}.{arch}", 0), int(installed))
    found = sections["rpm"].items
    assert len(told) > 15
    assert {
        (key, evr) for key, item in found.items() for evr in item.get("versions", [item["version"]])
    } == told
    assert {key: item["changed"] for key, item in sections["rpm-times"].items.items()} == times
    assert [key for key, item in found.items() if "versions" in item] == ["kernel-core.x86_64"]
    assert [key for key, item in found.items() if item["want"] == "hold"] == ["nginx-core.x86_64"]
    needs = sections["rpm-needs"].items
    assert needs["openssl-libs.x86_64"]["depends"] == "glibc.x86_64"


def test_a_debian_has_no_rpm(captured):
    assert probe.parse(captured("rpm", "web-a"))["rpm"] == Absent()


def test_a_bomb_is_unpacked_no_further_than_the_limit(monkeypatch):
    monkeypatch.setattr(carrying, "UNPACKED_LIMIT", 1 << 20)
    with pytest.raises(ParseError, match="larger than the limit"):
        parsed(*carried("rpmdb.sqlite", bytes(2 << 20)))
