"""Saved images as one file system: layers merged as engines do it, and every trick refused."""

import gzip
import io
import os
import shutil
import subprocess
import tarfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import scan, script
from driftscan.errors import EngineError, MachineError
from driftscan.machines import image_tree
from driftscan.machines.any_image import AnyImage
from driftscan.machines.directory import at
from driftscan.machines.engine import Engine
from driftscan.machines.reading import Reader
from driftscan.machines.root import Root
from driftscan.model import Collected, Files, Limits, Stats
from driftscan.probes import environment, host
from driftscan.probes.table import PROBES
from tests.machines.test_image_layers import docker_save, oci, tar

LIMITS = Limits(deadline=60)


def no_check():
    """Nothing ends what is read."""


@contextmanager
def tree(archive):
    """The root file system in the bytes of an archive."""
    stream = io.BufferedReader(io.BytesIO(archive))
    yield Root(image_tree.load(stream, io.BytesIO(), no_check))


def contents(archive):
    """Every path of an image with what is there: bytes, a link's target, or its kind."""
    with tree(archive) as root:
        return dict(_walked(root, ""))


def _walked(root, directory):
    for name in root.names(directory or "/"):
        path = f"{directory}/{name}"
        node = root.lstat(path)
        kind = node.mode >> 12
        if kind == 0o4:
            yield path, "directory"
            yield from _walked(root, path)
        else:
            yield path, root.read(path, 1000) if kind == 0o10 else node.target or "special"


