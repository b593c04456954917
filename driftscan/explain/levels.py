"""How bad a finding is: the proof that it breaks something, its level, and its score."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from driftscan import versions
from driftscan.explain import impact, shadowing
from driftscan.explain.case import Case
from driftscan.explain.changes import cites
from driftscan.explain.loaded import some
from driftscan.model import (
    Cause,
    Changes,
    Divergence,
    Evidence,
    Level,
    Match,
    Symbols,
    Use,
    Window,
    managers,
)
from driftscan.model.managers import is_package


class Weighed(Struct, frozen=True, kw_only=True):
    """All of a finding that its level and score rest on.

    `reached`: what the changelog is about may be used. Leftovers of another release are not.
    """

    members: list[Divergence]
    causes: list[Cause]
    uses: list[Use] = field(default_factory=list)
    requested: bool = False
    reached: bool = True
    changes: Changes | None = None
    windows: list[Window] = field(default_factory=list)
    match: Match | None = None
    symbols: Symbols | None = None


def proof(case: Case, source: str, weighed: Weighed) -> list[Evidence]:
    """Everything that shows the subject fails because of this; empty if nothing does.

    What changed in a library that another copy hides breaks nothing: it is not loaded.
    """
    found = [_of_cause(cause) for cause in weighed.causes if cause.level == "breaks"]
    hidden = shadowing.hidden(case)
    pair = case.pairs.all.get(source)
    if pair is None or hidden.isdisjoint(pair.names):
        found += _missing(case, weighed)
    if not weighed.reached or pair is None or not hidden.isdisjoint(pair.names):
        return found
    if pair.newer_on == "reference":
        uses = impact.uses(case, pair.names)
        return [*found, *_symptom(case, source, weighed), *_window(case, weighed, uses)]
    return [*found, *_gone(case, weighed)]


def reached(case: Case, source: str, names: Sequence[str]) -> bool:
    """Whether what the changelog is about may be what is used, not leftovers beside it."""
    pair = case.pairs.all.get(source)
    if pair is None or not impact.known(case) or {*names} <= {*pair.names}:
        return True
    return _needed(case, pair.names) or not _needed(case, names)


def _needed(case: Case, names: Sequence[str]) -> bool:
    return bool(impact.uses(case, names)) or any(case.requested(name) for name in names)


def _of_cause(cause: Cause) -> Evidence:
    carried = sorted({cite for evidence in cause.evidence for cite in evidence.cites})
    return Evidence(text=cause.text, confidence=cause.confidence, cites=carried)


def _symptom(case: Case, source: str, weighed: Weighed) -> list[Evidence]:
    """A fix the subject lacks speaks of the symptom; what its own newer changes say proves less."""
    match = weighed.match
    if match is None or match.confidence != "recorded":
        return []
    text = f"version {match.version}, which {case.subject.label} lacks, speaks of the symptom"
    return [Evidence(text=text, confidence="recorded", cites=cites(case, source))]


def _window(case: Case, weighed: Weighed, uses: Sequence[Use]) -> list[Evidence]:
    inside = [window for window in weighed.windows if window.inside] if uses else []
    return [
        Evidence(
            text=f"broken since {window.introduced} ({window.of}), repaired in {window.fixed}: "
            f"{case.subject.label} lies between, and {_named(uses)} loads it",
            confidence="recorded",
            cites=[*window.cites, *impact.cites(case, uses)],
        )
        for window in inside[:1]
    ]


def _gone(case: Case, weighed: Weighed) -> list[Evidence]:
    """What the newer subject exports no more, where a program that no package brought loads it.

    Packages are rebuilt for a new library and say what they need; other programs are not.
    """
    symbols, uses = weighed.symbols, [use for use in weighed.uses if _is_foreign(case, use)]
    if symbols is None or not uses:
        return []
    gone = [f"soname {name}" for name in symbols.sonames_lost]
    gone += [f"symbol {name}" for name in symbols.lost]
    if not gone:
        return []
    text = f"{some(gone)}: gone on {case.subject.label}; {_named(uses)}, of no package, loads it"
    cites = [*symbols.cites, *impact.cites(case, uses)]
    return [Evidence(text=text, confidence="inferred", cites=cites)]


def _missing(case: Case, weighed: Weighed) -> list[Evidence]:
    """What a program of no package imports and the subject's library does not export."""
    symbols = weighed.symbols
    if symbols is None or not symbols.missing:
        return []
    path, names = min(symbols.missing.items())
    more = f" and {len(symbols.missing) - 1} more files" if len(symbols.missing) > 1 else ""
    verb = "need" if more else "needs"
    text = f"{path}{more} {verb} {some(names)}, which the libraries of {case.subject.label} lack"
    return [Evidence(text=text, confidence="recorded", cites=symbols.cites)]


