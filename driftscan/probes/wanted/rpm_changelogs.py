"""The changelogs of rpm packages, out of the machine's own package database: of one of each source.

rpm writes beside its database where it may; so it is asked as nobody, like the first trip does.
"""

from collections.abc import Sequence

from msgspec import Struct, field

from driftscan import versions
from driftscan.errors import ParseError
from driftscan.model import Item, Items, Question, Raw, Shell, Want
from driftscan.probes.contract import Learned
from driftscan.probes.wanted import names
from driftscan.probes.wanted.changelogs import LIMIT, MOST

KIND = "rpm-changelogs"
GIVES = "source package of rpm: version, package it was read of, origin, lines, cut (at 256 kB)"

# The answer: `= source`, `@ package`, then lines marked +, or ~ where the limit cut them;
# `! reason` why there is none of any.
_BODY = f"""
db=
for d in /usr/lib/sysimage/rpm /var/lib/rpm; do
  for f in rpmdb.sqlite Packages.db Packages; do
    if [ -s "$d/$f" ]; then db=$d; break 2; fi
  done
done
if [ -z "$db" ]; then printf '! there is no database of rpm\\n'; return 0; fi
command -v rpm >/dev/null || {{ printf '! there is no rpm to read its database\\n'; return 0; }}
asked() {{
  [ -d /usr/lib/sysimage/rpm ] || [ -d /var/lib/rpm ] || return 1
  if [ -w "$db" ]; then
    timeout -s KILL 20 chroot --userspec=65534:65534 --groups=65534 / \\
      rpm -q --dbpath "$db" --changelog "$1"
  else
    timeout -s KILL 20 rpm -q --dbpath "$db" --changelog "$1"
  fi
}}
wanted() {{
  printf '= %s\\n' "$1"
  shift
  for p in "$@"; do
    asked "$p" 2>/dev/null | awk -v p="$p" -v most={LIMIT} '
      !n && !/^[*] / {{ exit }}
      !n {{ print "@ " p }}
      {{ n++; size += length($0) + 1 }}
      size > most {{ print "~"; exit }}
      {{ print "+" $0 }}
      END {{ exit !n }}' && return 0
  done
  return 0
}}
"""


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """One function, called with the packages of each source."""
    calls = [f"wanted {_quoted([want.name, *want.names])}" for want in _fit(wants)]
    return (Shell(name=KIND, body="\n".join([_BODY.strip(), *calls, ":"])),)


def _fit(wants: Sequence[Want]) -> list[Want]:
    return [want for want in wants if names.RPM.fullmatch(want.name)][:MOST]


def _quoted(words: Sequence[str]) -> str:
    """The grammar holds nothing that a shell reads as more than itself."""
    return " ".join(f"'{word}'" for word in words if names.RPM.fullmatch(word))


class _Block(Struct):
    """What was answered about one source."""

    source: str
    package: str = ""
    lines: list[str] = field(default_factory=list)
    cut: bool = False


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """The changelog of each source that was found."""
    lines = raw.outputs[KIND].lines
    why = next((line[1:].strip() for line in lines if line.startswith("!")), "not installed there")
    blocks = {block.source: block for block in _blocks(lines)}
    found: Items = {}
    missing = {want.name: f"more than {MOST} changelogs are wanted" for want in wants[MOST:]}
    missing |= {
        w.name: "no name of an rpm package" for w in wants if not names.RPM.fullmatch(w.name)
    }
    for want in _fit(wants):
        block = blocks.get(want.name, _Block(want.name))
        if block.lines:
            found[want.name] = _item(block, want.version)
        else:
            missing[want.name] = why
    return Learned(found, missing)


def _blocks(lines: Sequence[str]) -> list[_Block]:
    found: list[_Block] = []
    for line in lines:
        mark, rest = line[:1], line[1:]
        if mark == "=":
            found.append(_Block(rest.strip()))
        elif found and mark in ("@", "+", "~"):
            _add(found[-1], mark, rest)
        elif mark != "!":
            raise ParseError(f"{KIND}: unexpected {line!r}")
    return found


def _add(block: _Block, mark: str, rest: str) -> None:
    if mark == "+":
        block.lines.append(rest)
    elif mark == "@":
        block.package = rest.strip()
    else:
        block.cut = True


def _item(block: _Block, version: str) -> Item:
    """Of the wanted version if its newest entry ends with that, as the changelog writes it."""
    newest = block.lines[0].rpartition(" ")[2]
    same = versions.in_changelog("rpm", newest) == versions.in_changelog("rpm", version)
    item: Item = {
        "version": version if same else newest,
        "package": block.package,
        "lines": block.lines,
    }
    return {**item, "cut": True} if block.cut else item
