"""Files and links below /etc and what --app names: who may do what, whose they are, a digest.

What a package ships is told without one: whether it was changed is what `conffiles` tells, and
another version of it is the package's. `etc_paths` says what is left out, and why.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from msgspec import Struct, field

from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Item,
    Items,
    Partial,
    Payload,
    Question,
    Raw,
    Section,
    Shell,
)
from driftscan.probes import apps, etc_paths, pam, reading, rpm, software
from driftscan.probes.contract import About
from driftscan.probes.twins import files as twin

NAME = "files"

_PRUNED = " -o ".join(f"-path '{pattern}'" for pattern in etc_paths.PATTERNS)
_LINKS_ELSEWHERE = "".join(f" -o -path '{p}'" for p in (*etc_paths.TOLD, *etc_paths.LINKS))
_TOLD = (path for path in etc_paths.TOLD if not etc_paths.secret(path))
_UNSUMMED = " | ".join(sorted((*etc_paths.SECRET, *_TOLD)))

_BODY = (
    rpm.LISTED
    + r"""
[ -d /etc ] || return 0
of_files grep -Hs ^ -- /etc/passwd /etc/group |
  awk -F : '{ print $1 == "/etc/group" ? "gid" : "uid", $4, $2 }'
owned=$({ of_files grep -Hs @OWNED@ -- /var/lib/dpkg/info/*.list |
    sed 's,^/var/lib/dpkg/info/,owned ,'
  if [ -f /lib/apk/db/installed ]; then
    awk '/^P:/ { p = substr($0, 3) } /^F:/ { d = substr($0, 3) }
      /^R:/ && d ~ @FOLDERS@ { print "owned " p ".list:/" d "/" substr($0, 3) }
      ' /lib/apk/db/installed
  fi
  of_files grep -Hs @LISTED@ -- /var/lib/pacman/local/*/files |
    sed 's,^/var/lib/pacman/local/\(.*\)-[^-]*-[^-]*/files:,owned \1.list:/,'
  # What a package only names somebody else has written.
  [ -d /var/lib/dpkg/info ] || rpm_listed | sed -n '/^[^ ]*g[^ ]* /d
    s,^[^ ]* \(.*[.]list:\)\(/.*\),\2 owned \1\2,p' | grep @OWNED@ | sed 's,^/.* owned ,owned ,'
} | sort)
[ -z "$owned" ] || printf '%s\n' "$owned"
find /etc -xdev -mindepth 1 '(' @PRUNED@@ELSEWHERE@ ')' -prune -o \
  -type l ! -path "*$NL*" -exec ls -lnd '{}' + 2>&1 |
  sed 's,^l[^/]*/,link /,' | sort
@LINKS@
list=$(find /etc -xdev -mindepth 1 '(' @PRUNED@ ')' -prune -o -type f ! -path "*$NL*" -print |
  sort | head -n @MOST@)
