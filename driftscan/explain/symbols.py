"""What the libraries of a package export: its `.symbols` file (deb-symbols(5)), and two of them."""

import re
from collections.abc import Iterable, Mapping

from driftscan.model import Symbols

MAX_SYMBOLS = 200_000
"""Real packages have up to 20 000; more would only cost time."""

_TAGS = re.compile(r"\([^()]*\)")


def libraries(lines: Iterable[str]) -> dict[str, frozenset[str]]:
    """Soname -> the symbols it exports, each `name` or, of a named version, `name@NODE`.

    Never raises: comments (also `#MISSING:`), alternatives of the dependency, fields, and what is
    no symbol are passed over.
    """
    found: dict[str, set[str]] = {}
    current: set[str] | None = None
    left = MAX_SYMBOLS
    for line in lines:
        if not line.strip() or line.startswith(("#", "|", "*")):
            continue
        if not line[0].isspace():
            soname, _, template = line.partition(" ")
            current = found.setdefault(soname, set()) if template.strip() else None
        elif current is not None and left > 0 and (name := _symbol(line.strip())):
            current.add(name)
            left -= 1
    return {soname: frozenset(names) for soname, names in found.items()}


def _symbol(text: str) -> str:
    """`(tag|tag=value)name@Base 1.2 1` -> `name`: every library without versions says `@Base`.

    What a library keeps for itself (`@GLIBC_PRIVATE`) is none.
    """
    tags = _TAGS.match(text)
    text = text[tags.end() :] if tags else text
    quote = text[:1] if text[:1] in ("'", '"') else ""
    quoted, closed, rest = text[1:].partition(quote) if quote else ("", "", text)
    words = rest.split(None, 1) if rest[:1].strip() else ["", *rest.split(None, 1)]
    if (quote and not closed) or len(words) < 2:
        return ""
    name = (quoted + words[0]).removesuffix("@Base")
    return "" if "PRIVATE" in name.rpartition("@")[2].upper() and "@" in name else name


def difference(older: Mapping[str, frozenset[str]], newer: Mapping[str, frozenset[str]]) -> Symbols:
    """What came and what went on the way from the older to the newer; sonames of both compared.

    A symbol counts inside one soname; those of a soname that came or went go with it.
    """
    both = sorted(older.keys() & newer.keys())
    return Symbols(
        gained=sorted({name for soname in both for name in newer[soname] - older[soname]}),
        lost=sorted({name for soname in both for name in older[soname] - newer[soname]}),
        sonames_gained=sorted(newer.keys() - older.keys()),
        sonames_lost=sorted(older.keys() - newer.keys()),
    )
