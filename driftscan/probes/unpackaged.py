"""What stands beside the packages: Python distributions, programs that hide, own libraries.

Names and places only: nothing is run and no file but INSTALLER and METADATA is opened. Paths of a
merged /usr are told as /usr/bin (usrmerge(7)).
"""

import re
from collections.abc import Iterable, Mapping
from posixpath import basename, dirname

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.model import Collected, Failed, Item, Items, Partial, Payload, Raw, Section, Shell
from driftscan.probes import apps, reading, rpm
from driftscan.probes.contract import About
from driftscan.probes.loader import folded
from driftscan.probes.twins import unpackaged as twin

NAME = "unpackaged"
ASK = (
    Shell(
        "files",
        rpm.LISTED
        + r"""
# One find and one stat for all: places that are not there cost nothing.
set --
for d in /usr/local/bin /usr/local/sbin /usr/local/src /usr/local/lib /usr/local/lib/*-linux-* \
  /usr/lib/python3*/*-packages /usr/local/lib/python3*/*-packages \
  /usr/lib/python3*/*-packages/*.libs /usr/local/lib/python3*/*-packages/*.libs \
  /opt/*/lib /opt/*/lib64 /opt/*/*/lib /srv/*/lib /srv/*/*/lib \
  /opt/*/lib/python3*/site-packages/*.libs /opt/*/*/lib/python3*/site-packages/*.libs \
  /srv/*/lib/python3*/site-packages/*.libs /srv/*/*/lib/python3*/site-packages/*.libs; do
  case $d in *"$NL"*) continue ;; esac
  if [ -d "$d" ]; then set -- "$@" "$d"; fi
done
for d in /opt/* /srv/* "$@"; do
  case $d in *"$NL"*) continue ;; esac
  if [ -d "$d" ] && ! [ -x "$d" ]; then printf 'closed %s\n' "$d"; fi
done
if [ $# -gt 0 ]; then
  find -H "$@" -mindepth 1 -maxdepth 1 '(' -name "*$NL*" -exec stat -c odd '{}' + ')' -o \
    '(' -path '/usr/local/*bin/*' -o -path '/usr/local/src/*' \
    -o -path '*/python3*/*-packages/*-info' -o -path '*/python3*/*-packages/*.egg' \
    -o -name 'lib*.so' -o -name 'lib*.so.*' ')' \
    -exec stat -c '%Y %f %u %g %s %n' '{}' + | head -c 1000000
fi
of_files grep -HsE -m 1 . -- /usr/lib/python3*/*-packages/*-info/INSTALLER \
  /usr/local/lib/python3*/*-packages/*-info/INSTALLER
for f in /usr/local/lib/python3*/*-packages/*-info/REQUESTED; do
  if [ -e "$f" ]; then printf 'asked %s\n' "${f%/REQUESTED}"; fi
done
of_files grep -HsE '^Requires-Dist: ' -- /usr/local/lib/python3*/*-packages/*-info/METADATA |
  grep -v ';.*extra' | head -n 5000
# What is switched on; ucf(1) or dpkg knows whose the PHP extensions are.
for f in /etc/php/*/*/conf.d/*.ini /etc/nginx/modules-enabled/*.conf \
  /etc/apache2/mods-enabled/*.load; do
  if [ -e "$f" ]; then printf 'enabled %s\n' "$f"; fi
done
of_files grep -hsE '/etc/php/[^/]+/mods-available/' -- /var/lib/ucf/registry |
  awk 'NF == 2 { print "ucf", $1, $2 }'
of_files grep -HsE '^/etc/php/[^/]+/mods-available/[^/]+[.]ini$' -- /var/lib/dpkg/info/php*.list |
  sed 's,^/var/lib/dpkg/info/,owner ,'

# What builds of ImageMagick can do: two of the same version may differ in it.
of_files grep -HsE '<configure name="(DELEGATES|FEATURES|VERSION)"' -- \
  /usr/lib/*/ImageMagick-*/config-*/configure.xml \
  /usr/local/lib/ImageMagick-*/config-*/configure.xml \
  /opt/*/lib/ImageMagick-*/config-*/configure.xml | head -n 100

# Who owns what: only what a local program hides, and what is in the packages' own places.
set --
for f in /usr/local/sbin/* /usr/local/bin/*; do
  if ! [ -f "$f" ] || ! [ -x "$f" ]; then continue; fi
  for d in /usr/sbin /usr/bin /sbin /bin; do
    if ! [ -f "$d/${f##*/}" ] || ! [ -x "$d/${f##*/}" ]; then continue; fi
    case $f in *"$NL"*) continue ;; esac
    # What is hidden may be an alternative: the package owns what that leads to.
    r=$(readlink -f -- "$f") u=$(readlink -f -- "$d/${f##*/}")
    if [ "$r" != "$u" ]; then
      printf 'over %s\nreal %s\nunder %s\nleads %s\n' "$f" "$r" "$d/${f##*/}" "$u"
      set -- "$@" -e "$u" -e "${u#/usr}"
    fi
    break
  done
done
for f in /usr/lib/python3*/*-packages/*-info; do
  if [ -e "$f" ]; then set -- "$@" -e "$f"; fi
done
if cd /var/lib/dpkg/info; then
  printf 'have dpkg\n'
  [ $# -eq 0 ] || find . -type f -name '*.list' -exec grep -HFxs "$@" '{}' + | sed 's,^\./,owner ,'
  return 0
fi
# Of the other managers only where there is something of Python: to ask rpm costs 100 ms.
set --
for f in /usr/lib/python3*/*-packages/*-info; do
  case $f in *"$NL"*) continue ;; esac
  if [ -e "$f" ]; then set -- "$@" "$f"; fi
done
[ $# -gt 0 ] || return 0
owned=$({ printf '%s\n' "$@"
  echo .
  if [ -f /lib/apk/db/installed ]; then
    awk '/^P:/ { p = substr($0, 3) } /^F:/ { print p ".list:/" substr($0, 3) }' \
      /lib/apk/db/installed
  fi
  of_files grep -Hs '[-]info/$' -- /var/lib/pacman/local/*/files |
    sed 's,^/var/lib/pacman/local/\(.*\)-[^-]*-[^-]*/files:\(.*\)/$,\1.list:/\2,'
  rpm_listed | sed 's/^[^ ]* //'
} | awk '!listed { if ($0 == ".") listed = 1; else want[$0]; next }
  substr($0, index($0, ".list:/") + 6) in want { print "owner " $0 }')
[ -z "$owned" ] || printf 'have owners\n%s\n' "$owned"
return 0
""",
        twin.read,
    ),
)
GIVES = (
    About(
        "python",
        "facts",
        "pypi//name@place (the name as PyPI normalises it)",
        "version, installer (of the file INSTALLER), owner (a package's)",
        cost="all seven 12 ms, 40 ms where a build hides a dozen programs",
    ),
    About(
        "programs",
        "facts",
        "path below /usr/local that hides a program of /usr",
        "hides, owner (of the hidden one), target (where it leads)",
    ),
    About(
        "vendored",
        "facts",
        "directory below /opt, /srv or a wheel's *.libs",
        "libraries (file names)",
    ),
    About(
        "extensions",
        "facts",
        "php/VERSION/SAPI/NAME, nginx/NAME or apache2/NAME",
        "owner (a package's, of PHP's)",
    ),
    About(
        "python-needs",
        "evidence",
        "as python, of those below /usr/local",
        "needs (names), requested (asked for by name, not as a dependency)",
    ),
    About(
        "builds",
        "evidence",
        "directory of ImageMagick's configure.xml",
        "version, delegates, features",
    ),
    About(
        "local-files",
        "evidence",
        "path of what those sections and libraries name, and of /usr/local/src",
        "changed (seconds since 1970), uid",
    ),
)


