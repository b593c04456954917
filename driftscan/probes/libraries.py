"""Shared libraries: what the linker finds and whose it is, its search path, and who loads what.

Paths of a merged /usr are told as /usr/lib, however the cache and dpkg write them (usrmerge(7)).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from posixpath import dirname, join

from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Failed,
    Files,
    Item,
    Items,
    Partial,
    Raw,
    Section,
    Shell,
)
from driftscan.probes import loader, processes, reading, rpm
from driftscan.probes.contract import About
from driftscan.probes.loader import Told, folded
from driftscan.probes.twins import loader as twin

NAME = "libraries"
ASK = (
    Files(("/etc/ld.so.conf", "/etc/ld.so.conf.d/*.conf", "/etc/ld.so.preload")),
    # One question for both sections: the owners of all paths cost one reading of dpkg's lists.
    Shell(
        "loader",
        rpm.LISTED
        + r"""
[ -e /etc/ld.so.cache ] && echo 'have cache'
command -v ldconfig >/dev/null && echo 'have ldconfig'
for f in /lib/ld-musl-*.so.1; do [ -e "$f" ] && echo 'have musl'; done
[ -d /var/lib/dpkg/info ] && echo 'have dpkg'
[ -r /var/lib/dpkg/info ] && [ -x /var/lib/dpkg/info ] && echo 'have owners'
[ -r /proc/self/stat ] && echo 'have processes'

cache=
[ -e /etc/ld.so.cache ] && cache=$(ldconfig -p) && printf '%s\n' "$cache"
# The link that a cache names may be ldconfig's own: then its target tells the owner.
fields=$IFS IFS=$NL
set -f
paths=$(printf '%s\n' "$cache" | sed -n 's/^.* => //p')
set -- $paths
targets=$(readlink -f -- "$@") ||
  # A cache can name what is gone; then one by one, so that each keeps its place.
  targets=$(for f; do readlink -f -- "$f" || printf '%s\n' "$f"; done)
[ -n "$targets" ] && printf 'target %s\n' $targets
set +f
IFS=$fields

printf 'self %s\n' "$$"
cat /proc/stat /proc/[0-9]*/stat | awk '
  $1 == "btime" { print "boot", $2 }
  $1 ~ /^[0-9]+$/ { p = $1; if (sub(/^.*\) /, "")) print "stat", p, $1, $3, $7, $20 }'
