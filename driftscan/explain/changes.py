"""What changed between the versions: what to ask for on the second trip, and what it tells."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from msgspec.structs import replace

from driftscan import versions
from driftscan.explain import impact, imports, symbols, symptom, windows
from driftscan.explain.case import Case
from driftscan.explain.changelog import entries
from driftscan.explain.delta import Delta, between, headline, sentence
from driftscan.explain.pairs import Pair, lines
from driftscan.model import (
    Changes,
    Divergence,
    Headline,
    Item,
    Items,
    Match,
    Side,
    Symbols,
    Want,
    Window,
    managers,
)
from driftscan.model.managers import is_package

_LIBRARY = re.compile(r"lib[a-z0-9][a-z0-9.+-]*(?<!-dev)(?<!-doc)(?<!-dbg)(?<!-java)(?<!-perl)")


# --- what to ask for -----------------------------------------------------------------------


def wants(case: Case) -> list[Want]:
    """The changelog of each source that differs, from its newer side; symbols of its libraries.

    Between two releases everything differs, so there only what is asked for or runs is read.
    """
    known = [pair for pair in case.pairs.all.values() if pair.manager.changelogs]
    told = [pair for pair in known if _worth(case, pair.source)]
    exported = _symbols(case)
    return [_changelog(case, pair) for pair in told] + exported + (exported and imports.want(case))


def _worth(case: Case, source: str) -> bool:
    if not case.releases_differ:
        return True
    names = _binaries(case, case.subject, source)
    return any(case.requested(name) for name in names) or bool(impact.uses(case, names))


def _changelog(case: Case, pair: Pair) -> Want:
    return Want(
        side=pair.newer_on,
        kind=pair.manager.changelogs,
        name=pair.source,
        names=tuple(_binaries(case, _newer(case, pair), pair.source)),
        version=pair.newer,
    )


def _newer(case: Case, pair: Pair) -> Side:
    return case.subject if pair.newer_on == "subject" else case.reference


def _binaries(case: Case, side: Side, source: str) -> list[str]:
    facts = case.packages(side)
    return sorted(
        name
        for name, item in facts.items()
        if item.get("source") == source and item.get("status") != "config-files"
    )


def _symbols(case: Case) -> list[Want]:
    """Of both sides where a library differs; a new soname is another package of that source."""
    found: list[Want] = []
    packages = [d for d in case.comparison.divergences if d.section == managers.DPKG.section]
    sources = sorted({d.group for d in packages})
    for source in sources:
        ours, theirs = _libraries(case.comparison.divergences, source)
        if ours and theirs and _worth(case, source):
            found += [Want(side="subject", kind="symbols", name=name) for name in ours]
            found += [Want(side="reference", kind="symbols", name=name) for name in theirs]
    return found


def _libraries(divergences: Iterable[Divergence], source: str) -> tuple[list[str], list[str]]:
    """The differing library packages of a source: those of the subject, those of the reference."""
    members = [
        d
        for d in divergences
        if is_package(d) and d.group == source and _LIBRARY.fullmatch(managers.bare(d.key))
    ]
    ours = sorted(d.key for d in members if d.subject is not None)
    theirs = sorted(d.key for d in members if d.reference is not None)
    return ours, theirs


# --- what it tells -------------------------------------------------------------------------


def cites(case: Case, source: str) -> list[str]:
    """The changelog of a source, as statements that rest on it name it."""
    pair = case.pairs.all.get(source)
    return case.cite_changelogs(_newer(case, pair), source) if pair else []


def changes_of(case: Case, source: str) -> Changes | None:
    """What the changelog says of the way between the two versions; None if nobody has it."""
    delta = case.pairs.deltas.get(source)
    if delta is None:
        return None
    item = case.pairs.item(source)
    first = headline(delta)
    return Changes(
        entries=len(delta.entries),
        distributions=delta.distributions,
        urgency=delta.urgency,
        counts={str(kind): count for kind, count in delta.counts.items()},
        ids=delta.ids,
        headline=_headline(delta, *first) if first else None,
        news=_news(delta, item),
        complete=delta.complete and not case.pairs.changelogs[source].cut,
        origin=str(item.get("origin", "")),
        cites=cites(case, source),
    )


def _headline(delta: Delta, version: str, text: str, bugs: list[str]) -> Headline:
    told = (b.kind for b in delta.bullets if (b.version, sentence(b.text)) == (version, text))
    return Headline(version=version, kind=next(told), text=text, bugs=bugs)


def _news(delta: Delta, item: Item) -> list[str]:
    """What NEWS.Debian tells an administrator to mind on this way."""
    news = between(entries(lines(item, "news"), delta.source), delta.older, delta.newer)
    told: list[tuple[str, str]] = []
    for bullet in news.bullets:
        version, before = told[-1] if told else ("", "")
        if version == bullet.version and _goes_on(before, bullet.text):
            told[-1] = version, f"{before} {bullet.text}"
        else:
            told.append((bullet.version, bullet.text))
    return [f"{version}: {sentence(text)}" for version, text in told]


def _goes_on(before: str, text: str) -> bool:
    """NEWS is prose: what follows a colon, or is a line to type, is no news of its own."""
    return before.endswith(":") or (text[:1].islower() and not text.endswith((".", ")")))


def windows_of(case: Case, source: str, match: Match | None = None) -> list[Window]:
    """Broken windows the older side lies in, that of the user's symptom first.

    `inside` is said of the subject: the reference is the older one where the subject is newer.
    """
    pair, changelog = case.pairs.all.get(source), case.pairs.changelogs.get(source)
    if pair is None or changelog is None:
        return []
    found = windows.windows(changelog, pair.older, pair.newer, pair.ecosystem)
    told = match.version if match else ""
    return [
        Window(
            of=window.reference,
            introduced=window.introduced,
            introduced_date=window.introduced_date[:10],
            fixed=window.fixed,
            fixed_date=window.fixed_date[:10],
            inside=pair.newer_on == "reference",
            cites=cites(case, source),
        )
        for window in sorted(found, key=lambda w: w.fixed != told)
    ]


def matches(case: Case) -> dict[str, Match]:
    """By source, where the changelogs of this comparison speak of the user's symptom."""
    found = symptom.find(case.pairs.deltas, case.symptom)
    hits = sum(len(told.hits) for told in found.values())
    searched = [cite for source in case.pairs.deltas for cite in cites(case, source)]
    return {
        source: Match(
            version=told.hits[0].version,
            text=sentence(told.hits[0].text),
            hits=hits,
            searched=len(searched),
            confidence="recorded" if told.telling and told.how != "words" else "inferred",
            cites=searched,
        )
        for source, told in found.items()
    }


