"""All files of packages that are not as their package shipped them: asked with --verify alone.

Each is read and summed, which takes seconds: dpkg's md5sums, apk's and pacman's lists, and what
rpm itself verifies. Configuration files of dpkg and rpm are told by `conffiles`. What was never
unpacked (path-exclude of dpkg.cfg(5)) and documentation that is not there are no difference.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from driftscan.errors import ParseError
from driftscan.model import (
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
from driftscan.probes import apps, conffiles, etc_paths, rpm_conffiles, software
from driftscan.probes.contract import About
from driftscan.probes.loader import folded
from driftscan.probes.twins import software as unowned
from driftscan.probes.twins import verify as twin

NAME = "verify"

_BODY = r"""
# Lines `package sum  path`: what is diverted is looked for where it was put.
v_dpkg() {
  set +f
  cd /var/lib/dpkg/info || return 0
  set -- *.md5sums
  if [ -r ../diversions ]; then set -- ../diversions "$@"; fi
  awk '
    FILENAME == "../diversions" {
      l[FNR % 3] = $0
      if (FNR % 3 == 0) { to[l[1]] = l[2]; by[l[1]] = $0 }
      next
    }
    FNR == 1 { p = FILENAME; sub(/[.]md5sums$/, "", p); sub(/:.*/, "", p) }
    length($1) == 32 {
      f = "/" substr($0, 35)
      if ((f in to) && by[f] != p) f = to[f]
      print p, $1 "  " f
    }' "$@"
}
# SHA-1 in base64, two characters of which are three digits; a link has that of its target.
v_apk() {
  awk '
    BEGIN {
      c = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
      for (i = 0; i < 64; i++) v[substr(c, i + 1, 1)] = i
    }
    /^P:/ { p = substr($0, 3) }
    /^F:/ { d = substr($0, 3) }
    /^R:/ { f = "/" (d == "" ? "" : d "/") substr($0, 3) }
    /^Z:Q1/ {
      s = substr($0, 5)
      o = ""
      for (i = 1; i < 27; i += 2)
        o = o sprintf("%03x", v[substr(s, i, 1)] * 64 + v[substr(s, i + 1, 1)])
      print p, o sprintf("%x", int(v[substr(s, 27, 1)] / 4)) "  " f
    }' /lib/apk/db/installed
}
v_pacman() {
  set +f
  for f in /var/lib/pacman/local/*/mtree; do
    [ -r "$f" ] || continue
    p=${f%-*-*} p=${p##*/}
    gzip -dc -- "$f" | awk -v p="$p" '
      /^[.]\/[^.]/ && !/\\/ && match($0, /sha256digest=[0-9a-f]+/) {
        d = substr($0, RSTART + 13, RLENGTH - 13)
        sub(/ .*/, "")
        if (length(d) == 64) print p, d "  " substr($0, 2)
      }'
  done
}
# Documentation, and what dpkg was told not to unpack: the last rule that matches counts.
v_left_out() {
  case $1 in @DOCUMENTATION@) return 0 ;; esac
  [ "$2" = dpkg ] || return 1
  out=1
  for r in $rules; do
    # shellcheck disable=SC2254
    case $1 in
      ${r#* }) case $r in path-e*) out=0 ;; *) out=1 ;; esac ;;
    esac
  done
  return $out
}
v_listed() {
  case $1 in dpkg) v_dpkg ;; apk) v_apk ;; *) v_pacman ;; esac
}
v_compared() {
  case $1 in
    dpkg) timeout -s KILL @SECONDS@ md5sum -c ;;
    apk) timeout -s KILL @SECONDS@ sha1sum -c ;;
    *) timeout -s KILL @SECONDS@ sha256sum -c ;;
  esac
}
v_told() {
  wrong=$({ v_listed "$1" | sed 's/^[^ ]* //' | v_compared "$1" 2>/dev/null
    [ $? -lt 124 ] || echo '/ cut: FAILED'; } | sed -n 's/: FAILED.*$//p')
  set -f
  IFS=$NL
  kind=$1 n=0 changed=
  set --
  for f in $wrong; do
    case $f in '/ cut') echo cut; continue ;; esac
    if [ "$kind" != dpkg ] && [ -h "$f" ]; then continue; fi
    p=${f%/*}
    while [ -n "$p" ] && ! [ -d "$p" ]; do p=${p%/*}; done
    if ! [ -x "${p:-/}" ]; then printf 'closed %s\n' "$f"; continue; fi
    if ! [ -e "$f" ] && v_left_out "$f" "$kind"; then continue; fi
    n=$((n + 1))
    if [ $n -gt @MOST@ ]; then echo more; break; fi
    if ! [ -e "$f" ]; then printf 'missing %s\n' "$f"
    elif ! [ -r "$f" ]; then printf 'closed %s\n' "$f"; continue
    else changed=$changed$f$NL
    fi
    set -- "$@" -e "  $f"
  done
  [ $# -eq 0 ] || v_listed "$kind" | grep -F "$@" | sed 's/^/of /'
  [ -n "$changed" ] || return 0
  md5sum -- $changed | sed 's/^/is /'
  stat -L -c 'stat %Y %u %n' -- $changed
}
cd /
rules=$(cat /etc/dpkg/dpkg.cfg.d/* /etc/dpkg/dpkg.cfg |
  sed -n 's/^[[:space:]]*\(path-[a-z]*\)[= ]"\{0,1\}\([^"]*\)"\{0,1\}$/\1 \2/p')
if [ -e /etc/prelink.cache ]; then echo prelinked; fi
for k in dpkg:md5sum:/var/lib/dpkg/info apk:sha1sum:/lib/apk/db/installed \
  pacman:sha256sum:/var/lib/pacman/local; do
  d=${k##*:} k=${k%:*}
  [ -e "$d" ] || continue
  printf 'have %s\n' "${k%:*}"
  if ! [ -r "$d" ]; then printf 'denied %s\n' "$d"; continue; fi
  if ! command -v "${k#*:}" md5sum >/dev/null; then echo 'have no md5sum'; continue; fi
  if [ "$k" = pacman:sha256sum ]; then
    for f in "$d"/*/desc; do
      if ! [ -r "${f%/desc}/mtree" ]; then printf 'unsummed %s\n' "${f%/desc}"; fi
    done
  fi
  ( v_told "${k%:*}" )
done
""".replace("@DOCUMENTATION@", " | ".join(twin.DOCUMENTATION))
_LIMITED = _BODY.replace("@SECONDS@", str(twin.SECONDS)).replace("@MOST@", str(twin.MOST))


def asked(roots: Sequence[str]) -> tuple[Question, ...]:
    """The questions; of what no package owns below these further roots too."""
    return (
        Shell("changed", _LIMITED, twin.read),
        Shell("rpm", rpm_conffiles.body(configuration=False), twin.rpm),
        software.large(roots),
    )


ASK = asked(())
GIVES = (
    About(
        "verified",
        "facts",
        "path, of files that are not as their package shipped them",
        "state (changed or missing), package, sum (md5, of a changed one)",
        privilege="any user, of files that it may read",
        cost="only with --verify: 1 s of CPU for each 500 MB of packages; "
        f"{twin.SECONDS} s, {twin.MOST} files",
        source="the packages' own checksums, and all files they name",
    ),
    About(
        "verified-software",
        "facts",
        "path, of what no package owns and is over 1 MB",
        "digest (half of the SHA-256)",
        privilege="any user, of files that it may read",
        source="as software, from the smallest on, up to 200 MB in all",
    ),
    About("verified-times", "evidence", "as verified", "changed (seconds since 1970), uid"),
)
_CUT = f"summing all files takes more than {twin.SECONDS} s: the rest was not looked at"
_MORE = f"more than {twin.MOST} files are not as shipped: the rest is not told"
_PRELINKED = "prelink rewrote programs and libraries here: those that differ are not told"


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the questions cannot print."""
    lines = [line for name in ("changed", "rpm") for line in raw.outputs.get(name, _NONE).lines]
    words = {"cut": _CUT, "more": _MORE, "prelinked": _PRELINKED}
    bare = [line for line in lines if line.startswith("unsummed /")]
    found = conffiles.found(line for line in lines if line not in words and line not in bare)
    section = conffiles.section(found)
    gaps = list(dict.fromkeys(words[line] for line in lines if line in words))
    if bare:
        gaps.append(f"{len(bare)} packages have no sums, as {bare[0].rpartition('/')[2]}")
    if isinstance(section, Collected | Partial):
        # Accounts and names of the machine, which apk's packages ship, are told by other sections.
        told = ((folded(path), _item(item)) for path, item in section.items.items())
        items = {path: item for path, item in told if not etc_paths.elsewhere(path)}
        if _PRELINKED in gaps:
            items = {path: item for path, item in items.items() if not _is_prelinked(path, item)}
        gaps += section.gaps if isinstance(section, Partial) else []
        section = Partial(items=items, gaps=gaps) if gaps else Collected(items=items)
    times = {folded(path): item for path, item in conffiles.times(found).items()}
    summed = _summed(raw.outputs.get("large", _NONE).lines)
    sections = {"verified": section, "verified-times": Collected(items=times)}
    return {**sections, "verified-software": summed}


_SUM = re.compile(r"sum \\?([0-9a-f]{64})  (/.*)")


def _summed(lines: Iterable[str]) -> Section:
    """The digests; what was left out has no item, and a gap."""
    items: Items = {}
    gaps, left = list[str](), list[str]()
    for line in lines:
        match = _SUM.fullmatch(line)
        if match is not None:
            items[folded(match[2])] = {"digest": match[1][:32]}
        elif line.startswith("unsummed /"):
            left.append(line.removeprefix("unsummed "))
        elif line != "have owners":
            gaps.append(_unseen(line))
    if left:
        files = "file is" if len(left) == 1 else "files are"
        most = unowned.TOTAL >> 20
        gaps.append(f"{len(left)} {files} told by size alone, as {left[0]}: {most} MB are summed")
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _unseen(line: str) -> str:
    gap = apps.unseen(line)
    if not gap:
        raise ParseError(f"expected a file and its sum, got {line!r}")
    return gap


_NONE = Payload(())


def _item(item: Item) -> Item:
    return {**item, "state": "changed"} if item["state"] == "edited" else item


def _is_prelinked(path: str, item: Item) -> bool:
    folders = ("/usr/bin/", "/usr/sbin/", "/usr/lib", "/usr/libexec/")
    return item["state"] == "changed" and path.startswith(folders)
