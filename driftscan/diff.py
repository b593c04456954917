"""Two fingerprints -> what differs, what is equal, what could not be compared."""

from collections.abc import Iterator

from driftscan import plausible, privileges, versions
from driftscan.model import (
    Absent,
    Collected,
    Comparison,
    Denied,
    Direction,
    Divergence,
    Failed,
    Field,
    Fingerprint,
    Gap,
    Item,
    Items,
    Partial,
    Section,
)
from driftscan.model.managers import MANAGERS
from driftscan.probes import apps, etc_paths, files, verify
from driftscan.probes.table import PROBES


def compare(subject: Fingerprint, reference: Fingerprint) -> Comparison:
    """Compare the facts. Denied, failed and suspect sections become gaps, never divergences.

    Same input, same output: sections and keys are in order. Costs one `==` an item; DeepDiff
    only looks inside the items that differ.
    """
    divergences: list[Divergence] = []
    equal: dict[str, int] = {}
    roots = {*subject.meta.apps} ^ {*reference.meta.apps}
    gaps = [*_unasked(subject, reference), *_unasked(reference, subject)]
    gaps += _nowhere(subject, reference)
    for name in sorted({*subject.facts, *reference.facts}):
        ours, theirs = subject.facts.get(name), reference.facts.get(name)
        if ours is None or theirs is None:
            gaps += _one_sided(name, subject, reference)
            continue
        gaps += _gaps(name, ours, subject) + _gaps(name, theirs, reference)
        left, right = _items(ours), _items(theirs)
        if left is None or right is None:
            continue
        if roots:
            left, right = _seen(name, left, right, roots), _seen(name, right, left, roots)
        if name == files.NAME:
            left, right = _guarded(left, right), _guarded(right, left)
        if doubt := plausible.doubt(name, (left, right), (subject.meta, reference.meta)):
            gaps.append(doubt)
            continue
        whole = (not isinstance(ours, Partial), not isinstance(theirs, Partial))
        found, same = _section(name, left, right, whole)
        divergences += found
        equal[name] = same
    return Comparison(divergences=divergences, equal=equal, gaps=gaps)


def _unasked(side: Fingerprint, other: Fingerprint) -> list[Gap]:
    """The roots of applications that one side was not asked about and the other was."""
    target = side.meta.target
    lacking = sorted({*other.meta.apps} - {*side.meta.apps})
    if not lacking:
        return []
    words = " ".join(f"--app {root}" for root in lacking)
    anew = "build the baseline" if side.meta.kind == "image" else "scan"
    why = f"{other.meta.target} was asked with {words} and this was not: of what is there only what"
    why += " both have is compared"
    return [Gap(what=apps.NAME, side=target, why=why, cure=f"{anew} {target} with {words}")]


def _nowhere(subject: Fingerprint, reference: Fingerprint) -> list[Gap]:
    """The roots of applications that neither side has: they may be misspelt."""
    lost = sorted({*apps.lost(subject.facts)} & {*apps.lost(reference.facts)})
    why = f"{', '.join(lost)}: no such directory, here or on {reference.meta.target} (--app)"
    gap = Gap(what=apps.NAME, side=subject.meta.target, why=why, blocks=False)
    return [gap] if lost else []


def _seen(name: str, items: Items, others: Items, roots: set[str]) -> Items:
    """The items without those below a root that one side was not asked about and does not have."""
    return {
        key: item
        for key, item in items.items()
        if key in others or not apps.above(name, key, roots)
    }


def _guarded(items: Items, others: Items) -> Items:
    """The files without those of which another section tells that only one side has them, unless
    others than root may change it: of such a file only that is told here."""
    return {
        path: item
        for path, item in items.items()
        if path in others or not etc_paths.told_elsewhere(path) or _is_open(item)
    }


def _is_open(item: Item) -> bool:
    owner, mode = str(item.get("account", "root:")).partition(":")[0], str(item.get("mode", "0"))
    return owner != "root" or int(mode, 8) & 0o022 != 0


_LIVE = frozenset(about.name for probe in PROBES for about in probe.GIVES if about.live)


_VERIFIED = frozenset(about.name for about in verify.GIVES)


def _one_sided(name: str, subject: Fingerprint, reference: Fingerprint) -> list[Gap]:
    """A section that one fingerprint does not have: natural of an image for what only runs."""
    lacking = reference if name in subject.facts else subject
    target, image = lacking.meta.target, lacking.meta.kind == "image"
    if name == apps.NAME or (name in _VERIFIED and lacking is subject):
        return []  # told otherwise; and who was not asked is no worse for what the other was
    if image and name in _LIVE:
        return [Gap(what=name, side=target, why="only a running machine has it", blocks=False)]
    if name in _VERIFIED:
        cure = f"build the baseline {target} again" if image else f"scan {target} with --verify"
        return [Gap(what=name, side=target, why="its files were not summed", cure=cure)]
    anew = f"build the baseline {target}" if image else f"scan {target}"
    cure = f"{anew} again with this version of driftscan"
    return [Gap(what=name, side=target, why="this fingerprint was made without it", cure=cure)]


