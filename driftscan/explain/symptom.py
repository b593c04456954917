"""The user's error message, looked for in everything that changed between two machines."""

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from driftscan.explain.delta import Bullet, Delta

How: TypeAlias = Literal["phrase", "part", "words"]

MAX_SYMPTOM = 4096
MAX_PARTS = 8
MIN_WORDS = 2
"""Fewer words than these in any order are a coincidence."""
SHORTEST = 6
"""Letters and digits that a message must have: `fix` and `error` are in most changelogs."""
MOST_SOURCES = 3
"""What the changes of more sources than these speak of points to none of them."""

GENERIC = frozenset(
    {
        "no such file or directory", "permission denied", "operation not permitted",
        "input output error", "bad file descriptor", "cannot allocate memory", "out of memory",
        "is a directory", "not a directory", "invalid argument", "broken pipe", "file exists",
        "connection refused", "connection reset by peer", "connection timed out", "timed out",
        "no space left on device", "read only file system", "too many open files",
        "segmentation fault", "segmentation fault core dumped", "bus error", "command not found",
        "internal server error", "stack trace", "core dumped", "exit status", "exit code",
        "unknown error", "fatal error", "an error occurred", "most recent call last",
        "php fatal error",
    }
)  # fmt: skip
"""What every program says (errno(3) and the like): alone it points to no change."""


class Found(Struct, frozen=True, kw_only=True):
    """The changes of one source that speak of the message, newest first, and how much they have.

    `telling`: enough words in order, not what every program says, and of few sources only.
    """

    hits: tuple[Bullet, ...]
    how: How
    telling: bool


def find(deltas: Mapping[str, Delta], symptom: str) -> dict[str, Found]:
    """By source, what speaks of the message: the whole of it, else a part, else all its words.

    Case, quotes, punctuation and blanks do not count. One measure for all sources: where one
    change has the whole message, those that have only its words are no news.
    """
    symptom = symptom[:MAX_SYMPTOM]
    words = set(_words(symptom))
    if not words or is_short(symptom):
        return {}
    texts = {
        source: [(bullet, f" {_plain(bullet.text)} ") for bullet in delta.bullets]
        for source, delta in sorted(deltas.items())
    }
    phrases: list[tuple[How, str]] = [("phrase", symptom)]
    phrases += [("part", part) for part in parts(symptom)[:MAX_PARTS]]
    for how, phrase in phrases:
        if found := _having(texts, _plain(phrase)):
            telling = len(_words(phrase)) > 1 and _plain(phrase) not in GENERIC
            return _told(found, how, telling=telling)
    scattered = {
        source: tuple(bullet for bullet, text in told if words <= {*text.split()})
        for source, told in texts.items()
    }
    return _told(scattered, "words", telling=len(words) > MIN_WORDS)


def is_short(symptom: str) -> bool:
    """Whether it is too short to be looked for."""
    return sum(char.isalnum() for char in symptom) < SHORTEST


def _having(
    texts: Mapping[str, list[tuple[Bullet, str]]], phrase: str
) -> dict[str, tuple[Bullet, ...]]:
    found = {
        source: tuple(bullet for bullet, text in told if f" {phrase} " in text)
        for source, told in texts.items()
    }
    return {source: hits for source, hits in found.items() if hits}


def _told(found: Mapping[str, tuple[Bullet, ...]], how: How, *, telling: bool) -> dict[str, Found]:
    there = {source: hits for source, hits in found.items() if hits}
    telling = telling and len(there) <= MOST_SOURCES
    return {source: Found(hits=hits, how=how, telling=telling) for source, hits in there.items()}


_QUOTED = re.compile(
    r"(?<!\w)(?:'[^'\n]*'|`[^`'\n]*['`]|\"[^\"\n]*\"|\u2018[^\u2019\n]*\u2019|\u201c[^\u201d\n]*\u201d)"
)
_ENDS = re.compile(r"[:;,()\[\]{}<>|=@\n\r\t]|[.!?](?=\s|$)")
_OWN = re.compile(r"[0-9/\\]")
_SHORTEST = 3


def parts(symptom: str) -> list[str]:
    """What a program says of itself within a message, the longest first; three words at least.

    Paths, numbers and what stands in quotes belong to this one run; they separate the parts.
    """
    text = _QUOTED.sub("\n", symptom[:MAX_SYMPTOM])
    kept = [part for piece in _ENDS.split(text) for part in _without_own(piece)]
    found = {part for part in kept if len(part.split()) >= _SHORTEST}
    telling = [part for part in found if _plain(part) not in GENERIC]
    return sorted(telling, key=lambda part: (-len(part.split()), -len(part), part))


def _without_own(piece: str) -> list[str]:
    words = ["\n" if _OWN.search(word) else word for word in piece.split()]
    return [part.strip() for part in " ".join(words).split("\n")]


def _plain(text: str) -> str:
    kept = (char if char.isalnum() else " " for char in text.casefold())
    return " ".join("".join(kept).split())


def _words(text: str) -> list[str]:
    return [word for word in _plain(text).split() if len(word) >= _SHORTEST]
