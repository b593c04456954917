"""Saved images read as streams: real archives, and every trick a layer can play."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import EngineError
from driftscan.machines import image_layers

CAPTURED = Path(__file__).parent / "captured"
STATUS = "var/lib/dpkg/status"
REAL = sorted(path.name for path in CAPTURED.glob("*.tar.gz"))


def tar(*members, gz=False):
    """A tar of (name, content): bytes a file, None a directory, text a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            made.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    data = buffer.getvalue()
    return gzip.compress(data) if gz else data


CONFIG = {"created": "2026-11-23T17:20:00.5Z", "config": {"Env": ["A=b"]}}


def docker_save(*layers, history=None):
    """What `docker save` writes for these layers: configuration first, manifest last."""
    history = history or [{"created_by": f"RUN {n}"} for n in range(len(layers))]
    names = [f"{n:064x}/layer.tar" for n in range(len(layers))]
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": names}]
    return tar(
        ("c.json", json.dumps({**CONFIG, "history": history}).encode()),
        *zip(reversed(names), reversed(layers), strict=True),
        ("manifest.json", json.dumps(manifest).encode()),
    )


def oci(*layers, nested=True):
    """An OCI layout with an index in the index and an attestation beside the image."""
    blobs = {f"{n:064x}": layer for n, layer in enumerate(layers)}
    config = {**CONFIG, "history": [{"created_by": "x"}] * len(layers)}
    blobs["c" * 64] = json.dumps(config).encode()
    image = {
        "config": {"digest": "sha256:" + "c" * 64},
        "layers": [{"digest": f"sha256:{n:064x}"} for n in range(len(layers))],
    }
    blobs["a" * 64] = json.dumps(image).encode()
    attestation = {
        "digest": "sha256:" + "e" * 64,
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    }
    index = {"manifests": [attestation, {"digest": "sha256:" + "a" * 64}]}
    if nested:
        blobs["b" * 64] = json.dumps(index).encode()
        index = {"manifests": [{"digest": "sha256:" + "b" * 64}]}
    return tar(
        *((f"blobs/sha256/{name}", content) for name, content in blobs.items()),
        ("index.json", json.dumps(index).encode()),
        ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
    )


def read(archive, *wanted):
    return image_layers.read(io.BytesIO(archive), wanted or (STATUS,))


def states(*layers, path=STATUS):
    return list(image_layers.states(read(docker_save(*layers), path).layers, path))


@pytest.mark.parametrize("name", REAL)
def test_real_archives_tell_the_file_as_of_each_layer(name):
    # FROM scratch; COPY one status; COPY one elsewhere; COPY two status
    saved = read(gzip.decompress((CAPTURED / name).read_bytes()))
    first, unchanged, last = image_layers.states(saved.layers, STATUS)
    assert first.count(b"Package:") == 1
    assert unchanged is first
    assert last.count(b"Package:") == 2
    assert [entry.layer for entry in saved.history] == [0, 1, 2]
    assert all("COPY" in entry.text for entry in saved.history)
    assert saved.created.startswith("2026-11-")


def test_there_are_real_archives_of_both_engines_and_both_layouts():
    assert len(REAL) == 4


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("gz", [True, False])
def test_an_oci_layout_is_read_through_its_indexes(nested, gz):
    saved = read(oci(tar((STATUS, b"1"), gz=gz), tar((STATUS, b"2"), gz=gz), nested=nested))
    assert list(image_layers.states(saved.layers, STATUS)) == [b"1", b"2"]


def test_a_layer_that_is_a_link_to_another_is_that_one():
    archive = tar(
        ("c.json", json.dumps({**CONFIG, "history": [{}, {}]}).encode()),
        ("1/layer.tar", tar((STATUS, b"1"))),
        ("2/layer.tar", "../1/layer.tar"),
        (
            "manifest.json",
            json.dumps([{"Config": "c.json", "Layers": ["1/layer.tar", "2/layer.tar"]}]).encode(),
        ),
    )
    assert len([layer for layer in read(archive).layers if layer.files]) == 2


@pytest.mark.parametrize(
    "gone",
    [
        "var/lib/dpkg/.wh.status",
        "var/lib/.wh.dpkg",
        "var/.wh.lib",
        ".wh.var",
        "./var/lib/.wh.dpkg",
        "/var/lib/.wh.dpkg",
        "var/lib/dpkg/.wh..wh..opq",
        "var/lib/.wh..wh..opq",
        ".wh..wh..opq",
    ],
)
def test_a_whiteout_of_the_file_or_of_what_it_is_in_removes_it(gone):
    assert states(tar((STATUS, b"1")), tar((gone, b"")), tar(("etc/x", b""))) == [b"1", None, None]


@pytest.mark.parametrize(
    "other", ["var/lib/dpkg/.wh.status-old", "var/lib/.wh.dpk", "var/lib/apt/.wh..wh..opq"]
)
def test_a_whiteout_of_something_else_changes_nothing(other):
    assert states(tar((STATUS, b"1")), tar((other, b""))) == [b"1", b"1"]


def test_what_a_layer_brings_outlives_its_own_whiteouts_in_either_order():
    opaque, file = ("var/lib/dpkg/.wh..wh..opq", b""), (STATUS, b"2")
    assert states(tar((STATUS, b"1")), tar(opaque, file))[-1] == b"2"
    assert states(tar((STATUS, b"1")), tar(file, opaque))[-1] == b"2"


