"""The part of an explanation that one name is about: a package, a source, a finding or a cause."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from driftscan.model import Cause, Expected, Finding


class Part(Struct, frozen=True):
    """Findings, causes and expected divergences that belong together."""

    findings: list[Finding]
    causes: list[Cause]
    expected: list[Expected]


def focus(
    findings: Sequence[Finding],
    causes: Sequence[Cause],
    expected: Sequence[Expected],
    names: set[str],
) -> Part:
    """What answers to one of the names, with the causes; nothing if nothing differs.

    After them what else is in the way: with a hold lifted the repository is still missing.
    """
    chosen = [finding for finding in findings if not names.isdisjoint(_names(finding))]
    known = {cause for finding in chosen for cause in (finding.cause, *finding.also)} | names
    told = [cause for cause in causes if cause.id in known]
    beside = {name for cause in told for name in cause.also} - known
    told += [cause for cause in causes if cause.id in beside]
    awaited = [
        replace(group, members=members)
        for group in expected
        if (members := [member for member in group.members if not names.isdisjoint(_words(member))])
    ]
    return Part(chosen, told, awaited)


def _names(finding: Finding) -> set[str]:
    """What a finding answers to: its id, its causes', and the names of all that is in it."""
    members = {word for member in finding.members for word in _words(member.id)}
    return {*_words(finding.id), finding.cause, *finding.also, *members}


def _words(name: str) -> tuple[str, str]:
    """`dpkg:libc6:i386` is also called `libc6:i386`."""
    return name, name.partition(":")[2]
