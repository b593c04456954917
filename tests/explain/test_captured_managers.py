"""Machines of other package managers, as they really answered, against images they should be."""

import re

import pytest
from msgspec.structs import replace

from driftscan.model import Attribution, Collected, Fingerprint, Items, Meta, Side
from driftscan.probes.table import PROBES
from tests import build, citing
from tests.probes.conftest import CAPTURED, read_captured, read_transcript

ALPINE = {"release": {"id": "alpine", "version_id": "3.23.0", "pretty": "Alpine Linux v3.23"}}
ARCH = {"release": {"id": "arch", "pretty": "Arch Linux"}}


def machine(name: str, system: Items) -> Fingerprint:
    """All that was captured of a machine, as a scan of it reads it."""
    sections = {"os": Collected(items=system)}
    for probe in PROBES:
        if list((CAPTURED / name).glob(f"{probe.NAME}.txt*")):
            raw = read_transcript(read_captured(name, probe.NAME))[probe.NAME]
            sections |= probe.parse(raw)
    facts = {about.name for probe in PROBES for about in probe.GIVES if about.holds == "facts"}
    meta = Meta(
        target=name, kind="host", address="", taken="2026-11-25T18:00:00Z", privilege="root"
    )
    return Fingerprint(
        meta=meta,
        facts={k: v for k, v in sections.items() if k in facts},
        evidence={k: v for k, v in sections.items() if k not in facts},
    )


def image_of(host: Fingerprint, section: str, lines, *, gone=(), more=None, changed=None) -> Side:
    """What the host should be: without packages, with others, some in another version."""
    packages = {k: v for k, v in host.facts[section].items.items() if k not in gone}
    packages |= more or {}
    for key, version in (changed or {}).items():
        packages[key] = {**packages[key], "version": version, "source_version": version}
    found = replace(
        host,
        meta=replace(host.meta, target="web", kind="image"),
        facts={**host.facts, section: Collected(items=packages)},
        evidence={
            k: Collected(items={n: i for n, i in v.items.items() if n not in gone})
            for k, v in host.evidence.items()
            if k.endswith(("-needs", "-auto", "-origins"))
        },
    )
    side = build.image({}, lines, {})
    by_line = {
        key: f"line {number}"
        for number, text in lines.items()
        for key in packages
        if re.search(rf"(?<![\w-]){re.escape(key)}(?![\w.-])", text)
    }
    attributions = {
        key: Attribution(brought_by=by_line.get(key, "base"), changed_by=by_line.get(key, "base"))
        for key in packages
    }
    baseline = replace(side.baseline, attributions=attributions, fingerprint=found)
    return Side(fingerprint=found, baseline=baseline)


def alpine():
    host = machine("alpine-apk", ALPINE)
    legacy = {"legacy": {"version": "0.9-r0", "source": "legacy", "source_version": "0.9-r0"}}
    lines = {3: "RUN apk add --no-cache greet relay legacy"}
    gone = ("greet-doc", "motd", "localtool", "toolchain")
    image = image_of(host, "apk", lines, gone=gone, more=legacy, changed={"libgreet": "1.1-r0"})
    pins = {**image.fingerprint.facts, "apk-pins": Collected(items={})}
    found = replace(image.fingerprint, facts=pins)
    return Side(fingerprint=host), replace(
        image, fingerprint=found, baseline=replace(image.baseline, fingerprint=found)
    )


def arch():
    host = machine("arch", ARCH)
    legacy = {"legacy": {"version": "0.9-1", "source": "legacy", "source_version": "0.9-1"}}
    lines = {2: "RUN pacman -S --noconfirm greet relay legacy"}
    return Side(fingerprint=host), image_of(
        host, "pacman", lines, gone=("tool-git",), more=legacy, changed={"relay": "4.2-1"}
    )


PAIRS = {"alpine": alpine, "arch": arch}


def told(report):
    """By id, the text, the record and the line of each cause."""
    return {
        cause.id: (
            cause.host_record
            and (cause.host_record.time, cause.host_record.zone, cause.host_record.command),
            cause.image_record and cause.image_record.line,
        )
        for cause in report.causes
    }


def test_an_alpine_machine_tells_what_its_log_and_its_world_tell():
    report = build.explained(*alpine())

    found = told(report)
    add = "apk add --allow-untrusted"
    assert found["removed:legacy"] == (
        ("2026-10-28 18:00", "UTC", "apk del --allow-untrusted legacy"),
        3,
    )
    assert found["host-only:toolchain"][0][2] == f"{add} --virtual .build-deps toolchain"
    assert found["local-package:localtool"][0][2] == f"{add} /srv/local/localtool-0.1-r0.apk"
    assert found["hold:greet"] == (
        ("2026-10-28 18:00", "UTC", f"{add} greet greet-doc relay legacy"),
        None,
    )
    assert {"pin:motd", "pin:mailx"} <= found.keys()
    removed = next(c for c in report.causes if c.id == "removed:legacy")
    assert removed.level == "breaks"
    assert removed.evidence[1].text == "web/Dockerfile:3 asks for legacy"


def test_an_arch_machine_tells_what_its_log_tells():
    report = build.explained(*arch())

    found = told(report)
    assert found["removed:legacy"] == (("2026-11-11 18:33", "+0000", "pacman -R legacy"), 2)
    assert found["local-package:relay"] == (
        ("2026-11-10 18:33", "+0000", "pacman -U relay-4.1-7-x86_64.pkg.tar.gz"),
        2,
    )
    tool = "pacman -U tool-git-r12.abcdef0-1-x86_64.pkg.tar.gz"
    assert found["local-package:tool-git"][0] == ("2026-11-12 18:33", "+0000", tool)


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_each_statement_rests_on_what_it_cites_and_on_nothing_else(name):
    subject, reference = PAIRS[name]()
    assert citing.still_standing(subject, reference) == []
    assert citing.changed_by_others(subject, reference, name) == []
    assert citing.uncited(subject, reference) == []
