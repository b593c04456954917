"""Programs, libraries and Java archives that no package owns, by the directory they are in.

Nothing is run but rpm, which tells its packages' files. Small ones have a digest, large ones are
told by their size. Where no package manager tells, only places are where none puts files.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from posixpath import basename, dirname

from msgspec import Struct, field

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
    f"""-type f '(' -perm -100 -o {NAMED} ')' """
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
  case $d in *"$NL"*) continue ;; esac
  if [ -d "$d" ] && ! [ -h "$d" ]; then set -- "$@" "$d"; fi
done
for d in @HOMES@; do
  case $d in *"$NL"*) continue ;; esac
  if [ -d "$d" ] && ! [ -x "$d" ]; then printf 'closed %s\n' "$d"; fi
done
# Links by which something is found, or which of several versions is in use.
links=$(set --
  for f in @LINKS@; do
    case $f in *"$NL"*) continue ;; esac
    if [ -h "$f" ]; then set -- "$@" "$f"; fi
  done
  [ $# -eq 0 ] || ls -lnd -- "$@" | sed -n 's,^l[^/]*/,link - - - - /,p' | head -n @LINKED@)
@WALK@
found=$({ of_files grep -s ^ -- /etc/passwd
  printf '%s\n' "$listed"
  of_files cat -- /var/lib/dpkg/info/*.list /var/lib/dpkg/diversions
  if [ -f /lib/apk/db/installed ]; then
    awk '/^F:/ { d = substr($0, 3) } /^R:/ { print "/" d "/" substr($0, 3) }' /lib/apk/db/installed
  fi
  for f in /var/lib/pacman/local/*/files; do
    if [ -f "$f" ]; then sed -n 's,^[a-z].*[^/]$,/&,p' "$f"; fi
  done
  printf '.\n%s\n' "$links"
  [ $# -eq 0 ] || find "$@" -xdev \
    '(' -path "*$NL*" -prune -exec stat -c 'odd - - - - -' '{}' + ')' -o \
    '(' @PRUNED@ ')' -prune -o @FOUND@
@MORE@} | awk '
  function plain(path) { if (path ~ /^\/usr\/s?bin\/|^\/usr\/lib[0-9x]*\//) return substr(path, 5)
    return path }
  $0 == "." { listed = 1; next }
  !listed && !/^\// { split($0, f, ":"); name[f[3]] = f[1]; next }
  !listed { own[plain($0)]; next }
  $0 == "" { next }
  { path = substr($0, index($0, " /") + 1) }
  /^link / { sub(/ -> .*/, "", path) }
  !(plain(path) in own) {
    print
    if ($3 in name && $3 != 0 && !($3 in told)) { told[$3]; print "uid", $3, "- - -", name[$3] }
  }' | sort -u -k 6 | head -n @MOST@)
[ -n "$found" ] || return 0
""".replace("@PACKAGED@", " ".join(twin.PACKAGED))
    .replace("@LOCAL@", " ".join(twin.LOCAL))
    .replace("@PRUNED@", " -o ".join(f"-path '{path}'" for path in twin.PRUNED))
    .replace("@FOUND@", _FOUND)
    .replace("@MOST@", str(twin.MOST + twin.LINKED + 100))
    .replace("@HOMES@", " ".join(twin.HOMES))
    .replace("@LINKS@", " ".join(twin.LINKS))
    .replace("@LINKED@", str(twin.LINKED))
)
_SMALL = r"""
printf '%s\n' "$found"
set -f
IFS=$NL
set --
for f in $(printf '%s\n' "$found" |
  awk '/^-?[0-9]/ && $5 <= @LARGEST@ { print substr($0, index($0, " /") + 1) }'); do
  if [ -r "$f" ]; then set -- "$@" "$f"; fi
done
[ $# -eq 0 ] || sha256sum -- "$@" | sed 's/^/sum /'
return 0
""".replace("@LARGEST@", str(twin.LARGEST))
_LARGE = r"""
set -f
IFS=$NL
for f in $(printf '%s\n' "$found" | awk '/^-?[0-9]/ && $5 > @LARGEST@' | sort -n -k 5,5 | awk '
  { t += $5; print t <= @TOTAL@ ? "sum" : "unsummed", substr($0, index($0, " /") + 1) }'); do
  p=${f#* }
  case $f in unsummed*) printf '%s\n' "$f"; continue ;; esac
  if [ -r "$p" ]; then sha256sum -- "$p" | sed 's/^/sum /'; else printf 'closed %s\n' "$p"; fi
done
return 0
""".replace("@LARGEST@", str(twin.LARGEST)).replace("@TOTAL@", str(twin.TOTAL))
_WALKED = """more=$(@WALK@
)
printf '%s\\n' "$more" | grep '^[cdou]' | sort -u"""


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
        "files (name to size in bytes, and of those up to 1 MB half of the SHA-256; of links below "
        "/usr/local/bin and /opt where they lead), modes (name to mode and owner, where that is "
        "neither 755 nor 644 of root)",
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
_OTHER = re.compile(
    r"link - - - - (?P<link>/.*?) -> (?P<target>.*)|uid (?P<uid>[0-9]+) - - - (?P<name>.*)"
    r"|(?P<odd>odd) - - - - -|have owners"
)
_USUAL = ("755", "555", "644", "444")


