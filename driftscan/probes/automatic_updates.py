"""Whether a host updates itself: apt's settings for it, when it last tried, and what it said.

Evidence of live machines. Only the settings named here are kept: a configuration of apt may hold
proxies with passwords, and addresses of people.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from driftscan.model import Absent, Collected, Denied, Item, Items, Partial, Raw, Section, Shell
from driftscan.probes.contract import About
from driftscan.probes.twins import automatic_updates as twin

NAME = "automatic-updates"
ASK = (
    Shell(
        "all",
        r"""
[ -d /etc/apt ] || return 0
echo 'have apt'
set --
# In apt's order: the directory first, then the file, and what comes later wins.
for f in /etc/apt/apt.conf.d/* /etc/apt/apt.conf; do
  [ -f "$f" ] || continue
  case $f in *"$NL"*) continue ;; esac
  if [ -r "$f" ]; then set -- "$@" "$f"; else printf 'denied %s\n' "$f"; fi
done
# Comments stay behind; their lines keep their numbers.
[ $# -eq 0 ] || awk 'FNR == 1 { print "file " FILENAME }
  /^[ \t]*\/\// && !/\*/ { print " "; next }
  { print " " $0 }' "$@"
find /var/lib/apt/periodic -maxdepth 1 -name '*-stamp' -exec stat -c 'stamp %Y %n' '{}' +
d=/var/log/unattended-upgrades
if [ -d "$d" ]; then
  if [ -r "$d/unattended-upgrades.log" ]; then
    awk '{ last[NR % 40] = $0 }
      END { for (i = NR - 39; i <= NR; i++) if (i > 0) print "log " last[i % 40] }
    ' "$d/unattended-upgrades.log"
  elif ! [ -x "$d" ] || [ -e "$d/unattended-upgrades.log" ]; then
    printf 'denied %s\n' "$d"
  fi
