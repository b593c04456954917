"""The frozen archive of one lab generation: which packages, filled once, kept in the cache."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import shutil
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import base, repack
from tests.lab.archive import MAIN, SUITES, Suite, field, freeze, make_key, stanzas
from tests.lab.engine import Engine
from tests.lab.proxy import Archive, record
from tests.lab.settings import DOCKERFILES, RECIPES, LabError, cache, folder, say

FORMAT = "1"
FRESH = 24 * 3600
# wanted by tests and by the lab itself, beside what the recipes and Dockerfiles install
EXTRA = ("telnetd", "inetutils-telnetd", "strace", "libfaketime")
INSTALL = re.compile(r"apt(?:-get)?\s+[^&|;\n]*?\binstall\s+([^&|;\n]+)")


@dataclass(frozen=True)
class Mirror:
    """One frozen archive on disk."""

    tree: Path
    key: str
    newest: int
    repacked: bool
    architecture: str

    def versions(self, suite: Suite) -> dict[str, str]:
        """The version of each package of a suite: tests ask this, none pins a version."""
        text = (
            suite.dists(self.tree) / "main" / f"binary-{self.architecture}" / "Packages"
        ).read_text()
        return {field(stanza, "Package"): field(stanza, "Version") for stanza in stanzas(text)}


def package_lists() -> list[str]:
    """What each `apt-get install` of recipes and Dockerfiles names, and the extras."""
    files = [*sorted(RECIPES.glob("*.sh")), *sorted(DOCKERFILES.glob("*/Dockerfile"))]
    found = []
    for file in files:
        text = file.read_text().replace("\\\n", " ")
        for words in INSTALL.findall(text):
            names = [word for word in words.split() if re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", word)]
            found.append(" ".join(names))
    return list(dict.fromkeys(line for line in [*found, *EXTRA] if line))


def fetch(url: str, seconds: float = 15) -> bytes:
    """A file of the real archive."""
    with urllib.request.urlopen(url, timeout=seconds) as answer:  # noqa: S310 # our own constants
        return bytes(answer.read())


def cached() -> list[Mirror]:
    """The complete mirrors of the cache, newest first."""
    found = sorted(
        cache().glob("mirrors/[0-9a-f]*/mirror.json"),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    return [load(path.parent) for path in found]


def load(tree: Path) -> Mirror:
    """A complete mirror from its folder."""
    about = json.loads((tree / "mirror.json").read_text())
    signer = hashlib.sha256((tree / "driftscan-lab.gpg").read_bytes()).hexdigest()[:4]
    return Mirror(
        tree, f"{tree.name}-{signer}", about["newest"], about["repacked"], about["architecture"]
    )


def recipe_digest(lists: list[str], architecture: str) -> str:
    """The part of the key that our own files decide."""
    text = "\n".join([FORMAT, architecture, *lists, (RECIPES / "base.sh").read_text()])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def ensure(engine: Engine, refresh: bool = False) -> Mirror:
    """This generation's mirror: a fresh cached one, else that of the InRelease files of now."""
    architecture = base.architecture(engine)
    lists = package_lists()
    ending = recipe_digest(lists, architecture)
    known = [mirror for mirror in cached() if mirror.tree.name.endswith(ending)]
    if (
        known
        and not refresh
        and time.time() - (known[0].tree / "mirror.json").stat().st_mtime < FRESH
    ):
        say(f"mirror: {known[0].key} (cached, checked less than a day ago)")
        return known[0]
    try:
        releases = {suite: fetch(suite.url("InRelease")) for suite in SUITES}
    except OSError as error:
        known = known or [mirror for mirror in cached() if mirror.architecture == architecture]
        if known:
            say(f"mirror: {known[0].key} (cached; the archive cannot be reached: {error})")
            return known[0]
        raise LabError(
            f"{MAIN.url('InRelease')} cannot be reached ({error}) and no mirror is cached "
            f"in {cache()}: connect to the network once"
        ) from error
    key = hashlib.sha256(b"".join(releases.values())).hexdigest()[:8] + ending
    tree = cache() / "mirrors" / key
    if (tree / "mirror.json").exists():
        os.utime(tree / "mirror.json")
        say(f"mirror: {key} (cached, the archive has not changed)")
        return load(tree)
    return make(engine, tree, releases, lists, architecture)


def make(
    engine: Engine, tree: Path, releases: dict[Suite, bytes], lists: list[str], architecture: str
) -> Mirror:
    """Fill a new mirror in a temporary folder, freeze it, then give it its name."""
    began = time.monotonic()
    for left in cache().glob("mirrors/.part-*"):
        shutil.rmtree(left)
    part = folder(tree.parent / f".part-{tree.name}")
    say(
        f"mirror: filling {tree.name} from the Debian archive "
        f"(a minute or two; kept in {tree.parent})"
    )
    signer = make_key(part)
    with recorder(part) as port:
        indexes = {suite: pin(part, suite, releases[suite], architecture) for suite in SUITES}
        base.make(engine, part, port, MAIN.name)
        base.download(engine, part, port, lists)
    repacked = freeze(part, releases, indexes, architecture, signer)
    newest = max(repack.built(deb) for deb in (part / MAIN.archive).rglob("*.deb"))
    about = {"newest": newest, "repacked": repacked, "architecture": architecture, "lists": lists}
    (part / "mirror.json").write_text(json.dumps(about, indent=1) + "\n")
    part.replace(tree)
    count = sum(1 for _ in tree.rglob("*.deb"))
    say(f"mirror: {tree.name} is ready, {count} packages, {time.monotonic() - began:.0f} s")
    return load(tree)


@contextmanager
def recorder(tree: Path) -> Iterator[int]:
    """A proxy that keeps what it fetches from the real archive; gives its port."""
    server = Archive(0, tree, recording=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def pin(tree: Path, suite: Suite, release: bytes, architecture: str) -> str:
    """Store an InRelease and the index that belongs to it: one moment; gives the index."""
    name = f"main/binary-{architecture}/Packages.xz"
    digests = re.findall(
        rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(name)}$", release.decode(), re.MULTILINE
    )
    if not digests:
        raise LabError(
            f"{suite.url('InRelease')} names no {name}: this architecture has no such suite"
        )
    dists = suite.dists(tree)
    folder(dists)
    (dists / "InRelease").write_bytes(release)
    hashed = (dists / name).parent / "by-hash" / "SHA256" / digests[0]
    record(hashed, suite.url(f"{Path(name).parent}/by-hash/SHA256/{digests[0]}"))
    data = hashed.read_bytes() if hashed.exists() else b""
    if hashlib.sha256(data).hexdigest() != digests[0]:
        raise LabError(
            f"{suite.url(name)} does not match its InRelease: the archive is just being updated, "
            "try again in some minutes"
        )
    (dists / name).write_bytes(data)
    return lzma.decompress(data).decode()


def prune(mirror: Mirror) -> None:
    """Drop the archives of older generations."""
    for other in cached():
        if other.tree != mirror.tree:
            say(f"mirror: dropping the older generation {other.key}")
            shutil.rmtree(other.tree)