def member(name, kind, **fields):
    """A tar of one member of any type."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        info = tarfile.TarInfo(name)
        info.type = kind
        for field, value in fields.items():
            setattr(info, field, value)
        made.addfile(info)
    return buffer.getvalue()


def test_upper_layers_replace_add_and_remove():
    lower = tar(("etc", None), ("etc/a", b"1"), ("etc/b", b"1"), ("opt/x/y", b"1"), ("old", b"1"))
    upper = tar(("etc/a", b"2"), ("etc/c", b"2"), ("etc/.wh.b", b""), ("opt/.wh.x", b""))
    assert contents(docker_save(lower, upper)) == {
        "/etc": "directory",
        "/etc/a": b"2",
        "/etc/c": b"2",
        "/old": b"1",
        "/opt": "directory",
    }


def test_an_opaque_directory_hides_the_lower_one_wherever_its_mark_stands():
    lower = tar(("d/old", b"1"), ("d/sub/old", b"1"))
    for upper in (
        tar(("d/.wh..wh..opq", b""), ("d/new", b"2")),
        tar(("d/new", b"2"), ("d/.wh..wh..opq", b"")),
    ):
        assert contents(docker_save(lower, upper)) == {"/d": "directory", "/d/new": b"2"}


def test_a_whiteout_never_takes_what_its_own_layer_brings():
    assert contents(docker_save(tar(("a", b"1")), tar(("a", b"2"), (".wh.a", b""))))["/a"] == b"2"


def test_files_and_directories_take_each_others_place():
    lower = tar(("a/b", b"1"), ("c", b"1"))
    upper = tar(("a", b"2"), ("c/d", b"2"))
    assert contents(docker_save(lower, upper)) == {"/a": b"2", "/c": "directory", "/c/d": b"2"}


def test_what_is_put_below_a_link_to_a_directory_goes_there():
    lower = tar(("usr/lib", None), ("lib", "usr/lib"), ("abs", "/usr"))
    upper = tar(("lib/new", b"2"), ("abs/lib/other", b"2"))
    found = contents(docker_save(lower, upper))
    assert found["/lib"] == "usr/lib"
    assert found["/usr/lib/new"] == b"2"
    assert found["/usr/lib/other"] == b"2"


def test_a_hard_link_is_the_file_that_it_names_also_of_a_lower_layer():
    linked = member("b", tarfile.LNKTYPE, linkname="./a")
    assert contents(docker_save(tar(("a", b"1")), linked)) == {"/a": b"1", "/b": b"1"}
    with pytest.raises(EngineError, match="a hard link to nothing: a"):
        contents(docker_save(linked))


def test_owners_modes_times_and_the_configuration_come_from_the_headers():
    layer = member("f", tarfile.REGTYPE, mode=0o4750, uid=33, gid=44, mtime=1234567890.9)
    found = image_tree.load(io.BytesIO(docker_save(layer)), io.BytesIO(), no_check)
    node = found.node("/f")
    assert (node.mode, node.uid, node.gid, node.mtime) == (0o104750, 33, 44, 1234567890)
    assert (found.environment, found.search, found.machine) == (("A=b",), "", "")
    assert found.created.startswith("2026-11-23")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_oci_layout_is_one_file_system(pack):
    found = contents(oci(pack(tar(("a", b"1"), ("b", b"1"))), pack(tar((".wh.a", b"")))))
    assert found == {"/b": b"1"}


def zstd(data):
    program = shutil.which("zstd")
    if program is None:
        pytest.skip("no zstd(1) here to make such a layer with")
    return subprocess.run([program, "-qc"], input=data, capture_output=True, check=True).stdout


def test_a_layer_and_a_whole_archive_with_zstd_are_read():
    layer = tar(("a", os.urandom(3 << 20)), ("b", b"1"))
    assert contents(oci(zstd(layer)))["/b"] == b"1"
    assert contents(zstd(docker_save(layer)))["/b"] == b"1"


def test_zstd_that_nothing_here_unpacks_is_told(monkeypatch):
    layer = zstd(tar(("a", b"1")))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("sys.version_info", (3, 11))
    with pytest.raises(
        EngineError, match=r"compressed with zstd: install zstd, or use Python 3\.14"
    ):
        contents(oci(layer))


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/../out", "..", "./../x"])
def test_a_path_that_leads_out_of_the_image_is_refused(name):
    with pytest.raises(EngineError, match="a layer leads out of the image"):
        contents(docker_save(member(name, tarfile.REGTYPE)))


def test_links_lead_nowhere_but_into_the_image():
    layer = tar(("etc/real", b"in"), ("abs", "/etc/real"), ("up", "../../../etc/real"), ("l", "l"))
    with tree(docker_save(layer)) as root:
        assert root.read("/abs", 10) == root.read("/up", 10) == b"in"
        assert root.stat("/l") is None
        assert root.read("/up/../etc/passwd", 10) == b""


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_told_and_never_opened(kind, tmp_path):
    path = tmp_path / "image.tar"
    path.write_bytes(docker_save(member("dev/sda", kind, devmajor=8, devminor=0)))
    probe = SimpleNamespace(NAME="made", ASK=(Files(("/dev/*",)), Stats("s", ("/dev",), "sda")))
    questions = script.questions((probe,), deadline=60)
    answer = Reader(partial(image_tree.of_archive, str(path))).ask(questions, LIMITS)
    raw = scan.unframed(answer, questions, (probe,))["made"]
    assert raw.gaps == {"/dev/sda": "special"}
    assert len(raw.outputs["s"].lines) == 1


@pytest.mark.case("H36")
def test_bombs_end_at_a_limit(monkeypatch):
    bomb = gzip.compress(tar(("zeros", bytes(20 << 20))))
    monkeypatch.setattr(image_tree, "_MOST_BYTES", 10 << 20)
    with pytest.raises(EngineError, match="its files have more than 0 GB"):
        contents(docker_save(bomb))
    monkeypatch.setattr(image_tree, "_MOST_FILES", 5)
    with pytest.raises(EngineError, match="it has more than 5 files"):
        contents(docker_save(tar(*((f"f{n}", b"") for n in range(6)))))


@pytest.mark.case("H26", "H36")
@pytest.mark.parametrize(
    "document",
    [
        "[" * 200_000,
        "[]",
        "{}",
        "5",
        "NaN",
        '"text"',
        '[{"Config": [], "Layers": 5}]',
        '[{"Config": "c", "Layers": [{}]}]',
        "9" * 5000,
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("name", ["manifest.json", "index.json"])
def test_a_document_of_an_image_that_no_engine_wrote_is_told(name, document):
    data = document if isinstance(document, bytes) else document.encode()
    with pytest.raises(EngineError, match="the saved image cannot be read: "):
        contents(tar((name, data)))


@pytest.mark.case("H26", "H36")
@pytest.mark.parametrize(
    "config",
    [
        "[" * 200_000,
        "[]",
        "5",
        '{"config": 5}',
        '{"config": {"Env": 5}}',
        '{"config": {"Env": [5]}}',
    ],
)
def test_a_configuration_of_an_image_that_no_engine_wrote_is_told(config):
    manifest = b'[{"Config": "c.json", "Layers": []}]'
    with pytest.raises(EngineError, match="the saved image cannot be read: "):
        contents(tar(("manifest.json", manifest), ("c.json", config.encode())))


def test_links_among_directories_end():
    layer = tar(("a", "b"), ("b", "a"))
    assert contents(docker_save(layer, tar(("a/x", b"1"))))["/a/x"] == b"1"


def asked(opened):
    probe = SimpleNamespace(NAME="made", ASK=(Files(("/etc/*",)),))
    questions = script.questions((probe,), deadline=60)
    answer = Reader(opened).ask(questions, LIMITS)
    return dict(scan.unframed(answer, questions, (probe,))["made"].files)


def test_the_tar_of_a_root_directory_is_read_as_one(tmp_path):
    path = tmp_path / "export.tar"
    path.write_bytes(tar(("etc", None), ("etc/x", b"1\n")))
    assert asked(partial(image_tree.of_archive, str(path)))["/etc/x"].lines == ("1",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no archive at all", "cannot be read"),
        (docker_save(tar(("etc/x", b"1")))[:2000], "cannot be read"),
        (docker_save(gzip.compress(tar(("etc/x", b"1")))[:-30]), "cannot be read"),
        (docker_save(b"\x1f\x8b no gzip"), "cannot be read"),
        (None, "no such file"),
    ],
)
def test_an_archive_that_is_broken_or_missing_is_told(tmp_path, content, told):
    path = tmp_path / "image.tar"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MachineError, match=told) as error:
        asked(partial(image_tree.of_archive, str(path)))
    assert "docker save" in error.value.cure


# --- against the file system itself ------------------------------------------------------------

PARTS = st.sampled_from(["a", "b", "a/b", "b/a", "a/b/a", "b/a/b"])
MEMBER = st.one_of(
    st.tuples(PARTS, st.sampled_from([b"1", b"22", None])),
    st.tuples(PARTS, st.sampled_from(["gone", "opaque"])),
)
LAYERS = st.lists(st.lists(MEMBER, max_size=4, unique_by=lambda one: one[0]), max_size=3)


def applied(layer, folder):
    """What engines do: whiteouts first, then what the layer brings, a file over a directory."""
    for name, what in layer:
        if what == "opaque" and (folder / name).is_dir():
            cleared(folder / name)
            (folder / name).mkdir()
        elif what == "gone":
            cleared(folder / name)
    for name, what in layer:
        if not isinstance(what, str):
            for above in reversed(Path(name).parents):
                made(folder / above)
            brought(folder / name, what)


def brought(path, content):
    if content is None:
        made(path)
    else:
        cleared(path)
        path.write_bytes(content)


def cleared(path):
    if path.is_dir():
        shutil.rmtree(path)
    elif path.is_file():
        path.unlink()


def made(path):
    if not path.is_dir():
        cleared(path)
        path.mkdir()


def written(layer):
    marks = {"gone": "{0}/.wh.{1}", "opaque": "{0}/{1}/.wh..wh..opq"}
    rows = []
    for name, what in layer:
        directory, _, base = f"./{name}".rpartition("/")
        mark = isinstance(what, str)
        rows.append((marks[what].format(directory, base), b"") if mark else (name, what))
    return tar(*rows)


@given(layers=LAYERS)
def test_layers_merge_as_if_each_were_unpacked_over_the_one_before(tmp_path_factory, layers):
    folder = tmp_path_factory.mktemp("root")
    for layer in layers:
        applied(layer, folder)
    with at(str(folder)) as directory:
        expected = dict(_walked(Root(directory), ""))
    assert contents(docker_save(*map(written, layers))) == expected


# --- which way an image is asked ---------------------------------------------------------------

STATUS = b"""Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4

