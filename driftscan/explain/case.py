"""One pair of machines as the explainers see it: read only, every index built once."""

import re
from collections.abc import Collection, Mapping
from functools import cached_property

from driftscan import dockerfile
from driftscan.explain.needs import Graph
from driftscan.explain.pairs import Pairs
from driftscan.explain.records import Records, items
from driftscan.model import Comparison, Divergence, Item, Items, Place, Side, managers


class Case:
    """Subject and reference, what differs between them, and what their records say."""

    def __init__(
        self, subject: Side, reference: Side, comparison: Comparison, symptom: str = ""
    ) -> None:
        self.subject = subject
        self.reference = reference
        self.comparison = comparison
        self.symptom = symptom

    @cached_property
    def by_id(self) -> dict[str, Divergence]:
        return {divergence.id: divergence for divergence in self.comparison.divergences}

    def facts(self, side: Side, section: str) -> Items:
        return items(side.fingerprint.facts.get(section))

    def evidence(self, side: Side, section: str) -> Items:
        return items(side.fingerprint.evidence.get(section))

    def packages(self, side: Side) -> Items:
        """The installed packages, of the manager that the side has."""
        return self.facts(side, self.of(side).manager.section)

    def needs(self, side: Side) -> Items:
        """What each of them needs and provides."""
        return self.evidence(side, self.of(side).manager.needs)

    def details(self, side: Side, kind: str) -> Items:
        """What the second trip learned; empty as long as nobody asked."""
        return items(side.fingerprint.details.get(kind))

    def cite(self, side: Side, section: str, *keys: str) -> list[str]:
        """The items a statement rests on, as `Evidence.cites` names them."""
        name = "subject" if side is self.subject else "reference"
        return [f"{name}/{section}:{key}" for key in keys]

    def cite_packages(self, side: Side, *keys: str) -> list[str]:
        """Installed packages of the side, as `Evidence.cites` names them."""
        return self.cite(side, self.of(side).manager.section, *keys)

    def cite_needs(self, side: Side, *keys: str) -> list[str]:
        """What packages of the side need, as `Evidence.cites` names it."""
        return self.cite(side, self.of(side).manager.needs, *keys)

    def cite_changelogs(self, side: Side, *sources: str) -> list[str]:
        """Changelogs that the second trip learned of the side, as `Evidence.cites` names them."""
        return self.cite(side, self.of(side).manager.changelogs, *sources)

    def package(self, name: str) -> Divergence | None:
        """How the package of that name differs, if it does."""
        found = (self.by_id.get(f"{s}:{name}") for s in self.sections)
        return next((divergence for divergence in found if divergence), None)

    def called(self, name: str) -> Divergence | None:
        """How the package that people call so differs, whatever its architecture."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Divergence]:
        found = [d for d in self.comparison.divergences if managers.is_package(d)]
        return {managers.bare(d.key): d for d in reversed(found)}

    @cached_property
    def sections(self) -> tuple[str, ...]:
        """The sections of the packages of either side, the subject's first."""
        both = (self.records, self.reference_records)
        return tuple(dict.fromkeys(records.manager.section for records in both))

    @cached_property
    def pairs(self) -> Pairs:
        return Pairs(self.subject, self.reference, self.comparison.divergences)

    @cached_property
    def records(self) -> Records:
        return Records(self.subject.fingerprint)

    @cached_property
    def reference_records(self) -> Records:
        return Records(self.reference.fingerprint, "reference")

    @cached_property
    def graph(self) -> Graph:
        return Graph(self.needs(self.subject), self.records.manager.needs_name)

    @cached_property
    def reference_graph(self) -> Graph:
        return Graph(self.needs(self.reference), self.reference_records.manager.needs_name)

    def needed(self, names: Collection[str]) -> tuple[Side, set[str]]:
        """All that these packages need, themselves left out, and the side that says so."""
        here = any(name in self.packages(self.subject) for name in names)
        side = self.subject if here else self.reference
        graph = self.graph if here else self.reference_graph
        return side, graph.closure(names) - set(names)

    @property
    def host_and_image(self) -> bool:
        """One side is a host (or a running container of it), the other an image."""
        return self.subject.is_image != self.reference.is_image

    @property
    def releases_differ(self) -> bool:
        """Whether the sides run other releases, or other systems altogether."""
        release = self.by_id.get("os:release")
        return release is not None and _series(release.subject) != _series(release.reference)

    def of(self, side: Side) -> Records:
        return self.records if side is self.subject else self.reference_records

    def changed_by(self, side: Side, package: str) -> Place | None:
        """The line of the side's Dockerfile that last changed the package, if it is an image."""
        return side.baseline.changed_by(package) if side.baseline else None

    def brought_by(self, side: Side, package: str) -> Place | None:
        """The line of the side's Dockerfile that brought the package, if it is an image."""
        return side.baseline.brought_by(package) if side.baseline else None

    def line_with(self, side: Side, *words: str, keyword: str = "") -> Place | None:
        """The first instruction of the side's Dockerfile that holds all the words, each whole."""
        for place in side.baseline.lines if side.baseline else ():
            if place.text.upper().startswith(keyword) and all(holds(place.text, w) for w in words):
                return place
        return None

    def sets(self, side: Side, variable: str) -> Place | None:
        """The instruction of the side's Dockerfile that sets the variable: the last one wins."""
        lines = side.baseline.lines if side.baseline else []
        return next((p for p in reversed(lines) if variable in dockerfile.sets(p.text)), None)

    def requested(self, package: str) -> bool:
        """Asked for on purpose: named to the package manager on the subject or in the Dockerfile.

        A mark `manual` alone is no proof: everything an installer brings carries it.
        """
        if self.records.asked(package) and package not in self.records.automatic:
            return True
        place = self.brought_by(self.reference, package)
        return place is not None and place.kind == "line" and managers.names(place.text, package)


def holds(text: str, word: str) -> bool:
    """Whether the text has the word, and not as a part of a longer name: `six` of `sixpack`."""
    return re.search(rf"(?<!\w){re.escape(word)}(?![\w-]|\.\w)", text, re.ASCII) is not None


# Within these an ordinary upgrade moves from one point release to the next.
_POINTS = {
    **dict.fromkeys(("almalinux", "centos", "cloudlinux", "ol", "rhel", "rocky", "scientific"), 1),
    "alpine": 2,
}


def _series(release: Item | None) -> tuple[str, str, str]:
    """Which release of which system it is, point releases left out (os-release(5))."""
    found = release or {}
    system, version = str(found.get("id", "")), str(found.get("version_id", ""))
    if parts := _POINTS.get(system):
        return system, "", ".".join(version.split(".")[:parts])
    return system, str(found.get("codename", "")), version


def packages(by_id: Mapping[str, Divergence], ids: list[str]) -> list[Divergence]:
    """The packages among the divergences named."""
    return [by_id[i] for i in ids if i in by_id and managers.is_package(by_id[i])]
