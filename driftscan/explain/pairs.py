"""The source packages that differ in version, and the changelogs that tell what lies between."""

from collections.abc import Iterable
from functools import cached_property, cmp_to_key, lru_cache
from typing import Literal, TypeAlias

from msgspec import Struct

from driftscan import versions
from driftscan.explain import rpm_changelog
from driftscan.explain.changelog import Changelog, entries
from driftscan.explain.delta import Delta, between
from driftscan.explain.records import items
from driftscan.model import Divergence, Item, Items, Side
from driftscan.model.managers import MANAGERS, Manager, is_package

SideName: TypeAlias = Literal["subject", "reference"]


class Pair(Struct, frozen=True, kw_only=True):
    """A source package in two versions of its source, and on which side the newer one is.

    `names` are the binary packages that differ so.
    """

    source: str
    names: tuple[str, ...]
    newer_on: SideName
    older: str
    newer: str
    manager: Manager

    @property
    def ecosystem(self) -> str:
        """What orders its versions."""
        return self.manager.ecosystem


class Pairs:
    """Every pair of one comparison, with what the second trip learned of it: read once each."""

    def __init__(self, subject: Side, reference: Side, divergences: Iterable[Divergence]) -> None:
        self._sides: dict[SideName, Side] = {"subject": subject, "reference": reference}
        self._divergences = divergences

    @cached_property
    def all(self) -> dict[str, Pair]:
        """By source package; where its binaries differ unlike, the widest way that leads back."""
        found: dict[str, list[Pair]] = {}
        for divergence in self._divergences:
            if (pair := _pair(divergence)) is not None:
                found.setdefault(pair.source, []).append(pair)
        return {source: _widest(several) for source, several in sorted(found.items())}

    def item(self, source: str) -> Item:
        """What the second trip brought of the changelog of a pair; empty if nothing."""
        pair = self.all.get(source)
        return self._details(pair).get(source, {}) if pair else {}

    def _details(self, pair: Pair) -> Items:
        details = self._sides[pair.newer_on].fingerprint.details
        return items(details.get(pair.manager.changelogs))

    @cached_property
    def changelogs(self) -> dict[str, Changelog]:
        """By source package, of those pairs whose changelog was found."""
        found = {source: lines(self.item(source), "lines") for source in self.all}
        return {s: read(self.all[s].ecosystem, tuple(text), s) for s, text in found.items() if text}

    @cached_property
    def deltas(self) -> dict[str, Delta]:
        """By source package, what came between the two versions."""
        return {
            source: _between(changelog, self.all[source])
            for source, changelog in self.changelogs.items()
        }


@lru_cache(maxsize=64)  # a fleet's hosts are explained by the same text of one baseline
def read(ecosystem: str, text: tuple[str, ...], source: str) -> Changelog:
    """A changelog in the format of its ecosystem."""
    reader = rpm_changelog.entries if ecosystem == "rpm" else entries
    return reader(text, source)


def _between(changelog: Changelog, pair: Pair) -> Delta:
    return between(changelog, pair.older, pair.newer, pair.ecosystem)


def lines(item: Item, field: str) -> list[str]:
    """A field that should hold lines of text."""
    found = item.get(field)
    return [line for line in found if isinstance(line, str)] if isinstance(found, list) else []


def _pair(divergence: Divergence) -> Pair | None:
    """A rebuild alone is none: its source, and so its changelog, is the same."""
    if not is_package(divergence) or divergence.kind != "changed":
        return None
    manager = MANAGERS[divergence.section]
    ours, theirs = (_source_version(i) for i in (divergence.subject, divergence.reference))
    order = versions.compare(manager.ecosystem, ours, theirs)
    if not order:
        return None
    older, newer = (ours, theirs) if order < 0 else (theirs, ours)
    return Pair(
        source=divergence.group,
        names=(divergence.key,),
        newer_on="reference" if order < 0 else "subject",
        older=older,
        newer=newer,
        manager=manager,
    )


def _source_version(item: Item | None) -> str:
    found = item or {}
    version = str(found.get("source_version") or found.get("version") or "")
    return versions.in_changelog("deb", version)


def _widest(several: list[Pair]) -> Pair:
    """From the oldest to the newest version on the side that is behind: the subject first."""
    behind = [pair for pair in several if pair.newer_on == "reference"] or several
    ecosystem = several[0].ecosystem
    order = cmp_to_key(lambda a, b: versions.compare(ecosystem, str(a), str(b)) or 0)
    return Pair(
        source=behind[0].source,
        names=tuple(sorted(name for pair in behind for name in pair.names)),
        newer_on=behind[0].newer_on,
        older=min((pair.older for pair in behind), key=order),
        newer=max((pair.newer for pair in behind), key=order),
        manager=several[0].manager,
    )
