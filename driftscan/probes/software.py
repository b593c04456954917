"""Programs, libraries and Java archives that no package owns, by the directory they are in.

Nothing is run but rpm, which tells its packages' files. Small ones have a digest, large ones are
told by their size. Where no package manager tells, only places are where none puts files.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from posixpath import basename, dirname

from driftscan.errors import ParseError
from driftscan.model import (
    Collected,
    Items,
    Partial,
    Payload,
    Question,
    Raw,
    Section,
    Shell,
)
from driftscan.probes import apps, reading, rpm
from driftscan.probes.contract import About
from driftscan.probes.loader import folded
from driftscan.probes.twins import software as twin

NAME = "software"

NAMED = " -o ".join(f"-name '{name}'" for name in twin.NAMED)
_FOUND = (
    f"""-type f ! -name "*$NL*" '(' -perm -100 -o {NAMED} ')' """
    "-exec stat -c '%Y %f %u %g %s %n' '{}' +"
)
_BODY = (
    rpm.LISTED
    + r"""
set --
listed=
[ -d /var/lib/dpkg/info ] || listed=$(rpm_listed | sed 's,^[^ ]* .*[.]list:/,/,')
if [ -d /var/lib/dpkg/info ] || [ -r /lib/apk/db/installed ] || [ -d /var/lib/pacman/local ] ||
  [ -n "$listed" ]; then
  echo 'have owners'
  for d in @PACKAGED@ /opt; do
    # On most systems /bin, /sbin and /lib are links: looked at once.
    if [ -d "$d" ] && ! [ -h "$d" ]; then set -- "$@" "$d"; fi
  done
fi
for d in @LOCAL@; do
  if [ -d "$d" ] && ! [ -h "$d" ]; then set -- "$@" "$d"; fi
