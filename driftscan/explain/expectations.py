"""What only a host or only an image has: rules from data files, and what follows them."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import cache
from importlib import resources

from msgspec import Struct, convert

from driftscan.explain.case import Case
from driftscan.explain.runs import Transaction
from driftscan.model import Divergence, Expected, HostRecord, managers
from driftscan.model.managers import is_package


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns of bare package names of any manager, or of keys of a section; the reason."""

    id: str
    reason: str
    packages: list[str] = []
    section: str = "dpkg"
    keys: list[str] = []

    def matches(self, divergence: Divergence) -> bool:
        if self.packages:
            return is_package(divergence) and _any(
                tuple(self.packages), managers.bare(divergence.key)
            )
        return divergence.section == self.section and _any(tuple(self.keys), divergence.key)


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return bool(patterns) and _form(patterns)(name) is not None


@cache
def _form(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """One pattern for all: there are hundreds of rules, and of differences."""
    return re.compile("|".join(map(translate, patterns))).match


@cache
def rules(profile: str = "host") -> tuple[Rule, ...]:
    """The rules of one profile, from `driftscan/expected/PROFILE.yml`."""
    import yaml

    text = resources.files("driftscan.expected").joinpath(f"{profile}.yml").read_text("utf-8")
    return tuple(convert(yaml.safe_load(text)["rules"], list[Rule]))


def plumbing(package: str) -> bool:
    """A package that hosts have for their own sake: asking for it says nothing about a service."""
    return _any(_plumbing(), managers.bare(package))


@cache
def _plumbing() -> tuple[str, ...]:
    return tuple(pattern for rule in rules() for pattern in rule.packages)


FOLLOWS = "needed-by-those"
_FOLLOWS_REASON = "automatic packages that came for the sake of expected ones"


def expected(case: Case) -> list[Expected]:
    """What the rules expect of one side of a host-image pair, and what only that needs.

    The rules are those of the host's profile, else of its kind; of the profile `none` nothing is
    expected.
    """
    host = case.reference if case.subject.is_image else case.subject
    if not case.host_and_image or host.profile == "none":
        return []
    kind = "container" if host.fingerprint.meta.kind == "container" else "host"
    profile = host.profile or kind
    here, there = ("missing", "extra") if case.subject.is_image else ("extra", "missing")
    candidates = [d for d in case.comparison.divergences if d.kind == here]
    result = _by_rule(case, rules(profile), candidates)
    from_units = [d.id for d in candidates if here == "extra" and _as_the_image(case, d)]
    if from_units:
        result.append(_expected(case, "image-variables", _AS_THE_IMAGE, from_units))
    taken = {member for group in result for member in group.members}
    followers = _followers(case, candidates, taken)
    if followers:
        result.append(_expected(case, FOLLOWS, _FOLLOWS_REASON, followers))
    others = [d for d in case.comparison.divergences if d.kind == there]
    return [*result, *_by_rule(case, rules("image"), others)]


_AS_THE_IMAGE = "a service has from its unit what a container has from its image's ENV"


def _as_the_image(case: Case, divergence: Divergence) -> bool:
    """A variable of a unit with the value that the image sets for all it runs."""
    scope, _, name = divergence.key.rpartition("/")
    if divergence.section != "environment" or not scope.startswith("unit:"):
        return False
    theirs = case.facts(case.reference, "environment").get(f"system/{name}", {})
    return "value" in theirs and theirs["value"] == (divergence.subject or {}).get("value")


def _by_rule(case: Case, known: Iterable[Rule], candidates: Iterable[Divergence]) -> list[Expected]:
    """One group a rule; each divergence belongs to the first rule that names it."""
    left = list(candidates)
    result: list[Expected] = []
    for rule in known:
        members = [d.id for d in left if rule.matches(d)]
        left = [d for d in left if not rule.matches(d)]
        if members:
            result.append(_expected(case, rule.id, rule.reason, members))
    return result


def _followers(case: Case, candidates: Iterable[Divergence], taken: set[str]) -> list[str]:
    """Automatic packages of the host that are there for the sake of expected ones.

    Of a command that asked for nothing else, all it brought; else what only those need.
    """
    host = case.reference if case.subject.is_image else case.subject
    graph = case.reference_graph if case.subject.is_image else case.graph
    automatic = case.of(host).automatic
    extra = {d.key for d in candidates if is_package(d)}
    roots = {d.key for d in candidates if is_package(d) and d.id in taken}
    loose = {key for key in extra - roots if key in automatic}
    along = {key for key in extra - roots if _came_along(case.of(host).brought(key), key)}
    anchors = set(case.packages(host)) - roots - loose - along
    needed_elsewhere = graph.closure_beyond(anchors, loose)
    reachable = graph.closure(roots, recommends=True)
    section = case.of(host).manager.section
    return sorted(f"{section}:{key}" for key in along | ((loose & reachable) - needed_elsewhere))


def _came_along(transaction: Transaction | None, package: str) -> bool:
    """Brought by a command that asked for nothing but what a host has for its own sake."""
    if transaction is None or package not in transaction.automatic:
        return False
    asked = {*transaction.requested, *transaction.named}
    return bool(asked) and all(plumbing(name) for name in asked)


def _expected(case: Case, rule: str, reason: str, ids: list[str]) -> Expected:
    host = case.reference if case.subject.is_image else case.subject
    records = case.of(host)
    found: dict[str, Transaction] = {}
    for divergence in (case.by_id[i] for i in ids):
        transaction = records.last(divergence.key) if is_package(divergence) else None
        if transaction:
            found[transaction.start + transaction.command] = transaction
    history: list[HostRecord] = [records.of(found[key]) for key in sorted(found)]
    return Expected(rule=rule, reason=reason, members=ids, host_records=history)
