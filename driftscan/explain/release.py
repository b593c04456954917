"""Another release of the operating system: one cause for the whole host."""

import re
from collections.abc import Sequence

from driftscan.explain import impact, wanted
from driftscan.explain.case import Case
from driftscan.explain.records import Records
from driftscan.explain.runs import Transaction
from driftscan.explain.wording import run, some
from driftscan.model import Cause, Divergence, Evidence, Item, Side, Want, managers
from driftscan.model.managers import is_package


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`release-differs`: claims packages and repositories when the codenames differ.

    Not what the Dockerfile asks for and the host lost, without a successor or though the image
    starts it: that is worse than another version, and a cause of its own. Where its other version
    runs on the subject nothing is lost.
    """
    release = next((d for d in open_ if d.id == "os:release"), None)
    if release is None or not case.releases_differ:
        return []
    ours, theirs = (_name(item) for item in (release.subject, release.reference))
    claims = [d.id for d in open_ if _of_release(d) and not _lost(case, d)]
    moved = _moved(case.records)
    by = f"{run(moved)} moved it there; " if moved else ""
    left, renamed, instead = _left(case, moved), _renames(case), _instead(case)
    return [
        Cause(
            type="release-differs",
            subject="os",
            text=f"{case.subject.label} runs {ours}, {case.reference.label} {theirs}: "
            f"{by}rebuild it rather than converge package by package"
            f"{_rest(theirs, left, renamed, instead)}",
            confidence="recorded",
            claims=claims,
            evidence=[
                _told(case, ours, theirs),
                *_what_moved(case, moved),
                *_left_behind(case, moved, theirs, left),
                *_renamed(case, renamed),
                *_running(case, instead),
            ],
            host_record=case.records.of(moved) if moved else None,
        )
    ]


def _of_release(divergence: Divergence) -> bool:
    owned = any((item or {}).get("owner") for item in (divergence.subject, divergence.reference))
    return (
        is_package(divergence)
        or divergence.section in ("os", "repositories")
        or (divergence.section == "libraries" and owned)
    )


def _lost(case: Case, divergence: Divergence) -> bool:
    if not is_package(divergence) or divergence.kind != "missing":
        return False
    if wanted.instead(case, divergence):
        return False
    if wanted.run_by(case, divergence.key):
        return True
    return not wanted.successors(case, divergence) and bool(wanted.asked_for(case, divergence.key))


def _name(item: Item | None) -> str:
    item = item or {}
    return str(item.get("pretty") or f"{item.get('id', '')} {item.get('version_id', '')}").strip()


def _told(case: Case, ours: str, theirs: str) -> Evidence:
    cites = [
        *case.cite(case.subject, "os", "release"),
        *case.cite(case.reference, "os", "release"),
    ]
    return Evidence(text=f"os-release: {ours} / {theirs}", confidence="recorded", cites=cites)


# --- the transaction that moved the host -------------------------------------------------------

# The package that a release names itself by, of Debian and its children, Alpine, and rpm systems.
_ITSELF = re.compile(r"base-files|alpine-(?:release|base)|[a-z0-9-]+-release(?:-[a-z]+)?")
_MAJOR = re.compile(r"(?:[0-9]+:)?([0-9]+(?:\.[0-9]+)?)")


def _moved(records: Records) -> Transaction | None:
    """The one that moved most packages, of those that changed the release.

    Its command says so, or it upgraded the package that the release names itself by. How many
    packages it moved proves nothing: so does each upgrade of a machine that lay idle.
    """
    counts = [
        (len(_upgraded(t)) + len(_gone(t)), t.start, t)
        for t in records.transactions
        if t.of_release or _crosses(t)
    ]
    best = max(counts, key=lambda row: row[:2], default=None)
    return best[2] if best and best[0] else None


def _crosses(transaction: Transaction) -> bool:
    upgraded = {
        managers.bare(name): done
        for name, done in transaction.operations.items()
        if done.action in ("upgrade", "downgrade")
    }
    return any(
        _release(name, done.old) != _release(name, done.new)
        for name, done in upgraded.items()
        if _ITSELF.fullmatch(name)
    )


def _release(name: str, version: str) -> str:
    """`12.4+deb12u15` is of 12, as Debian's point releases are one release; `9.4-1.el9` of 9.4."""
    found = _MAJOR.match(version)
    whole = found[1] if found else ""
    return whole.partition(".")[0] if name == "base-files" else whole


def _done(transaction: Transaction, *actions: str) -> list[str]:
    return sorted(n for n, done in transaction.operations.items() if done.action in actions)