def test_a_link_in_the_place_of_the_directory_hides_the_file():
    assert states(tar((STATUS, b"1")), tar(("var/lib/dpkg", "/elsewhere"))) == [b"1", None]


def test_a_link_in_the_place_of_the_file_is_unknown_not_empty():
    first, last = states(tar((STATUS, b"1")), tar((STATUS, "/etc/passwd")))
    assert first == b"1"
    assert isinstance(last, str)
    assert "link" in last


def test_a_layer_that_cannot_be_read_makes_the_file_unknown_until_it_is_written_again():
    broken = b"\x28\xb5\x2f\xfd a zstandard frame that this Python cannot read"
    first, unknown, still, known = states(
        tar((STATUS, b"1")), broken, tar(("etc/x", b"")), tar((STATUS, b"4"))
    )
    assert (first, known) == (b"1", b"4")
    assert isinstance(unknown, str)
    assert isinstance(still, str)


def test_an_empty_layer_is_a_layer():
    assert states(tar(), tar((STATUS, b"1")), b"\0" * 1024) == [None, b"1", b"1"]


def test_names_with_steps_upwards_stay_inside():
    assert states(tar(("../../var/lib/dpkg/status", b"1"))) == [b"1"]


def test_a_history_that_does_not_count_its_layers_is_not_used():
    archive = docker_save(tar(), tar(), history=[{"created_by": "all in one"}])
    assert read(archive).history == ()


def test_metadata_entries_have_no_layer():
    history = [{"created_by": "ENV", "empty_layer": True}, {"created_by": "RUN"}]
    assert [e.layer for e in read(docker_save(tar(), history=history)).history] == [None, 0]


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"not a tar at all" * 100,
        tar(("x", b"")),
        tar(("manifest.json", b"[]")),
        tar(("manifest.json", b"[1")),
        tar(("manifest.json", b'[{"Config": "c.json", "Layers": []}]')),
        tar(("index.json", b'{"manifests": []}')),
        tar(("manifest.json", b'[{"Config": "c", "Layers": []}, {"Config": "c", "Layers": []}]')),
    ],
)
def test_what_is_no_image_is_an_engine_error(archive):
    with pytest.raises(EngineError, match="cannot be read"):
        read(archive)


WHOLE = docker_save(tar((STATUS, b"1" * 2000)), tar((STATUS, b"2" * 2000)))


@given(st.integers(0, len(WHOLE) - 1))
def test_an_archive_cut_anywhere_is_an_error_or_the_same_and_never_something_else(end):
    try:
        cut = read(WHOLE[:end])
    except EngineError:
        return
    assert cut == read(WHOLE)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["write", "whiteout", "opaque"]),
        st.sampled_from(["a", "a/b", "a/b/f", "a/b/g", "a/c"]),
    ),
    max_size=4,
)


@given(st.lists(OPERATIONS, max_size=6))
def test_the_layers_give_what_a_file_system_of_them_would_show(layers):
    shown, expected, made = {}, [], []
    for number, operations in enumerate(layers):
        content = b"%d" % number
        lower, members = dict(shown), []
        for kind, path in operations:
            directory, _, base = path.rpartition("/")
            if kind == "whiteout":
                members.append(((f"{directory}/" if directory else "") + f".wh.{base}", b""))
                lower = {
                    p: c for p, c in lower.items() if p != path and not p.startswith(path + "/")
                }
            elif kind == "opaque" and path in ("a", "a/b"):
                members.append((f"{path}/.wh..wh..opq", b""))
                lower = {p: c for p, c in lower.items() if not p.startswith(path + "/")}
            elif (kind, path) == ("write", "a/b/f"):
                members.append((path, content))
        written = {path: content for kind, path in operations if (kind, path) == ("write", "a/b/f")}
        shown = {**lower, **written}
        made.append(tar(*members))
        expected.append(shown.get("a/b/f"))
    assert states(*made, path="a/b/f") == expected


LOCAL = "var/lib/pacman/local"


def test_the_entries_of_a_folder_come_and_go_with_the_layers():
    archive = docker_save(
        tar((f"{LOCAL}/a-1-1/desc", b"%NAME%"), (f"{LOCAL}/a-1-1/files", b"x"), ("etc/desc", b"")),
        tar((f"{LOCAL}/.wh.a-1-1", b""), (f"{LOCAL}/a-2-1/desc", b"")),
        tar((f"{LOCAL}/.wh..wh..opq", b""), (f"{LOCAL}/b-1-1/desc", b"")),
        tar(("var/lib/.wh.pacman", b"")),
    )
    saved = image_layers.read(io.BytesIO(archive), (STATUS,), (LOCAL,))
    assert [sorted(files) for files in image_layers.trees(saved.layers, (STATUS,), LOCAL)] == [
        [f"{LOCAL}/a-1-1/desc"],
        [f"{LOCAL}/a-2-1/desc"],
        [f"{LOCAL}/b-1-1/desc"],
        [],
    ]


def test_a_folder_is_unknown_from_the_first_layer_that_cannot_be_read():
    saved = image_layers.read(
        io.BytesIO(docker_save(tar((f"{LOCAL}/a-1-1/desc", b"")), b"\x1f\x8bno", tar())),
        (),
        (LOCAL,),
    )
    first, *rest = image_layers.trees(saved.layers, (), LOCAL)
    assert list(first) == [f"{LOCAL}/a-1-1/desc"]
    assert [type(lost) for lost in rest] == [str, str]
