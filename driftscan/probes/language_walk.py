"""One walk below the places of what managers of languages install: its script, and what it says."""

import re
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from driftscan.errors import ParseError

BODY = r"""
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


class Walk(Struct):
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


def walked(lines: Iterable[str]) -> Walk:
    """What the lines say; where the answer was cut its last line may be half a one."""
    walk, odd = Walk(), list[str]()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is not None:
            _add(walk, match)
        elif line:
            odd.append(line)
    if len(odd) > (0 if walk.whole else 1):
        raise ParseError(f"expected a file, its version or its owner, got {odd[0]!r}")
    return walk


def _add(walk: Walk, match: re.Match[str]) -> None:
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


def _add_distribution(walk: Walk, match: re.Match[str]) -> None:
    if match["origin"] is not None:
        walk.origins[match["info"]] = walk.origins.get(match["info"], "") + match["origin"]
    else:
        walk.installers[match["info"]] = match["installer"]


def _add_word(walk: Walk, match: re.Match[str]) -> None:
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


def _unescaped(text: str) -> str:
    """A string of JSON without its quotes; as it stands where it is none."""
    try:
        return str(msgspec.json.decode(f'"{text}"')) if "\\" in text else text
    except msgspec.DecodeError:
        return text