class _Answer(Struct):
    """The answer's lines by what they tell."""

    stats: list[reading.Stat] = field(default_factory=list)
    sums: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the question cannot print."""
    told = _read(raw.outputs.get("unowned", Payload(())).lines)
    stats, gaps = told.stats, told.gaps
    if len(stats) > twin.MOST:
        gaps.append(f"more than {twin.MOST} files: the rest was not looked at")
        del stats[twin.MOST :]
    items: Items = {}
    times: Items = {}
    for path, target in told.links.items():
        _put(items, path, "files", f"-> {target}")
    for stat in stats:
        path = folded(stat.path)
        if stat.size <= twin.LARGEST and stat.path not in told.sums:
            gaps.append(f"{path}: denied")
            continue
        _put(items, path, "files", f"{stat.size} {told.sums.get(stat.path, '')}".strip())
        times[path] = {"changed": stat.mtime, "uid": stat.uid}
        mode = f"{stat.mode & 0o7777:o}"
        if stat.uid or mode not in _USUAL:
            owner = "root" if stat.uid == 0 else told.users.get(stat.uid, str(stat.uid))
            _put(items, path, "modes", f"{mode} {owner}")
    software = Partial(items=items, gaps=gaps) if gaps else Collected(items=items)
    return {"software": software, "software-files": Collected(items=times)}


def _put(items: Items, path: str, name: str, value: str) -> None:
    """One more file of a directory: what is told of it under that name."""
    values = items.setdefault(dirname(path), {"files": {}, "modes": {}}).setdefault(name, {})
    if isinstance(values, dict):
        values[basename(path)] = value


def _read(lines: Iterable[str]) -> _Answer:
    told = _Answer()
    for line in lines:
        match = _SUM.fullmatch(line)
        other = _OTHER.fullmatch(line)
        if match:
            told.sums[match[2]] = match[1][:32]
        elif other:
            _add(told, other)
        elif gap := apps.unseen(line):
            told.gaps.append(gap)
        else:
            try:
                told.stats += reading.stats(Payload((line,)))
            except ParseError:
                raise ParseError(f"expected a file or its sum, got {line!r}") from None
    return told


def _add(told: _Answer, match: re.Match[str]) -> None:
    if match["link"]:
        told.links[match["link"]] = match["target"]
    elif match["uid"]:
        told.users[int(match["uid"])] = match["name"]
    elif match["odd"]:
        told.gaps.append(apps.ODD)