def _upgraded(transaction: Transaction) -> list[str]:
    return _done(transaction, "upgrade", "downgrade")


def _gone(transaction: Transaction) -> list[str]:
    return _done(transaction, "remove", "purge")


def _what_moved(case: Case, moved: Transaction | None) -> list[Evidence]:
    if moved is None:
        return []
    record = case.records.of(moved)
    counts = f"{len(_upgraded(moved))} upgraded, {len(_done(moved, 'install'))} installed"
    text = f"{record.user}: {run(moved)}: {counts}, {len(_gone(moved))} removed"
    return [Evidence(text=text, confidence="recorded", cites=record.cites)]


# --- what stayed, what got another name --------------------------------------------------------


def _rest(
    theirs: str,
    left: Sequence[str],
    renamed: Sequence[tuple[str, str]],
    instead: Sequence[tuple[str, str]],
) -> str:
    """What such a move leaves: packages that nobody updates any more, new names, other versions."""
    told = [f"still of {theirs}: {some(left, 2)}"] if left else []
    if renamed:
        names = [f"{old} is {new}" for old, new in renamed]
        told.append(f"another name: {some(names, 1)}")
    if instead:
        told.append(some([f"{new} runs in place of {old}" for old, new in instead], 1))
    text = "; ".join(told)
    return f". {text[0].upper()}{text[1:]}" if text else ""


def _left(case: Case, moved: Transaction | None) -> list[str]:
    """Packages of the reference's release on a host of a newer one: nobody updates them there."""
    marks = tuple(f"{sign}deb{_number(case, case.reference)}u" for sign in "+~")
    if _number(case, case.subject) <= _number(case, case.reference):
        return []
    old = [
        name
        for name, item in sorted(case.packages(case.subject).items())
        if any(mark in str(item.get("version", "")) for mark in marks) or _is_older(case, name)
    ]
    if moved is not None:
        old = [name for name in old if name not in moved.operations]
    return old


def _left_behind(
    case: Case, moved: Transaction | None, theirs: str, old: Sequence[str]
) -> list[Evidence]:
    """That those packages are of the reference's release."""
    if not old:
        return []
    text = f"still of {theirs}: {some(old, 6)}"
    cites = case.cite_packages(case.subject, *old)
    cites += case.records.of(moved).cites if moved else []
    return [Evidence(text=text, confidence="inferred", cites=cites)]


def _number(case: Case, side: Side) -> int:
    number = str(case.facts(side, "os").get("release", {}).get("version_id", ""))
    whole = number.partition(".")[0]
    return int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 9 else 0


def _is_older(case: Case, package: str) -> bool:
    divergence = case.package(package)
    return divergence is not None and divergence.direction == "older"


def _renames(case: Case) -> list[tuple[str, str]]:
    """The same source under another name of its binary package: the old name and the new."""
    return [
        (d.key, new[0])
        for d in case.comparison.divergences
        if is_package(d) and d.kind == "missing" and (new := wanted.renamed(case, d))
    ]


def _renamed(case: Case, pairs: Sequence[tuple[str, str]]) -> list[Evidence]:
    """That those are of the same sources."""
    if not pairs:
        return []
    text = f"another name: {some([f'{old} is {new}' for old, new in pairs])}"
    cites = case.cite_packages(case.reference, *(old for old, _ in pairs))
    cites += case.cite_packages(case.subject, *sorted({new for _, new in pairs}))
    return [Evidence(text=text, confidence="inferred", cites=cites)]


def _instead(case: Case) -> list[tuple[str, str]]:
    """What the image starts or its Dockerfile asks for, and what runs on the subject instead."""
    return [
        (d.key, found[0])
        for d in case.comparison.divergences
        if is_package(d)
        and d.kind == "missing"
        and (found := wanted.instead(case, d))
        and (wanted.run_by(case, d.key) or wanted.asked_for(case, d.key))
    ]


def _running(case: Case, pairs: Sequence[tuple[str, str]]) -> list[Evidence]:
    """That those other versions are loaded by running programs."""
    if not pairs:
        return []
    names = sorted({new for _, new in pairs})
    told = some([f"{new} runs in place of {old}" for old, new in pairs])
    cites = case.cite_packages(case.reference, *(old for old, _ in pairs))
    cites += [*case.cite_packages(case.subject, *names)]
    cites += impact.cites(case, impact.uses(case, names))
    return [Evidence(text=told, confidence="recorded", cites=cites)]
