"""Configuration files that are not as their package shipped them (deb-conffiles(5), ucf(1)).

Only those edited or missing are told: where nothing was touched both sides are empty and equal.
What is in them is not read but summed.
"""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Failed,
    Item,
    Items,
    Partial,
    Raw,
    Section,
    Shell,
)
from driftscan.probes.contract import About
from driftscan.probes.twins import conffiles as twin

NAME = "conffiles"
ASK = (
    Shell(
        "edited",
        r"""
cd /var/lib/dpkg || return 0
# Distroless images record each package in a file of its own, and ship no list of these files.
if ! [ -e status ] && [ -d status.d ]; then return 0; fi
echo 'have dpkg'
{ [ -f status ] && [ -r status ]; } || { echo 'denied /var/lib/dpkg/status'; return 0; }
command -v md5sum >/dev/null || { echo 'have no md5sum'; return 0; }
set -- status
if [ -f ../ucf/registry ] && [ -r ../ucf/registry ] && [ -f ../ucf/hashfile ] &&
  [ -r ../ucf/hashfile ]; then
  set -- status ../ucf/registry ../ucf/hashfile
fi
# Lines `package md5  path`: of dpkg those that the package still ships, of ucf the maintainer's.
listed=$(awk '
  FILENAME ~ /registry$/ { if ($1 in here) owner[$2] = $1; next }
  FILENAME ~ /hashfile$/ {
    path = substr($0, 35)
    if (path in owner && length($1) == 32) print owner[path], $1 "  " path
    next
  }
  /^Package: / { package = $2; list = 0; next }
  /^Status: / { on = $4 == "installed"; if (on) here[package]; next }
  /^Conffiles:/ { list = on; next }
  /^[^ ]/ { list = 0 }
  list && length($NF) == 32 {
    path = substr($0, 2, length($0) - 34)
    print package, $NF "  " path
  }' "$@")
[ -n "$listed" ] || return 0
wrong=$(printf '%s\n' "$listed" | sed 's/^[^ ]* //' | md5sum -c | sed -n 's/: FAILED.*$//p')
[ -n "$wrong" ] || return 0
set -f
IFS=$NL
set --
edited=
for f in $wrong; do
  p=${f%/*}
  while [ -n "$p" ] && ! [ -d "$p" ]; do p=${p%/*}; done
  if ! [ -x "${p:-/}" ]; then printf 'closed %s\n' "$f"; continue; fi
  if ! [ -e "$f" ]; then printf 'missing %s\n' "$f"
  elif ! [ -r "$f" ]; then printf 'closed %s\n' "$f"; continue
  else edited=$edited$f$NL
  fi
  set -- "$@" -e "  $f"
  for s in dpkg-dist dpkg-new dpkg-old ucf-dist ucf-new ucf-old; do
    if [ -e "$f.$s" ]; then printf 'beside %s\n' "$f.$s"; fi
  done
done
[ $# -eq 0 ] || printf '%s\n' "$listed" | grep -F "$@" | sed 's/^/of /'
[ -n "$edited" ] || return 0
md5sum -- $edited | sed 's/^/is /'
stat -L -c 'stat %Y %u %n' -- $edited
""",
        twin.read,
    ),
)
GIVES = (
    About(
        "conffiles",
        "facts",
        "path, of those that are not as shipped",
        "state (edited or missing), package, sum (md5, of an edited one)",
        privilege="any user, of files that it may read",
        cost="14 ms with 170 files",
    ),
    About(
        "conffile-times",
        "evidence",
        "as conffiles",
        "changed (seconds since 1970), uid, beside (what an upgrade left there)",
    ),
)

_LINE = re.compile(
    r"of (?P<package>[^ ]{1,255}) [0-9a-f]{32,128}  (?P<path>/.*)"
    r"|is (?P<md5>[0-9a-f]{32})  (?P<edited>/.*)"
    r"|stat (?P<changed>-?[0-9]{1,12}) (?P<uid>[0-9]{1,10}) (?P<file>/.*)"
    r"|(?P<word>missing|closed|denied) (?P<of>/.*)"
    r"|beside (?P<beside>/.*)\.(?P<suffix>(?:dpkg|ucf)-[a-z]+|rpm[a-z]+)"
    r"|(?P<have>have (?:dpkg|rpm|apk|pacman|no md5sum|no rpm))"
)


class Found(Struct):
    """The lines of the answer, by what they are."""

    packages: dict[str, str] = {}
    sums: dict[str, str] = {}
    times: dict[str, Item] = {}
    beside: dict[str, list[str]] = {}
    words: dict[str, list[str]] = {}
    have: set[str] = set()


def parse(raw: Raw) -> Mapping[str, Section]:
    """Both sections; raises ParseError for a line that the question cannot print."""
    if "edited" not in raw.outputs:
        unknown = Failed(reason="only a running machine tells")
        return {"conffiles": unknown, "conffile-times": unknown}
    told = found(raw.outputs["edited"].lines)
    return {"conffiles": section(told), "conffile-times": Collected(items=times(told))}


def found(lines: Iterable[str]) -> Found:
    """The lines of such an answer; raises ParseError for a line that is none."""
    found = Found()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected a configuration file and its sum, got {line!r}")
        if match["package"]:
            package = found.packages.get(match["path"], match["package"])
            found.packages[match["path"]] = min(package, match["package"])
        elif match["md5"]:
            found.sums[match["edited"]] = match["md5"]
        elif match["file"]:
            found.times[match["file"]] = {
                "changed": int(match["changed"]),
                "uid": int(match["uid"]),
            }
        elif match["word"]:
            found.words.setdefault(match["word"], []).append(match["of"])
        elif match["beside"]:
            found.beside.setdefault(match["beside"], []).append(match["suffix"])
        else:
            found.have.add(match["have"])
    return found


def section(found: Found) -> Section:
    """The files by path: state, package, and of an edited one its sum."""
    if "denied" in found.words:
        return Denied(cure=f"read access to {found.words['denied'][0]}, or --become")
    if not found.have:
        return Absent()
    if "have no md5sum" in found.have:
        return Failed(reason="there is no md5sum(1) to compare them with what was shipped")
    if "have no rpm" in found.have:
        return Failed(reason="there is no rpm(8) that reads its database and compares them")
    items: Items = {}
    for path in found.words.get("missing", []):
        items[path] = {"state": "missing", "package": found.packages.get(path, "")}
    for path, md5 in found.sums.items():
        package = found.packages.get(path, "")
        items[path] = {"state": "edited", "package": package, "sum": md5}
    gaps = _gaps(sorted(found.words.get("closed", [])))
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _gaps(closed: list[str]) -> list[str]:
    more = f" and {len(closed) - 2} more" if len(closed) > 2 else ""
    files = f"file{'' if len(closed) == 1 else 's'}"
    told = f"{len(closed)} {files} not readable by this account: {', '.join(closed[:2])}{more}"
    return [told] if closed else []


def times(found: Found) -> Items:
    """When they were changed and by whom, and what an upgrade left beside them."""
    paths = sorted({*found.times, *found.beside})
    beside = {path: {"beside": sorted(names)} for path, names in found.beside.items()}
    return {path: {**found.times.get(path, {}), **beside.get(path, {})} for path in paths}