# The ls of busybox knows no -q, and writes no character raw without it.
links() {
  ls "$1" /proc/[0-9]*/exe /proc/[0-9]*/ns/mnt /proc/self/ns/mnt |
    sed -n 's,^[^/]*\(/proc/\),\1,p'
}
how=-lnq links=$(links -lnq)
[ -n "$links" ] || { how=-ln links=$(links -ln); }
[ -z "$links" ] || printf '%s\n' "$links"
stat -L -c 'root %d:%i %n' / /proc/[0-9]*/root
grep -H -s -E '^(0:|[0-9]+:name=systemd):.*[.]service' /proc/[0-9]*/cgroup
maps=$(grep -H -s -E '^[0-9a-f-]+ ..x. [^/]*/' /proc/[0-9]*/maps | awk '
  { split($1, part, "/"); path = substr($0, index($0, " /") + 1) }
  (part[3], path) in seen { next }
  { seen[part[3], path]; pids[path] = pids[path] "," part[3] }
  END { for (path in pids) print "map", substr(pids[path], 2), path }')
[ -n "$maps" ] && printf '%s\n' "$maps"
# Who listens: the sockets of the kernel's tables that wait (0A, and the flag 10000 of unix(7)),
# joined with the open files of the processes. Ports stay hexadecimal.
{ grep -H -s -E -e '^ *[0-9]+: [0-9A-F:]+ [0-9A-F:]+ 0A ' \
    -e '^ *[0-9]+: [0-9A-F:]+ 0+:0000 07 ' -e ' 00010000 [0-9]+ [0-9]+ +[0-9]+ /' \
    /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 /proc/net/unix
  ls "$how" /proc/[0-9]*/fd
} | awk '
  # The 1000th line of a table has no space before its number.
  /^\/proc\/net\/[tu][cd]p/ { sub(/:/, ": ") }
  /^\/proc\/net\/tcp/ { if ($5 == "0A") name[$11] = "tcp/" $3; next }
  /^\/proc\/net\/udp/ { if ($5 == "07") name[$11] = "udp/" $3; next }
  /^\/proc\/net\/unix/ { name[$7] = "unix:" substr($0, index($0, " /") + 1); next }
  /^\/proc\// { split($0, part, "/"); pid = part[3]; next }
  match($0, /socket:\[[0-9]+\]$/) {
    inode = substr($0, RSTART + 8, RLENGTH - 9)
    if (inode in name && !((pid, name[inode]) in told)) {
      told[pid, name[inode]]
      print "listen", pid, name[inode]
    }
  }'

# dpkg lists a file under /lib or /usr/lib, whichever its package was built with.
wanted() {
  printf '%s\n' "$@" "$targets" "$maps" |
    sed -n -e 's/^map [0-9,]* //' -e 's/ (deleted)$//' -e '/^$/d' \
      -e p -e 's,^/usr/,/,p' -e t -e 's,^/,/usr/,p' | sort -u
}
if [ -d /var/lib/dpkg/info ]; then
  wanted "$@" | { cd /var/lib/dpkg/info && of_files grep -H -s -F -x -f - -- *.list; }
  [ -r /var/lib/dpkg/arch ] && read -r f </var/lib/dpkg/arch && printf 'native %s\n' "$f"
  return 0
fi
among='!listed { if ($0 == ".") listed = 1; else want[$0]; next }'
if [ -f /lib/apk/db/installed ] && [ -r /lib/apk/db/installed ]; then
  echo 'have apk'
  { wanted "$@"; echo .; cat /lib/apk/db/installed; } | awk "$among"'
    /^P:/ { p = substr($0, 3) }
    /^F:/ { d = "/" substr($0, 3) }
    /^R:/ { f = d "/" substr($0, 3); if (f in want) print p ".list:" f }'
fi
if [ -r /var/lib/pacman/local ]; then
  echo 'have pacman'
  { wanted "$@"; echo .; of_files grep -Hs '^[a-z].*[^/]$' -- /var/lib/pacman/local/*/files; } |
    awk "$among"'
      { i = index($0, "/files:"); f = "/" substr($0, i + 7); if (!(f in want)) next
        n = split(substr($0, 1, i - 1), part, "/"); p = part[n]
        sub(/-[^-]*-[^-]*$/, "", p); print p ".list:" f }'
fi
owned=$({ wanted "$@"; echo .; rpm_listed; } | awk "$among"'
  { f = substr($0, index($0, ".list:/") + 6) }
  f in want { print substr($0, index($0, " ") + 1) }')
[ -z "$owned" ] || printf 'have rpm\n%s\n' "$owned"
return 0
""",
        twin.read,
    ),
)
GIVES = (
    About(
        "libraries",
        "facts",
        "soname|abi|directory",
        "owner (empty if no package's), target (of an unowned one), position among its namesakes",
        cost="all three 35 ms with 220 libraries and 300 packages, 75 ms with 550 and 750",
    ),
    About("linker-path", "facts", "directory, or preload:path", "position"),
    About(
        "processes",
        "evidence",
        "executable|service",
        "count, pids, service, loads (file to owner), deleted, started (seconds since 1970), "
        "ports (tcp/NUMBER or unix:PATH, where it listens)",
        privilege="root for other accounts' processes (in a container also CAP_SYS_PTRACE)",
        cost="of that 15 ms with 35 processes",
        live=True,
    ),
    About(
        "listening",
        "evidence",
        "tcp/ADDRESS/PORT, or udp below 32768",
        "programs",
        privilege="root for other accounts' processes (in a container also CAP_SYS_PTRACE)",
        source="/proc/net, /proc/*/fd",
        live=True,
    ),
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The three sections; raises ParseError for a line the question cannot have printed."""
    if "loader" not in raw.outputs:
        unknown = Failed(reason="only a running machine tells")
        linker = _linker_path(raw)
        live = {"processes": unknown, "listening": unknown}
        return {"libraries": unknown, "linker-path": linker, **live}
    answer = raw.outputs["loader"]
    if answer.cut:
        raise ParseError("the answer about libraries is larger than the limit")
    told = loader.read(answer.lines)
    linker = Absent() if "musl" in told.have and not raw.files else _linker_path(raw)
    return {
        "libraries": _libraries(told),
        "linker-path": linker,
        **processes.sections(told),
    }


# --- what the linker finds -----------------------------------------------------------------------

_CACHED = re.compile(r"\t(\S+) \(([^()]*(?:\([^()]*\)[^()]*)*)\) => (/.*)")


def _libraries(told: Told) -> Section:
    if "cache" not in told.have:
        if "musl" in told.have or "ldconfig" not in told.have:
            return Absent()
        return Failed(reason="there is no /etc/ld.so.cache: ldconfig was never run")
    if "ldconfig" not in told.have:
        return Failed(reason="/etc/ld.so.cache is there, but no ldconfig to read it")
    if not told.cache:
        return Failed(reason="ldconfig -p told nothing about /etc/ld.so.cache")
    if "dpkg" in told.have and "owners" not in told.have:
        return Denied(cure="read access to /var/lib/dpkg/info, or --become")
    if len(told.cache) != len(told.targets):
        raise ParseError(f"{len(told.targets)} targets for {len(told.cache)} cached libraries")
    return Collected(items=_cached(told))


_LISTING = {"dpkg", "rpm", "pacman"}
"""Those that tell which file is whose."""


def _cached(told: Told) -> Items:
    """The cache's entries in its order, which is the linker's: the first namesake wins."""
    entries = [_entry(line) for line in told.cache]
    merged = Counter((name, folded(path)) for name, path in entries)
    items: Items = {}
    ranks: Counter[str] = Counter()
    for (name, path), target in zip(entries, told.targets, strict=True):
        # Where /lib is a directory of its own both copies count.
        place = dirname(folded(path) if merged[name, folded(path)] == 1 else path)
        item: Item = {"position": ranks[name]}
        ranks[name] += 1
        if _LISTING & told.have:
            item |= _owner(path, target, told.owners)
        items.setdefault(f"{name}|{place}", item)
    return items


def _entry(line: str) -> tuple[str, str]:
    """`soname|abi` and path of one line; the marks of the abi after the first are sorted."""
    match = _CACHED.fullmatch(line)
    if match is None:
        raise ParseError(f"expected 'soname (abi) => path', got {line!r}")
    soname, kind, path = match.groups()
    first, *rest = (part.strip(" ") for part in kind.split(","))
    return f"{soname}|{','.join([first, *sorted(rest)])}", path


def _owner(path: str, target: str, owners: Mapping[str, str]) -> Item:
    owner = owners.get(folded(path)) or owners.get(folded(target), "")
    return {"owner": owner} if owner else {"owner": "", "target": target}


# --- where the linker looks ----------------------------------------------------------------------

_CONF = "/etc/ld.so.conf"
_PRELOAD = "/etc/ld.so.preload"


def _linker_path(raw: Raw) -> Section:
    for path in reading.denied(raw):
        if path in ("/etc", _PRELOAD) or path.startswith(_CONF):
            return Denied(cure=f"read access to {path}, or --become")
    gaps: list[str] = []
    directories = dict.fromkeys(_directories(raw, _CONF, gaps, set()))
    items: Items = {name: {"position": rank} for rank, name in enumerate(directories)}
    preload = raw.files.get(_PRELOAD)
    text = [line.partition("#")[0].replace(":", " ") for line in preload.lines] if preload else []
    for rank, path in enumerate(dict.fromkeys(reading.words(" ".join(text)))):
        items[f"preload:{path}"] = {"position": rank}
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _directories(raw: Raw, path: str, gaps: list[str], seen: set[str]) -> Iterator[str]:
    """The directories of one ld.so.conf and what it includes, in order (ldconfig(8)).

    A file is read once: of a directory named again the first place counts.
    """
    if path in seen or path not in raw.files:
        return
    seen.add(path)
    for line in raw.files[path].lines:
        text = reading.without_return(line).partition("#")[0].strip(" \t")
        words = reading.words(text)
        if not words or words[0] == "hwcap":
            continue
        if words[0] != "include":
            yield text.partition("=")[0].rstrip("/") or "/"
            continue
        for pattern in words[1:]:
            full = join(dirname(path), pattern)
            if full != f"{_CONF}.d/*.conf" and full not in raw.files:
                gaps.append(f"{path} includes {full}, which was not read")
            for name in sorted(name for name in raw.files if fnmatchcase(name, full)):
                yield from _directories(raw, name, gaps, seen)
