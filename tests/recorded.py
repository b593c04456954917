"""The lab's hosts as they answered once: sides for tests that need no engine (`make record`)."""

import lzma
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec
import paramiko
from msgspec.structs import replace

from driftscan import diff, scan
from driftscan.demo import story, younger
from driftscan.demo.server import RECORDED_NONCE, replayed
from driftscan.explain import engine
from driftscan.model import (
    Answer,
    Baseline,
    Collected,
    Comparison,
    Fingerprint,
    HostReport,
    Questions,
    Sections,
    Side,
)
from driftscan.probes.table import PROBES

DETAILS, BASELINE = "details", "baseline"
PLACE = Path(__file__).parent / "explain" / "recorded"
HOSTS = tuple(sorted({*story.HOSTS, *(path.stem for path in PLACE.glob("web-?.xz"))}))
FAMILIES = ("alpine", "bullseye", "rpm")
"""Machines of other managers with baselines of their own, and Debian 11 beside that of the web."""


def side(name: str) -> Side:
    """A recorded host as a scan sees it; without the sections of probes younger than the record."""
    return Side(fingerprint=_fingerprint(name))


def baseline(of: str = "") -> Side:
    """The image of inventories/demo/web, as it was built for the recorded hosts.

    `of` a machine of another family: that of its own Dockerfile.
    """
    found = _baseline(f"{of}-{BASELINE}" if _has(of, BASELINE) else f"{BASELINE}.json")
    return Side(fingerprint=found.fingerprint, baseline=found)


def pair(name: str) -> tuple[Side, Side, Comparison]:
    """A recorded host, the image, and how they differ; with what the second trip brought."""
    subject, reference = side(name), baseline(name)
    compared = diff.compare(subject.fingerprint, reference.fingerprint)
    details = _details_of(name)
    return _with(subject, details["subject"]), _with(reference, details["reference"]), compared


def packed(name: str) -> bytes:
    """A recorded file: of the demo if the demo has it, else of the tests."""
    if name in (*story.HOSTS, "baseline.json"):
        return story.recorded(name)
    return lzma.decompress((PLACE / f"{name}.xz").read_bytes())


@cache
def explained(name: str, symptom: str = "") -> HostReport:
    """What is told of a recorded host against the image."""
    return engine.explain(*pair(name), symptom=symptom)


def host(channel: paramiko.Channel, script: str, _over: object) -> None:
    """The play of a server of the tests that answers as the recorded web-b did, to both trips.

    Nothing of the machine that runs the tests is in its answers, and nothing runs there.
    """
    channel.sendall(replayed(answers(), script.encode()))
    channel.send_exit_status(0)
    channel.close()


@cache
def answers() -> tuple[bytes, ...]:
    """What the recorded web-b said; what is younger than the record finds nothing there."""
    first, again = packed("web-b"), story.recorded("web-b-again")
    return first, younger.answer(first), again, younger.again(again)


@cache
def _fingerprint(name: str) -> Fingerprint:
    answer = packed(name)
    asked = set(re.findall(rb"^" + RECORDED_NONCE + rb" S (\S+)$", answer, re.MULTILINE))
    found = scan.fingerprint(
        Answer(answer, b"", 0, 1.0),
        Questions((), "", RECORDED_NONCE.decode()),
        [probe for probe in PROBES if probe.NAME.encode() in asked],
        target=name,
        kind="host",
        address="127.0.0.1",
        taken="",
    )
    return replace(found, meta=replace(found.meta, taken=_taken(found)))


def _taken(found: Fingerprint) -> str:
    """When the host answered, by its own clock."""
    host = found.evidence["host"]
    assert isinstance(host, Collected)
    clock = datetime.fromtimestamp(int(str(host.items["self"]["clock"])), UTC)
    return clock.strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _baseline(name: str) -> Baseline:
    return msgspec.json.decode(packed(name), type=Baseline)


def _has(machine: str, what: str) -> bool:
    return (PLACE / f"{machine}-{what}.xz").exists()


def _details_of(name: str) -> dict[str, Sections]:
    """What the second trip brought, by side; a machine of another family has a file of its own."""
    if name not in FAMILIES:
        return _details()[name]
    if not _has(name, DETAILS):
        return {"subject": {}, "reference": {}}
    return msgspec.json.decode(packed(f"{name}-{DETAILS}"), type=dict[str, Sections])


@cache
def _details() -> dict[str, dict[str, Sections]]:
    """What the second trip brought, by host and side of its pair."""
    packed = (PLACE / f"{DETAILS}.xz").read_bytes()
    return msgspec.json.decode(lzma.decompress(packed), type=dict[str, dict[str, Sections]])


def _with(given: Side, details: Sections) -> Side:
    fingerprint = replace(given.fingerprint, details=details)
    return replace(given, fingerprint=fingerprint)
