"""The frozen archive: the packages the lab uses, in two signed suites, served on loopback under the archive's public names."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from tests.lab import base, repack
from tests.lab.engine import Engine, host_network
from tests.lab.proxy import IDENTITY, UPSTREAM, Archive, record
from tests.lab.settings import DOCKERFILES, HERE, PREFIX, RECIPES, LabError, alive, cache, folder, need, run, say, stop_process

FORMAT = "1"
FRESH = 24 * 3600
# wanted by tests and by the lab itself, beside what the recipes and Dockerfiles install
EXTRA = ("telnetd", "inetutils-telnetd", "strace", "libfaketime")
STORY = "imagemagick"
INSTALL = re.compile(r"apt(?:-get)?\s+[^&|;\n]*?\binstall\s+([^&|;\n]+)")


@dataclass(frozen=True)
class Suite:
    """One suite of the public archive."""

    name: str
    archive: str

    def url(self, path: str) -> str:
        """The public address of a file of this suite."""
        return f"{UPSTREAM[self.archive]}/dists/{self.name}/{path}"

    def dists(self, tree: Path) -> Path:
        """Its folder in a tree."""
        return tree / self.archive / "dists" / self.name


MAIN = Suite("bookworm", "debian")
SECURITY = Suite("bookworm-security", "debian-security")
SUITES = (MAIN, SECURITY)


@dataclass(frozen=True)
class Mirror:
    """One frozen archive on disk."""

    tree: Path
    key: str
    newest: int
    repacked: bool
    architecture: str

    def versions(self, suite: Suite) -> dict[str, str]:
        """The version of each package that a suite has: tests ask this instead of pinning versions."""
        text = (suite.dists(self.tree) / "main" / f"binary-{self.architecture}" / "Packages").read_text()
        return {field(stanza, "Package"): field(stanza, "Version") for stanza in stanzas(text)}


def field(stanza: str, name: str) -> str:
    """One field of a control paragraph, empty if it is not there."""
    found = re.search(rf"^{re.escape(name)}: *(.*)$", stanza, re.MULTILINE)
    return found[1] if found else ""


def stanzas(text: str) -> list[str]:
    """The paragraphs of a Packages file."""
    return [part.strip("\n") for part in text.split("\n\n") if part.strip()]


def package_lists() -> list[str]:
    """What each `apt-get install` of the recipes and Dockerfiles names, one list a command, plus the extras."""
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
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        return bytes(answer.read())


def cached() -> list[Mirror]:
    """The complete mirrors of the cache, newest first."""
    found = sorted(cache().glob("mirrors/[0-9a-f]*/mirror.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [load(path.parent) for path in found]


def load(tree: Path) -> Mirror:
    """A complete mirror from its folder."""
    about = json.loads((tree / "mirror.json").read_text())
    return Mirror(tree, tree.name, about["newest"], about["repacked"], about["architecture"])


def recipe_digest(lists: list[str], architecture: str) -> str:
    """The part of the key that our own files decide."""
    text = "\n".join([FORMAT, architecture, *lists, (RECIPES / "base.sh").read_text()])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def ensure(engine: Engine, refresh: bool = False) -> Mirror:
    """The mirror of this lab generation: a fresh cached one, else one keyed by the archive's InRelease files of now."""
    architecture = base.architecture(engine)
    lists = package_lists()
    ending = recipe_digest(lists, architecture)
    known = [mirror for mirror in cached() if mirror.key.endswith(ending)]
    if known and not refresh and time.time() - (known[0].tree / "mirror.json").stat().st_mtime < FRESH:
        say(f"mirror: {known[0].key} (cached, checked less than a day ago)")
        return known[0]
    try:
        releases = {suite: fetch(suite.url("InRelease")) for suite in SUITES}
    except OSError as error:
        if known:
            say(f"mirror: {known[0].key} (cached; the archive cannot be reached: {error})")
            return known[0]
        raise LabError(f"{MAIN.url('InRelease')} cannot be reached ({error}) and no mirror is cached in {cache()}: connect to the network once") from error
    key = hashlib.sha256(b"".join(releases.values())).hexdigest()[:8] + ending
    tree = cache() / "mirrors" / key
    if (tree / "mirror.json").exists():
        os.utime(tree / "mirror.json")
        say(f"mirror: {key} (cached, the archive has not changed)")
        return load(tree)
    return make(engine, tree, releases, lists, architecture)


def make(engine: Engine, tree: Path, releases: dict[Suite, bytes], lists: list[str], architecture: str) -> Mirror:
    """Fill a new mirror in a temporary folder, freeze it, and only then give it its name."""
    began = time.monotonic()
    for left in cache().glob("mirrors/.part-*"):
        shutil.rmtree(left)
    part = folder(tree.parent / f".part-{tree.name}")
    say(f"mirror: filling {tree.name} from the Debian archive (a minute or two; kept in {tree.parent})")
    signer = make_key(part)
    with recorder(part) as port:
        indexes = {suite: pin(part, suite, releases[suite], architecture) for suite in SUITES}
        base.make(engine, part, port, MAIN.name)
        base.download(engine, part, port, lists)
    repacked = freeze(part, releases, indexes, architecture, signer)
    newest = max(repack.built(deb) for deb in (part / MAIN.archive).rglob("*.deb"))
    about = {"newest": newest, "repacked": repacked, "architecture": architecture, "lists": lists}
    (part / "mirror.json").write_text(json.dumps(about, indent=1) + "\n")
    os.replace(part, tree)
    count = sum(1 for _ in tree.rglob("*.deb"))
    say(f"mirror: {tree.name} is ready, {count} packages, {time.monotonic() - began:.0f} s")
    return load(tree)


