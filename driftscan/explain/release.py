"""Another release of the operating system: one cause for the whole host."""

from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, Item, Want


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`release-differs`: claims every package and repository when the codenames differ."""
    release = next((d for d in open_ if d.id == "os:release"), None)
    if release is None or not {"id", "codename", "version_id"} & set(release.changes):
        return []
    ours, theirs = (_name(item) for item in (release.subject, release.reference))
    claims = [d.id for d in open_ if d.section in ("os", "dpkg", "repositories", "libraries")]
    return [
        Cause(
            type="release-differs",
            subject="os",
            text=f"{case.subject.label} runs {ours}, {case.reference.label} {theirs}: "
            "rebuild it rather than converge package by package",
            confidence="recorded",
            claims=claims,
            evidence=[Evidence(text=f"os-release: {ours} / {theirs}", confidence="recorded")],
        )
    ]


def _name(item: Item | None) -> str:
    item = item or {}
    return str(item.get("pretty") or f"{item.get('id', '')} {item.get('version_id', '')}").strip()
