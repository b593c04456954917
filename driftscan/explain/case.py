"""One pair of machines as the explainers see it: read only, every index built once."""

from collections.abc import Collection, Mapping
from functools import cached_property

from driftscan.explain.needs import Graph
from driftscan.explain.pairs import Pairs
from driftscan.explain.records import Records, items
from driftscan.model import Comparison, Divergence, Items, Place, Side


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

    def details(self, side: Side, kind: str) -> Items:
        """What the second trip learned; empty as long as nobody asked."""
        return items(side.fingerprint.details.get(kind))

    def cite(self, side: Side, section: str, *keys: str) -> list[str]:
        """The items a statement rests on, as `Evidence.cites` names them."""
        name = "subject" if side is self.subject else "reference"
        return [f"{name}/{section}:{key}" for key in keys]

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
        return Graph(self.evidence(self.subject, "dpkg-needs"))

    @cached_property
    def reference_graph(self) -> Graph:
        return Graph(self.evidence(self.reference, "dpkg-needs"))

    def needed(self, names: Collection[str]) -> tuple[Side, set[str]]:
        """All that these packages need, themselves left out, and the side that says so."""
        here = any(name in self.facts(self.subject, "dpkg") for name in names)
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
        return release is not None and bool({"id", "codename", "version_id"} & set(release.changes))

    def of(self, side: Side) -> Records:
        return self.records if side is self.subject else self.reference_records

    def changed_by(self, side: Side, package: str) -> Place | None:
        """The line of the side's Dockerfile that last changed the package, if it is an image."""
        return side.baseline.changed_by(package) if side.baseline else None

    def brought_by(self, side: Side, package: str) -> Place | None:
        """The line of the side's Dockerfile that brought the package, if it is an image."""
        return side.baseline.brought_by(package) if side.baseline else None

    def line_with(self, side: Side, *words: str, keyword: str = "") -> Place | None:
        """The first instruction of the side's Dockerfile that holds all the words."""
        for place in side.baseline.lines if side.baseline else ():
            if place.text.upper().startswith(keyword) and all(w in place.text for w in words):
                return place
        return None

    def requested(self, package: str) -> bool:
        """Asked for on purpose: named to the package manager on the subject or in the Dockerfile.

        A mark `manual` alone is no proof: everything an installer brings carries it.
        """
        if self.records.asked(package) and package not in self.records.automatic:
            return True
        place = self.brought_by(self.reference, package)
        return place is not None and place.kind == "line" and package in place.text.split()


def packages(by_id: Mapping[str, Divergence], ids: list[str]) -> list[Divergence]:
    """The Debian packages among the divergences named."""
    return [by_id[i] for i in ids if i in by_id and by_id[i].section == "dpkg"]
