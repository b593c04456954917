"""All that is known of one name on both sides, differing or not: why here, who needs it."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from driftscan.errors import InputError
from driftscan.explain import brought, contents, impact
from driftscan.explain.case import Case
from driftscan.explain.needs import Graph
from driftscan.inventory.contract import meant
from driftscan.model import LANGUAGES, About, Item, Known, Side, Standing, managers
from driftscan.model.managers import MANAGERS


def about(case: Case, name: str) -> About | None:
    """Packages, libraries, programs and settings that answer to the name; None without any."""
    known = _known(case, name)
    called = brought.programs_called(case, name)
    packages = _packages(case, name, known, [program.package for program in called])
    if not known and not packages and not contents.known(case, name):
        return None
    return About(
        name=name,
        items=known,
        called=[program for program in called if program.package in packages],
        standings=[
            standing
            for package in packages
            for side in (case.subject, case.reference)
            for standing in _standing(case, side, package)
        ],
        difference=contents.difference(case, name),
    )


def names(told: About) -> set[str]:
    """The packages and the items by which a name that is no package's may differ."""
    items = {f"{known.section}:{known.key}" for known in told.items}
    return items | {standing.package for standing in told.standings}


def nothing(case: Case, name: str) -> InputError:
    """That nothing recorded of either side is called so, and what is called nearly so."""
    words = {
        word
        for side in (case.subject, case.reference)
        for section in side.fingerprint.facts
        for key, item in case.facts(side, section).items()
        for word in _words(section, key, item)
    }
    sides = f"{case.subject.label} or {case.reference.label}"
    return InputError(f"nothing recorded of {sides} is called '{name}'{meant(name, sorted(words))}")


# --- what a name stands for --------------------------------------------------------------------


def _known(case: Case, name: str) -> list[Known]:
    """Items beside packages: which the standings tell."""
    found: list[Known] = []
    sections = {*case.subject.fingerprint.facts, *case.reference.fingerprint.facts} - {*MANAGERS}
    for section in sorted(sections):
        ours, theirs = (case.facts(side, section) for side in (case.subject, case.reference))
        for key in sorted({*ours, *theirs}):
            one, other = ours.get(key), theirs.get(key)
            if name in {*_words(section, key, one or {}), *_words(section, key, other or {})}:
                found.append(Known(section=section, key=key, subject=one, reference=other))
    return found


def _words(section: str, key: str, item: Item) -> Iterator[str]:
    """What an item is called: its key, its id, and what people call it."""
    yield from (key, f"{section}:{key}")
    if section in MANAGERS:
        source = str(item.get("source", ""))
        yield from (managers.bare(key), source, f"{section}:{source}")
    elif section == "libraries":
        soname, _, rest = key.partition("|")
        yield from (soname, f"{rest.rpartition('|')[2]}/{soname}", str(item.get("target", "")))
    elif section in LANGUAGES:
        yield key.rpartition("@")[0].rpartition("/")[2]
    elif section == "environment":
        yield key.rpartition("/")[2]
    elif section in ("winners", "runtimes"):
        kind, _, place = key.replace("@", "|").partition("|")
        yield from (kind, place)
    elif key.startswith("/"):
        yield PurePosixPath(key).name


def _packages(case: Case, name: str, known: Iterable[Known], bring: Iterable[str]) -> list[str]:
    """Packages of that name or source, else the owners of what is called so; the named first.

    `bring` are those that bring a program called so.
    """
    sides = (case.subject, case.reference)
    named = {
        key
        for side in sides
        for key, item in case.packages(side).items()
        if name in _words(case.of(side).manager.section, key, item)
    }
    owners = {
        str(item["owner"])
        for one in known
        for item in (one.subject, one.reference)
        if item and item.get("owner")
    }
    mapped = {owner for side in sides for owner in _mapped(case, side, name)}
    found = named or owners or mapped | {*bring}
    there = {key for side in sides for key in case.packages(side)}
    return sorted(found & there, key=lambda key: (key != name, not case.requested(key), key))


def _mapped(case: Case, side: Side, name: str) -> Iterator[str]:
    """The owners of files that running programs map under that name, or of the programs."""
    for item in case.evidence(side, "processes").values():
        loads = item.get("loads")
        for path, owner in loads.items() if isinstance(loads, dict) else ():
            if owner and name in (path, PurePosixPath(path).name):
                yield owner


# --- how a package stands on one side ----------------------------------------------------------


def _standing(case: Case, side: Side, package: str) -> list[Standing]:
    item = case.packages(side).get(package)
    if item is None:
        return []
    ours = side is case.subject
    graph = case.graph if ours else case.reference_graph
    place = case.brought_by(side, package)
    uses = impact.uses(case, [package]) if ours else []
    return [
        Standing(
            side="subject" if ours else "reference",
            section=case.of(side).manager.section,
            package=package,
            version=str(item.get("version", "")),
            source=str(item.get("source", "")),
            chain=chain(graph, lambda other: _asked(case, side, other), package),
            dependents=graph.dependents(package),
            host_record=None if side.is_image else case.of(side).record(package),
            brought_by=place,
            changed_by=case.changed_by(side, package),
            uses=uses,
            uses_known=bool(uses) or (ours and impact.known(case)),
        )
    ]


def _asked(case: Case, side: Side, package: str) -> bool:
    place = case.brought_by(side, package)
    if place is not None:
        return place.kind == "line" and managers.names(place.text, package)
    records = case.of(side)
    return bool(records.asked(package)) and package not in records.automatic


def chain(graph: Graph, asked: Callable[[str], bool], package: str) -> list[str]:
    """The shortest way from something that was asked for down to the package; empty without one.

    Recommendations count only where dependencies alone do not lead there.
    """
    roots = sorted(name for name in graph.names if asked(name))
    return _way(graph, roots, package, False) or _way(graph, roots, package, True)


def _way(graph: Graph, roots: list[str], package: str, recommends: bool) -> list[str]:
    came: dict[str, str] = dict.fromkeys(roots, "")
    queue = list(roots)
    for name in queue:
        if name == package:
            break
        needed = set().union(*graph.groups(name, recommends=recommends))
        for other in sorted(needed - came.keys()):
            came[other] = name
            queue.append(other)
    way = [package] if package in came else []
    while way and came[way[0]]:
        way.insert(0, came[way[0]])
    return way
