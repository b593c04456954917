"""What a changelog proves: that a version lies between a fault and its fix."""

import re
from collections.abc import Iterable

from msgspec import Struct

from driftscan.explain.changelog import Changelog, Entry
from driftscan.explain.delta import (
    Bullet,
    Cut,
    advisories,
    between,
    closed,
    sentence,
)
from driftscan.versions import in_changelog, upstream


class Window(Struct, frozen=True, kw_only=True):
    """Broken from `introduced` until `fixed`, and the host's version lies between.

    `reference` is what names the fault in both entries: an advisory, `#bug`, or a version. With
    `cut` "by order" the host's own version is no entry: that it holds the fault is inferred.
    """

    introduced: str
    introduced_date: str
    fixed: str
    fixed_date: str
    reference: str
    text: str
    bugs: tuple[str, ...]
    cut: Cut


def window(
    changelog: Changelog, host_version: str, newer: str, ecosystem: str = "deb"
) -> Window | None:
    """The broken window of the newest fix that the host lies in, or None.

    The fix says "regression of X"; X is found in an entry the host's version holds already. A
    host that predates X is not affected.
    """
    return next(iter(windows(changelog, host_version, newer, ecosystem)), None)


def windows(
    changelog: Changelog, host_version: str, newer: str, ecosystem: str = "deb"
) -> list[Window]:
    """Every broken window that the host's version lies in, the newest fix first."""
    delta = between(changelog, host_version, newer, ecosystem)
    told = _told(ecosystem, delta.past)
    dates = {entry.version: entry.date for entry in delta.entries}
    found = []
    for bullet in delta.bullets:
        for reference in culprits(bullet.text):
            entry = _introduced(told.get(reference, []))
            if entry is not None:
                found.append(_window(delta.cut, bullet, dates[bullet.version], reference, entry))
                break
    return found


def _window(cut: Cut, bullet: Bullet, date: str, reference: str, entry: Entry) -> Window:
    parts = _NESTED.split(bullet.text)
    text = next((part for part in parts if "regress" in part.lower()), bullet.text)
    return Window(
        introduced=entry.version,
        introduced_date=entry.date,
        fixed=bullet.version,
        fixed_date=date,
        reference=reference,
        text=sentence(text),
        bugs=bullet.bugs,
        cut=cut,
    )


_NESTED = re.compile(" [-+*] ")


# --- what brought the fault ----------------------------------------------------------------

_LINKS = frozenset({"of", "from", "in", "by", "with", "since", "after", "to"})
_CHECKS = ("test", "suite", "check")
_AROUND = "()[]{}<>,;:.!?\"'`"
_REACH = 12
"""Words after "regression" in which its cause is looked for."""

_VERSION = re.compile(r"[0-9][A-Za-z0-9:]*[.+~-][A-Za-z0-9.+~:-]*|[+~]?deb[0-9]+u[0-9]+", re.ASCII)
_BUG = re.compile(r"(?:bug|lp:)?(#[0-9]{1,10})", re.ASCII | re.IGNORECASE)


def culprits(text: str) -> list[str]:
    """What a change calls the origin of the regression it fixes, as a changelog names things.

    "regression of CVE-1", "in 1.2-3", "caused by the fix for #4", "CVE-1 regression": advisories,
    versions, `#bug`, `LP: #bug`. The bug that the change itself closes is none.
    """
    words = text.split()
    found: list[str] = []
    for index, word in enumerate(words):
        if not word.lower().strip(_AROUND).startswith("regress"):
            continue
        previous = words[index - 1] if index else ""
        rest = words[index + 1 : index + 1 + _REACH]
        if "test" in previous.lower() or (rest and rest[0].lower().startswith(_CHECKS)):
            continue
        found += _before(previous) + _after(word, rest)
    return list(dict.fromkeys(found))


def _before(word: str) -> list[str]:
    return advisories(word) if word[-1:].isalnum() else []


def _after(start: str, words: list[str]) -> list[str]:
    """The first thing named after a preposition, within the same sentence."""
    linked, previous = False, start
    for word in words:
        if _ends(previous) or word.lower().startswith(("(closes:", "closes:", "(lp:")):
            return []
        named = _reference(word, previous) if linked else ""
        if named:
            return [named]
        linked = linked or word.lower() in _LINKS
        previous = word
    return []


def _ends(word: str) -> bool:
    return word.endswith((".", ";", ":")) and word.lower() != "lp:"


def _reference(word: str, previous: str) -> str:
    if ids := advisories(word):
        return ids[0]
    bare = word.strip(_AROUND)
    if bug := _BUG.fullmatch(bare):
        launchpad = "lp:" in (previous.lower(), bare[:3].lower())
        return f"LP: {bug[1]}" if launchpad else bug[1]
    return bare.lstrip("+~") if _VERSION.fullmatch(bare) else ""


def _told(ecosystem: str, past: Iterable[Entry]) -> dict[str, list[tuple[Entry, str]]]:
    """By each name that the host's entries use, where they do, newest first: so each is read once.

    An entry goes by its version with and without epoch, its upstream part, its `debNuM`.
    """
    told: dict[str, list[tuple[Entry, str]]] = {}
    for entry in past:
        for name in _version_names(ecosystem, in_changelog(ecosystem, entry.version)):
            told.setdefault(name, []).append((entry, ""))
        for text in entry.bullets:
            for name in {*advisories(text), *closed(text)}:
                told.setdefault(name, []).append((entry, text))
    return told


def _version_names(ecosystem: str, version: str) -> set[str]:
    names = {version, version.partition(":")[2] or version, upstream(ecosystem, version)}
    update = _UPDATE.search(version)
    return names | {update[1]} if update else names


_UPDATE = re.compile(r"[+~](deb[0-9]+u[0-9]+)$", re.ASCII)


def _introduced(told: list[tuple[Entry, str]]) -> Entry | None:
    """The oldest entry that names the reference; none if the newest one took it back."""
    if not told or "revert" in told[0][1].lower():
        return None
    return told[-1][0]
