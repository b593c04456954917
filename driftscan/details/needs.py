"""What a run wants to know of its targets: who is asked for it, and what is known by now.

The changelog of one version is the same everywhere. So what a machine cannot give (an image
without documentation, a saved fingerprint) may come from the cache or another host of the run.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from driftscan.details.cache import Cache
from driftscan.model import (
    Collected,
    Failed,
    Fingerprint,
    Item,
    Items,
    Partial,
    Section,
    Sections,
    Unreached,
    Want,
    managers,
)
from driftscan.probes.contract import Learned
from driftscan.probes.wanted import changelogs, rpm_changelogs

SHARED = (changelogs.KIND, rpm_changelogs.KIND)
"""The kinds whose answers are true wherever they are read."""

_Key: TypeAlias = tuple[str, str, str, str]  # target, then kind, name and version of the want


class Sources:
    """Which live host has which source package in which version: the first by name."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}

    def add(self, host: str, fingerprint: Fingerprint) -> None:
        """Everything that is installed on a host."""
        found: dict[tuple[str, str], list[str]] = {}
        section = managers.of(fingerprint).section
        for package, item in sorted(_items(fingerprint.facts.get(section)).items()):
            source = str(item.get("source", "")), str(item.get("source_version", ""))
            found.setdefault(source, []).append(package)
        for source, packages in found.items():
            if source not in self._of or host < self._of[source][0]:
                self._of[source] = host, tuple(packages)

    def of(self, want: Want) -> tuple[str, Want] | None:
        """A host that has it, and the want as it is put to that host."""
        if want.kind not in SHARED or (want.name, want.version) not in self._of:
            return None
        host, packages = self._of[want.name, want.version]
        return host, replace(want, names=packages)


