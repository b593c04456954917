"""Files and links below /etc: who may do what with them, whose they are, and a digest.

What a package ships is told without one: whether it was changed is what `conffiles` tells, and
another version of it is the package's. `etc_paths` says what is left out, and why.
"""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Item, Items, Partial, Payload, Raw, Section, Shell
from driftscan.probes import etc_paths, reading
from driftscan.probes.contract import About
from driftscan.probes.twins import files as twin

NAME = "files"

_PRUNED = " -o ".join(f"-path '{pattern}'" for pattern in etc_paths.PATTERNS)
_SECRET = " | ".join(sorted(etc_paths.SECRET))

ASK = (
    Shell(
        "etc",
        r"""
[ -d /etc ] || return 0
awk -F : 'FILENAME == "/etc/group" { print "gid", $3, $1; next } { print "uid", $3, $1 }' \
  /etc/passwd /etc/group
owned=$({ grep -Hs '^/etc/' /var/lib/dpkg/info/*.list | sed 's,^/var/lib/dpkg/info/,owned ,'
  if [ -r /lib/apk/db/installed ]; then
    awk '/^P:/ { p = substr($0, 3) } /^F:/ { d = substr($0, 3) }
      /^R:/ && d ~ /^etc/ { print "owned " p ".list:/" d "/" substr($0, 3) }' /lib/apk/db/installed
  fi
  grep -Hs '^etc/.*[^/]$' /var/lib/pacman/local/*/files |
    sed 's,^/var/lib/pacman/local/\(.*\)-[^-]*-[^-]*/files:,owned \1.list:/,'
} | sort)
[ -z "$owned" ] || printf '%s\n' "$owned"
find /etc -xdev -mindepth 1 '(' @PRUNED@ ')' -prune -o -type l -exec ls -lnd '{}' + 2>&1 |
  sed 's,^l[^/]*/,link /,' | sort
list=$(find /etc -xdev -mindepth 1 '(' @PRUNED@ ')' -prune -o -type f ! -name "*$NL*" -print |
  sort | head -n @MOST@)
[ -n "$list" ] || return 0
set -f
IFS=$NL
stats=$(stat -c '%Y %f %u %g %s %n' -- $list)
printf '%s\n' "$stats"
# Digests of what no package owns and what may leave the host, as long as it is not too much.
sums=
for f in $(printf '%s\n' "$owned" "$stats" | awk '
  /^owned / { own[substr($0, index($0, ":/") + 1)]; next }
  { path = substr($0, index($0, " /") + 1) }
  !(path in own) && $5 <= @LARGEST@ && (total += $5) <= @TOTAL@ { print path }'); do
  case $f in @SECRET@) ;; *) if [ -r "$f" ]; then sums=$sums$f$NL; fi ;; esac
done
[ -z "$sums" ] || sha256sum -- $sums | sed 's/^/sum /'
return 0
""".replace("@PRUNED@", _PRUNED)
        .replace("@SECRET@", _SECRET)
        .replace("@MOST@", str(twin.MOST + 1))
        .replace("@LARGEST@", str(twin.LARGEST))
        .replace("@TOTAL@", str(twin.TOTAL)),
        twin.read,
    ),
)
_SOURCE = "/etc, without what `probes/etc_paths.py` names with its reason"
GIVES = (
    About(
        "files",
        "facts",
        "path below /etc",
        "mode, account (USER:GROUP), package that owns it, digest (half of SHA-256, of what no "
        "package owns and what may be told), target (of a link)",
        privilege="any user; root for what is closed to others",
        cost="both 40 ms with 700 files; at most 5,000 files, 1 MB of one, 20 MB in all",
        source=_SOURCE,
    ),
    About(
        "file-times",
        "evidence",
        "as files, of those no package owns",
        "changed (seconds since 1970), uid",
        source=_SOURCE,
    ),
)

_LINE = re.compile(
    r"(?P<stat>-?[0-9]{1,12} [0-9a-f]{1,8} [0-9]{1,10} [0-9]{1,10} [0-9]{1,20} /.*)"
    r"|(?P<kind>uid|gid) (?P<id>[0-9]*) (?P<name>.*)"
    r"|owned (?P<package>[^/]+?)(?::[a-z0-9]+)?\.list:(?P<owned>/.*)"
    r"|link (?P<link>/.*?) -> (?P<target>.*)"
    r"|sum \\?(?P<sum>[0-9a-f]{64})  (?P<summed>/.*)"
    r"|find: '?(?P<closed>/.*?)'?: [A-Z][A-Za-z ]{1,60}"
)


class _Found(Struct):
    """The answer's lines by what they tell."""

    stats: list[reading.Stat] = field(default_factory=list)
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the question cannot print."""
    answer = raw.outputs.get("etc", Payload(()))
    if not answer.lines:
        return {"files": Absent(), "file-times": Absent()}
    found = _found(answer.lines)
    gaps = [f"{path}: denied" for path in sorted(found.closed)]
    if len(found.stats) > twin.MOST:
        gaps.append(f"more than {twin.MOST} files: the rest was not looked at")
        del found.stats[twin.MOST :]
    items, unread = _items(found)
    if unread:
        gaps.append(f"{len(unread)} files are closed or too large to sum, as {unread[0]}")
    times: Items = {
        stat.path: {"changed": stat.mtime, "uid": stat.uid}
        for stat in found.stats
        if stat.path in items and stat.path not in found.owners
    }
    files = Partial(items=items, gaps=gaps) if gaps else Collected(items=items)
    return {"files": files, "file-times": Collected(items=times)}


def _found(lines: Iterable[str]) -> _Found:
    found = _Found()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected a file below /etc or what is known of it, got {line!r}")
        if match["stat"]:
            found.stats += reading.stats(Payload((match["stat"],)))
        elif match["kind"]:
            found.names.setdefault((match["kind"], match["id"]), match["name"])
        elif match["owned"]:
            found.owners.setdefault(match["owned"], match["package"])
        elif match["link"]:
            found.links[match["link"]] = match["target"]
        elif match["sum"]:
            found.sums[match["summed"]] = match["sum"][:32]
        else:
            found.closed.append(match["closed"])
    return found


def _items(found: _Found) -> tuple[Items, list[str]]:
    """The items, and the files that ought to have a digest and have none: those are no items."""
    items: Items = {}
    unread: list[str] = []
    for path, target in found.links.items():
        items[path] = {"target": target, **_owner(found, path)}
    for stat in found.stats:
        item: Item = {
            "mode": f"{stat.mode & 0o7777:o}",
            "account": f"{_name(found, 'uid', stat.uid)}:{_name(found, 'gid', stat.gid)}",
            **_owner(found, stat.path),
        }
        if stat.path in found.sums:
            item["digest"] = found.sums[stat.path]
        elif "package" not in item and not etc_paths.secret(stat.path):
            unread.append(stat.path)
            continue
        items[stat.path] = item
    return items, unread


def _owner(found: _Found, path: str) -> Item:
    return {"package": found.owners[path]} if path in found.owners else {}


def _name(found: _Found, kind: str, number: int) -> str:
    return found.names.get((kind, str(number)), str(number))
