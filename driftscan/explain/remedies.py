"""The commands that would make the subject equal the reference: printed, never run."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from driftscan.explain import impact
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Finding, Remedy, Step

# Values come from hosts: only what fits the manager's own grammar becomes part of a command.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{0,250}(:[a-z0-9-]{1,30})?")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+:~-]{0,250}")
_URL = re.compile(r"(https?|ftp)://[A-Za-z0-9.-]{1,250}(:[0-9]{1,5})?(/[A-Za-z0-9._~%+/-]*)?")
_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,120}")
_PATH = re.compile(r"(/[A-Za-z0-9._+-]{1,120}){1,20}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,120}")


def remedies(case: Case, causes: Sequence[Cause], found: Sequence[Finding]) -> list[Remedy]:
    """One ordered list of steps: repository, packages, marks, settings, restarts, scan again."""
    if case.subject.is_image:
        return _rebuild(case, causes, found)
    if any(cause.type == "release-differs" for cause in causes):
        return [_replace_host(case, causes)]
    members = [d for finding in found for d in finding.members if d.section == "dpkg"]
    steps = [*_repositories(case, causes), *_unblock(causes)]
    steps += _packages(case, members)
    steps += _environment(found)
    if not steps:
        return []
    steps += _restarts(found)
    steps.append(Step(run=_again(case), why="what is left"))
    notes = _notes(case, causes, members)
    ids = [cause.id for cause in causes]
    return [Remedy(id="converge:subject", causes=ids, steps=steps, notes=notes)]


def _again(case: Case) -> str:
    subject, reference = shlex.quote(case.subject.name), shlex.quote(case.reference.name)
    return (
        f"driftscan check {subject}"
        if case.reference.is_image
        else (f"driftscan compare {subject} {reference}")
    )


def _rebuild(case: Case, causes: Sequence[Cause], found: Sequence[Finding]) -> list[Remedy]:
    if not found or case.subject.baseline is None:
        return []
    folder = shlex.quote(case.subject.baseline.dockerfile.rpartition("/")[0] or ".")
    step = Step(run=f"driftscan baseline build {folder}", why="builds the image anew")
    return [Remedy(id="rebuild:image", causes=[c.id for c in causes], steps=[step])]


def _replace_host(case: Case, causes: Sequence[Cause]) -> Remedy:
    step = Step(
        run=f"# set {case.subject.label} up again on the release of {case.reference.label}",
        why="no package manager goes back a release",
    )
    return Remedy(id="rebuild:subject", causes=[c.id for c in causes], steps=[step])


def _repositories(case: Case, causes: Sequence[Cause]) -> list[Step]:
    steps: list[Step] = []
    sources = case.evidence(case.reference, "repository-sources")
    for cause in causes:
        if cause.type != "repository-missing":
            continue
        claims = [claim.partition(":")[2] for claim in cause.claims if claim.startswith("repos")]
        suite = claims[0].partition("/")[2].rpartition("/")[0]
        components = " ".join(sorted(key.rpartition("/")[2] for key in claims))
        urls = sources.get(claims[0], {}).get("urls")
        if isinstance(urls, list) and urls and _fits(urls[0], suite, components):
            line = shlex.quote(f"deb {urls[0]} {suite} {components}")
            name = suite.replace("/", "-")
            why = f"the repository of {case.reference.label}"
            steps.append(Step(run=f"echo {line} > /etc/apt/sources.list.d/{name}.list", why=why))
    return [*steps, Step(run="apt-get update")] if steps else []


def _fits(url: str, suite: str, components: str) -> bool:
    words = [suite, *components.split(" ")]
    return bool(_URL.fullmatch(url)) and all(_SUITE.fullmatch(word) for word in words)


def _unblock(causes: Sequence[Cause]) -> list[Step]:
    return [
        step for cause in causes if cause.type in _UNBLOCK for step in _UNBLOCK[cause.type](cause)
    ]


def _unhold(cause: Cause) -> list[Step]:
    names = [claim.partition(":")[2] for claim in cause.claims]
    good = [name for name in names if _PACKAGE.fullmatch(name)]
    run = f"apt-mark unhold {' '.join(good)}"
    return [Step(run=run, why="lift the hold")] if good else []


def _unpin(cause: Cause) -> list[Step]:
    return [Step(run=f"# review: {cause.text}")]


def _automatic(cause: Cause) -> list[Step]:
    if not _PACKAGE.fullmatch(cause.subject):
        return []
    run = f"update-alternatives --auto {cause.subject}"
    return [Step(run=run, why=f"review: {cause.text}")]


def _unshadow(cause: Cause) -> list[Step]:
    path = _path_of(cause.claims[0])
    if not _PATH.fullmatch(path):
        return []
    run = f"mkdir -p /root/set-aside && mv {path} /root/set-aside/ && ldconfig"
    return [Step(run=run, why="the package's own library is found again")]


def _path_of(claim: str) -> str:
    """`libraries:soname|abi|directory` -> the file that the linker finds."""
    soname, _, rest = claim.partition(":")[2].partition("|")
    return f"{rest.rpartition('|')[2]}/{soname}"


_UNBLOCK: Mapping[str, Callable[[Cause], list[Step]]] = {
    "hold": _unhold,
    "pin": _unpin,
    "alternative": _automatic,
    "library-shadowed": _unshadow,
}


def _packages(case: Case, members: Sequence[Divergence]) -> list[Step]:
    changed = [d for d in members if d.kind == "changed" and "version" in d.changes]
    missing = [d for d in members if d.kind == "missing"]
    extra = [d for d in members if d.kind == "extra"]
    steps: list[Step] = []
    downgrade = " --allow-downgrades" if any(d.direction == "newer" for d in changed) else ""
    exact = _exact(changed)
    if exact:
        command = f"apt-get install --only-upgrade --no-install-recommends{downgrade}"
        why = f"the {len(exact)} exact versions; a plain upgrade may go beyond them"
        steps.append(Step(run=" ".join([command, *exact]), why=why))
        marks = [d.key for d in changed if d.key in case.records.automatic]
        marks = sorted(name for name in marks if _PACKAGE.fullmatch(name))
        if marks:
            why = f"naming packages marked {len(marks)} of them manual"
            steps.append(Step(run=" ".join(["apt-mark auto", *marks]), why=why))
    if _exact(missing):
        steps.append(Step(run=" ".join(["apt-get install", *_exact(missing)]), why="missing here"))
    names = _removable(case, {d.key for d in extra})
    if names:
        why = f"not on {case.reference.label}: review before you run it"
        steps.append(Step(run=" ".join(["apt-get remove", *names]), why=why))
    return steps


def _removable(case: Case, extra: set[str]) -> list[str]:
    """What nothing that stays needs: removing the rest would take other packages with it."""
    staying = set(case.facts(case.subject, "dpkg")) - extra
    needed = case.graph.closure(staying, recommends=True)
    return sorted(name for name in extra - needed if _PACKAGE.fullmatch(name))


def _exact(divergences: Sequence[Divergence]) -> list[str]:
    pairs = [(d.key, str((d.reference or {}).get("version", ""))) for d in divergences]
    return sorted(
        f"{name}={version}"
        for name, version in pairs
        if _PACKAGE.fullmatch(name) and _VERSION.fullmatch(version)
    )


def _environment(found: Sequence[Finding]) -> list[Step]:
    steps: list[Step] = []
    for divergence in (d for f in found if f.section == "environment" for d in f.members):
        scope, _, name = divergence.key.rpartition("/")
        value = str((divergence.reference or {}).get("value", ""))
        if scope != "system" or not _VARIABLE.fullmatch(name) or divergence.kind == "extra":
            continue
        if "[redacted]" in value:
            steps.append(Step(run=f"# set {name} in /etc/environment: its value is a secret"))
            continue
        line = shlex.quote(f"{name}={value}")
        steps.append(Step(run=f"echo {line} >> /etc/environment", why="as the image's ENV sets it"))
    return steps


def _restarts(found: Sequence[Finding]) -> list[Step]:
    units = sorted({use.service for f in found for use in f.uses if use.service})
    loose = sorted({impact.name(use) for f in found for use in f.uses if not use.service})
    good = [shlex.quote(unit.removesuffix(".service")) for unit in units]
    steps = (
        [Step(run=f"systemctl restart {' '.join(good)}", why="load the new files")] if good else []
    )
    if loose:
        why = "no unit known: running processes keep the old files until then"
        steps.append(Step(run=f"# restart {', '.join(loose)}", why=why))
    return steps


def _notes(case: Case, causes: Sequence[Cause], members: Sequence[Divergence]) -> list[str]:
    notes: list[str] = []
    unfit = [d.key for d in members if not _PACKAGE.fullmatch(d.key)]
    if unfit:
        notes.append(f"{len(unfit)} names do not fit apt's grammar and are left out")
    lacking = [
        cause.subject
        for cause in causes
        if cause.type == "repository-missing" and not _repositories(case, [cause])
    ]
    if lacking:
        notes.append(f"add the repository {', '.join(lacking)} first: its address is not recorded")
    if any(d.direction == "newer" for d in members):
        notes.append("going back to older versions is not supported: prefer to rebuild the image")
    return notes