class Needs:
    """The wants of a run by the target they are about, and what is known of each.

    `known` are the details that the targets' fingerprints already have, `labels` how a sentence
    names a target.
    """

    def __init__(
        self,
        wants: Mapping[str, Iterable[Want]],
        known: Mapping[str, Sections],
        cache: Cache,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self._wants = {name: sorted(set(wanted)) for name, wanted in sorted(wants.items())}
        self._known = known
        self._cache = cache
        self._labels = labels or {}
        self._found: dict[_Key, Item] = {}
        self._why: dict[_Key, str] = {}
        self._done: set[_Key] = set()
        self._gaps: dict[tuple[str, str], list[str]] = {}
        self._wanting: dict[tuple[str, str, str], set[str]] = {}
        for name, want in self._each():
            self._wanting.setdefault(_of(want), set()).add(name)
            section = known.get(name, {}).get(want.kind)
            item = _items(section).get(want.name)
            if item is None and want.kind not in SHARED and isinstance(section, Collected):
                self._done.add((name, *_of(want)))  # it was asked, and had nothing to tell
            if item is None or item.get("version", want.version) != want.version:
                item = cache.recall(want)
            if item is not None:
                self._settle(name, want, item)

    def _each(self) -> Iterable[tuple[str, Want]]:
        return [(name, want) for name, wanted in self._wants.items() for want in wanted]

    def open(self, name: str) -> list[Want]:
        """What is not known yet about a target."""
        wanted = self._wants.get(name, ())
        return [want for want in wanted if (name, *_of(want)) not in self._done]

    def label(self, name: str) -> str:
        """How a sentence names a target."""
        return self._labels.get(name, name)

    def shared(self, name: str) -> list[Want]:
        """What is not known yet of a target and a package file of Debian's archive may have."""
        return [want for want in self.open(name) if want.kind == changelogs.KIND]

    @property
    def targets(self) -> list[str]:
        """The targets about which something is not known yet, in order."""
        return [name for name in self._wants if self.open(name)]

    def plan(
        self, machines: Iterable[str], documented: Iterable[str], sources: Sources
    ) -> dict[str, list[Want]]:
        """What to ask of each machine: about itself, and changelogs that others lack.

        Those that are `documented` are expected to have changelogs.
        """
        alive, documented = set(machines), set(documented)
        plan: dict[str, dict[tuple[str, str, str], Want]] = {}
        for name in self.targets:
            for want in self.open(name):
                donor = None if name in documented else sources.of(want)
                if donor is not None and donor[0] in alive:
                    plan.setdefault(donor[0], {})[_of(want)] = donor[1]
                elif name in alive:
                    plan.setdefault(name, {})[_of(want)] = want
        return {name: sorted(wanted.values()) for name, wanted in sorted(plan.items())}

    def learn(
        self,
        machine: str,
        wanted: Sequence[Want],
        found: Mapping[str, Learned] | Unreached,
        failed: str = "did not answer again",
    ) -> None:
        """What one machine answered: for itself, and for all that want the same changelog."""
        if isinstance(found, Unreached):
            why = f"{self.label(machine)} {failed}: {found.state}: {found.cause}"
            lost = {want.name: why for want in wanted}
            found = {want.kind: Learned({}, lost) for want in wanted}
        for want in wanted:
            told = found[want.kind]
            item, why = told.items.get(want.name), told.missing.get(want.name, "")
            for name in self._sharing(machine, want):
                self._note(name, want, item, why)
            if want.kind in SHARED and item and item.get("version") == want.version:
                self._cache.keep(want, item)
        for kind, told in found.items():
            if told.gaps and machine in self._wants:
                self._gaps[machine, kind] = list(told.gaps)

    def _sharing(self, machine: str, asked: Want) -> list[str]:
        """The targets that this answer is for, and that still lack it."""
        wanting = self._wanting.get(_of(asked), set())
        names = wanting if asked.kind in SHARED else wanting & {machine}
        return [name for name in sorted(names) if (name, *_of(asked)) not in self._done]

    def give_up(self, name: str, why: str) -> None:
        """Nobody can be asked any more for what is open of a target."""
        for want in self.open(name):
            self._why.setdefault((name, *_of(want)), why)

    def sections(self, name: str, wants: Iterable[Want]) -> Sections:
        """What is known now of a target, as far as these wants ask, and what was known before."""
        found = dict(self._known.get(name, {}))
        wanted = sorted(set(wants))
        for kind in sorted({want.kind for want in wanted}):
            found[kind] = self._section(name, kind, [w for w in wanted if w.kind == kind])
        return found

    def _section(self, name: str, kind: str, wanted: Iterable[Want]) -> Section:
        items = dict(_items(self._known.get(name, {}).get(kind)))
        missing: dict[str, str] = {}
        for want in wanted:
            key = (name, *_of(want))
            if key in self._found:
                items[want.name] = self._found[key]
            elif key in self._why:
                missing[want.name] = self._why[key]
        return _made(dict(sorted(items.items())), missing, self._gaps.get((name, kind), []))

    def _note(self, name: str, want: Want, item: Item | None, why: str) -> None:
        if item is not None:
            self._settle(name, want, item)
        elif why:
            self._why[name, *_of(want)] = why
        else:
            self._done.add((name, *_of(want)))

    def _settle(self, name: str, want: Want, item: Item) -> None:
        self._found[name, *_of(want)] = item
        self._done.add((name, *_of(want)))
        self._why.pop((name, *_of(want)), None)


def _of(want: Want) -> tuple[str, str, str]:
    """What it is about, whichever side of a pair and wherever it is looked for."""
    return want.kind, want.name, want.version


def _made(items: Items, missing: Mapping[str, str], gaps: Sequence[str]) -> Section:
    """What was found; what was not, as one gap a reason, each with the names it is true of."""
    names: dict[str, list[str]] = {}
    for name, why in sorted(missing.items()):
        names.setdefault(why, []).append(name)
    if not items and len(names) == 1:
        return Failed(reason=next(iter(names)))
    told = [f"{some(who)}: {why}" for why, who in sorted(names.items())]
    return Partial(items=items, gaps=[*told, *gaps]) if told or gaps else Collected(items=items)


def some(names: Sequence[str]) -> str:
    """`a, b, c and 4 more`."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _items(section: Section | None) -> Items:
    found: Items = getattr(section, "items", None) or {}
    return found