def _gaps(name: str, section: Section, side: Fingerprint) -> list[Gap]:
    target = side.meta.target
    match section:
        case Denied(cure=cure):
            return [Gap(what=name, side=target, why=privileges.DENIED, cure=cure)]
        case Failed(reason=reason):
            return [Gap(what=name, side=target, why=reason)]
        case Partial(gaps=gaps):
            return [Gap(what=name, side=target, why=gap) for gap in gaps]
        case Collected() | Absent():
            return []


def _items(section: Section) -> Items | None:
    match section:
        case Collected(items=items) | Partial(items=items):
            return items
        case Absent():
            return {}
        case Denied() | Failed():
            return None


def _section(
    name: str, ours: Items, theirs: Items, whole: tuple[bool, bool]
) -> tuple[list[Divergence], int]:
    """A missing item is reported only when the side that lacks it was seen whole."""
    ours, theirs = _ranked(ours, theirs), _ranked(theirs, ours)
    ours, theirs = _asked_of_both(name, ours, theirs), _asked_of_both(name, theirs, ours)
    found: list[Divergence] = []
    same = 0
    for key in sorted({*ours, *theirs}):
        left, right = ours.get(key), theirs.get(key)
        if left == right:
            same += 1
        elif left is None:
            if whole[0]:
                found.append(_divergence(name, key, None, right))
        elif right is None:
            if whole[1]:
                found.append(_divergence(name, key, left, None))
        else:
            found.append(_divergence(name, key, left, right))
    return found, same


_LATER = {"repositories": ("signed",), "software": ("modes",)}
"""Fields that fingerprints of before do not have, where every newer one has them."""


def _asked_of_both(name: str, items: Items, others: Items) -> Items:
    """The items without such fields where the other side was never asked for them."""
    later = _LATER.get(name, ())
    if not later or all(other.keys() >= {*later} for other in others.values()):
        return items
    return {
        key: {k: value for k, value in item.items() if k not in later or k in others.get(key, {})}
        for key, item in items.items()
    }


def _ranked(items: Items, others: Items) -> Items:
    """Positions count only among what both sides have: one missing entry moves no other.

    Ranks are taken within a scope: the part of the key before its last `/` or `|`, if any.
    """
    common = [key for key in items if key in others and "position" in items[key]]
    if not common:
        return items
    ranks: dict[str, int] = {}
    seen: dict[str, int] = {}
    for key in sorted(common, key=lambda k: (_position(items[k]), k)):
        scope = _scope(key)
        ranks[key] = seen[scope] = seen.get(scope, -1) + 1
    return {
        key: {
            name: (ranks.get(key) if name == "position" else value) for name, value in item.items()
        }
        for key, item in items.items()
    }


def _scope(key: str) -> str:
    """`system//usr/bin` -> `system`, `libz.so.1|x86-64|/lib` -> `libz.so.1|x86-64`, else one."""
    if "|" in key:
        return key.rpartition("|")[0]
    head, slash, _ = key.partition("//")
    return head if slash else ""


def _position(item: Item) -> int:
    value = item.get("position")
    return value if isinstance(value, int) else 0


def _divergence(section: str, key: str, ours: Item | None, theirs: Item | None) -> Divergence:
    known = ours if ours is not None else theirs
    group = str((known or {}).get("source" if section in MANAGERS else "", "") or key)
    if ours is None or theirs is None:
        kind = "missing" if ours is None else "extra"
        return Divergence(
            section=section,
            key=key,
            kind="missing" if kind == "missing" else "extra",
            subject=ours,
            reference=theirs,
            group=group,
        )
    return Divergence(
        section=section,
        key=key,
        kind="changed",
        subject=ours,
        reference=theirs,
        changes=_inside(ours, theirs),
        direction=_direction(section, ours, theirs),
        group=group,
    )


def _inside(ours: Item, theirs: Item) -> dict[str, list[str]]:
    """Field -> [subject's, reference's] for what differs inside one item, nested parts by path."""
    changes: dict[str, list[str]] = {}
    for field in ours.keys() | theirs.keys():
        left, right = ours.get(field), theirs.get(field)
        if isinstance(left, dict | list) and isinstance(right, dict | list):
            changes.update(_nested(field, left, right) if left != right else {})
        elif (field in ours, type(left), left) != (field in theirs, type(right), right):
            changes[field] = [_shown(left), _shown(right)]
    return dict(sorted(changes.items()))


def _nested(field: str, ours: object, theirs: object) -> Iterator[tuple[str, list[str]]]:
    from deepdiff import DeepDiff  # 0.2 s to import: only when something differs so

    tree = DeepDiff(ours, theirs, view="tree", verbose_level=2)
    for kind in sorted(tree):
        for change in tree[kind]:
            path = [field, *(str(part) for part in change.path(output_format="list"))]
            yield ".".join(path), [_shown(change.t1), _shown(change.t2)]


def _shown(value: Field | object) -> str:
    return "" if value is None or repr(value) == "not present" else str(value)


def _direction(section: str, ours: Item, theirs: Item) -> Direction:
    manager = MANAGERS.get(section)
    left, right = ours.get("version"), theirs.get("version")
    if manager is None or not isinstance(left, str) or not isinstance(right, str):
        return "unknown"
    return versions.direction(manager.ecosystem, left, right)
