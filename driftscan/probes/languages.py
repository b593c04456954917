"""What the managers of languages installed: Python, npm and pnpm, RubyGems, Go programs, jars.

One walk over named places, with limits of depth, size and time: at a limit the sections are
Partial and say so. Names and versions only; nothing is run. What /usr/lib has is a package's, and
/usr/local/lib/python3 is told by `unpackaged`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from posixpath import basename, dirname

import msgspec
from msgspec import Struct

from driftscan import versions
from driftscan.errors import ParseError
from driftscan.model import Collected, Failed, Item, Items, Partial, Question, Raw, Section, Shell
from driftscan.probes import apps
from driftscan.probes.contract import About
from driftscan.probes.twins import languages as twin
from driftscan.probes.unpackaged import distribution

NAME = "languages"
_BODY = r"""
set --
for d in /usr/local /opt /srv /app /var/www /var/lib/gems /root /home@APPS@; do
  if [ -d "$d" ]; then set -- "$@" "$d"; fi
done
# Homes of accounts that services have, elsewhere.
homes=$NL
while IFS=: read -r _ _ _ _ _ home _; do
  case $home in
    / | /app | /app/* | /bin | /bin/* | /boot | /boot/* | /dev | /dev/* | /etc | /etc/*) ;;
    /home | /home/* | /lib | /lib/* | /opt | /opt/* | /proc | /proc/* | /root | /root/*) ;;
    /run | /run/* | /sbin | /sbin/* | /srv | /srv/* | /sys | /sys/* | /tmp | /tmp/*) ;;
    /usr | /usr/bin | /usr/sbin | /usr/games | /usr/lib | /usr/local | /usr/local/* | /var) ;;
    /var/backups | /var/cache/* | /var/lib | /var/log | /var/log/* | /var/mail | /var/run/*) ;;
    /var/spool | /var/spool/* | /var/tmp | /var/tmp/* | /var/www | /var/www/* | *//* | */) ;;
    /var/lib/gems | /var/lib/gems/*) ;;
    /*)
      case $homes in *"$NL$home$NL"*) continue ;; esac
      homes=$homes$home$NL
      if [ -d "$home" ]; then set -- "$@" "$home"; fi ;;
  esac
done </etc/passwd
t=$(printf '\t') u=$(id -u) g=$(id -g) closed=-005
[ "$u" != 0 ] || closed=-000
build="Go buildinf:.{0,40}go1[0-9.a-z]*(.{0,30}path$t.*)?|^mod$t.*"
# The name and the version that a package.json has itself: between quotes stand the strings, and
# what is outside tells how deep one is and whether it is a name (RFC 8259).
named='
  function told() {
    if (file == "") return
    print file ":\"name\":\"" name "\""
    print file ":\"version\":\"" version "\""
  }
  BEGIN { RS = "\"" }
  FNR == 1 { told(); file = FILENAME; inside = depth = 0; name = version = key = text = "" }
  inside {
    text = text $0
    if (match(text, /\\+$/) && RLENGTH % 2) { text = text RS; next }
    inside = 0
    gsub(/[\n\r]/, " ", text)
    if (value && key == "name" && name == "") name = text
    if (value && key == "version" && version == "") version = text
    next
  }
  {
    value = 0
    if (depth == 1 && /^[ \t\r\n]*:/) { key = text; value = /^[ \t\r\n]*:[ \t\r\n]*$/ }
    depth += gsub(/[{[]/, "") - gsub(/[]}]/, "")
    inside = 1
    text = ""
  }
  END { told() }'
# Of a package only what names it is looked at: nothing else below node_modules or in a wheel.
if [ $# -gt 0 ]; then
  {
    timeout -s KILL 10 find -H "$@" -xdev \
      '(' -path "*$NL*" -prune -exec stat -c odd '{}' + ')' -o \
      '(' -path '*-packages/*.egg' -prune -exec stat -c '%s %n' '{}' + ')' -o \
      '(' -type d '(' -name __pycache__ -o -name include -o -name locale -o -name man \
        -o -path '*/share/doc' -o -path '*-packages/*' ! -path '*-packages/*-info' \
        -o -path '*/lib/python3*/*' ! -path '*/lib/python3*/*-packages*' \
        -o -path '*/.cache/*' ! -path '*/.cache/pypoetry' ! -path '*/.cache/pypoetry/*' \
        -o -name '.?*'@HIDDEN@ ')' -prune ')' -o \
      '(' -type d ! -perm "$closed" ! -user "$u" ! -group "$g" -prune \
        -exec stat -c 'closed %n' '{}' + ')' -o \
      '(' -type d -path '/*/*/*/*/*/*/*/*/*/*/*/*' -prune -exec stat -c 'deep %n' '{}' + ')' -o \
      '(' -path '*/node_modules/.pnpm/*' -prune -name '?*@?*' -exec stat -c '%s %n' '{}' + ')' -o \
      '(' '(' -path '*/node_modules/@*/*/*' -o -path '*/node_modules/*/*' \
          ! -path '*/node_modules/@*' ')' '(' -name package.json -type f -exec awk "$named" '{}' + \
          -o -prune ')' ')' -o \
      '(' -path '/usr/local/lib/python3*/*-packages/*-info' -prune ')' -o \
      '(' -type f -path '*-packages/*-info/INSTALLER' -exec grep -Hs -m 1 . '{}' + ')' -o \
      '(' -type f -path '*-packages/*-info/direct_url.json' -size -33 \
        -exec grep -Hs . '{}' + ')' -o \
      '(' '(' -path '*-packages/*.dist-info' -o -path '*-packages/*.egg-info' ')' \
        -exec stat -c '%s %n' '{}' + ')' -o \
      '(' -type f '(' -name '*.[jJwWeE][aA][rR]' \
        -o -path '*/specifications/*.gemspec' ')' -exec stat -c '%s %n' '{}' + ')' -o \
      '(' -type f -perm -100 -size +1000k -size -400000k '(' -path '*bin/*' \
        -o -path '/app/*' -o -path '/opt/*/*' ! -path '/opt/*/*/*'@BELOW@ ')' ! -name '*.so*' \
        -exec grep -aHoE -m 4 "$build" '{}' + ')'
    # find takes the status of grep for its own: only that it was ended tells something
    [ $? -lt 124 ] && printf 'walked\n'
  } | head -c 4000000
  printf '\n'
