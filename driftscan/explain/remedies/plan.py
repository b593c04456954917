"""Causes and findings -> ordered remedies: of the subject, and the other way round."""

import shlex
from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.remedies import available, commands, packages, settings, table, words
from driftscan.explain.remedies.other_way import another_base, other_way
from driftscan.model import PHASES, Cause, Divergence, Finding, Remedy, Step
from driftscan.model.managers import DPKG, is_package


def remedies(case: Case, causes: Sequence[Cause], found: Sequence[Finding]) -> list[Remedy]:
    """What would make the subject like the reference, then what would do it the other way."""
    if case.subject.is_image:
        return _rebuild(case, causes, found)
    if any(cause.type == "release-differs" for cause in causes):
        return [_replace_host(case, causes), *another_base(case, causes)]
    return [*_converge(case, causes, found), *other_way(case, causes, found)]


def _converge(case: Case, causes: Sequence[Cause], found: Sequence[Finding]) -> list[Remedy]:
    """One ordered list: repository, packages, marks, settings, restarts, scan again."""
    shown = {d.id: d for finding in found for d in finding.members}
    kept = _not_going_back(case, causes)
    steps: list[Step] = []
    for cause in causes:
        steps += table.undo(case, cause, _members(case, cause, shown))
    members = [d for d in shown.values() if is_package(d) and d.id not in kept]
    steps += commands.steps(case, members)
    if steps or any(use.stale for finding in found for use in finding.uses):
        moved = [f for f in found if any(d.id not in kept for d in f.members)]
        changed = [u for u in settings.services(case) if any(f"/{u}.d" in s.run for s in steps)]
        steps += settings.restarts(moved, changed)
    if not steps:
        return []
    pins = [word for step in steps if step.phase == "packages" for word in step.words]
    steps.append(words.run(*_again(case), why="what is left", phase="again"))
    return [
        Remedy(
            id="converge:subject",
            causes=[cause.id for cause in causes],
            steps=_ordered(steps),
            notes=[
                *_notes(case, members, kept & set(shown)),
                *available.notes(case, pins, causes),
                *commands.undo(case, members),
            ],
        )
    ]


def _members(case: Case, cause: Cause, shown: dict[str, Divergence]) -> list[Divergence]:
    """What the cause claims of what is shown, and where packages come from and what keeps them.

    A report about one package still needs the repository that has its version.
    """
    way = {i: d for i, d in case.by_id.items() if d.section in ("repositories", "apt-pins")}
    known = {**way, **shown}
    return [known[i] for i in cause.claims if i in known]


def _ordered(steps: Sequence[Step]) -> list[Step]:
    """By phase, each command once; where repositories change, one update after the last."""
    once = {step.run: step for step in settings.together(steps)}
    return sorted(
        once.values(), key=lambda s: (PHASES.index(s.phase), s.run == packages.UPDATE.run)
    )


def _not_going_back(case: Case, causes: Sequence[Cause]) -> set[str]:
    """Packages that are newer because time went on: the image is what has to move."""
    if not case.reference.is_image:
        return set()
    return {claim for cause in causes if cause.type == "ahead" for claim in cause.claims}


def _again(case: Case) -> tuple[str, ...]:
    if case.reference.baseline is not None:
        return ("driftscan", "check", case.subject.name)
    return words.compare(case.subject.fingerprint.meta, case.reference.fingerprint.meta)


def _rebuild(case: Case, causes: Sequence[Cause], found: Sequence[Finding]) -> list[Remedy]:
    if not found or case.subject.baseline is None or _newer_already(case, found):
        return []
    folder = case.subject.baseline.dockerfile.rpartition("/")[0] or "."
    run = f"driftscan baseline build {shlex.quote(folder)}"
    step = Step(run=run, why="builds the image anew")
    return [Remedy(id="rebuild:image", causes=[c.id for c in causes], steps=[step])]


def _newer_already(case: Case, found: Sequence[Finding]) -> bool:
    """All packages that differ are newer in the image: building it anew moves it further away."""
    moved = [f for f in found if f.kind == "changed" and f.section == case.records.manager.section]
    return bool(moved) and all(f.direction == "newer" for f in moved)


def _replace_host(case: Case, causes: Sequence[Cause]) -> Remedy:
    step = words.review(
        f"set {case.subject.label} up again on the release of {case.reference.label}",
        why="no package manager goes back a release",
    )
    return Remedy(id="rebuild:subject", causes=[c.id for c in causes], steps=[step])


def _notes(case: Case, members: Sequence[Divergence], kept: set[str]) -> list[str]:
    notes: list[str] = []
    manager = case.records.manager
    grammar = words.PACKAGE if manager is DPKG else words.ANY_PACKAGE
    unfit = [d.key for d in members if not words.fits(grammar, d.key)]
    if unfit:
        notes.append(f"{len(unfit)} names do not fit {manager.tool}'s grammar and are left out")
    if kept:
        notes.append(
            f"{len(kept)} packages are newer than on {case.reference.label} and stay so: "
            "rebuild the image"
        )
    if any(d.direction == "newer" for d in members):
        notes.append(
            "going back to older versions is not supported by the distribution: "
            f"prefer to set {case.subject.label} up again"
        )
    return notes
