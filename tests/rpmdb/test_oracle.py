"""Every rpm database of the fixtures gives the set that an rpm which reads its form gives."""

import lzma
from pathlib import Path

import pytest

from driftscan import rpmdb, sanitize
from driftscan.errors import ParseError
from driftscan.model import Collected, Payload, Raw
from driftscan.probes import rpm as probe
from tests import rpm
from tests.probes.conftest import FIXTURES

LEAST = 4096  # smaller ones are names without content, for tests of paths
FORM = "%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
DATABASES = sorted(
    path
    for pattern in ("Packages*", "*_Packages", "rpmdb.sqlite*")
    for path in FIXTURES.rglob(pattern)
    if path.is_file() and path.stat().st_size >= LEAST
)
EVERY = pytest.mark.parametrize("path", DATABASES, ids=lambda path: "-".join(path.parts[-2:]))


def test_the_fixtures_have_databases_of_all_forms():
    if not FIXTURES.is_dir():
        pytest.skip("other projects' data is not here: ../shared/fixtures is missing")
    assert {name(path) for path in DATABASES} == set(rpmdb.DATABASES)


def name(path: Path) -> str:
    """The name under which rpm looks for the file."""
    plain = path.name.removesuffix(".xz")
    return plain if plain in rpmdb.DATABASES else "Packages"


def content(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def oracle(path: Path, folder: Path) -> str:
    """An rpm's answer about a copy; to our own question where that is a `form`."""
    (folder / name(path)).write_bytes(content(path))
    program = rpm.newest() if name(path) == "Packages.db" else rpm.here()
    return rpm.packages(program, folder, FORM)


def ours(lines):
    """The same, from the lines that our question is answered with."""
    rows = [line[2:].split("\t") for line in lines if line.startswith("- ")]
    return sorted(
        (name, epoch or "0", version, release, arch)
        for name, arch, epoch, version, release, *_ in rows
    )


def theirs(text):
    return sorted(tuple(line.split("\t")) for line in text.splitlines())


def same(path, folder):
    expected = theirs(oracle(path, folder))
    assert expected
    assert ours(sanitize.lines(rpmdb.answer({name(path): content(path)}))) == expected


@pytest.mark.parametrize(
    "path",
    [path for path in DATABASES if name(path) != "Packages.db"],
    ids=lambda path: "-".join(path.parts[-2:]),
)
def test_names_epochs_versions_releases_and_architectures_are_those_of_rpm(path, tmp_path):
    same(path, tmp_path)


@pytest.mark.lab
@pytest.mark.parametrize(
    "path",
    [path for path in DATABASES if name(path) == "Packages.db"],
    ids=lambda path: "-".join(path.parts[-2:]),
)
def test_ndb_gives_what_the_next_debians_rpm_gives(path, tmp_path):
    same(path, tmp_path)


@EVERY
def test_no_database_is_empty_and_its_sections_are_whole(path):
    lines = sanitize.lines(rpmdb.answer({name(path): content(path)}))
    sections = probe.parse(Raw(outputs={"packages": Payload(("database x", *lines))}))
    packages = sections["rpm"]
    assert isinstance(packages, Collected)
    assert packages.items
    keys = [row for row in ours(lines) if row[0] == "gpg-pubkey"]
    assert len(sections["rpm-keys"].items) == len(keys)
    count = sum(len(item.get("versions", [0])) for item in packages.items.values())
    assert count == len(ours(lines)) - len(keys)


def test_a_database_that_is_not_rpms_is_refused():
    path = FIXTURES / "claircore/internal/rpm/sqlite/testdata/no_packages.sqlite"
    if not path.exists():
        pytest.skip("other projects' data is not here: ../shared/fixtures is missing")
    with pytest.raises(ParseError, match="no table Packages"):
        rpmdb.answer({"rpmdb.sqlite": path.read_bytes()})
