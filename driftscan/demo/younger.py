"""What the recorded servers say to probes that are younger than the recording: there is no such."""

import re
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from driftscan import store
from driftscan.demo.server import RECORDED_NONCE
from driftscan.errors import ParseError
from driftscan.model import Baseline, Files, Payload, Raw, Sections
from driftscan.probes.contract import Probe
from driftscan.probes.table import PROBES
from driftscan.probes.wanted.table import KINDS

_SECTION = re.compile(r"^" + RECORDED_NONCE.decode() + r" S (\S+)$", re.MULTILINE)


def _younger(answer: bytes) -> list[Probe]:
    asked = set(_SECTION.findall(answer.decode("utf-8", "replace")))
    return [probe for probe in PROBES if probe.NAME not in asked]


def _outputs(probe: Probe) -> list[str]:
    return [ask.name for ask in probe.ASK if not isinstance(ask, Files)]


def answer(recorded: bytes) -> bytes:
    """An answer to the probes that a recorded one lacks, in which every question finds nothing."""
    return _framed({probe.NAME: _outputs(probe) for probe in _younger(recorded)})


def again(recorded: bytes) -> bytes:
    """The same of the second trip: an answer to the kinds of wants that a recorded one lacks."""
    asked = set(_SECTION.findall(recorded.decode("utf-8", "replace")))
    younger = [kind for kind in KINDS if kind.KIND not in asked]
    return _framed(
        {k.KIND: [q.name for q in k.questions(()) if not isinstance(q, Files)] for k in younger}
    )


def _framed(sections: Mapping[str, Sequence[str]]) -> bytes:
    mark = RECORDED_NONCE.decode()
    lines = [f"{mark} BEGIN 1"]
    for section, names in sections.items():
        lines.append(f"{mark} S {section}")
        for name in names:
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
