"""The other direction: what would make the reference like the subject."""

import shlex
from collections.abc import Sequence

from driftscan.explain.case import Case
from driftscan.explain.remedies import commands, sources, words
from driftscan.explain.remedies.words import PACKAGE, VARIABLE
from driftscan.model import Baseline, Cause, Divergence, Finding, Remedy, Step
from driftscan.model.managers import DPKG, is_package


def other_way(case: Case, causes: Sequence[Cause], found: Sequence[Finding]) -> list[Remedy]:
    """Lines for the Dockerfile that adopt the subject's state; for a host the swapped question."""
    members = [d for finding in found for d in finding.members]
    baseline = case.reference.baseline
    if not members or baseline is None:
        return [] if case.reference.is_image or not members else [_swapped(case, causes)]
    ahead = {c for cause in causes if cause.type == "ahead" for c in cause.claims}
    last = _build(baseline)
    rest = [d for d in members if d.id not in ahead]
    lines = [] if not rest else _lines(case, rest)
    if not lines and not ahead:
        return []
    ids = [cause.id for cause in causes]
    notes = [f"the lines go to the end of {baseline.dockerfile}"] if lines else []
    name = "adopt:subject" if lines else "rebuild:image"
    steps = [*lines, last]
    return [Remedy(id=name, direction="reference", causes=ids, steps=steps, notes=notes)]


def another_base(case: Case, causes: Sequence[Cause]) -> list[Remedy]:
    """The Dockerfile on the subject's release: no line at its end can do that."""
    baseline = case.reference.baseline
    if baseline is None:
        return []
    release = str(case.facts(case.subject, "os").get("release", {}).get("pretty", "its release"))
    base = words.review(f"take a base image of {release} in the FROM of {baseline.dockerfile}")
    ids = [cause.id for cause in causes]
    steps = [base, _build(baseline)]
    return [Remedy(id="adopt:subject", direction="reference", causes=ids, steps=steps)]


def _build(baseline: Baseline) -> Step:
    folder = shlex.quote(baseline.dockerfile.rpartition("/")[0] or ".")
    why = "builds the image anew, with today's packages"
    return Step(run=f"driftscan baseline build {folder}", why=why, phase="again")


def _swapped(case: Case, causes: Sequence[Cause]) -> Remedy:
    again = words.compare(case.reference.fingerprint.meta, case.subject.fingerprint.meta)
    why = f"prints the commands that would change {case.reference.label}"
    step = words.run(*again, why=why, phase="again")
    ids = [cause.id for cause in causes]
    return Remedy(id="adopt:subject", direction="reference", causes=ids, steps=[step])


def _lines(case: Case, members: Sequence[Divergence]) -> list[Step]:
    """Instructions of a Dockerfile, in the order in which they have to stand."""
    return [*_repositories(case, members), *_packages(case, members), *_variables(members)]


def _repositories(case: Case, members: Sequence[Divergence]) -> list[Step]:
    own = [d.key for d in members if d.section == "repositories" and d.kind == "extra"]
    found: list[Step] = []
    for suite in sorted({key.rpartition("/")[0] for key in own}):
        keys = sorted(key for key in own if key.rpartition("/")[0] == suite)
        line = sources.source_line(case, case.subject, keys)
        name = suite.partition("/")[2].replace("/", "-")
        if line and words.fits(words.NAME, name):
            run = f"RUN echo {shlex.quote(line)} > /etc/apt/sources.list.d/{name}.list"
            found.append(Step(run=run, phase="repository"))
    return found


def _packages(case: Case, members: Sequence[Divergence]) -> list[Step]:
    packages = [d for d in members if is_package(d)]
    if case.records.manager is not DPKG:
        moved = [d for d in packages if d.subject and (d.kind == "extra" or "version" in d.changes)]
        return commands.lines(case, moved, [d.key for d in packages if d.kind == "missing"])
    here = [d for d in packages if d.subject and (d.kind == "extra" or "version" in d.changes)]
    pins = [words.exact(d.key, (d.subject or {}).get("version")) for d in here]
    pins = sorted(pin for pin in pins if pin)
    gone = sorted(d.key for d in packages if d.kind == "missing" and words.fits(PACKAGE, d.key))
    found: list[Step] = []
    if pins:
        install = "apt-get install -y --no-install-recommends --allow-downgrades"
        run = f"RUN apt-get update && {install} {' '.join(pins)} && rm -rf /var/lib/apt/lists/*"
        why = f"the {words.versions(len(pins))} of {case.subject.label}"
        found.append(Step(run=run, why=why, phase="packages"))
    if gone:
        run = f"RUN apt-get purge -y {' '.join(gone)}"
        found.append(Step(run=run, why=f"not on {case.subject.label}", phase="packages"))
    return found


def _variables(members: Sequence[Divergence]) -> list[Step]:
    """`ENV` has no word for unset: what only the image sets has to leave its line."""
    found: list[Step] = []
    for divergence in (d for d in members if d.section == "environment"):
        scope, _, name = divergence.key.rpartition("/")
        value = str((divergence.subject or {}).get("value", ""))
        if scope != "system" or not words.fits(VARIABLE, name) or "[redacted]" in value:
            continue
        if divergence.kind == "missing":
            found.append(words.review(f"take {name} out of its ENV line"))
        elif words.fits(words.PLAIN, value) and "$" not in value:
            found.append(Step(run=f'ENV {name}="{value}"'))
    return found
