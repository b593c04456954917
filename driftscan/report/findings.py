"""Several findings in one sentence: who loads them, what their changelogs hold, their names."""

from collections.abc import Iterable, Iterator, Sequence

from driftscan.model import Finding, Symbols
from driftscan.report.amount import Amount, plural, some
from driftscan.report.finding import one, user

_SHOWN = 3


def listed(findings: Sequence[Finding], amount: Amount, *, more: bool) -> str:
    """Several findings in a sentence: who loads them, what their changelogs hold, their names."""
    count = f"{len(findings)}{' more' if more else ''} source{plural(len(findings))}"
    told = (
        [*_reached(findings), *_together(findings)] if amount.reasons else [*_reached(findings)][:1]
    )
    about = f" ({'; '.join(told)})" if told else ""
    return f"{count}{about}: {some([one(f) for f in findings], amount.names)}"


def _reached(findings: Sequence[Finding]) -> Iterator[str]:
    """Who loads them; of those in use that nobody loads, why they are."""
    loaded = [finding for finding in findings if finding.uses]
    idle = [finding for finding in findings if not finding.uses]
    if loaded:
        users = sorted({user(use) for finding in loaded for use in finding.uses})
        yield f"{_which(loaded, findings)}loaded by {some(users, _SHOWN)}"
    elif all(finding.uses_known for finding in findings):
        yield "not loaded now"
    asked = [f for f in idle if f.level == "in-use" and f.requested]
    if asked:
        yield f"{_which(asked, findings)}asked for by name"
    other = {f.cause: "" for f in idle if f.level == "in-use" and not f.requested}
    if other:
        yield f"in use by {some(list(other), 1)}"


def _which(some_: Sequence[Finding], all_: Sequence[Finding]) -> str:
    return "" if len(some_) == len(all_) else f"{len(some_)} "


def _together(findings: Sequence[Finding]) -> Iterator[str]:
    """What their changelogs hold, and of how many these were read; whether a symbol is gone."""
    read = [finding for finding in findings if finding.changes]
    ahead = _advisories(f for f in read if f.direction == "newer")
    behind = _advisories(f for f in read if f.direction != "newer") - ahead
    if behind:
        yield f"{len(behind)} CVE id{plural(len(behind))} fixed in newer versions"
    if ahead:
        yield f"{len(ahead)} CVE id{plural(len(ahead))} fixed here already"
    if 0 < len(read) < len(findings):
        yield f"changelogs of {len(read)} of them read"
    other = [f.key for f in findings if f.symbols and _has_other_sonames(f.symbols)]
    if other:
        yield f"other sonames in {some(other, _SHOWN)}"
    known = [f.symbols for f in findings if f.symbols and _exports_read(f.symbols)]
    if known and not any(one.lost or one.sonames_lost for one in known):
        which = "" if len(known) == len(findings) else f" in {len(known)} of them"
        yield f"no symbol gone{which}"


def _has_other_sonames(symbols: Symbols) -> bool:
    return bool(symbols.sonames_gained or symbols.sonames_lost)


def _exports_read(symbols: Symbols) -> bool:
    """Whether more than the sonames is known."""
    return not symbols.cites or any("/symbols:" in cite for cite in symbols.cites)


def _advisories(findings: Iterable[Finding]) -> set[str]:
    told = (finding.changes.ids for finding in findings if finding.changes)
    return {name for ids in told for name in ids if name.startswith("CVE-")}
