"""Packages of the subject -> the exact versions of the reference, and the marks they had."""

from collections.abc import Iterable, Sequence

from driftscan.explain.case import Case
from driftscan.explain.remedies import words
from driftscan.model import Divergence, Item, Step

UPDATE = Step(run="apt-get update", phase="repository")


def steps(case: Case, members: Sequence[Divergence]) -> list[Step]:
    """One installation of all exact versions, the marks it would lose, what only is here."""
    changed = [d for d in members if d.kind == "changed" and "version" in d.changes]
    missing = [d for d in members if d.kind == "missing"]
    pins = exact(case, changed, missing)
    found = [UPDATE, _install(case, pins, changed, missing)] if pins else []
    found += _unfinished(members)
    found += _automatic(case, pins, missing) if pins else []
    found += _held(members)
    return [*found, *_remove(case, [d.key for d in members if d.kind == "extra"])]


def exact(case: Case, changed: Sequence[Divergence], missing: Sequence[Divergence]) -> list[str]:
    """`name=version` of all that has to be installed: every binary of a source that moves."""
    wanted = {d.key: (d.reference or {}).get("version") for d in (*changed, *missing)}
    wanted |= _siblings(case, changed)
    pairs = (words.exact(name, version) for name, version in sorted(wanted.items()))
    return [pair for pair in pairs if pair]


def _siblings(case: Case, changed: Sequence[Divergence]) -> dict[str, str]:
    """Binaries of the same build that only the subject has: left behind they would hold it back."""
    moves: dict[tuple[str, str], set[str]] = {}
    for divergence in changed:
        target = str((divergence.reference or {}).get("version", ""))
        moves.setdefault(_build(divergence.subject or {}), set()).add(target)
    names = {d.key for d in changed}
    theirs = case.packages(case.reference)
    found: dict[str, str] = {}
    for name, item in case.packages(case.subject).items():
        targets = moves.get(_build(item), set())
        if len(targets) == 1 and name not in names and name not in theirs:
            found[name] = next(iter(targets))
    return found


def _build(item: Item) -> tuple[str, str]:
    """Source and version; binaries of one build that are numbered on their own stay alone."""
    return str(item.get("source", "")), str(item.get("version", ""))


def _install(
    case: Case, pins: list[str], changed: Sequence[Divergence], missing: Sequence[Divergence]
) -> Step:
    options = [] if missing else ["--only-upgrade"]
    options.append("--no-install-recommends")
    options += ["--allow-downgrades"] if any(d.direction == "newer" for d in changed) else []
    options += _keep_edited(case, {pin.partition("=")[0] for pin in pins})
    number = f"the {len(pins)} exact versions" if len(pins) > 1 else "the exact version"
    return Step(
        run=" ".join(["apt-get install", *options, *pins]),
        why=f"{number}; a plain upgrade may go beyond",
        phase="packages",
        words=pins,
    )


def _keep_edited(case: Case, names: set[str]) -> list[str]:
    """Edited configuration stays: dpkg would stop and ask, and a script has nobody to answer."""
    edited = case.facts(case.subject, "conffiles").values()
    stays = any(item.get("package") in names for item in edited)
    return ["-o", "Dpkg::Options::=--force-confold"] if stays else []


def _unfinished(members: Sequence[Divergence]) -> list[Step]:
    half = [d for d in members if "status" in d.changes and _status(d.subject) != "installed"]
    command = "dpkg --configure -a"
    return [Step(run=command, why="finish what was begun", phase="packages")] if half else []


def _status(item: Item | None) -> object:
    return (item or {}).get("status")


def _automatic(case: Case, pins: Sequence[str], missing: Sequence[Divergence]) -> list[Step]:
    """Naming a package marks it as asked for, `--only-upgrade` or not."""
    new = {d.key for d in missing}
    names = [pin.partition("=")[0] for pin in pins]
    marked = [
        name
        for name in names
        if name in (case.reference_records if name in new else case.records).automatic
    ]
    if not marked:
        return []
    which = f"packages marked {len(marked)} of them" if len(marked) > 1 else "a package marked it"
    why = f"naming {which} manual"
    return [Step(run=" ".join(["apt-mark auto", *marked]), why=why, phase="marks", words=marked)]


def _held(members: Sequence[Divergence]) -> list[Step]:
    """What the reference holds and the subject does not."""
    held = [d.key for d in members if (d.reference or {}).get("want") == "hold" and d.subject]
    names = _good(d for d in held)
    why = "on hold there"
    return [words.run("apt-mark", "hold", *names, why=why, phase="marks")] if names else []


def _good(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if words.fits(words.PACKAGE, name))


def _remove(case: Case, extra: Sequence[str]) -> list[Step]:
    """What nothing that stays needs: removing the rest would take other packages with it.

    apt asks before it removes, and what a step before needs may be among them: so it comes last.
    """
    staying = set(case.packages(case.subject)) - set(extra)
    needed = case.graph.closure(staying, recommends=True)
    names = _good(set(extra) - needed)
    why = f"not on {case.reference.label}: review before you run it"
    return [words.run("apt-get", "remove", *names, why=why, phase="removals")] if names else []
