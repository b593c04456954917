"""Which package needs which: the dependency graph of one machine."""

import re
from collections.abc import Iterable
from functools import cached_property

from driftscan.model import Items, managers


class Graph:
    """Installed packages and their dependencies, alternatives and virtual packages resolved.

    `needs` is the section `dpkg-needs` or its like: depends, recommends, provides as dpkg writes
    them (deb-control(5)), each dependency one that `name` finds.
    """

    def __init__(self, needs: Items, name: re.Pattern[str] = managers.DPKG.needs_name) -> None:
        self._needs = needs
        self._name = name

    @property
    def names(self) -> list[str]:
        """All packages, in order."""
        return sorted(self._needs)

    @property
    def packages(self) -> list[str]:
        return sorted(self._needs)

    def within(self, packages: set[str]) -> "Graph":
        """The same, of these packages alone."""
        mine = {name: item for name, item in self._needs.items() if name in packages}
        return Graph(mine, self._name)

    @cached_property
    def _providers(self) -> dict[str, set[str]]:
        providers: dict[str, set[str]] = {}
        for package, item in self._needs.items():
            for name in (managers.bare(package), package):
                providers.setdefault(name, set()).add(package)
            for name in self._names(str(item.get("provides", "")).replace("|", ",")):
                providers.setdefault(name, set()).add(package)
        return providers

    def groups(self, package: str, *, recommends: bool) -> list[set[str]]:
        """For each dependency the installed packages that satisfy it; empty sets are left out."""
        item = self._needs.get(package, {})
        texts = [str(item.get("depends", ""))]
        texts += [str(item.get("recommends", ""))] if recommends else []
        found: list[set[str]] = []
        for group in ", ".join(texts).split(","):
            satisfied: set[str] = set()
            for name in self._names(group.replace("|", ",")):
                satisfied |= self._providers.get(name, set())
            if satisfied:
                found.append(satisfied)
        return found

    def recommended(self, package: str) -> set[str]:
        """What the package recommends and does not need."""
        needed = {name for group in self.groups(package, recommends=False) for name in group}
        every = {name for group in self.groups(package, recommends=True) for name in group}
        return every - needed

    def relies(self, package: str, other: str) -> bool:
        """Whether the package depends on the other directly, and nothing else would do."""
        return {other} in self.groups(package, recommends=False)

    def closure(self, start: Iterable[str], *, recommends: bool = False) -> set[str]:
        """Everything the packages need, themselves included."""
        seen = set(start)
        queue = list(seen)
        while queue:
            for group in self.groups(queue.pop(), recommends=recommends):
                queue += group - seen
                seen |= group
        return seen

    def closure_beyond(self, start: Iterable[str], candidates: set[str]) -> set[str]:
        """The candidates that something in `start` needs or recommends, directly or through others.

        An alternative that a package outside the candidates satisfies already needs none of them.
        """
        seen = set(start)
        queue = list(seen)
        while queue:
            for group in self.groups(queue.pop(), recommends=True):
                wanted = group if group <= candidates else group - candidates
                queue += wanted - seen
                seen |= wanted
        return seen & candidates

    def dependents(self, package: str) -> list[str]:
        """Who needs the package directly, in order."""
        return sorted(
            other
            for other in self._needs
            if other != package
            and any(package in group for group in self.groups(other, recommends=False))
        )

    def _names(self, text: str) -> list[str]:
        return [match[1] for part in text.split(",") if (match := self._name.match(part))]