fi
""",
        twin.read,
    ),
)
GIVES = (
    About(
        "apt-settings",
        "evidence",
        "name of the setting",
        "value, or values of a list; place",
        cost="both 10 ms",
    ),
    About(
        "automatic-updates",
        "evidence",
        "stamp of apt's daily run, or log",
        "time (seconds since 1970); lines (the last 40)",
        privilege="any user; the log group adm",
    ),
)

SETTINGS = (
    "APT::Default-Release",
    "APT::Install-Recommends",
    "APT::Install-Suggests",
    "APT::Periodic::Download-Upgradeable-Packages",
    "APT::Periodic::Enable",
    "APT::Periodic::Unattended-Upgrade",
    "APT::Periodic::Update-Package-Lists",
    "Unattended-Upgrade::Allowed-Origins",
    "Unattended-Upgrade::Origins-Pattern",
    "Unattended-Upgrade::Package-Blacklist",
    "Unattended-Upgrade::Package-Whitelist",
)
_NAMES = {name.lower(): name for name in SETTINGS}
_STAMP = re.compile(r"stamp (-?[0-9]{1,12}) /var/lib/apt/periodic/([a-z-]{1,60})-stamp")


class _Answer(Struct):
    """The lines of the answer by what they are."""

    files: dict[str, list[str]]
    runs: Items
    log: list[str]
    denied: list[str]
    strange: int = 0


def parse(raw: Raw) -> Mapping[str, Section]:
    """Both sections; a line that is not understood is a gap, never a failure."""
    payload = raw.outputs.get("all")
    if payload is None or not payload.lines:
        return {about.name: Absent() for about in GIVES}
    answer = _answer(payload.lines)
    gaps = [f"{answer.strange} lines not understood"] if answer.strange else []
    gaps += ["more than the limit"] if payload.cut else []
    logs = [path for path in answer.denied if path.startswith("/var/log/")]
    settings = [path for path in answer.denied if path not in logs]
    return {
        "apt-settings": _section(_settings(answer.files), settings, gaps),
        "automatic-updates": _section(answer.runs, logs, gaps),
    }


def _answer(lines: Iterable[str]) -> _Answer:
    answer = _Answer({}, {}, [], [])
    here: list[str] | None = None
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "file":
            here = answer.files.setdefault(rest, [])
        elif not kind and here is not None:
            here.append(rest)
        elif kind in ("log", "denied"):
            (answer.log if kind == "log" else answer.denied).append(rest)
        elif stamp := _STAMP.fullmatch(line):
            answer.runs[stamp[2]] = {"time": int(stamp[1])}
        elif line != "have apt":
            answer.strange += 1
    if answer.log:
        answer.runs["log"] = {"lines": answer.log}
    return answer


def _section(items: Items, denied: list[str], gaps: list[str]) -> Section:
    if denied and not items:
        return Denied(cure=f"read access to {denied[0]} (group adm), or --become")
    gaps = [*(f"{path}: denied" for path in denied), *gaps]
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


# --- apt.conf(5) -------------------------------------------------------------------------------

# The names that apt reads in the directory: no dot but the one of `.conf`.
_FILE = re.compile(r"/etc/apt/apt\.conf(?:\.d/[A-Za-z0-9_-]+(?:\.conf)?)?")


def _settings(files: Mapping[str, list[str]]) -> Items:
    items: Items = {}
    for path, lines in files.items():
        if _FILE.fullmatch(path):
            for found in _assignments("\n".join(lines)):
                _take(items, found, f"{path}:{found.line}")
    return items


def _take(items: Items, found: "_Assignment", place: str) -> None:
    """A later value wins, a list grows, and `#clear` takes back what the name begins."""
    scalar = _NAMES.get(found.name.lower())
    of_list = _NAMES.get(found.name.lower().removesuffix("::"))
    if found.cleared:
        start = found.name.lower().removesuffix("::")
        for name in [n for n in items if n.lower() == start or n.lower().startswith(start + "::")]:
            del items[name]
    elif scalar:
        items[scalar] = {"value": found.value, "place": place}
    elif of_list:
        before: Item = items.get(of_list, {})
        values = before.get("values")
        known = values if isinstance(values, list) else []
        items[of_list] = {"values": [*known, found.value], "place": before.get("place", place)}


class _Assignment(Struct, frozen=True):
    """`Name "value";`, a member of a list as `Name::`, or a `#clear Name;`."""

    name: str
    value: str
    line: int
    cleared: bool = False


_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z)|\#(?!clear\b)[^\n]*)"""
    r"""|"(?P<quoted>[^"\n]*)"|(?P<mark>[{};])|(?P<word>[^\s{};"]+)""",
    re.DOTALL,
)
_DEEPEST = 50


def _assignments(text: str) -> Iterator[_Assignment]:
    """What a file sets, in order; text that is no apt.conf gives less, never an error."""
    scopes: list[str] = []
    words: list[tuple[str, bool]] = []
    line, at = 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", at, token.start())
        at = token.start()
        if token["mark"] is None:
            if token["comment"] is None:
                quoted = token["quoted"]
                words.append((token["word"] or "", False) if quoted is None else (quoted, True))
            continue
        if token["mark"] == "{":
            name = words[0][0] if words else ""
            scopes = [*scopes, name][:_DEEPEST]
        else:
            yield from _statement(scopes, words, line)
            scopes = scopes[:-1] if token["mark"] == "}" else scopes
        words = []


def _statement(
    scopes: Iterable[str], words: list[tuple[str, bool]], line: int
) -> Iterator[_Assignment]:
    scope = [name for name in scopes if name]
    match words:
        case [("#clear", False), (name, _)]:
            yield _Assignment("::".join([*scope, name]), "", line, cleared=True)
        case [(value, True)] if scope:
            yield _Assignment("::".join([*scope, ""]), value, line)
        case [(name, False), (value, _)]:
            yield _Assignment("::".join([*scope, name]), value, line)
        case _:
            pass
