"""The frozen archive's form: suites, package indexes, Release files, the lab's signature."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import shutil
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from tests.lab import repack
from tests.lab.proxy import UPSTREAM
from tests.lab.settings import folder, need, run, say

STORY = "imagemagick"
RELEASE_FIELDS = (
    "Origin",
    "Label",
    "Suite",
    "Version",
    "Codename",
    "Date",
    "No-Support-for-Architecture-all",
    "Architectures",
    "Components",
    "Description",
)


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


def field(stanza: str, name: str) -> str:
    """One field of a control paragraph, empty if it is not there."""
    found = re.search(rf"^{re.escape(name)}: *(.*)$", stanza, re.MULTILINE)
    return found[1] if found else ""


def stanzas(text: str) -> list[str]:
    """The paragraphs of a Packages file."""
    return [part.strip("\n") for part in text.split("\n\n") if part.strip()]


def freeze(
    tree: Path,
    releases: dict[Suite, bytes],
    indexes: dict[Suite, str],
    architecture: str,
    signer: Path,
) -> bool:
    """Put signed indexes of what was fetched in place; True if imagemagick was lowered."""
    kept = {suite: present(tree, suite, indexes[suite]) for suite in SUITES}
    lowered = not differs(kept[MAIN], kept[SECURITY])
    if lowered:
        say(
            f"mirror: both suites have the same {STORY}; "
            f"that of {MAIN.name} is repacked under a lower version"
        )
        kept = lower_story(tree, kept)
    for suite in SUITES:
        shutil.rmtree(suite.dists(tree))
        write_suite(tree, suite, releases[suite].decode(), kept[suite], architecture, signer)
    stop_agent(signer)
    return lowered


def freeze_suite(tree: Path, suite: Suite, release: bytes, index: str, architecture: str) -> None:
    """Put a signed index of what was fetched of one more suite in place."""
    shutil.rmtree(suite.dists(tree))
    kept = present(tree, suite, index)
    write_suite(tree, suite, release.decode(), kept, architecture, tree / "gnupg")
    stop_agent(tree / "gnupg")


def present(tree: Path, suite: Suite, index: str) -> list[str]:
    """The paragraphs of an index whose packages are in the tree."""
    return [s for s in stanzas(index) if (tree / suite.archive / field(s, "Filename")).is_file()]


def story(found: list[str]) -> dict[str, str]:
    """The paragraphs of the binaries of the demo's source package, by name."""
    return {
        field(s, "Package"): s
        for s in found
        if (field(s, "Source") or field(s, "Package")).split(" ")[0] == STORY
    }


def differs(main: list[str], security: list[str]) -> bool:
    """True if the security suite has the story's package in another version than main."""
    mine, theirs = story(main), story(security)
    return bool(theirs) and any(
        field(theirs[name], "Version") != field(mine[name], "Version")
        for name in theirs
        if name in mine
    )


def lower_story(tree: Path, kept: dict[Suite, list[str]]) -> dict[Suite, list[str]]:
    """Main gets the story's packages lowered; security has them as they are."""
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
    facts = {
        "Filename": str(name),
        "Size": str(deb.stat().st_size),
        "SHA256": hashlib.sha256(deb.read_bytes()).hexdigest(),
    }
    for key, value in facts.items():
        text = re.sub(rf"^{key}:.*$", f"{key}: {value}", text, flags=re.MULTILINE)
    return text


def write_suite(
    tree: Path, suite: Suite, release: str, kept: list[str], architecture: str, signer: Path
) -> None:
    """Packages, Release and InRelease of one suite, dated as the real ones."""
    dists = suite.dists(tree)
    place = folder(dists / "main" / f"binary-{architecture}")
    text = "".join(f"{stanza}\n\n" for stanza in sorted(kept)).encode()
    files = {
        "Packages": text,
        "Packages.gz": gzip.compress(text, mtime=0),
        "Packages.xz": lzma.compress(text),
    }
    lines = release_header(release, architecture)
    lines.append("SHA256:")
    for name, data in files.items():
        (place / name).write_bytes(data)
        lines.append(
            f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-{architecture}/{name}"
        )
    (dists / "Release").write_text("\n".join(lines) + "\n")
    run(
        "gpg",
        "--homedir",
        signer,
        "--batch",
        "--yes",
        "--clearsign",
        "-o",
        dists / "InRelease",
        dists / "Release",
    )
    moment = parsedate_to_datetime(
        next(line[6:] for line in lines if line.startswith("Date: "))
    ).timestamp()
    for path in (*(place / name for name in files), dists / "Release", dists / "InRelease"):
        os.utime(path, (moment, moment))


def release_header(release: str, architecture: str) -> list[str]:
    """The fields of the real Release that stay true for the frozen one."""
    lines = []
    for name in RELEASE_FIELDS:
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
    run(
        gpg,
        "--homedir",
        home,
        "--batch",
        "--passphrase",
        "",
        "--quick-gen-key",
        "driftscan lab (throw-away)",
        "ed25519",
        "sign",
        "never",
    )
    run(gpg, "--homedir", home, "--batch", "--export", "-o", tree / "driftscan-lab.gpg")
    return home


def stop_agent(home: Path) -> None:
    """End gpg's agent: it would answer for the folder's old name once the folder has its own."""
    run("gpgconf", "--homedir", home, "--kill", "gpg-agent")
