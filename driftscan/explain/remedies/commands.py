"""Packages of the subject -> the commands of dnf, apk and pacman; apt's are in `packages.py`."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from driftscan.explain.case import Case
from driftscan.explain.remedies import packages, words
from driftscan.explain.runs import Transaction
from driftscan.model import Divergence, Item, Step, managers

Make: TypeAlias = Callable[[Case, Sequence[Divergence]], list[Step]]


def steps(case: Case, members: Sequence[Divergence]) -> list[Step]:
    """The commands of the manager that the subject has."""
    return _TABLE[case.records.manager.section](case, members)


def _older(members: Sequence[Divergence]) -> list[Divergence]:
    return [d for d in members if d.kind == "changed" and d.direction == "older"]


def _newer(members: Sequence[Divergence]) -> list[Divergence]:
    return [d for d in members if d.kind == "changed" and d.direction == "newer"]


def _missing(members: Sequence[Divergence]) -> list[Divergence]:
    return [d for d in members if d.kind == "missing"]


def _exactly(count: int) -> str:
    return f"the {count} exact versions" if count > 1 else "the exact version"


def _install(command: Sequence[str], pins: Sequence[str], why: str) -> list[Step]:
    """One command that ends with the packages."""
    if not pins:
        return []
    run = " ".join([*command, *pins])
    return [Step(run=run, why=why, phase="packages", words=[*pins])]


def _removal(case: Case, members: Sequence[Divergence], *command: str) -> list[Step]:
    """What nothing that stays needs; other packages would go with the rest."""
    extra = {d.key for d in members if d.kind == "extra"}
    staying = set(case.packages(case.subject)) - extra
    needed = case.graph.closure(staying, recommends=True)
    names = sorted(
        managers.bare(key) if case.records.manager is managers.APK else key
        for key in extra - needed
        if words.fits(words.ANY_PACKAGE, key)
    )
    why = f"not on {case.reference.label}: review before you run it"
    return [words.run(*command, *names, why=why, phase="removals")] if names else []


# --- rpm ---------------------------------------------------------------------------------------


def _rpm(case: Case, members: Sequence[Divergence]) -> list[Step]:
    """`upgrade` keeps why a package is there, `install` would mark it as asked for (dnf(8))."""
    older, newer, missing = _older(members), _newer(members), _missing(members)
    moves = (("upgrade", older), ("downgrade", newer), ("install", missing))
    found: list[Step] = []
    for verb, some in moves:
        pins = _nevras(some)
        why = f"{_exactly(len(pins))} of {case.reference.label}"
        found += _install(("dnf", verb), pins, why)
    return [*found, *_removal(case, members, "dnf", "remove")]


def _nevras(members: Sequence[Divergence]) -> list[str]:
    """`name-epoch:version-release.arch`, as dnf takes it."""
    found: list[str] = []
    for divergence in members:
        name = managers.bare(divergence.key)
        architecture = divergence.key.removeprefix(f"{name}.")
        version = str((divergence.reference or {}).get("version", ""))
        if words.fits(words.ANY_PACKAGE, divergence.key) and words.fits(words.ANY_VERSION, version):
            ending = f".{architecture}" if architecture != divergence.key else ""
            found.append(f"{name}-{version}{ending}")
    return sorted(found)


def undo(case: Case, members: Sequence[Divergence]) -> list[str]:
    """That the history could undo a whole transaction, if all it did is among the differences."""
    ids = {d.key for d in members}
    found: list[str] = []
    if case.records.manager is not managers.RPM:
        return found
    for transaction in case.records.transactions:
        if _alone(case, transaction, ids):
            found.append(
                f"what {transaction.command or 'a command'} did on {transaction.start[:16]} also "
                f"goes back with `dnf history undo {transaction.undo}`"
            )
    return found[:2]


def _alone(case: Case, transaction: Transaction, differing: set[str]) -> bool:
    """Whether what it found is what the reference has, and nothing was done since.

    A package that was installed twice (a second kernel) would stay in its other version.
    """
    if not (transaction.undo.isascii() and transaction.undo.isdigit()):
        return False
    theirs, done = case.packages(case.reference), transaction.operations
    if not done or not done.keys() <= differing:
        return False
    for name, operation in done.items():
        there = str(theirs.get(name, {}).get("version", ""))
        stays = operation.action in ("remove", "purge", "reinstall")
        before = operation.new if stays else operation.old
        touched = [t for t in case.records.transactions if name in t.operations]
        once = operation.action != "install" or len(touched) == 1
        if touched[-1] is not transaction or before != there or not once:
            return False
    return True


# --- apk ---------------------------------------------------------------------------------------


def _apk(case: Case, members: Sequence[Divergence]) -> list[Step]:
    """Versions on the command line stay in /etc/apk/world: they are taken out again at the end."""
    moving = [*_older(members), *_newer(members), *_missing(members)]
    found: list[Step] = []
    if pins := _pins(moving):
        why = f"{_exactly(len(pins))}; the repositories carry the newest of each alone"
        found += [Step(run="apk update", phase="repository"), *_install(("apk", "add"), pins, why)]
        found += _marks(case, [pin.partition("=")[0] for pin in pins])
    return [*found, *_removal(case, members, "apk", "del")]


def _pins(members: Sequence[Divergence]) -> list[str]:
    versions = {d.key: str((d.reference or {}).get("version", "")) for d in members}
    return sorted(
        f"{name}={version}"
        for name, version in versions.items()
        if words.fits(words.ANY_PACKAGE, name) and words.fits(words.ANY_VERSION, version)
    )


def _marks(case: Case, names: Sequence[str]) -> list[Step]:
    """As the reference has them in its world: asked for in any version, or there for others."""
    automatic = [n for n in names if n in case.reference_records.automatic]
    asked = [n for n in names if n not in automatic]
    found: list[Step] = []
    if asked:
        why = "takes the versions out of /etc/apk/world again"
        found.append(words.run("apk", "add", *asked, why=why, phase="marks"))
    if automatic:
        why = "out of /etc/apk/world: they stay, since others need them"
        found.append(words.run("apk", "del", *automatic, why=why, phase="marks"))
    return found


# --- pacman ------------------------------------------------------------------------------------


def _pacman(case: Case, members: Sequence[Divergence]) -> list[Step]:
    """Its repositories have one version of each package: others are in its cache at best."""
    moving = [*_older(members), *_newer(members), *_missing(members)]
    files = sorted(file for d in moving if (file := _cached(d.key, d.reference or {})))
    why = "if its cache still has them; else https://archive.archlinux.org/packages"
    found = _install(("pacman", "-U"), files, why)
    names = sorted({d.key for d in _missing(members)} & case.reference_records.automatic)
    good = [name for name in names if words.fits(words.ANY_PACKAGE, name)]
    if good:
        marks = f"{case.reference.label} has them for others"
        found.append(words.run("pacman", "-D", "--asdeps", *good, why=marks, phase="marks"))
    return [*found, *_removal(case, members, "pacman", "-Rs")]


def _cached(name: str, item: Item) -> str:
    version, architecture = str(item.get("version", "")), str(item.get("architecture", ""))
    good = words.fits(words.ANY_PACKAGE, name, architecture)
    good = good and words.fits(words.ANY_VERSION, version)
    file = f"{name}-{version}-{architecture}.pkg.tar.zst"
    return f"/var/cache/pacman/pkg/{file}" if good else ""


_TABLE: Mapping[str, Make] = {
    "dpkg": packages.steps,
    "rpm": _rpm,
    "apk": _apk,
    "pacman": _pacman,
}


# --- what stands in a package's way ------------------------------------------------------------

_LIFT: Mapping[str, Sequence[str]] = {
    "dpkg": ("apt-mark", "unhold"),
    "rpm": ("dnf", "versionlock", "delete"),
    "apk": ("apk", "add"),
}


def unhold(case: Case, members: Sequence[Divergence]) -> list[Step]:
    """Lift the hold of packages; of pacman it is a line that a person has to look at."""
    section = case.records.manager.section
    keys = sorted(d.key for d in members if managers.is_package(d))
    good = [key for key in keys if words.fits(words.ANY_PACKAGE, key)]
    names = good if section == "dpkg" else sorted({managers.bare(key) for key in good})
    if not names:
        return []
    if section not in _LIFT:
        text = f"review: take {', '.join(names)} out of IgnorePkg in /etc/pacman.conf"
        return [words.review(text, phase="unblock")]
    return [words.run(*_LIFT[section], *names, why="lift the hold", phase="unblock")]


# --- lines of a Dockerfile ---------------------------------------------------------------------


def lines(case: Case, here: Sequence[Divergence], gone: Sequence[str]) -> list[Step]:
    """`RUN` lines that give an image the subject's packages, in the words of its own manager."""
    section = case.records.manager.section
    turned = [
        Divergence(section=d.section, key=d.key, kind="missing", reference=d.subject, group=d.group)
        for d in here
    ]
    if section == "rpm":
        return _dnf_lines(case, _nevras(turned), sorted(managers.bare(key) for key in gone))
    if section == "apk":
        return _run_lines(case, "apk add --no-cache", _pins(turned), "apk del", sorted(gone))
    return []


def _dnf_lines(case: Case, pins: Sequence[str], gone: Sequence[str]) -> list[Step]:
    """`microdnf` where the Dockerfile uses that."""
    small = case.line_with(case.reference, "microdnf") is not None
    tool = "microdnf" if small else "dnf"
    return _run_lines(case, f"{tool} install -y", pins, f"{tool} remove -y", gone)


def _run_lines(
    case: Case, install: str, pins: Sequence[str], remove: str, gone: Sequence[str]
) -> list[Step]:
    good = [name for name in gone if words.fits(words.ANY_PACKAGE, name)]
    here = case.subject.label
    found: list[Step] = []
    if pins:
        run, why = f"RUN {install} {' '.join(pins)}", f"the {words.versions(len(pins))} of {here}"
        found.append(Step(run=run, why=why, phase="packages"))
    if good:
        run = f"RUN {remove} {' '.join(good)}"
        found.append(Step(run=run, why=f"not on {here}", phase="packages"))
    return found
