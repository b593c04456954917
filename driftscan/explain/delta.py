"""What changed between two versions of a source: entries cut from its changelog and judged."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from driftscan.explain.changelog import Changelog, Entry
from driftscan.versions import compare, in_changelog

Kind: TypeAlias = Literal["security", "regression", "behaviour", "fix", "packaging", "other"]
Cut: TypeAlias = Literal["exact", "by order"]
KINDS: tuple[Kind, ...] = ("regression", "behaviour", "security", "fix", "other", "packaging")
"""In the order in which they tell what a reader looks for."""

URGENCIES = ("low", "medium", "high", "emergency", "critical")
HEADLINE = 120


class Bullet(Struct, frozen=True, kw_only=True):
    """One change, what kind of change it is, the advisories and the closed bugs it names."""

    version: str
    text: str
    kind: Kind
    ids: tuple[str, ...] = ()
    bugs: tuple[str, ...] = ()


class Delta(Struct, frozen=True, kw_only=True):
    """The entries after `older` up to and with `newer`, newest first, and the older ones after.

    `cut` is `exact` when `older` itself is an entry, else `by order` of versions. `complete` is
    False when the text does not reach from `newer` down to `older`: more may have changed.
    `unordered` entries have a version that Debian's order does not know; they stand nowhere.
    """

    source: str
    older: str
    newer: str
    ecosystem: str = "deb"
    entries: tuple[Entry, ...] = ()
    past: tuple[Entry, ...] = ()
    bullets: tuple[Bullet, ...] = ()
    cut: Cut = "by order"
    complete: bool = False
    unordered: int = 0

    @property
    def counts(self) -> dict[Kind, int]:
        """How many changes of each kind there are; kinds without any are left out."""
        found = Counter(bullet.kind for bullet in self.bullets)
        return {kind: found[kind] for kind in KINDS if found[kind]}

    @property
    def ids(self) -> list[str]:
        """Every advisory that is named, once, in order."""
        return sorted({name for bullet in self.bullets for name in bullet.ids})

    @property
    def bugs(self) -> list[str]:
        """Every bug that is closed, once: `#1150224` of Debian, `LP: #1` of Launchpad."""
        return sorted({bug for bullet in self.bullets for bug in bullet.bugs})

    @property
    def distributions(self) -> list[str]:
        """Every suite that an entry was uploaded to, once, in order."""
        return sorted({suite for entry in self.entries for suite in entry.distributions})

    @property
    def urgency(self) -> str:
        """The highest urgency of an entry, or empty."""
        found = {entry.urgency for entry in self.entries}
        return next((urgency for urgency in reversed(URGENCIES) if urgency in found), "")


def between(changelog: Changelog, older: str, newer: str, ecosystem: str = "deb") -> Delta:
    """What came after version `older` of the source, up to and with `newer`.

    Cut by the ecosystem's order of versions at the first entry that `older` holds already, as
    apt-listchanges does: a stable branch need not have the other version as an entry. Both may
    carry the `+bN` of a rebuild. Nothing is found where `older` is not older.
    """
    older, newer = in_changelog(ecosystem, older), in_changelog(ecosystem, newer)
    if compare(ecosystem, older, newer) != -1:
        return Delta(source=changelog.source, older=older, newer=newer, ecosystem=ecosystem)
    places = [
        (entry, _place(ecosystem, entry.version, older, newer)) for entry in changelog.entries
    ]
    stop = next((n for n, (_, place) in enumerate(places) if place == "past"), len(places))
    inside = tuple(entry for entry, place in places[:stop] if place == "inside")
    return Delta(
        source=changelog.source,
        older=older,
        newer=newer,
        ecosystem=ecosystem,
        entries=inside,
        past=tuple(entry for entry, place in places[stop:] if place == "past"),
        bullets=tuple(bullet for entry in inside for bullet in judged(entry)),
        cut="exact" if _holds(ecosystem, changelog.entries, older) else "by order",
        complete=stop < len(places) and _holds(ecosystem, inside, newer),
        unordered=sum(place == "unordered" for _, place in places),
    )


_BACKPORT = re.compile(r"~(?:deb[0-9]+u[0-9]+|bpo[0-9]+\+[0-9]+|ubuntu[0-9.]+)$", re.ASCII)


def _place(
    ecosystem: str, version: str, older: str, newer: str
) -> Literal["inside", "past", "after", "unordered"]:
    version = in_changelog(ecosystem, version)
    if compare(ecosystem, version, newer) is None:
        return "unordered"
    if _within(ecosystem, version, older):
        return "past"
    return "inside" if _within(ecosystem, version, newer) else "after"


def _within(ecosystem: str, version: str, bound: str) -> bool:
    """Not newer; or what the bound is a backport of: 1.2-1~deb12u1 holds 1.2-1, yet sorts first."""
    return version in _origins(bound) or compare(ecosystem, version, bound) in (-1, 0)


def _origins(version: str) -> set[str]:
    found: set[str] = set()
    while (shorter := _BACKPORT.sub("", version)) != version:
        found.add(shorter)
        version = shorter
    return found


def _holds(ecosystem: str, entries: Iterable[Entry], version: str) -> bool:
    return any(
        compare(ecosystem, in_changelog(ecosystem, e.version), version) == 0 for e in entries
    )


# --- what kind of change -------------------------------------------------------------------

_IDS = re.compile(
    r"\b(?:CVE-[0-9]{4}-[0-9]{4,12}|GHSA(?:-[a-z0-9]{4}){3}|D[SL]A-[0-9]{1,6}(?:-[0-9]{1,3})?"
    r"|USN-[0-9]{1,6}(?:-[0-9]{1,3})?)\b",
    re.ASCII | re.IGNORECASE,
)
# deb-changelog(5) and Launchpad's Closes; `,` may be followed by one blank, since text is joined
_CLOSES = re.compile(
    r"closes: ?((?:bug)?#? ?[0-9]{1,10}(?:, ?(?:bug)?#? ?[0-9]{1,10})*)", re.ASCII | re.IGNORECASE
)
_LAUNCHPAD = re.compile(r"lp: ?(#[0-9]{1,10}(?:, ?#[0-9]{1,10})*)", re.ASCII | re.IGNORECASE)
_RED_HAT = re.compile(
    r"\b((?:rhbz|bsc|boo)#[0-9]{1,10}|RHEL-[0-9]{1,10})\b", re.ASCII | re.IGNORECASE
)
_NUMBER = re.compile(r"[0-9]+", re.ASCII)
_TESTS = re.compile(r"\b(?:non-?)?regression[ -](?:test|suite|check)", re.ASCII | re.IGNORECASE)
_UPSTREAM = re.compile(r"new upstream|rebased? to|backport \S+ from", re.ASCII | re.IGNORECASE)


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)})", re.ASCII | re.IGNORECASE)


_REGRESSION = _words("regress", "revert", "fails? (?:again|since)")
_BROKEN = _words(r"broke\b")
_CHORES = r"(?!.{0,60}(?:patch|build|depend|tests?\b|lintian))"
_BEHAVIOUR = _words(
    "behaviou?r", r"defaults?\b", r"rebased? to\b",
    "deprecat", "removed? support", "incompatib", "new upstream",
    "blacklist", "distrust", r"backport \S+ (?:from|to)", r"polic(?:y|ies)\b(?! [0-9])",
    rf"drop{_CHORES}", rf"disabl{_CHORES}",
)  # fmt: skip
_FIX = _words("closes:", "lp: ?#", "fix", r"bug\b", "crash", "leak")
_PLACE = re.compile(r"(?:debian|d)/(?!p/|patches/)", re.ASCII | re.IGNORECASE)
# Of the package's own tests and builds: whatever else it says, nothing that runs has changed.
_OF_TESTS = re.compile(
    r"(?:debian/tests|d/t(?:ests)?)/|(?:auto(?:pkg)?)?tests?:|\[?(?:salsa|gitlab)[- ]?ci\b"
    r"|(?!new upstream|.{0,40}\bcolou?r).{0,90}(?:\b(?:salsa|gitlab)[- ]?ci\b|\bci pipelines?\b"
    r"|\bautopkgtests?\b|\btest[- ](?:case|suite|failure|path|build|assertion)s?\b"
    r"|\b(?:unit|integration|fuzz|autopkg|failing|upstream) tests?\b|\bTEST-[0-9]+|\bFTBFS\b)",
    re.ASCII | re.IGNORECASE,
)
_PACKAGING = _words(
    "standards?[- ]version", "lintian", "autopkgtest", "translation", "non-maintainer upload",
    "team upload", "rebuild", "no[- ]change", "refresh", "build-dep", "debhelper", "vcs-", "d/",
    "debian/", "uploaders", "gbp",
)  # fmt: skip


def judged(entry: Entry) -> list[Bullet]:
    """Each change of an entry, with what it is and what it names."""
    return [
        Bullet(
            version=entry.version,
            text=text,
            kind=_kind(text),
            ids=tuple(advisories(text)),
            bugs=tuple(closed(text)),
        )
        for text in entry.bullets
    ]


def advisories(text: str) -> list[str]:
    """The CVE, GHSA, DSA, DLA and USN ids in a text, once, in order of appearance."""
    found = (match.group() for match in _IDS.finditer(text))
    proper = (i.lower().replace("ghsa", "GHSA") if i[:1] in "gG" else i.upper() for i in found)
    return list(dict.fromkeys(proper))


def closed(text: str) -> list[str]:
    """The bugs a text closes: `#1` of Debian, `LP: #1` of Launchpad, `rhbz#1`, `RHEL-1`."""
    debian = [f"#{n}" for match in _CLOSES.finditer(text) for n in _NUMBER.findall(match[1])]
    launchpad = [f"LP: #{n}" for m in _LAUNCHPAD.finditer(text) for n in _NUMBER.findall(m[1])]
    others = [match[1] for match in _RED_HAT.finditer(text)]
    return list(dict.fromkeys(debian + launchpad + others))


def _kind(text: str) -> Kind:
    """The first that fits: a policy bypass with its CVE is security, no change of behaviour."""
    told = _TESTS.sub("", text)
    named = _IDS.search(text) is not None
    if not named and _OF_TESTS.match(told.partition(". ")[0]):
        return "packaging"
    rules: Mapping[Kind, bool] = {
        "regression": bool(_REGRESSION.search(told) or (not named and _BROKEN.search(told))),
        "security": named,
        "packaging": _PLACE.match(text) is not None,
        "behaviour": _BEHAVIOUR.search(told) is not None,
        "fix": _FIX.search(told) is not None,
    }
    found = next((kind for kind, fits in rules.items() if fits), None)
    return found or ("packaging" if _PACKAGING.search(text) else "other")


# --- one sentence --------------------------------------------------------------------------


def headline(delta: Delta) -> tuple[str, str, list[str]] | None:
    """The most telling change: its version, one sentence of it, the bugs it closes.

    Regressions and changed behaviour come before security, that before fixes; of equal ones those
    that name a bug or an advisory, of these the newest. None when nothing changed.
    """
    if not delta.bullets:
        return None
    told = min(delta.bullets, key=_rank)
    return told.version, sentence(told.text), list(told.bugs)


def _rank(bullet: Bullet) -> tuple[int, bool]:
    """That there is a new upstream version says the least of all that changes behaviour."""
    bare = bullet.kind == "behaviour" and _UPSTREAM.match(bullet.text)
    return KINDS.index("fix" if bare else bullet.kind), not (bullet.bugs or bullet.ids)


_CLOSING = re.compile(
    r" ?\(?(?:closes: ?|lp: ?)(?:bug)?#? ?[0-9]{1,10}(?:, ?(?:bug)?#? ?[0-9]{1,10})*[).;,]*",
    re.ASCII | re.IGNORECASE,
)
# As `sanitize` makes them printable.
_BLANKS = re.compile(r"(?:\\t|\\xa0)+")
_FULL_STOP = re.compile(r"(?<=[A-Za-z0-9)\"']{2})\. (?=[A-Z])", re.ASCII)


def sentence(text: str, width: int = HEADLINE) -> str:
    """The first sentence without the bugs it closes, at most `width` characters."""
    text = " ".join(_BLANKS.sub(" ", text).split())
    first = _FULL_STOP.split(_CLOSING.sub("", text), maxsplit=1)[0].strip().rstrip(".")
    text = first or text
    if len(text) <= width:
        return text
    short, _, word = text[: width - 2].rpartition(" ")
    return (short or word[: width - 3]).rstrip(" ,;:-") + "..."
