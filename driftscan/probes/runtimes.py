"""Compilers and runtimes: every installed copy, which one wins under each PATH, alternatives.

A copy that a package owns has the version of its package, java and go the one that their own file
states; only another copy is run to ask it, and only if nobody but root can have changed it.
Winners are computed here, by walking each recorded PATH over the copies that were found.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from driftscan import versions
from driftscan.errors import ParseError
from driftscan.model import (
    Item,
    Items,
    Raw,
    Section,
    Sections,
    Shell,
)
from driftscan.probes import alternatives, settings, units, winners
from driftscan.probes.contract import About
from driftscan.probes.twins import copies as twin

NAME = "runtimes"

_COPIES = (
    settings.BODY
    + r"""
# What is named like a runtime in one directory. /bin is /usr/bin on most systems: looked at once.
look() {
  set -- "${1%/}"
  case $1 in ''|*'*'*) return 0 ;; esac
  case $looked in *"$NL$1$NL"*) return 0 ;; esac
  looked=$looked$1$NL
  # What is not there, or what this account may not see, which is not the same.
  p=$1
  while [ -n "$p" ] && ! [ -d "$p" ]; do p=${p%/*}; done
  if ! [ -x "${p:-/}" ]; then printf 'closed %s\n' "$1"; return 0; fi
  if [ "$p" != "$1" ]; then printf 'gone %s\n' "$1"; return 0; fi
  if ! [ -r "$1" ]; then printf 'closed %s\n' "$1"; return 0; fi
  directories=$directories$1$NL
  case $1 in /bin|/sbin) if [ -h "$1" ]; then return 0; fi ;; esac
  for f in "$1"/[gjnpr]*; do
    case ${f##*/} in
      gcc-*[!0-9.]*|python3.*[!0-9.]*|perl5*[!0-9.]*) continue ;;
      php[0-9]*[!0-9.]*|ruby[0-9]*[!0-9.]*) continue ;;
      gcc|gcc-[0-9]*|python3|python3.[0-9]*|perl|perl5*|php|php[0-9]*) ;;
      node|nodejs|ruby|ruby[0-9]*|go|java) ;;
      *) continue ;;
    esac
    if [ -f "$f" ] && [ -x "$f" ]; then copies=$copies$f$NL; fi
  done
}
# Every directory that a PATH names, this session's own (an image's ENV) among them.
look_into_paths() {
  named=$(printf '%s\n' "$where" | grep 'PATH='):${session_path:-}
  set -f
  IFS=':="'\'';, 	'$NL
  set -- $named
  set +f
  for d in "$@"; do
    case $d in /*) if ! [ -f "$d" ]; then look "$d"; fi ;; esac
  done
}
resolve() {
  if command -v realpath >/dev/null; then realpath "$@"; return; fi
  for f in "$@"; do readlink -f "$f"; done
}
owned() {
  case "$owners$NL" in *":$1$NL"*|*":${1#/usr}$NL"*) return 0 ;; esac
  return 1
}
# Sets owners to `list:path` lines. Likely lists first: to look at all takes 13 ms, at these 3.
find_owners() {
  owners=
  cd /var/lib/dpkg/info || { printf 'unpackaged\n'; return 0; }
  set --
  for r in $files; do set -- "$@" -e "$r" -e "${r#/usr}"; done
  set +f
  owners=$(of_files grep -HFxs "$@" -- gcc*.list perl*.list libperl5*.list python3.[0-9]*.list \
    php[0-9]*.list nodejs*.list ruby[0-9]*.list golang-*.list *jdk*.list *jre*.list)
  set -f
  set --
  for r in $files; do owned "$r" || set -- "$@" -e "$r" -e "${r#/usr}"; done
  [ $# -eq 0 ] || owners=$owners$NL$(set +f; of_files grep -HFxs "$@" -- *.list)
  set --
  for line in $owners; do
    line=${line#./} p=${line%%.list:*}
    printf 'owner %s\n' "$line"
    set -- "$@" -e "Package: ${p%%:*}"
  done
  [ $# -eq 0 ] || ! [ -f /var/lib/dpkg/status ] ||
    grep -Fx -A 16 -e 'Package: dpkg' "$@" /var/lib/dpkg/status |
    grep -E '^(Package|Architecture|Version): '
}
# Nobody but root can have put it there or can change it.
trusted() {
  p=$1
  while [ -n "$p" ]; do set -- "$@" "$p"; p=${p%/*}; done
  o=$(find "$@" / -prune '(' ! -user 0 -o -perm -020 -o -perm -002 ')' -print) && [ -z "$o" ]
}
ask() {
  r=$1
  case ${r##*/} in
    *gcc*) set -- -dumpfullversion -dumpversion ;;
    *python3*) set -- -I -B -S -V ;;
    *perl*) set -- -f -e 'print $^V' ;;
    *php*) set -- -n -v ;;
    *node*|*ruby*) set -- -v ;;
    *) return 0 ;;
  esac
  case $(head -c 2 "$r" | tr -d '\0') in
    '#!') printf 'script %s\n' "$r"; return 0 ;;
  esac
  command -v timeout >/dev/null || { printf 'untimed %s\n' "$r"; return 0; }
  trusted "$r" || { printf 'untrusted %s\n' "$r"; return 0; }
  o=$(env -i LC_ALL=C PATH="$PATH" timeout -s KILL 5 "$r" "$@" | head -c 200 | tr -d '\0')
  printf 'ran %s\nsays %s\n' "$r" "${o%%"$NL"*}"
}
copies() {
  where=$(settings)
  printf '%s\n' ${where:+"$where"} copies
  looked=$NL directories='' copies='' files=''
  for d in @PLACES@; do look "$d"; done
  for d in /opt/* /opt/*/* /usr/local/* /usr/lib/jvm/*; do
    if [ -d "$d" ] && ! [ -x "$d" ]; then printf 'closed %s\n' "$d"; fi
  done
  look_into_paths
  set -f
  IFS=$NL
  [ -n "$directories$copies" ] || return 0
  [ -z "$directories" ] || printf 'dir %s\n' $directories
  [ -z "$copies" ] || printf 'copy %s\n' $copies
  for r in $(resolve $directories $copies); do
    printf 'real %s\n' "$r"
    case $NL$files in *"$NL$r$NL"*) continue ;; esac
    if [ -f "$r" ]; then files=$files$r$NL; fi
  done
  [ -n "$files" ] || return 0
  find_owners
  set --
  for r in $files; do
    case $r in
      */bin/java) set -- "$@" "${r%/bin/java}/release" "${r%/jre/bin/java}/release" ;;
      */bin/go) set -- "$@" "${r%/bin/go}/VERSION" ;;
      *) owned "$r" || ask "$r" ;;
    esac
  done
  [ $# -eq 0 ] || of_files grep -HsE '^(JAVA_VERSION=|go[0-9])' -- "$@"
  return 0
}
copies | head -c @LIMIT@
""".replace("@PLACES@", " ".join(winners.PLACES)).replace(
        "@LIMIT@", str(settings.LIMIT + (1 << 20))
    )
)

ASK = (
    Shell("copies", _COPIES, twin.reader(winners.PLACES)),
    alternatives.ASK,
)
GIVES = (
    About("runtimes", "facts", "kind|real path", "version, owner, note", cost="28 ms"),
    About("winners", "facts", "kind@scope", "path, real, version"),
    About("path", "facts", "scope/directory", "position"),
    About("alternatives", "facts", "name, of those set by hand", "target", cost="3 ms"),
    About("alternatives-log", "evidence", "as alternatives", "time, command"),
    About("runtime-copies", "evidence", "path", "real, kind (or directory, closed)"),
)


_LINE = re.compile(
    r"(?P<path>dir|gone|closed|copy|real|ran|script|untrusted|untimed|unrun) (?P<of>/.*)"
    r"|(?P<field>Package|Architecture|Version): (?P<value>\S{1,1024})"
    r"|(?P<word>owner|says) ?(?P<rest>.*)|(?P<mark>unpackaged)"
    r"|(?P<stated>/.*?/(?:release|VERSION)):(?:JAVA_VERSION=\"?|go)(?P<version>[0-9][^\s\"]*).*"
)
_OWNER = re.compile(r"([^:/]+)(?::([^:/]+))?\.list:(/.*)")
_VERSION = re.compile(
    r"[0-9]{1,9}(?:\.[0-9]{1,9}){1,5}(?:-?(?:alpha|beta|rc|pre|dev|nightly|a|b)[0-9.]{0,9})?"
)
_NOTES = {
    "script": "not run: a script",
    "untrusted": "not run: not in the hands of root alone",
    "untimed": "not run: the host has no timeout(1)",
    "unrun": "not run: only its files were read",
}


# --- what was answered -------------------------------------------------------------------------


class _Found(Struct):
    """The answer to `copies`: paths with what they lead to, and what each copy's version may be."""

    searched: dict[str, str]
    copies: dict[str, str]
    owners: dict[str, list[str]]
    packages: dict[str, str]
    stated: dict[str, str]
    said: dict[str, str]
    notes: dict[str, str]
    closed: list[str]
    packaged: bool


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the questions cannot print."""
    lines = raw.outputs["copies"].lines
    if "copies" not in lines:
        raise ParseError("expected 'copies' between settings and copies, found none")
    middle = lines.index("copies")
    places = settings.read(lines[:middle])
    found = _found(lines[middle + 1 :])
    denied = [f"{path}: denied" for path in found.closed]
    sections: Sections = {
        "runtimes": winners.section(_runtimes(found), denied),
        "runtime-copies": winners.section(_copies(found), denied),
        "winners": winners.section({}, places.gaps),
        "path": winners.section({}, places.gaps),
        **alternatives.sections(raw.outputs["alternatives"]),
    }
    for scope, path in _paths(places):
        sections |= winners.with_path(sections, scope, path)
    return sections


def _found(lines: Iterable[str]) -> _Found:
    told: dict[str, list[str]] = {}
    fields: list[tuple[str, str]] = []
    stated: dict[str, str] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected a copy of a runtime or its owner, got {line!r}")
        if match["field"]:
            fields.append((match["field"], match["value"]))
        elif match["stated"]:
            stated[match["stated"]] = match["version"]
        else:
            word = match["path"] or match["word"] or match["mark"]
            told.setdefault(word, []).append(match["of"] or match["rest"] or "")
    return _sorted_out(told, fields, stated)


def _sorted_out(
    told: dict[str, list[str]], fields: list[tuple[str, str]], stated: dict[str, str]
) -> _Found:
    directories, copies = told.get("dir", []), told.get("copy", [])
    real = _paired([*directories, *copies], told.get("real", []))
    packages, native = _packages(fields)
    return _Found(
        searched={
            **{path: real[path] for path in directories},
            **dict.fromkeys(told.get("gone", []), ""),
        },
        copies={path: real[path] for path in copies},
        owners=_owners(told.get("owner", []), native),
        packages=packages,
        stated=stated,
        said=_paired(told.get("ran", []), told.get("says", [])),
        notes={path: _NOTES[word] for word in _NOTES for path in told.get(word, [])},
        closed=list(dict.fromkeys(told.get("closed", []))),
        packaged="unpackaged" not in told,
    )


def _paired(names: list[str], values: list[str]) -> dict[str, str]:
    if len(names) != len(values):
        raise ParseError(f"{len(names)} paths but {len(values)} answers to them")
    return dict(zip(names, values, strict=True))


def _packages(fields: list[tuple[str, str]]) -> tuple[dict[str, str], str]:
    """Versions by the key of the dpkg section, and the machine's own architecture.

    dpkg's own package cannot be a foreign one. The last stanza may have lost its end.
    """
    versions_of: dict[tuple[str, str], str] = {}
    package = architecture = native = ""
    for field, value in fields:
        if field == "Package":
            package, architecture = value, ""
        elif field == "Architecture":
            architecture = value
            native = value if package == "dpkg" else native
        else:
            versions_of[package, architecture] = value
    return {_key(*of, native): version for of, version in versions_of.items()}, native


def _key(name: str, architecture: str, native: str) -> str:
    own = architecture in ("", "all", native) or not native
    return name if own else f"{name}:{architecture}"


def _owners(lines: list[str], native: str) -> dict[str, list[str]]:
    """The packages that list a path, by the keys of the dpkg section."""
    owners: dict[str, list[str]] = {}
    for line in lines:
        match = _OWNER.fullmatch(line)
        if match is None:
            raise ParseError(f"expected 'package.list:path', got {line!r}")
        owners.setdefault(match[3], []).append(_key(match[1], match[2] or "", native))
    return owners


# --- copies and their versions -----------------------------------------------------------------


def _kind(path: str) -> str:
    name = path.rpartition("/")[2]
    return max((kind for kind in winners.KINDS if name.startswith(kind)), key=len)


def _copies(found: _Found) -> Items:
    copies: Items = {
        path: {"real": real, "kind": _kind(path)} for path, real in found.copies.items()
    }
    directories: Items = {
        path: {"real": real, "kind": "directory"} for path, real in found.searched.items()
    }
    closed: Items = {path: {"real": "", "kind": "closed"} for path in found.closed}
    return {**copies, **directories, **closed}


def _runtimes(found: _Found) -> Items:
    items: Items = {}
    for path, real in found.copies.items():
        kind = _kind(path)
        owners = _owners_of(real, found)
        version, note = _version(kind, real, owners, found)
        item: Item = {"version": version}
        if found.packaged:
            item["owner"] = ", ".join(owners)
        if note:
            item["note"] = note
        items[f"{kind}|{real}"] = item
    return items


def _owners_of(real: str, found: _Found) -> list[str]:
    """Who lists it, below / or /usr: dpkg keeps the path that the package was built with."""
    paths = (real, real.removeprefix("/usr"))
    return sorted({owner for path in paths for owner in found.owners.get(path, [])})


def _version(kind: str, real: str, owners: list[str], found: _Found) -> tuple[str, str]:
    """The version of a copy, or `unknown` with the reason."""
    name = real.rpartition("/")[2]
    if kind not in name:
        return winners.UNKNOWN, f"leads to {name}"
    for home in (real.removesuffix(f"/bin/{name}"), real.removesuffix(f"/jre/bin/{name}")):
        for file in ("release", "VERSION"):
            if f"{home}/{file}" in found.stated:
                return found.stated[f"{home}/{file}"], ""
    if len(owners) > 1:
        return winners.UNKNOWN, "listed by several packages"
    if owners:
        packaged = found.packages.get(owners[0], "")
        return (versions.upstream("deb", packaged), "") if packaged else (winners.UNKNOWN, "")
    said = _VERSION.search(found.said.get(real, ""))
    if said:
        return said.group(), ""
    silent = "gave no version" if real in found.said else "no package, no file states it"
    return winners.UNKNOWN, found.notes.get(real, silent)


def _paths(places: settings.Settings) -> Iterator[tuple[str, str]]:
    """Each recorded PATH by its scope."""
    yield "system", settings.pam_env(places).get("PATH") or settings.SYSTEM_PATH
    yield "login", settings.login_path(places, root=False)[0]
    yield "login-root", settings.login_path(places, root=True)[0]
    for name, service in units.services(places.units).items():
        if "PATH" in service.variables:
            yield f"unit:{name}", service.variables["PATH"]