def _is_foreign(case: Case, use: Use) -> bool:
    item = case.evidence(case.subject, "processes").get(f"{use.program}|{use.service}", {})
    loads = item.get("loads")
    return isinstance(loads, dict) and loads.get(use.program) == ""


def _named(uses: Sequence[Use]) -> str:
    names = sorted({impact.name(use) for use in uses})
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def level(weighed: Weighed, proven: Sequence[Evidence]) -> Level:
    """`breaks` needs proof, whatever the versions say."""
    if proven:
        return "breaks"
    used = weighed.uses or weighed.requested or any(c.level == "in-use" for c in weighed.causes)
    return "in-use" if used else "installed"


# --- the order within a level --------------------------------------------------------------

_CHANGE: Mapping[str, int] = {
    "epoch": 3, "major": 3, "minor": 3, "patch": 2, "revision": 1, "data": 1, "unknown": 1,
    "rebuild": 0, "equal": 0,
}  # fmt: skip
_NEVER_RUN = ("-dev", "-devel", "-doc", "-docs", "-dbg", "-debuginfo", "-headers", "-common-doc")


def score(case: Case, weighed: Weighed) -> int:
    """Reach times change, as `docs/architecture.md` tells; how many CVE ids there are is no part.

    What is only compiled with or read (headers, documentation) scores nothing.
    """
    if all(managers.bare(d.key).endswith(_NEVER_RUN) for d in weighed.members):
        return 0
    unsure = weighed.requested or not impact.known(case)
    reach = 3 if weighed.uses else 2 if unsure else 1
    change = max(_change(d) for d in weighed.members)
    if not weighed.reached:
        return reach * change
    change += _worse(weighed)
    return reach * change + (10 if weighed.match else 0) + _told(weighed)


def _told(weighed: Weighed) -> int:
    """For security; where nobody read what changed it may be anything, so reach weighs more."""
    differs = any(is_package(d) and d.kind == "changed" for d in weighed.members)
    if weighed.changes is None and differs:
        return (4 if weighed.requested else 0) + (2 if weighed.uses else 0)
    return 1 if weighed.changes and weighed.changes.counts.get("security") else 0


def _worse(weighed: Weighed) -> int:
    """What a step between two versions brings with it, however small the step looks."""
    symbols = weighed.symbols or Symbols()
    found = 3 if any(window.inside for window in weighed.windows) else 0
    found += 3 if symbols.lost else 0
    found += 1 if symbols.gained else 0
    return found + (3 if symbols.sonames_gained or symbols.sonames_lost else 0)


def _change(divergence: Divergence) -> int:
    if divergence.kind != "changed":
        return 1 if is_package(divergence) and divergence.kind == "extra" else 3
    if not is_package(divergence):
        return 1
    ours, theirs = (
        str((item or {}).get("version", "")) for item in (divergence.subject, divergence.reference)
    )
    return _CHANGE[versions.level(managers.MANAGERS[divergence.section].ecosystem, ours, theirs)]
