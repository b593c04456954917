"""What the recorded servers say to probes that are younger than the recording: there is no such."""

import re

import msgspec
from msgspec.structs import replace

from driftscan import store
from driftscan.demo.server import RECORDED_NONCE
from driftscan.errors import ParseError
from driftscan.model import Baseline, Files, Payload, Raw, Sections
from driftscan.probes.contract import Probe
from driftscan.probes.table import PROBES

_SECTION = re.compile(r"^" + RECORDED_NONCE.decode() + r" S (\S+)$", re.MULTILINE)


def _younger(answer: bytes) -> list[Probe]:
    asked = set(_SECTION.findall(answer.decode("utf-8", "replace")))
    return [probe for probe in PROBES if probe.NAME not in asked]


def _outputs(probe: Probe) -> list[str]:
    return [ask.name for ask in probe.ASK if not isinstance(ask, Files)]


def answer(recorded: bytes) -> bytes:
    """An answer to the probes that a recorded one lacks, in which every question finds nothing."""
    mark = RECORDED_NONCE.decode()
    lines = [f"{mark} BEGIN 1"]
    for probe in _younger(recorded):
        lines.append(f"{mark} S {probe.NAME}")
        for name in _outputs(probe):
            lines += [f"{mark} C {name}", "", f"{mark} . 0"]
    return "\n".join([*lines, f"{mark} END", ""]).encode()


def baseline(recorded: bytes, host: bytes) -> bytes:
    """The recorded baseline with the facts that its host, asked the same, is said to have."""
    found = msgspec.json.decode(recorded, type=Baseline)
    facts: Sections = {}
    for probe in _younger(host):
        raw = Raw(outputs={name: Payload(()) for name in _outputs(probe)})
        try:
            sections = probe.parse(raw)
        except ParseError:
            continue
        told = [a.name for a in probe.GIVES if a.holds == "facts" and not a.live]
        facts |= {name: sections[name] for name in told}
    whole = replace(found.fingerprint, facts={**facts, **found.fingerprint.facts})
    return store.encode(replace(found, fingerprint=whole))
