"""Captured real answers as fixtures: what the script printed on a machine, read back as `Raw`."""

import gzip
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from driftscan.framing import unframe
from driftscan.model import Raw

CAPTURED = Path(__file__).parent / "captured"
FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"


def read_captured(machine: str, name: str) -> bytes:
    """The bytes of `captured/MACHINE/NAME.txt` or of its packed form."""
    plain = CAPTURED / machine / f"{name}.txt"
    packed = plain.with_name(plain.name + ".gz")
    return gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()


def read_transcript(transcript: bytes) -> dict[str, Raw]:
    """The answers in a transcript by probe name; its first word is its nonce."""
    nonce = transcript.split(b" ", 1)[0]
    mark = b"\n" + nonce + b" S "
    names = [piece.split(b"\n", 1)[0].decode() for piece in transcript.split(mark)[1:]]
    return unframe(
        transcript, nonce.decode(), [SimpleNamespace(NAME=name, ASK=()) for name in names]
    )


@pytest.fixture
def captured() -> Callable[[str, str], Raw]:
    """`captured("dpkg", "web-a")`: what the probe was answered on that machine."""

    def read(probe: str, machine: str) -> Raw:
        return read_transcript(read_captured(machine, probe))[probe]

    return read


@pytest.fixture
def oracle() -> Callable[[str, str], list[str]]:
    """`oracle("dpkg", "web-a")`: lines that another tool said there, at the same time."""

    def read(probe: str, machine: str) -> list[str]:
        return read_captured(machine, f"{probe}.oracle").decode().splitlines()

    return read


@pytest.fixture
def fixtures() -> Path:
    """The folder with other projects' real data, which is never copied into this one."""
    if not FIXTURES.is_dir():
        pytest.skip(
            f"other projects' data is not here: {FIXTURES.name} is missing beside the clone"
        )
    return FIXTURES
