"""The changelogs of source packages, out of the documentation of one installed package of each."""

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field

from driftscan.errors import ParseError
from driftscan.model import Item, Items, Question, Raw, Shell, Want
from driftscan.probes.contract import Learned
from driftscan.probes.wanted import names

KIND = "changelogs"
GIVES = "source package: version, package it was read of, origin, lines, news, cut (at 256 kB)"

MOST = 150
"""Changelogs asked of one machine at once."""

LIMIT = 256 << 10
"""Bytes of one changelog; the newest entries stand first."""

NEWS_LIMIT = 64 << 10

# The answer: `= source`, `@ package`, `o file` if it was read of a package file, then lines marked
# + (changelog), r (of a binary-only rebuild), n (NEWS.Debian), or ~ where a limit cut them;
# `! reason` why there is none.
TOLD = f"""
told() {{
  {{ case $3 in *.gz) gzip -dc -- "$3" ;; *) cat -- "$3" ;; esac; }} | head -c {4 * LIMIT} |
    awk -v mark="$1" -v most="$2" '
      {{ size += length($0) + 1 }}
      size > most {{ print "~"; exit }}
      {{ print mark $0 }}'
}}
"""
_BODY = f"""
fit() {{
  [ -f "$1" ] || return 1
  [ -r "$1" ] || {{ printf '! %s is closed to this account\\n' "$1"; return 1; }}
}}
changelog() {{
  for f in "$1/changelog.Debian.gz" "$1/changelog.Debian" "$1/changelog.gz" "$1/changelog"; do
    fit "$f" || continue
    printf '@ %s\\n' "${{1##*/}}"
    for r in "$1"/changelog.Debian.*.gz; do
      if [ -f "$r" ] && [ -r "$r" ]; then told r {NEWS_LIMIT} "$r"; fi
    done
    told + {LIMIT} "$f"
    return 0
  done
  return 1
}}
news() {{
  for p in "$@"; do
    for f in "/usr/share/doc/$p/NEWS.Debian.gz" "/usr/share/doc/$p/NEWS.Debian"; do
      if fit "$f"; then told n {NEWS_LIMIT} "$f"; return 0; fi
    done
  done
}}
# A documentation directory that is a link belongs to another package: those come last.
wanted() {{
  printf '= %s\\n' "$1"
  shift
  for linked in no yes; do
    for p in "$@"; do
      d=/usr/share/doc/$p
      [ -d "$d" ] || continue
      if [ -h "$d" ]; then link=yes; else link=no; fi
      if [ $link = $linked ] && changelog "$d"; then news "$@"; return 0; fi
    done
  done
}}
"""


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """One function, called with the packages of each source."""
    body = "\n".join([TOLD.strip(), _BODY.strip(), *calls(wants), ":"])
    return (Shell(name=KIND, body=body),)


def calls(wants: Sequence[Want]) -> list[str]:
    """A call of the function `wanted` for each source, with its packages."""
    return [f"wanted {names.quoted([w.name, *_packages(w)])}" for w in _fit(wants)]


def _fit(wants: Sequence[Want]) -> list[Want]:
    return [want for want in wants if names.PACKAGE.fullmatch(want.name)][:MOST]


def _packages(want: Want) -> list[str]:
    """The names of the installed packages; an architecture is no part of a directory's name."""
    found = [name.partition(":")[0] for name in want.names if names.is_key(name)]
    return list(dict.fromkeys(found))


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """The changelog of each source that was found, from its wanted version on."""
    answer = raw.outputs[KIND]
    blocks = {block.source: block for block in _blocks(answer.lines)}
    found: Items = {}
    missing = {want.name: f"more than {MOST} changelogs are wanted" for want in wants[MOST:]}
    for want in _fit(wants):
        item = _item(blocks.get(want.name, _Block(want.name)), want.version)
        if isinstance(item, str):
            missing[want.name] = item
        else:
            found[want.name] = item
    return Learned(found, {**missing, **names.unfit(wants)})


class _Block(Struct):
    """What was answered about one source."""

    source: str
    package: str = ""
    lines: list[str] = field(default_factory=list)
    rebuild: list[str] = field(default_factory=list)
    news: list[str] = field(default_factory=list)
    why: str = ""
    origin: str = ""
    cut: bool = False


def _blocks(lines: Iterable[str]) -> Iterator[_Block]:
    block: _Block | None = None
    for line in lines:
        mark, rest = line[:1], line[1:]
        if mark == "=":
            if block:
                yield block
            block = _Block(rest.strip())
        elif block is None or mark not in "@+rno!~":
            raise ParseError(f"changelogs: unexpected {line!r}")
        else:
            _add(block, mark, rest)
    if block:
        yield block


def _add(block: _Block, mark: str, rest: str) -> None:
    match mark:
        case "@":
            block.package = rest.strip()
        case "+":
            block.lines.append(rest)
        case "r":
            block.rebuild.append(rest)
        case "n":
            block.news.append(rest)
        case "!":
            block.why = rest.strip()
        case "o":
            block.origin = f"package file {rest.strip().replace('%3a', ':')}"
        case _:
            block.cut = True


# deb-changelog(5): `source (version) suites; options`.
_HEADER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9.+-]* \(([^()\s]+)\)[^;]*;(.*)", re.ASCII)


def _item(block: _Block, version: str) -> Item | str:
    """The item, or why there is none."""
    if not block.package:
        return block.why or "not installed there"
    lines, found = from_version(block.lines, version)
    if not found:
        return "its changelog is not in Debian's format"
    whole = lines is block.lines
    item: Item = {
        "version": found,
        "package": block.package,
        "lines": [*block.rebuild, *lines] if whole else lines,
        "news": block.news,
    }
    if block.cut:
        item["cut"] = True
    return {**item, "origin": block.origin} if block.origin else item


def from_version(lines: list[str], version: str) -> tuple[list[str], str]:
    """The changelog from the entry of that version on, and that version.

    Where it has no such entry all of it, and the version of its newest entry (empty if none).
    """
    first = ""
    for number, line in enumerate(lines):
        header = _HEADER.fullmatch(line) if line[:1].strip() else None
        if header is None or "binary-only=yes" in header[2]:
            continue
        if header[1] == version:
            return (lines[number:] if first else lines), version
        first = first or header[1]
    return lines, first
