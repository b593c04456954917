"""What only a host has, compared with an image: rules from data files, and what follows them."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources

from msgspec import Struct, convert

from driftscan.explain.case import Case
from driftscan.explain.records import Transaction
from driftscan.model import Divergence, Expected, HostRecord


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns of package names, or of the keys of another section, and the reason."""

    id: str
    reason: str
    packages: list[str] = []
    section: str = "dpkg"
    keys: list[str] = []

    def matches(self, divergence: Divergence) -> bool:
        patterns = self.packages or self.keys
        name = divergence.key.partition(":")[0] if self.packages else divergence.key
        return divergence.section == self.section and any(fnmatchcase(name, p) for p in patterns)


@cache
def rules(profile: str = "host") -> tuple[Rule, ...]:
    """The rules of one profile, from `driftscan/expected/PROFILE.yml`."""
    import yaml

    text = resources.files("driftscan.expected").joinpath(f"{profile}.yml").read_text("utf-8")
    return tuple(convert(yaml.safe_load(text)["rules"], list[Rule]))


def plumbing(package: str) -> bool:
    """A package that hosts have for their own sake: asking for it says nothing about a service."""
    return any(fnmatchcase(package, p) for rule in rules() for p in rule.packages)


FOLLOWS = "needed-by-those"
_FOLLOWS_REASON = "automatic packages that came for the sake of expected ones"


def expected(case: Case) -> list[Expected]:
    """What the rules expect on the host side of a host-image pair, and what only that needs."""
    if not case.host_and_image:
        return []
    kind = "missing" if case.subject.is_image else "extra"
    candidates = [d for d in case.comparison.divergences if d.kind == kind]
    found = [(rule, [d for d in candidates if rule.matches(d)]) for rule in rules()]
    taken: set[str] = set()
    result: list[Expected] = []
    for rule, members in found:
        fresh = [d.id for d in members if d.id not in taken]
        taken.update(fresh)
        if fresh:
            result.append(_expected(case, rule.id, rule.reason, fresh))
    followers = _followers(case, candidates, taken)
    if followers:
        result.append(_expected(case, FOLLOWS, _FOLLOWS_REASON, followers))
    return result


def _followers(case: Case, candidates: Iterable[Divergence], taken: set[str]) -> list[str]:
    """Automatic packages of the host that are there for the sake of expected ones.

    Of a command that asked for nothing else, all it brought; else what only those need.
    """
    host = case.reference if case.subject.is_image else case.subject
    graph = case.reference_graph if case.subject.is_image else case.graph
    automatic = case.of(host).automatic
    extra = {d.key for d in candidates if d.section == "dpkg"}
    roots = {d.key for d in candidates if d.section == "dpkg" and d.id in taken}
    loose = {key for key in extra - roots if key in automatic}
    along = {key for key in extra - roots if _came_along(case.of(host).brought(key), key)}
    anchors = set(case.facts(host, "dpkg")) - roots - loose - along
    needed_elsewhere = graph.closure_beyond(anchors, loose)
    reachable = graph.closure(roots, recommends=True)
    return sorted(f"dpkg:{key}" for key in along | ((loose & reachable) - needed_elsewhere))


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
        transaction = records.last(divergence.key) if divergence.section == "dpkg" else None
        if transaction:
            found[transaction.start + transaction.command] = transaction
    history: list[HostRecord] = [records.of(found[key]) for key in sorted(found)]
    return Expected(rule=rule, reason=reason, members=ids, host_records=history)