"""


@pytest.fixture
def engine(tmp_path):
    """An engine with one image, whose client says these lines of sh when told to run it."""
    layer = tar(("var/lib/dpkg/status", STATUS), ("etc/os-release", b"ID=debian\n"))
    (tmp_path / "image.tar").write_bytes(docker_save(layer))

    def engine(run, architecture="amd64"):
        inspected = f'[{{"Architecture": "{architecture}", "Config": {{"Env": ["A=b"]}}}}]'
        path = tmp_path / "docker"
        path.write_text(
            f"""#!/bin/sh
            echo "$1" >> {tmp_path}/calls
            case "$1 $2" in
              version*) echo amd64 ;;
              'image inspect') echo '{inspected}' ;;
              'image save') cat {tmp_path}/image.tar ;;
              run*) {run} ;;
            esac
            """
        )
        path.chmod(0o755)
        return Engine(str(path), "docker")

    return engine


def fingerprint(machine, probes=PROBES):
    questions = script.questions(probes, deadline=60)
    answer = machine.ask(questions, LIMITS)
    return scan.fingerprint(
        answer, questions, probes, target="x", kind="image", address="x", taken="x"
    )


@pytest.mark.parametrize(
    "refusal",
    [
        'exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown.',
        "standard_init_linux.go:228: exec user process caused: exec format error",
    ],
)
def test_an_image_that_cannot_be_run_is_read(engine, refusal):
    found = fingerprint(AnyImage(engine(f"echo '{refusal}' >&2; exit 127"), "sha256:12ab"))
    assert found.facts["dpkg"].items["base-files"]["version"] == "12.4"
    assert found.facts["environment"] == Collected(items={"system/A": {"value": "b"}})
    assert "kernel" not in found.facts


def test_an_image_of_another_architecture_is_never_run(engine, tmp_path):
    found = fingerprint(AnyImage(engine("exec sh -s", "arm64"), "sha256:12ab"))
    assert list(found.facts["dpkg"].items) == ["base-files"]
    assert "run" not in (tmp_path / "calls").read_text().split()


def test_an_image_that_is_run_has_its_env_too(engine):
    run = 'while [ "$1" != -s ]; do shift; done; exec sh -s'
    found = fingerprint(AnyImage(engine(run), "sha256:12ab"), (host, environment))
    assert found.facts["environment"].items["system/A"] == {"value": "b"}


def test_an_engine_that_fails_is_told_and_its_image_not_read(engine, tmp_path):
    with pytest.raises(MachineError) as error:
        fingerprint(AnyImage(engine("echo 'no such image' >&2; exit 125"), "sha256:12ab"))
    assert error.value.state == "unreachable"
    assert "image save" not in (tmp_path / "calls").read_text()


def test_what_is_stopped_before_it_begins_reads_nothing(engine):
    machine = AnyImage(engine("exit 1"), "sha256:12ab", read=True)
    machine.close()
    with pytest.raises(MachineError) as error:
        fingerprint(machine)
    assert error.value.state == "interrupted"


@pytest.mark.parametrize(("pack", "kept"), [(bytes, b""), (gzip.compress, b"one")])
def test_files_of_plain_layers_in_a_file_are_read_where_they_are(tmp_path, pack, kept):
    """Without a copy; those of a stream, or of a packed layer, are kept beside it."""
    data = oci(pack(tar(("a", b"one"))))
    (tmp_path / "image.tar").write_bytes(data)
    spool = io.BytesIO()
    with (tmp_path / "image.tar").open("rb") as archive:
        found = image_tree.load(archive, spool, no_check)
        assert (found.read("/a", 100), found.read("/a", 2)) == (b"one", b"on")
    assert spool.getvalue() == kept