done
@WALK@
found=$({ printf '%s\n' "$listed"
  of_files cat -- /var/lib/dpkg/info/*.list /var/lib/dpkg/diversions
  if [ -f /lib/apk/db/installed ]; then
    awk '/^F:/ { d = substr($0, 3) } /^R:/ { print "/" d "/" substr($0, 3) }' /lib/apk/db/installed
  fi
  for f in /var/lib/pacman/local/*/files; do
    if [ -f "$f" ]; then sed -n 's,^[a-z].*[^/]$,/&,p' "$f"; fi
  done
  echo .
  [ $# -eq 0 ] || find "$@" -xdev '(' @PRUNED@ ')' -prune -o @FOUND@
@MORE@} | awk '
  function plain(path) { if (path ~ /^\/usr\/s?bin\/|^\/usr\/lib[0-9x]*\//) return substr(path, 5)
    return path }
  $0 == "." { listed = 1; next }
  !listed { own[plain($0)]; next }
  { path = substr($0, index($0, " /") + 1) }
  !(plain(path) in own)' | sort -u -k 6 | head -n @MOST@)
[ -n "$found" ] || return 0
""".replace("@PACKAGED@", " ".join(twin.PACKAGED))
    .replace("@LOCAL@", " ".join(twin.LOCAL))
    .replace("@PRUNED@", " -o ".join(f"-path '{path}'" for path in twin.PRUNED))
    .replace("@FOUND@", _FOUND)
    .replace("@MOST@", str(twin.MOST + 1))
)
_SMALL = r"""
printf '%s\n' "$found"
set -f
IFS=$NL
set --
for f in $(printf '%s\n' "$found" |
  awk '$5 <= @LARGEST@ { print substr($0, index($0, " /") + 1) }'); do
  if [ -r "$f" ]; then set -- "$@" "$f"; fi
done
[ $# -eq 0 ] || sha256sum -- "$@" | sed 's/^/sum /'
return 0
""".replace("@LARGEST@", str(twin.LARGEST))
_LARGE = r"""
set -f
IFS=$NL
for f in $(printf '%s\n' "$found" | awk '$5 > @LARGEST@' | sort -n -k 5,5 | awk '
  { t += $5; print t <= @TOTAL@ ? "sum" : "unsummed", substr($0, index($0, " /") + 1) }'); do
  p=${f#* }
  case $f in unsummed*) printf '%s\n' "$f"; continue ;; esac
  if [ -r "$p" ]; then sha256sum -- "$p" | sed 's/^/sum /'; else printf 'closed %s\n' "$p"; fi
done
return 0
""".replace("@LARGEST@", str(twin.LARGEST)).replace("@TOTAL@", str(twin.TOTAL))
_WALKED = """more=$(@WALK@
)
printf '%s\\n' "$more" | grep '^[cdu]'"""


def asked(roots: Sequence[str]) -> tuple[Question, ...]:
    """The question, about these further roots too."""
    read = partial(twin.read, roots=roots)
    return (Shell("unowned", _body(roots) + _SMALL.lstrip("\n"), read),)


def large(roots: Sequence[str]) -> Question:
    """The digests of those that are too large for every day: `sum`, `unsummed` or `closed`."""
    return Shell("large", _body(roots) + _LARGE.lstrip("\n"), partial(twin.large, roots=roots))


def _body(roots: Sequence[str]) -> str:
    walk = apps.walk(roots, twin.BESIDE, _FOUND)
    body = _BODY.replace("@WALK@\n", f"{_WALKED.replace('@WALK@', walk)}\n" if walk else "")
    more = """  printf '%s\\n' "$more" | grep '^[-0-9]'\n""" if walk else ""
    return body.replace("@MORE@", more)


ASK = asked(())
_PLACES = ", ".join((*twin.PACKAGED, "/opt", *twin.LOCAL))
_SOURCE = f"{_PLACES}, against the lists of dpkg, rpm, apk or pacman"
GIVES = (
    About(
        "software",
        "facts",
        "directory",
        "files (name to size in bytes, and of those up to 1 MB half of the SHA-256)",
        cost="both 90 ms with 300 packages",
        source=_SOURCE,
    ),
    About(
        "software-files",
        "evidence",
        "path",
        "changed (seconds since 1970), uid",
        source=_SOURCE,
    ),
)

_SUM = re.compile(r"sum \\?([0-9a-f]{64})  (/.*)")


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the question cannot print."""
    stats, sums, gaps = _read(raw.outputs.get("unowned", Payload(())).lines)
    if len(stats) > twin.MOST:
        gaps.append(f"more than {twin.MOST} files: the rest was not looked at")
        del stats[twin.MOST :]
    files: dict[str, dict[str, str]] = {}
    times: Items = {}
    for stat in stats:
        path = folded(stat.path)
        if stat.size <= twin.LARGEST and stat.path not in sums:
            gaps.append(f"{path}: denied")
            continue
        told = f"{stat.size} {sums.get(stat.path, '')}".strip()
        files.setdefault(dirname(path), {})[basename(path)] = told
        times[path] = {"changed": stat.mtime, "uid": stat.uid}
    items: Items = {place: {"files": named} for place, named in files.items()}
    software = Partial(items=items, gaps=gaps) if gaps else Collected(items=items)
    return {"software": software, "software-files": Collected(items=times)}


def _read(lines: Iterable[str]) -> tuple[list[reading.Stat], dict[str, str], list[str]]:
    stats: list[reading.Stat] = []
    sums: dict[str, str] = {}
    gaps: list[str] = []
    for line in lines:
        match = _SUM.fullmatch(line)
        if line == "have owners":
            continue
        if gap := apps.unseen(line):
            gaps.append(gap)
            continue
        if match:
            sums[match[2]] = match[1][:32]
        else:
            try:
                stats += reading.stats(Payload((line,)))
            except ParseError:
                raise ParseError(f"expected a file or its sum, got {line!r}") from None
    return stats, sums, gaps