fi
# A package that has the directory has what is in it.
set --
for d in /opt/* /srv/* /usr/local/lib/*; do
  if [ -d "$d" ]; then set -- "$@" -e "$d"; fi
done
if cd /var/lib/dpkg/info; then
  printf 'have dpkg\n'
  [ $# -eq 0 ] || find . -type f -name '*.list' -exec grep -HFxs "$@" '{}' + | sed 's,^\./,owner ,'
fi
"""


def asked(roots: Sequence[str]) -> tuple[Question, ...]:
    """The question, about these further roots too."""
    below = "".join(f" -o -path '{root}/*'" for root in roots)
    hidden = "".join(f" ! -name {name}" for name in twin.HIDDEN)
    body = _BODY.replace("@APPS@", apps.words(roots)).replace("@BELOW@", below)
    body = body.replace("@HIDDEN@", hidden)
    return (Shell("walk", body, partial(twin.read, apps=roots)),)


ASK = asked(())
GIVES = (
    About(
        "python",
        "facts",
        "pypi//name@place: of virtual environments, pipx, uv and users' sites",
        "version, installer, url and editable (of direct_url.json), owner (a package's)",
        cost="all five 12 ms where there is nothing, and what reading the names takes",
    ),
    About(
        "npm",
        "facts",
        "npm/@scope/name@node_modules (not what is nested in a package)",
        "version, versions (side by side, pnpm's), owner",
    ),
    About("gems", "facts", "gem//name@place of specifications", "version, versions, owner"),
    About("go", "facts", "golang/MODULE@program", "version, go (the compiler's), owner"),
    About(
        "jars",
        "facts",
        "jar//name@directory (jar, war, ear)",
        "version (of the file's name), versions, size (bytes), owner",
    ),
)


class _Walk(Struct):
    """The lines of the answer, by what they are."""

    sizes: dict[str, int] = {}
    installers: dict[str, str] = {}
    origins: dict[str, str] = {}
    modules: dict[str, str] = {}
    names: dict[str, str] = {}
    programs: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    closed: list[str] = []
    deep: list[str] = []
    odd: bool = False
    packaged: bool = False
    whole: bool = False


_LINE = re.compile(
    r"(?P<size>[0-9]{1,20}) (?P<path>/.*)"
    r"|(?P<odd>odd)"
    r"|(?P<info>/.*?-info)/(?:INSTALLER:(?P<installer>.*)|direct_url\.json:(?P<origin>.*))"
    r"|(?P<module>/.*/node_modules/.*)/package\.json:"
    r"\"(?P<field>name|version)\"\s*:\s*\"(?P<value>.*)\""
    r"|owner (?P<owner>[^:/]+)(?::[^:/]+)?\.list:(?P<owned>/.*)"
    r"|closed (?P<closed>/.*)|deep (?P<deep>/.*)|(?P<walked>walked)|(?P<have>have dpkg)"
    r"|(?P<program>/.*?):(?P<build>Go buildinf:.*|mod\t.*)"
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the question cannot print."""
    if "walk" not in raw.outputs:
        return dict.fromkeys(
            (about.name for about in GIVES), Failed(reason="only a running machine tells")
        )
    lines = raw.outputs["walk"].lines
    walk = _walked(lines)
    found = {
        "python": _python(walk),
        "npm": _npm(walk),
        "gems": _gems(walk),
        "go": _go(walk),
        "jars": _jars(walk),
    }
    gaps = list(_gaps(walk)) if lines and lines[0] != "have dpkg" else []
    return {name: _section(walk, items, gaps) for name, items in found.items()}


def _section(walk: _Walk, items: Items, gaps: list[str]) -> Section:
    """The items, each with the package that has its place, where dpkg tells."""
    if walk.packaged:
        owned: Items = {}
        for key, item in items.items():
            owned[key] = {**item, "owner": _owner(walk, key.partition("@/")[2])}
        items = owned
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _owner(walk: _Walk, place: str) -> str:
    parts = f"/{place}".split("/")
    return next(filter(None, (walk.owners.get("/".join(parts[:n])) for n in (3, 5))), "")


def _gaps(walk: _Walk) -> Iterable[str]:
    if not walk.whole:
        yield "a walk has 10 s and tells 4 MB: the rest was not looked at"
    if walk.odd:
        yield apps.ODD
    for what, paths in (("denied", walk.closed), ("deeper than is looked at", walk.deep)):
        yield from (f"{path}: {what}" for path in sorted(paths)[:_TOLD])
        if len(paths) > _TOLD:
            yield f"{len(paths) - _TOLD} more directories: {what}"


_TOLD = 5


def _walked(lines: Iterable[str]) -> _Walk:
    """What the lines say; where the answer was cut its last line may be half a one."""
    walk, odd = _Walk(), list[str]()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is not None:
            _add(walk, match)
        elif line:
            odd.append(line)
    if len(odd) > (0 if walk.whole else 1):
        raise ParseError(f"expected a file, its version or its owner, got {odd[0]!r}")
    return walk


def _add(walk: _Walk, match: re.Match[str]) -> None:
    if match["path"]:
        walk.sizes[match["path"]] = int(match["size"])
    elif match["info"]:
        _add_distribution(walk, match)
    elif match["module"]:
        told = walk.names if match["field"] == "name" else walk.modules
        told.setdefault(match["module"], _unescaped(match["value"]))
    elif match["program"]:
        walk.programs.setdefault(match["program"], []).append(match["build"])
    elif match["owned"]:
        owner = walk.owners.get(match["owned"], match["owner"])
        walk.owners[match["owned"]] = min(match["owner"], owner)
    else:
        _add_word(walk, match)


def _add_distribution(walk: _Walk, match: re.Match[str]) -> None:
    if match["origin"] is not None:
        walk.origins[match["info"]] = walk.origins.get(match["info"], "") + match["origin"]
    else:
        walk.installers[match["info"]] = match["installer"]


def _add_word(walk: _Walk, match: re.Match[str]) -> None:
    if match["closed"]:
        walk.closed.append(match["closed"])
    elif match["deep"]:
        walk.deep.append(match["deep"])
    elif match["walked"]:
        walk.whole = True
    elif match["odd"]:
        walk.odd = True
    else:
        walk.packaged = True


def _put(items: Items, ecosystem: str, key: str, item: Item) -> None:
    """One more item; of several versions side by side `version` is the newest, `versions` all."""
    if key not in items:
        items[key] = item
        return
    before, version = items[key], str(item["version"])
    known = before.get("versions") or [str(before["version"])]
    listed = sorted({*(known if isinstance(known, list) else []), version})
    newest = str(before["version"])
    if versions.compare(ecosystem, newest, version) == -1:
        newest = version
    items[key] = {**before, "version": newest}
    if len(listed) > 1:
        items[key]["versions"] = listed


# --- one ecosystem after the other --------------------------------------------------------------


class _Origin(Struct):
    """direct_url.json (PEP 610), as far as it is told; other fields are left out."""

    class Directory(Struct):
        editable: bool = False

    class Source(Struct):
        commit_id: str = ""

    url: str = ""
    dir_info: Directory | None = None
    vcs_info: Source | None = None


def _python(walk: _Walk) -> Items:
    items: Items = {}
    for path in sorted(walk.sizes):
        found = distribution(path)
        if found is None:
            continue
        key, version = found
        item: Item = {"version": version, "installer": walk.installers.get(path, "")}
        items[key] = {**item, **_origin(walk.origins.get(path, ""))}
    return items


def _origin(text: str) -> Item:
    """Where it was installed from, if that is no index; nothing where nobody can read it."""
    try:
        origin = msgspec.json.decode(text, type=_Origin)
    except (msgspec.DecodeError, RecursionError):
        return {}
    item: Item = {"url": origin.url} if origin.url else {}
    if origin.vcs_info is not None and origin.vcs_info.commit_id:
        item["commit"] = origin.vcs_info.commit_id
    if origin.dir_info is not None and origin.dir_info.editable:
        item["editable"] = True
    return item


_MODULE = re.compile(r"(?:@(?P<scope>[^/@]+)/)?(?P<name>[^/@]+)")
_STORED = re.compile(
    r"(?P<name>(?:@[^+/]+\+|file\+.*\+)?[^@/+]+)@(?P<version>[0-9][^_(/]*)(?:[_(].*)?"
)


def _npm(walk: _Walk) -> Items:
    items: Items = {}
    for path, version in sorted(walk.modules.items()):
        place, _, name = path.rpartition("/node_modules/")
        # By an alias a package is in a directory of another name.
        own = walk.names.get(path, "")
        scope, _, plain = (own if _MODULE.fullmatch(own) else name).rpartition("/")
        _put(items, "npm", f"npm/{scope}/{plain}@{place}/node_modules", {"version": version})
    for path in sorted(walk.sizes):
        place, mark, name = path.rpartition("/node_modules/.pnpm/")
        match = _STORED.fullmatch(name) if mark else None
        if match is not None:
            scope, _, plain = match["name"].rpartition("+")
            scope = scope if scope.startswith("@") else ""
            key = f"npm/{scope}/{plain}@{place}/node_modules"
            _put(items, "npm", key, {"version": match["version"]})
    return items


def _unescaped(text: str) -> str:
    """A string of JSON without its quotes; as it stands where it is none."""
    try:
        return str(msgspec.json.decode(f'"{text}"')) if "\\" in text else text
    except msgspec.DecodeError:
        return text


_GEM = re.compile(r"(?P<name>.+?)-(?P<version>[0-9][0-9A-Za-z.]*(?:-[a-z0-9_]+)*)\.gemspec")


def _gems(walk: _Walk) -> Items:
    items: Items = {}
    for path in sorted(walk.sizes):
        place, mark, name = path.partition("/specifications/")
        match = _GEM.fullmatch(basename(name)) if mark else None
        if match is not None:
            _put(items, "gem", f"gem//{match['name']}@{place}", {"version": match["version"]})
    return items


_COMPILER = re.compile(r"go(1[0-9.]*(?:rc[0-9]+|beta[0-9]+)?)")


def _go(walk: _Walk) -> Items:
    """Programs with the build information of the linker (cmd/go, `go version -m`)."""
    items: Items = {}
    for program, lines in sorted(walk.programs.items()):
        item: Item = {"version": "", "go": ""}
        path = ""
        for line in lines:
            head, _, main = line.partition("path\t")
            compiler = _COMPILER.search(head)
            if line.startswith("mod\t"):
                item["version"] = [*line.split("\t"), "", ""][2]
            elif compiler is not None:
                item["go"] = compiler[1]
                path = main.partition("\t")[0].strip(" ")
        if item["go"]:
            items[f"golang/{path or basename(program)}@{program}"] = item
    return items


_JAR = re.compile(r"(?P<name>.+?)(?:-(?P<version>[0-9][0-9A-Za-z.+_-]*))?\.(?:jar|war|ear)", re.I)


def _jars(walk: _Walk) -> Items:
    items: Items = {}
    for path, size in sorted(walk.sizes.items()):
        match = _JAR.fullmatch(basename(path))
        if match is not None and "/node_modules/" not in path:
            item: Item = {"version": match["version"] or "", "size": size}
            _put(items, "maven", f"jar//{match['name']}@{dirname(path)}", item)
    return items
