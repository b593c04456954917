"""Machines of other package managers, as they really answered, against images they should be."""

import pytest
from msgspec.structs import replace

from driftscan.model import Attribution, Collected, Fingerprint, Items, Meta, Side, managers
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
    packages = {
        k: {name: value for name, value in v.items() if name != "want"}
        for k, v in host.facts[section].items.items()
        if k not in gone
    }
    if section == "rpm":
        packages = {k: {**v, "want": "install"} for k, v in packages.items()}
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
        if managers.names(text, key)
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


def rpm():
    host = machine("rpm-a", {})
    lines = {4: "RUN dnf -y upgrade openssl-libs && dnf -y install nginx php-fpm php-opcache"}
    opcache = {"version": "8.0.30-1.el9", "source": "php", "source_version": "8.0.30-1.el9"}
    newer = {
        "openssl-libs.x86_64": "1:3.0.7-28.el9_4",
        "nginx.x86_64": "1:1.20.1-20.el9",
        "nginx-core.x86_64": "1:1.20.1-20.el9",
    }
    image = image_of(
        host,
        "rpm",
        lines,
        gone=("backup-agent.noarch", "htop.x86_64", "openssh-server.x86_64", "chrony.x86_64"),
        more={"php-opcache.x86_64": {**opcache, "want": "install"}},
        changed=newer,
    )
    repositories = {"rpm/baseos": {"position": 0}, "rpm/updates": {"position": 1}}
    facts = {**image.fingerprint.facts, "repositories": Collected(items=repositories)}
    found = replace(image.fingerprint, facts=facts)
    return Side(fingerprint=host), replace(
        image, fingerprint=found, baseline=replace(image.baseline, fingerprint=found)
    )


PAIRS = {"alpine": alpine, "arch": arch, "rpm": rpm}


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


def kept(report, name):
    """What is told of the version that a hold keeps; of the hold itself there is no record."""
    (hold,) = (cause for cause in report.causes if cause.id == name)
    assert hold.host_record is None
    return hold.evidence[1].text


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
    assert kept(report, "hold:greet").endswith(f": {add} greet greet-doc relay legacy")
    assert {"pin:motd", "pin:mailx"} <= found.keys()
    removed = next(c for c in report.causes if c.id == "removed:legacy")
    assert removed.level == "breaks"
    assert removed.evidence[1].text == "web/Dockerfile:3 asks for legacy"


def test_an_arch_machine_tells_what_its_log_tells():
    report = build.explained(*arch())

    found = told(report)
    assert found["removed:legacy"] == (("2026-11-11 18:33", "+0000", "pacman -R legacy"), 2)
    assert found["hold:relay"][1] == 2
    relay = "2026-11-10 18:33 root or unknown: pacman -U relay-4.1-7-x86_64.pkg.tar.gz"
    assert kept(report, "hold:relay").endswith(relay)
    tool = "pacman -U tool-git-r12.abcdef0-1-x86_64.pkg.tar.gz"
    assert found["local-package:tool-git"][0] == ("2026-11-12 18:33", "+0000", tool)


def test_an_rpm_machine_names_command_account_time_and_line():
    report = build.explained(*rpm())

    found = told(report)
    remove = ("2026-11-18 18:28", "UTC", "dnf -qy remove php-opcache")
    assert found["removed:php-opcache.x86_64"] == (remove, 4)
    (removed,) = (c for c in report.causes if c.id == "removed:php-opcache.x86_64")
    assert (removed.level, removed.host_record.user) == ("breaks", "ops")
    assert removed.evidence[1].text == "web/Dockerfile:4 asks for php-opcache.x86_64"
    assert kept(report, "hold:nginx-core") == (
        "the version it keeps came by: dnf history 2026-10-28 18:28 deploy: "
        "dnf -qy install nginx php-fpm"
    )
    (missing,) = (c for c in report.causes if c.id == "repository-missing:updates")
    assert sorted(missing.claims) == [
        "repositories:rpm/updates",
        "rpm:nginx.x86_64",
        "rpm:openssl-libs.x86_64",
    ]
    assert found["local-package:backup-agent.noarch"][0] == ("2026-11-22 18:28", "UTC", "")
    fix = report.remedies[0]
    assert [step.run for step in fix.steps][1:-1] == [
        "dnf versionlock delete nginx-core",
        "dnf upgrade nginx-1:1.20.1-20.el9.x86_64 nginx-core-1:1.20.1-20.el9.x86_64 "
        "openssl-libs-1:3.0.7-28.el9_4.x86_64",
        "dnf install php-opcache-8.0.30-1.el9.x86_64",
        "dnf remove backup-agent.noarch",
    ]
    undone = "what dnf -qy remove php-opcache did on 2026-11-18 18:28 also goes back with "
    assert f"{undone}`dnf history undo 9`" in fix.notes
    assert {e.rule: e.members for e in report.expected} == {
        "ssh-server": ["rpm:openssh-server.x86_64"],
        "time": ["rpm:chrony.x86_64"],
        "operators": ["rpm:htop.x86_64"],
    }


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_each_statement_rests_on_what_it_cites_and_on_nothing_else(name):
    subject, reference = PAIRS[name]()
    assert citing.still_standing(subject, reference, name) == []
    assert citing.changed_by_others(subject, reference, name) == []
    assert citing.uncited(subject, reference) == []
