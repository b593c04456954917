"""Which image an archive, a stream or a folder holds; tars that a careless reader cuts short."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import platform
import struct
import tarfile
from functools import partial

import pytest

from driftscan.errors import EngineError, MachineError
from driftscan.machines import image_archive, image_tree
from tests.machines.test_image_layers import docker_save, tar
from tests.machines.test_image_tree import asked, contents, member, no_check, zstd


class Stream(io.RawIOBase):
    """Bytes that can only be read once, as an engine's client gives them."""

    def __init__(self, data):
        self._left = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._left.readinto(buffer)


def streamed(archive):
    """The names at the top of the image in a stream."""
    stream = io.BufferedReader(Stream(archive))
    return image_tree.load(stream, io.BytesIO(), no_check).names("/")


def in_file(archive):
    """The names at the top of the image in a file."""
    return image_tree.load(io.BytesIO(archive), io.BytesIO(), no_check).names("/")


BOTH = pytest.mark.parametrize("names", [streamed, in_file])
PACKED = pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zstd],
    ids=["gzip", "bzip2", "xz", "zstd"],
)


class Layout:
    """An OCI layout that is being made: blobs and an index of descriptors."""

    def __init__(self):
        self.blobs = {}
        self.manifests = []

    def blob(self, content):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def image(self, *layers, tag="", architecture="amd64", config_type=None, seed=""):
        """The descriptor of an image of the layers."""
        config = self.blob({"os": "linux", "architecture": architecture, "x": [tag, seed]})
        if config_type:
            config["mediaType"] = config_type
        manifest = self.blob({"config": config, "layers": [self.blob(one) for one in layers]})
        notes = {"org.opencontainers.image.ref.name": tag} if tag else {}
        return {**manifest, "annotations": notes}

    def add(self, *descriptors):
        self.manifests += descriptors
        return self

    def without(self, descriptor):
        """No blob but the manifest: what a pull of one platform leaves of the others."""
        manifest = json.loads(self.blobs[descriptor["digest"][7:]])
        for part in (manifest["config"], *manifest["layers"]):
            self.blobs.pop(part["digest"][7:], None)
        return self

    def files(self):
        index = json.dumps({"schemaVersion": 2, "manifests": self.manifests}).encode()
        rows = [("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), ("index.json", index)]
        return [*rows, *((f"blobs/sha256/{name}", data) for name, data in self.blobs.items())]

    def tar(self):
        return tar(*self.files())

    def put(self, folder):
        for name, data in self.files():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder


def one(name):
    return gzip.compress(tar((name, b"1")))


# --- names and places of layers ----------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("first", [True, False])
def test_layers_are_what_the_manifest_names_whatever_they_are_called(names, first):
    # go-containerregistry (crane, kaniko): sha256:HEX beside HEX.tar.gz, the manifest last
    manifest = [{"Config": "sha256:ab", "RepoTags": ["x:1"], "Layers": ["12ab.tar.gz", "cd.tar"]}]
    told = ("manifest.json", json.dumps(manifest).encode())
    layers = (("12ab.tar.gz", one("a")), ("cd.tar", tar(("b", b"1"))), ("sha256:ab", b"{}"))
    archive = tar(told, *layers) if first else tar(*layers, told)
    assert sorted(names(archive)) == ["a", "b"]


def test_of_a_file_only_the_layers_that_the_manifest_names_are_read():
    rows = json.dumps([{"Config": "c", "Layers": ["x"]}]).encode()
    archive = tar(("c", b"{}"), ("o.tar", b"no tar"), ("x", one("a")), ("manifest.json", rows))
    assert in_file(archive) == ["a"]


def test_a_root_directory_with_damaged_tars_and_much_json_in_it_is_read_as_one(tmp_path):
    path = tmp_path / "root.tar"
    path.write_bytes(
        tar(("opt/broken.tar", b"no tar" * 200), ("blobs/x", b"\0" * 600), ("etc/x", b"1\n"))
    )
    assert asked(partial(image_tree.of_archive, str(path)))["/etc/x"].lines == ("1",)


@BOTH
def test_a_layer_whose_first_file_has_the_name_of_a_bracket_is_one(names):
    assert sorted(names(docker_save(tar(("[", b"1"), ("{a}", b"1"))))) == ["[", "{a}"]


@BOTH
def test_a_layer_that_is_missing_is_named(names):
    rows = [{"Config": "c", "Layers": ["gone.tar.gz"]}]
    archive = tar(("c", b"{}"), ("manifest.json", json.dumps(rows).encode()))
    with pytest.raises(EngineError, match=r"cannot be read: gone\.tar\.gz of it is missing"):
        names(archive)


# --- which image -------------------------------------------------------------------------------


@BOTH
def test_two_images_of_one_layout_are_told_by_name_and_none_is_read(names):
    layout = Layout()
    layout.add(layout.image(one("a"), tag="a"), layout.image(one("b"), tag="b"))
    with pytest.raises(EngineError, match="it holds 2 images, save only one of them: a, b"):
        names(layout.tar())


@BOTH
def test_two_images_of_one_docker_archive_are_told_by_name(names):
    rows = [{"Config": f"{n}.json", "RepoTags": [f"{n}:1"], "Layers": [f"{n}.tar"]} for n in "ab"]
    parts = [(f"{n}.json", b"{}") for n in "ab"] + [(f"{n}.tar", one(n)) for n in "ab"]
    with pytest.raises(EngineError, match="it holds 2 images, save only one of them: a:1, b:1"):
        names(tar(*parts, ("manifest.json", json.dumps(rows).encode())))


@BOTH
def test_one_image_of_two_names_is_one(names):
    layout = Layout()
    image = layout.image(one("a"))
    for tag in ("1", "latest"):
        layout.add({**image, "annotations": {"org.opencontainers.image.ref.name": tag}})
    assert list(names(layout.tar())) == ["a"]


@BOTH
def test_one_image_whose_layers_are_there_with_gzip_and_with_zstd_is_one(names):
    layout = Layout()
    layout.add(
        layout.image(one("a"), tag="x"), layout.image(bz2.compress(tar(("a", b"1"))), tag="x")
    )
    assert list(names(layout.tar())) == ["a"]


@BOTH
@pytest.mark.parametrize("nested", [True, False])
def test_the_platform_whose_parts_are_there_is_read(names, nested):
    layout = Layout()
    images = [
        {
            **layout.image(one(name), architecture=name),
            "platform": {"os": "linux", "architecture": name},
        }
        for name in ("s390x", "riscv64", "ppc64le")
    ]
    layout.add(*([{**layout.blob({"manifests": images}), "annotations": {}}] if nested else images))
    layout.without(images[0]).without(images[2])
    assert list(names(layout.tar())) == ["riscv64"]


@BOTH
def test_of_several_platforms_this_machines_is_read_and_without_it_all_are_named(
    names, monkeypatch
):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    layout = Layout()
    layout.add(*(layout.image(one(name), architecture=name) for name in ("s390x", "arm64", "arm")))
    assert list(names(layout.tar())) == ["arm64"]
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    with pytest.raises(EngineError, match=r"3 images.*: linux/arm, linux/arm64, linux/s390x"):
        names(layout.tar())


@BOTH
def test_what_stands_beside_an_image_is_none(names):
    layout = Layout()
    signature = layout.image(b"{}", config_type="application/vnd.dev.cosign.simplesigning.v1+json")
    attestation = {
        **layout.image(b"{}", seed="2"),
        "platform": {"os": "unknown", "architecture": "unknown"},
    }
    layout.add(signature, attestation, layout.image(one("a"), tag="x"))
    assert list(names(layout.tar())) == ["a"]


@BOTH
def test_indexes_that_hold_each_other_or_too_much_end(names):
    index = {"manifests": [{"digest": "sha256:" + "a" * 64}] * 200}
    rows = [("index.json", json.dumps(index).encode())]
    rows += [(f"blobs/sha256/{'a' * 64}", json.dumps(index).encode())]
    with pytest.raises(EngineError, match="its indexes hold too many manifests"):
        names(tar(*rows))


@BOTH
def test_a_thousand_names_of_one_large_manifest_are_read_once_and_few_are_told(names, monkeypatch):
    layout, read = Layout(), []
    for tag in range(300):
        layout.add(layout.image(one("a"), tag=f"t{tag:03}"))
    for tag in range(300):
        note = {"org.opencontainers.image.ref.name": f"u{tag:03}"}
        layout.add({**layout.manifests[0], "annotations": note})
    loads = json.loads
    monkeypatch.setattr(image_archive.json, "loads", lambda data: read.append(1) or loads(data))
    with pytest.raises(EngineError, match=r"it holds 300 images.*t009 and 290 more$"):
        names(layout.tar())
    assert len(read) == 1 + 2 * 300


def test_an_image_of_more_layers_than_there_can_be_is_refused():
    rows = [{"Config": "c", "Layers": ["x"] * 1001}]
    with pytest.raises(EngineError, match="an image of 1001 layers"):
        in_file(tar(("c", b"{}"), ("manifest.json", json.dumps(rows).encode())))


# --- folders -----------------------------------------------------------------------------------


def test_a_layout_that_is_a_folder_is_read_and_links_out_of_it_are_not_followed(tmp_path):
    layout = Layout()
    layer = gzip.compress(tar(("etc", None), ("etc/x", b"1\n")))
    folder = layout.add(layout.image(layer)).put(tmp_path / "layout")
    assert asked(partial(image_tree.of_archive, str(folder)))["/etc/x"].lines == ("1",)
    blob = folder / "blobs/sha256" / hashlib.sha256(layer).hexdigest()
    blob.rename(tmp_path / "outside")
    blob.symlink_to(tmp_path / "outside")
    with pytest.raises(MachineError, match="leads out of it"):
        asked(partial(image_tree.of_archive, str(folder)))
    blob.unlink()
    with pytest.raises(MachineError, match=f"{blob.name} of it is missing"):
        asked(partial(image_tree.of_archive, str(folder)))
    os.mkfifo(blob)
    with pytest.raises(MachineError, match="is no file"):
        asked(partial(image_tree.of_archive, str(folder)))


def test_a_folder_that_is_no_image_says_how_a_root_directory_is_named(tmp_path):
    with pytest.raises(MachineError, match=r"no manifest\.json or index\.json") as error:
        asked(partial(image_tree.of_archive, str(tmp_path)))
    assert "rootfs://" in error.value.cure


# --- links across layers -----------------------------------------------------------------------


MERGED = tar(("usr/bin/foo", b"1"), ("usr/bin/bar", b"1"), ("bin", "usr/bin"))


def test_whiteouts_and_hard_links_go_through_links_to_directories_as_engines_have_it():
    linked = member("opt", tarfile.LNKTYPE, linkname="bin/foo")
    assert contents(docker_save(MERGED, linked))["/opt"] == b"1"
    assert "/usr/bin/foo" not in contents(docker_save(MERGED, tar(("bin/.wh.foo", b""))))
    opaque = contents(docker_save(MERGED, tar(("bin/.wh..wh..opq", b""), ("bin/new", b"2"))))
    assert sorted(opaque) == ["/bin", "/usr", "/usr/bin", "/usr/bin/new"]


def test_a_hard_link_within_one_layer_goes_through_links_to_directories():
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as made:
        made.addfile(link("bin", tarfile.SYMTYPE, "usr/bin"))
        info = tarfile.TarInfo("bin/q")
        info.size = 1
        made.addfile(info, io.BytesIO(b"1"))
        made.addfile(link("bin/q2", tarfile.LNKTYPE, "bin/q"))
    assert contents(docker_save(whole.getvalue()))["/usr/bin/q2"] == b"1"


def link(name, kind, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_a_hard_link_to_what_its_own_layer_takes_away_is_the_file_that_was_there():
    moved = io.BytesIO()
    with tarfile.open(fileobj=moved, mode="w") as made:
        made.addfile(link("b", tarfile.LNKTYPE, "a"))
        made.addfile(tarfile.TarInfo(".wh.a"))
    assert contents(docker_save(tar(("a", b"1")), moved.getvalue())) == {"/b": b"1"}


# --- tars that tarfile cuts short --------------------------------------------------------------

FILES = tar(("a", b"1" * 700), ("b", b"2"), ("c", b"3"))
SKIPPABLE = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"about"


@BOTH
@PACKED
@pytest.mark.parametrize("cut", [512, 1536, 1700, 4096])
def test_a_layer_of_several_members_or_frames_is_read_to_its_end(names, pack, cut):
    # eStargz has a gzip member a file, pigz and pzstd may make several
    packed = pack(FILES[:cut]) + pack(FILES[cut:])
    assert list(names(docker_save(packed))) == ["a", "b", "c"]
    if pack is zstd:
        assert list(names(docker_save(SKIPPABLE + packed + SKIPPABLE))) == ["a", "b", "c"]


@BOTH
@PACKED
@pytest.mark.parametrize("cut", [1536, 2560])
def test_a_compressed_layer_that_ends_early_is_an_error_and_not_fewer_files(names, pack, cut):
    packed = pack(FILES[:cut])
    for layer in (packed[: len(packed) - 9], pack(FILES[:512]) + packed[: len(packed) // 2]):
        with pytest.raises(EngineError, match="cannot be read"):
            names(docker_save(layer))


@BOTH
def test_a_damaged_header_is_an_error_and_not_the_end(names):
    layer = FILES[:1540] + b"x" + FILES[1541:]
    with pytest.raises(EngineError, match="a header is damaged"):
        names(docker_save(layer))


@BOTH
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_name_or_header_of_gigabytes_is_refused_before_it_is_read(names, kind):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 5 << 30
    bomb = gzip.compress(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(EngineError, match="a name or header of 5120 MB"):
        names(docker_save(bomb))


@BOTH
def test_a_size_that_leads_back_does_not_loop(names):
    info = tarfile.TarInfo("x")
    info.pax_headers = {"size": "-1024"}
    with pytest.raises(EngineError, match="a header leads back"):
        names(docker_save(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)))


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_odd_names_and_links_are_read_in_both_formats(format_):
    long, odd = "d" * 90 + "/" + "e" * 200, b"caf\xe9".decode("utf-8", "surrogateescape")
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=format_, errors="surrogateescape") as made:
        for name in (long, odd, "f" * 150):
            made.addfile(tarfile.TarInfo(name))
        made.addfile(link("l", tarfile.SYMTYPE, "t" * 300))
        made.addfile(link("h", tarfile.LNKTYPE, "f" * 150))
    found = contents(docker_save(whole.getvalue()))
    assert found["/" + long] == found["/" + odd] == found["/h"] == b""
    assert found["/l"] == "t" * 300


@BOTH
def test_127_layers_are_merged_and_an_image_without_layers_is_empty(names):
    layers = [tar((f"f{n}", b"1"), (f".wh.f{n - 2}", b"")) for n in range(127)]
    assert sorted(names(docker_save(*layers))) == ["f125", "f126"]
    assert list(names(docker_save())) == []


def test_sparse_files_are_read_with_their_holes():
    # the old GNU format: a map of (offset, bytes) in the header, then only the data
    info = tarfile.TarInfo("sparse")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (1024, 512)
    header[483:495] = b"%011o\0" % 1536
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    layer = bytes(header) + b"x" * 512 + bytes(1024)
    found = image_tree.load(io.BytesIO(docker_save(layer)), io.BytesIO(), no_check)
    assert found.node("/sparse").size == 1536
    assert found.read("/sparse", 2000) == bytes(1024) + b"x" * 512
