"""Small fingerprints for tests, written as facts: what a machine of a few packages would answer."""

from collections.abc import Mapping

from driftscan import diff
from driftscan.explain.engine import explain
from driftscan.model import (
    Attribution,
    Baseline,
    Collected,
    Fingerprint,
    HostReport,
    Item,
    Meta,
    Place,
    Section,
    Side,
)


def package(version: str, source: str = "", want: str = "install", **more: str) -> Item:
    """A dpkg item; an empty source is filled in by `host`."""
    return {
        "version": version,
        "source": source,
        "source_version": version,
        "architecture": "amd64",
        "want": want,
        "status": "installed",
        **more,
    }


def fingerprint(
    name: str,
    packages: Mapping[str, Item] | Section,
    *,
    kind: str = "host",
    facts: Mapping[str, Mapping[str, Item] | Section] | None = None,
    evidence: Mapping[str, Mapping[str, Item] | Section] | None = None,
    details: Mapping[str, Mapping[str, Item] | Section] | None = None,
) -> Fingerprint:
    """A fingerprint whose sections are given as plain mappings or as sections."""
    if isinstance(packages, Mapping):
        packages = {k: {**v, "source": v["source"] or k} for k, v in packages.items()}
    return Fingerprint(
        meta=Meta(
            target=name,
            kind=kind,
            address="",
            taken="2026-11-23T17:00:00Z",
            privilege="root",
        ),
        facts=_sections({"dpkg": packages, **(facts or {})}),
        evidence=_sections(evidence or {}),
        details=_sections(details or {}),
    )


def _sections(given: Mapping[str, Mapping[str, Item] | Section]) -> dict[str, Section]:
    return {
        name: Collected(items=dict(value)) if isinstance(value, Mapping) else value
        for name, value in given.items()
    }


def image(
    packages: Mapping[str, Item],
    lines: Mapping[int, str],
    brought: Mapping[str, int],
    changed: Mapping[str, int] | None = None,
    **more: Mapping[str, Mapping[str, Item]],
) -> Side:
    """An image of the Dockerfile `web/Dockerfile`; packages without a line are the base's."""
    places = {
        f"line {number}": Place(kind="line", file="web/Dockerfile", line=number, text=text)
        for number, text in lines.items()
    }
    places["base"] = Place(kind="base", text="debian:bookworm")
    changed = {**brought, **(changed or {})}
    return Side(
        fingerprint=fingerprint("web", packages, kind="image", **more),
        baseline=Baseline(
            name="web",
            image="sha256:0",
            built="2026-11-23T16:43:59Z",
            builder="docker legacy",
            dockerfile="web/Dockerfile",
            digest="0",
            text="",
            attributions={
                name: Attribution(
                    brought_by=f"line {brought[name]}" if name in brought else "base",
                    changed_by=f"line {changed[name]}" if name in changed else "base",
                )
                for name in packages
            },
            places=places,
            fingerprint=fingerprint("web", packages, kind="image", **more),
        ),
    )


def explained(
    subject: Fingerprint | Side, reference: Fingerprint | Side, symptom: str = ""
) -> HostReport:
    """The report of one pair."""
    ours = subject if isinstance(subject, Side) else Side(fingerprint=subject)
    theirs = reference if isinstance(reference, Side) else Side(fingerprint=reference)
    compared = diff.compare(ours.fingerprint, theirs.fingerprint)
    return explain(ours, theirs, compared, symptom=symptom)


def transaction(command: str, start: str = "2026-10-21 14:02:13", **done: object) -> Item:
    """An apt-history item by deploy: `install={"a": "1"}`, `automatic=["b"]` and so on."""
    return {
        "start": start,
        "end": start,
        "command": command,
        "user": "deploy",
        "uid": "1000",
        **done,
    }