def symbols_of(case: Case, source: str) -> Symbols | None:
    """What the libraries gained and lost from the older to the newer side; None if unknown.

    Which sonames there are the linker's cache tells, whether or not symbols were read.
    """
    exports = _exports(case, source)
    gained, lost = _sonames(case, source)
    if not (lost or gained):
        return exports
    known = exports or Symbols()
    carried = [*known.cites, *lost.values(), *gained.values()]
    return replace(
        known,
        sonames_lost=sorted({*known.sonames_lost, *lost}),
        sonames_gained=sorted({*known.sonames_gained, *gained}),
        cites=list(dict.fromkeys(carried)),
    )


def _sonames(case: Case, source: str) -> tuple[dict[str, str], dict[str, str]]:
    """What the newer version of a source of both sides brings, and what it has no more: sonames
    with their citations. Those without a number are for compilers only."""
    gained: dict[str, str] = {}
    lost: dict[str, str] = {}
    for divergence in case.comparison.divergences if source in case.pairs.all else ():
        soname = divergence.key.partition("|")[0]
        if divergence.section != "libraries" or ".so." not in soname:
            continue
        here, other = case.subject, case.reference
        if divergence.kind == "missing":
            here, other = other, here
        item = divergence.subject or divergence.reference or {}
        package = case.packages(here).get(str(item.get("owner", "")), {})
        if package.get("source") != source or _has_soname(case, other, soname):
            continue
        newer = _is_newer(case, other, source, str(package.get("source_version", "")))
        (told,) = case.cite(here, "libraries", divergence.key)
        (gained if newer else lost)[soname] = told
    return gained, lost


def _has_soname(case: Case, side: Side, soname: str) -> bool:
    return any(key.startswith(f"{soname}|") for key in case.facts(side, "libraries"))


def _is_newer(case: Case, other: Side, source: str, version: str) -> bool:
    """Than all that the other side has of the source."""
    ecosystem = case.of(other).manager.ecosystem
    theirs = (case.packages(other)[name] for name in _binaries(case, other, source))
    found = (str(item.get("source_version", "")) for item in theirs)
    return all(versions.compare(ecosystem, version, one) == 1 for one in found)


def _exports(case: Case, source: str) -> Symbols | None:
    """What is told by the `.symbols` files of both sides."""
    names = _libraries(case.comparison.divergences, source)
    subject, reference = (case.details(side, "symbols") for side in (case.subject, case.reference))
    ours, theirs = _comparable(*names, subject, reference)
    if not (ours and theirs):
        return None
    older, newer = _exported(subject, ours), _exported(reference, theirs)
    ahead = _subject_is_newer(case, source)
    if ahead:
        older, newer = newer, older
    found = symbols.difference(older, newer)
    found = Symbols(
        gained=found.gained,
        lost=found.lost,
        sonames_gained=found.sonames_gained,
        sonames_lost=found.sonames_lost,
        cites=[
            *case.cite(case.subject, "symbols", *ours),
            *case.cite(case.reference, "symbols", *theirs),
        ],
    )
    return imports.with_importers(case, found, older.keys() | newer.keys(), newer=ahead)


def _comparable(
    ours: Sequence[str], theirs: Sequence[str], subject: Items, reference: Items
) -> tuple[list[str], list[str]]:
    """Libraries known on both sides; renamed ones only if none is unknown: which became which?"""
    if {*ours} <= subject.keys() and {*theirs} <= reference.keys():
        return [*ours], [*theirs]
    both = [name for name in ours if name in theirs and name in subject and name in reference]
    return both, both


def _exported(found: Items, names: Sequence[str]) -> dict[str, frozenset[str]]:
    exported: dict[str, frozenset[str]] = {}
    for name in names:
        for soname, exports in _libraries_of(tuple(lines(found[name], "lines"))).items():
            exported[soname] = exported.get(soname, frozenset()) | exports
    return exported


@lru_cache(maxsize=64)  # a fleet's hosts are explained by the same text of one baseline
def _libraries_of(text: tuple[str, ...]) -> Mapping[str, frozenset[str]]:
    return symbols.libraries(text)


def _subject_is_newer(case: Case, source: str) -> bool:
    pair = case.pairs.all.get(source)
    if pair is not None:
        return pair.newer_on == "subject"
    ours, theirs = (_version(case, side, source) for side in (case.subject, case.reference))
    return versions.compare(case.records.manager.ecosystem, ours, theirs) == 1


def _version(case: Case, side: Side, source: str) -> str:
    """Of a source whose binaries changed their names: that of its first differing library."""
    ours, theirs = _libraries(case.comparison.divergences, source)
    names = ours if side is case.subject else theirs
    return str(case.packages(side).get(names[0], {}).get("source_version", "")) if names else ""