@contextmanager
def recorder(tree: Path) -> Iterator[int]:
    """A proxy that keeps what it fetches from the real archive, while the block runs; gives its port."""
    server = Archive(0, tree, recording=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def pin(tree: Path, suite: Suite, release: bytes, architecture: str) -> str:
    """Store the InRelease and the package index that belongs to it, so that filling sees one moment; gives the index."""
    name = f"main/binary-{architecture}/Packages.xz"
    digests = re.findall(rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(name)}$", release.decode(), re.MULTILINE)
    if not digests:
        raise LabError(f"{suite.url('InRelease')} names no {name}: this architecture has no such suite")
    dists = suite.dists(tree)
    folder(dists)
    (dists / "InRelease").write_bytes(release)
    hashed = (dists / name).parent / "by-hash" / "SHA256" / digests[0]
    record(hashed, suite.url(f"{Path(name).parent}/by-hash/SHA256/{digests[0]}"))
    data = hashed.read_bytes() if hashed.exists() else b""
    if hashlib.sha256(data).hexdigest() != digests[0]:
        raise LabError(f"{suite.url(name)} does not match its InRelease: the archive is just being updated, try again in some minutes")
    (dists / name).write_bytes(data)
    return lzma.decompress(data).decode()


def freeze(tree: Path, releases: dict[Suite, bytes], indexes: dict[Suite, str], architecture: str, signer: Path) -> bool:
    """Replace the real indexes by indexes of what was fetched, signed with the lab's key; True if imagemagick was lowered."""
    kept = {suite: [s for s in stanzas(indexes[suite]) if (tree / suite.archive / field(s, "Filename")).is_file()] for suite in SUITES}
    lowered = not differs(kept[MAIN], kept[SECURITY])
    if lowered:
        say(f"mirror: both suites have the same {STORY}; the one of {MAIN.name} is repacked under a lower version")
        kept = lower_story(tree, kept)
    for suite in SUITES:
        shutil.rmtree(suite.dists(tree))
        write_suite(tree, suite, releases[suite].decode(), kept[suite], architecture, signer)
    return lowered


def story(found: list[str]) -> dict[str, str]:
    """The paragraphs of the binaries of the source package that the demo is about, by name."""
    return {field(s, "Package"): s for s in found if (field(s, "Source") or field(s, "Package")).split(" ")[0] == STORY}


def differs(main: list[str], security: list[str]) -> bool:
    """True if the security suite has the story's package in another version than main."""
    mine, theirs = story(main), story(security)
    return bool(theirs) and any(field(theirs[name], "Version") != field(mine[name], "Version") for name in theirs if name in mine)


def lower_story(tree: Path, kept: dict[Suite, list[str]]) -> dict[Suite, list[str]]:
    """Main gets the story's packages under a lower version; security has them under the real one."""
    mine, theirs = story(kept[MAIN]), story(kept[SECURITY])
    versions = {field(stanza, "Version") for stanza in mine.values()}
    main = [stanza for stanza in kept[MAIN] if field(stanza, "Package") not in mine]
    security = list(kept[SECURITY])
    for name, stanza in mine.items():
        origin = tree / MAIN.archive / field(stanza, "Filename")
        main.append(lower_package(tree, stanza, versions))
        if name not in theirs:
            copy = tree / SECURITY.archive / field(stanza, "Filename")
            folder(copy.parent)
            shutil.copy2(origin, copy)
            security.append(stanza)
        origin.unlink()
    return {MAIN: main, SECURITY: security}


def lower_package(tree: Path, stanza: str, versions: set[str]) -> str:
    """Repack one package of main; gives its new paragraph."""
    old = Path(field(stanza, "Filename"))
    package, version, rest = old.stem.split("_")
    name = old.with_name(f"{package}_{repack.lower(version)}_{rest}.deb")
    deb = repack.repack(tree / MAIN.archive / old, tree / MAIN.archive / name, versions)
    text = repack.lower_control(stanza, versions)
    text = re.sub(r"^MD5sum:.*\n", "", text, flags=re.MULTILINE)
    facts = {"Filename": str(name), "Size": str(deb.stat().st_size), "SHA256": hashlib.sha256(deb.read_bytes()).hexdigest()}
    for key, value in facts.items():
        text = re.sub(rf"^{key}:.*$", f"{key}: {value}", text, flags=re.MULTILINE)
    return text


def write_suite(tree: Path, suite: Suite, release: str, kept: list[str], architecture: str, signer: Path) -> None:
    """Packages, Release and InRelease of one suite, dated as the real ones."""
    dists = suite.dists(tree)
    place = folder(dists / "main" / f"binary-{architecture}")
    text = "".join(f"{stanza}\n\n" for stanza in sorted(kept)).encode()
    files = {"Packages": text, "Packages.gz": gzip.compress(text, mtime=0), "Packages.xz": lzma.compress(text)}
    lines = release_header(release, architecture)
    lines.append("SHA256:")
    for name, data in files.items():
        (place / name).write_bytes(data)
        lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-{architecture}/{name}")
    (dists / "Release").write_text("\n".join(lines) + "\n")
    run("gpg", "--homedir", signer, "--batch", "--yes", "--clearsign", "-o", dists / "InRelease", dists / "Release")
    moment = parsedate_to_datetime(next(line[6:] for line in lines if line.startswith("Date: "))).timestamp()
    for path in (*(place / name for name in files), dists / "Release", dists / "InRelease"):
        os.utime(path, (moment, moment))


def release_header(release: str, architecture: str) -> list[str]:
    """The fields of the real Release that stay true for the frozen one."""
    lines = []
    for name in ("Origin", "Label", "Suite", "Version", "Codename", "Date", "No-Support-for-Architecture-all", "Architectures", "Components", "Description"):
        value = field(release, name)
        if name == "Architectures":
            value = " ".join(word for word in value.split() if word in ("all", architecture))
        if name == "Components":
            value = " ".join(word for word in value.split() if word.split("/")[-1] == "main")
        if value:
            lines.append(f"{name}: {value}")
    return lines


def make_key(tree: Path) -> Path:
    """A throw-away signing key; its public half goes into the base image."""
    gpg = need("gpg", "gnupg", "to sign the lab's archive")
    need("gpg-agent", "gpg-agent", "to sign the lab's archive")
    home = folder(tree / "gnupg")
    home.chmod(0o700)
    run(gpg, "--homedir", home, "--batch", "--passphrase", "", "--quick-gen-key", "driftscan lab (throw-away)", "ed25519", "sign", "never")
    run(gpg, "--homedir", home, "--batch", "--export", "-o", tree / "driftscan-lab.gpg")
    return home


# ------------------------------------------------------------------ the server


def state() -> Path:
    """Where the pid and port of the running proxy are kept."""
    return cache() / "proxy.json"


def container_url(port: int) -> str:
    """The proxy's address as a container sees it."""
    return f"http://{'127.0.0.1' if host_network() else 'host.docker.internal'}:{port}"


def serving() -> tuple[int, int, Path] | None:
    """(pid, port, tree) of the proxy that runs."""
    try:
        about = json.loads(state().read_text())
    except (OSError, ValueError):
        return None
    running = alive(about["pid"], "proxy.py", about["tree"])
    return (about["pid"], about["port"], Path(about["tree"])) if running else None


def serve(mirror: Mirror) -> int:
    """Have the proxy run over this mirror, detached; gives its port."""
    now = serving()
    if now and now[2] == mirror.tree and identity(now[1]) == str(mirror.tree):
        say(f"mirror: served on 127.0.0.1:{now[1]} (running)")
        return now[1]
    stop()
    first = int(os.environ.get("DRIFTSCAN_LAB_PROXY_PORT", "18181"))
    port = free_port(first)
    with (folder(cache() / "logs") / "proxy.log").open("ab") as log:
        argv = [sys.executable, "-B", str(HERE / "proxy.py"), str(mirror.tree), str(port)]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/")
    until = time.monotonic() + 15
    while identity(port) != str(mirror.tree):
        if time.monotonic() > until or process.poll() is not None:
            raise LabError(f"the archive proxy does not start on 127.0.0.1:{port}: see {cache() / 'logs' / 'proxy.log'}")
        time.sleep(0.05)
    state().write_text(json.dumps({"pid": process.pid, "port": port, "tree": str(mirror.tree)}) + "\n")
    say(f"mirror: served on 127.0.0.1:{port}")
    return port


def identity(port: int) -> str | None:
    """Which tree the proxy on a port serves, None if nobody or somebody else answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{IDENTITY}", timeout=5) as answer:
            return bytes(answer.read(4096)).decode(errors="replace").strip()
    except OSError:
        return None


def free_port(first: int) -> int:
    """The first free loopback port from here on."""
    for port in range(first, first + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LabError(f"no free port on 127.0.0.1 from {first} to {first + 199}: stop what listens there")


def stop() -> None:
    """Stop the proxy that we started, by its pid."""
    now = serving()
    if now and stop_process(now[0], "proxy.py"):
        say(f"mirror: proxy (pid {now[0]}) is stopped")
    state().unlink(missing_ok=True)


def prune(mirror: Mirror, engine: Engine) -> None:
    """Drop older generations: their archives and images."""
    for other in cached():
        if other.key != mirror.key:
            say(f"mirror: dropping the older generation {other.key}")
            shutil.rmtree(other.tree)
            for line in engine.run("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"label={PREFIX}.mirror={other.key}").split():
                engine.succeeds("rmi", line)