@MORE@
[ -n "$list" ] || return 0
of_files grep -HsE '^[^#]' -- /etc/pam.d/common-* /usr/share/pam-configs/* | sed 's/^/pam /'
set -f
IFS=$NL
stats=$(stat -c '%Y %f %u %g %s %n' -- $list@STATS@)
printf '%s\n' "$stats"
# Digests of what no package owns and what may leave the host, as long as it is not too much.
sums=
for f in $(printf '%s\n' "$owned" "$stats" | awk '
  /^owned / { own[substr($0, index($0, ":/") + 1)]; next }
  { path = substr($0, index($0, " /") + 1) }
  !(path in own) && $5 <= @LARGEST@ && (total += $5) <= @TOTAL@ { print path }'); do
  case $f in @UNSUMMED@) ;; *) if [ -r "$f" ]; then sums=$sums$f$NL; fi ;; esac
done
[ -z "$sums" ] || sha256sum -- $sums | sed 's/^/sum /'
return 0
""".replace("@PRUNED@", _PRUNED)
    .replace("@ELSEWHERE@", _LINKS_ELSEWHERE)
    .replace("@UNSUMMED@", _UNSUMMED)
    .replace("@MOST@", str(twin.MOST + 1))
    .replace("@LARGEST@", str(twin.LARGEST))
    .replace("@TOTAL@", str(twin.TOTAL))
)
_FOUND = f"""-type f ! '(' -perm -100 -o {software.NAMED} ')' -size -{twin.LARGEST // 512 + 1} \\
  ! -name "*$NL*" -exec stat -c '%Y %f %u %g %s %n' '{{}}' +"""
_LINKS = r"""{ @WALK@
} | sed -n 's,^l[^/]*/,link /,p' | sort -u
"""
_MORE = """more=$(@WALK@
)
printf '%s\\n' "$more" | grep '^[cdou]' | sort -u
"""
_STATS = """
  printf '%s\\n' "$more" | grep '^[-0-9]' | sort -u -k 6 | head -n @MOST@""".replace(
    "@MOST@", str(twin.MOST + 1)
)


def asked(roots: Sequence[str]) -> tuple[Question, ...]:
    """The question, about these further roots too."""
    forms = [re.sub(r"[.+]", r"[\g<0>]", root) for root in ("/etc", *roots)]
    folders = "|".join(form[1:].replace("/", r"\/") for form in forms)
    more = apps.walk(roots, etc_paths.WRITTEN, _FOUND)
    links = apps.walk(roots, etc_paths.WRITTEN, "-type l -exec ls -lnd '{}' +")
    body = (
        _BODY.replace("@OWNED@", " ".join(f"-e '^{form}/'" for form in forms))
        .replace("@FOLDERS@", rf"/^({folders})(\/|$)/")
        .replace("@LISTED@", " ".join(f"-e '^{form[1:]}/.*[^/]$'" for form in forms))
        .replace("@LINKS@", _LINKS.replace("@WALK@", links) if links else "")
        .replace("@MORE@", _MORE.replace("@WALK@", more) if more else "")
        .replace("@STATS@", _STATS if more else "")
    )
    return (Shell("etc", body, partial(twin.read, roots=roots)),)


ASK = asked(())
_SOURCE = "/etc and what --app names, without what `probes/etc_paths.py` names with its reason"
GIVES = (
    About(
        "files",
        "facts",
        "path below /etc, or below what --app names",
        "mode, account (USER:GROUP), package that owns it, digest (half of SHA-256, of what no "
        "package owns and what may be told), target (of a link), rules (of PAM's common files: "
        "those that no profile of a package brings)",
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
    r"|pam (?P<pam>/etc/pam\.d/common-[^:]*|/usr/share/pam-configs/[^:]*):(?P<rule>.*)"
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
    pam: dict[str, list[str]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the question cannot print."""
    answer = raw.outputs.get("etc", Payload(()))
    if not answer.lines:
        return {"files": Absent(), "file-times": Absent()}
    found = _found(answer.lines)
    gaps = [*(f"{path}: denied" for path in sorted(found.closed)), *found.unseen]
    etc, below = _parted(found.stats)
    if max(len(etc), len(below)) > twin.MOST:
        gaps.append(f"more than {twin.MOST} files: the rest was not looked at")
        found.stats = [*etc[: twin.MOST], *below[: twin.MOST]]
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


def _parted(stats: list[reading.Stat]) -> tuple[list[reading.Stat], list[reading.Stat]]:
    """Those below /etc, and those below the roots of applications: each have their limit."""
    below = [stat for stat in stats if not stat.path.startswith("/etc/")]
    return [stat for stat in stats if stat.path.startswith("/etc/")], below


def _found(lines: Iterable[str]) -> _Found:
    found = _Found()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            found.unseen.append(_unseen(line))
            continue
        if match["stat"]:
            found.stats += reading.stats(Payload((match["stat"],)))
        elif match["kind"]:
            found.names.setdefault((match["kind"], match["id"]), match["name"])
        elif match["owned"]:
            found.owners.setdefault(match["owned"], match["package"])
        elif match["link"]:
            found.links[match["link"]] = match["target"]
        else:
            _add(found, match)
    return found


def _add(found: _Found, match: re.Match[str]) -> None:
    if match["pam"]:
        found.pam.setdefault(match["pam"], []).append(match["rule"])
    elif match["sum"]:
        found.sums[match["summed"]] = match["sum"][:32]
    else:
        found.closed.append(match["closed"])


def _unseen(line: str) -> str:
    gap = apps.unseen(line)
    if not gap:
        raise ParseError(f"expected a file and what is known of it, got {line!r}")
    return gap


def _items(found: _Found) -> tuple[Items, list[str]]:
    """The items, and the files that ought to have a digest and have none: those are no items."""
    items: Items = {}
    unread: list[str] = []
    rules = pam.own(found.pam)
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
        elif not ("package" in item or etc_paths.secret(stat.path) or etc_paths.told(stat.path)):
            unread.append(stat.path)
            continue
        if stat.path in rules:
            item["rules"] = rules[stat.path]
        items[stat.path] = item
    return items, unread


def _owner(found: _Found, path: str) -> Item:
    return {"package": found.owners[path]} if path in found.owners else {}


def _name(found: _Found, kind: str, number: int) -> str:
    return found.names.get((kind, str(number)), str(number))