class _Found(Struct):
    """The lines of the answer, by what they are."""

    stats: dict[str, reading.Stat] = {}
    installers: dict[str, str] = {}
    needs: dict[str, list[str]] = {}
    words: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    builds: dict[str, dict[str, str]] = {}
    shipped: dict[str, str] = {}
    have: set[str] = set()

    @property
    def packaged(self) -> bool:
        """Whether dpkg's lists tell whose everything is."""
        return bool(self.have & {"have dpkg"})

    @property
    def listed(self) -> bool:
        """Whether it is told whose the packages of Python are."""
        return bool(self.have & {"have dpkg", "have owners"})


_LINE = re.compile(
    r"(?P<stat>-?[0-9]{1,12} [0-9a-f]{1,8} [0-9]{1,10} [0-9]{1,10} [0-9]{1,20} (?P<path>/.*))"
    r"|(?P<info>/.*?-info)/(?:INSTALLER:(?P<installer>.*)"
    r"|METADATA:Requires-Dist: *(?P<needs>[A-Za-z0-9._-]+).*)"
    r"|(?P<build>/.*?)/configure\.xml: *<configure name=\"(?P<field>[A-Z]+)\""
    r" value=\"(?P<value>.*?)\".*"
    r"|owner (?P<owner>[^:/]+)(?::[^:/]+)?\.list:(?P<owned>/.*)"
    r"|ucf (?P<package>[^ ]+) (?P<shipped>/.*)"
    r"|(?P<word>over|under|real|leads|closed|asked|enabled) (?P<of>/.*)"
    r"|(?P<have>have (?:dpkg|owners)|odd)"
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the question cannot print."""
    if "files" not in raw.outputs:
        unknown = Failed(reason="only a running machine tells")
        return {about.name: unknown for about in GIVES}
    found = _found(raw.outputs["files"].lines)
    python = _python(found)
    gaps = [f"{path}: denied" for path in sorted({*found.words.get("closed", [])})]
    gaps += [apps.ODD] if "odd" in found.have else []
    local = [gap for gap in gaps if gap.startswith("/usr") or gap == apps.ODD]
    return {
        "python": _section(python, local),
        "programs": _section(_programs(found), local),
        "vendored": _section(_vendored(found), gaps),
        "extensions": Collected(items=_extensions(found)),
        "python-needs": Collected(items=_needs(found, python)),
        "builds": Collected(items=_builds(found)),
        "local-files": Collected(items=_files(found)),
    }


def _section(items: Items, gaps: list[str]) -> Section:
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _found(lines: Iterable[str]) -> _Found:
    found = _Found()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected a file, its owner or its installer, got {line!r}")
        _add(found, match)
    return found


def _add(found: _Found, match: re.Match[str]) -> None:
    if match["stat"]:
        (stat,) = reading.stats(Payload((match["stat"],)))
        found.stats[stat.path] = stat
    elif match["installer"] is not None:
        found.installers[match["info"]] = match["installer"]
    elif match["needs"]:
        found.needs.setdefault(match["info"], []).append(match["needs"])
    elif match["build"]:
        found.builds.setdefault(match["build"], {})[match["field"].lower()] = match["value"]
    elif match["shipped"]:
        found.shipped[match["shipped"]] = match["package"]
    elif match["owned"]:
        path = folded(match["owned"])
        found.owners[path] = min(match["owner"], found.owners.get(path, match["owner"]))
    elif match["word"]:
        found.words.setdefault(match["word"], []).append(match["of"])
    else:
        found.have.add(match["have"])


# --- Python ------------------------------------------------------------------------------------

# The form of the directory's name is that of wheels and of eggs: NAME-VERSION, an egg's with -pyX.
_DISTRIBUTION = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)-(?P<version>[0-9][^-]*)"
    r"(?:-py[0-9.]+)?(?:-[a-z][^/]*)?\.(?:(?:dist|egg)-info|egg)"
)


def normalised(name: str) -> str:
    """The name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distribution(path: str) -> tuple[str, str] | None:
    """The key and version of the Python distribution whose `*-info` this is."""
    match = _DISTRIBUTION.fullmatch(basename(path))
    return (_key(path, match["name"]), match["version"]) if match else None


def _python(found: _Found) -> Items:
    items: Items = {}
    for path in found.stats:
        match = _DISTRIBUTION.fullmatch(basename(path))
        if match is None:
            continue
        item: Item = {"version": match["version"], "installer": found.installers.get(path, "")}
        if found.listed and not path.startswith("/usr/local/"):
            item["owner"] = found.owners.get(path, "")
        items[_key(path, match["name"])] = item
    return items


def _key(path: str, name: str) -> str:
    return f"pypi//{normalised(name)}@{dirname(path)}"


def _needs(found: _Found, python: Items) -> Items:
    """Names that a distribution asks for without a condition of extras; itself left out."""
    items: Items = {}
    asked = {*found.words.get("asked", [])}
    for path in sorted({*found.needs, *asked}):
        match = _DISTRIBUTION.fullmatch(basename(path))
        key = _key(path, match["name"]) if match else ""
        if match and key in python:
            named = {normalised(name) for name in found.needs.get(path, [])}
            needs = sorted(named - {normalised(match["name"])})
            items[key] = {"needs": needs, "requested": path in asked}
    return items


# --- programs and libraries --------------------------------------------------------------------


def _programs(found: _Found) -> Items:
    over, *others = (found.words.get(word, []) for word in ("over", "real", "under", "leads"))
    if any(len(other) != len(over) for other in others):
        raise ParseError(f"{len(over)} programs hide {len(others[1])}")
    items: Items = {}
    for path, real, under, leads in zip(over, *others, strict=True):
        item: Item = {"hides": folded(under)}
        if found.packaged:
            item["owner"] = found.owners.get(folded(leads), "")
        if real != path:
            item["target"] = real
        items[path] = item
    return items


_LIBRARY = re.compile(r"lib[^/]+\.so(?:\.[^/]*)?")
_PROGRAMS = ("/usr/local/bin/", "/usr/local/sbin/")
_OWN = re.compile(r"/(?:opt|srv)/.*|.*\.libs")


def _vendored(found: _Found) -> Items:
    directories: dict[str, list[str]] = {}
    for path in found.stats:
        if _LIBRARY.fullmatch(basename(path)) and _OWN.fullmatch(dirname(path)):
            directories.setdefault(dirname(path), []).append(basename(path))
    return {place: {"libraries": sorted(names)} for place, names in directories.items()}


_ENABLED = re.compile(
    r"/etc/(?:php/(?P<php>[^/]+)/(?P<sapi>[^/]+)/conf\.d|(?P<server>nginx|apache2)/[^/]+)"
    r"/(?:[0-9]+-)?(?P<name>[^/]+)\.[a-z]+"
)


def _extensions(found: _Found) -> Items:
    items: Items = {}
    for match in filter(None, map(_ENABLED.fullmatch, found.words.get("enabled", []))):
        if match["server"]:
            items[f"{match['server']}/{match['name']}"] = {"owner": ""}
        else:
            place = f"/etc/php/{match['php']}/mods-available/{match['name']}.ini"
            key = f"php/{match['php']}/{match['sapi']}/{match['name']}"
            items[key] = {"owner": found.shipped.get(place) or found.owners.get(place, "")}
    return items


def _builds(found: _Found) -> Items:
    return {
        place: {
            "version": told.get("version", ""),
            "delegates": sorted(reading.words(told.get("delegates", ""))),
            "features": sorted(reading.words(told.get("features", ""))),
        }
        for place, told in found.builds.items()
    }


def _files(found: _Found) -> Items:
    bins = tuple(path for path in found.stats if path.startswith(_PROGRAMS))
    told = {*found.stats} - {*bins} | ({*found.words.get("over", [])} & {*bins})
    stats = (found.stats[path] for path in sorted(told) if not path.startswith("/usr/lib/"))
    return {stat.path: {"changed": stat.mtime, "uid": stat.uid} for stat in stats}
