"""The further roots of applications that were named with --app: which of them are there.

What is below them is told by `languages`, `software` and `files`, which walk them too. Asked only
where at least one is named.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from driftscan.errors import ParseError
from driftscan.model import (
    LANGUAGES,
    ROOT,
    Collected,
    Items,
    Partial,
    Payload,
    Question,
    Raw,
    Section,
    Shell,
)
from driftscan.probes.contract import About
from driftscan.probes.twins import apps as twin

NAME = "apps"

_BODY = r"""
for d in@APPS@; do
  if [ -d "$d" ]; then
    if [ -r "$d" ] && [ -x "$d" ]; then echo "directory $d"; else echo "closed $d"; fi
    continue
  fi
  p=${d%/*}
  while [ -n "$p" ] && ! [ -d "$p" ]; do p=${p%/*}; done
  if ! [ -x "${p:-/}" ]; then echo "closed $d"
  elif [ -e "$d" ] || [ -h "$d" ]; then echo "other $d"
  else echo "missing $d"; fi
done
"""


def asked(roots: Sequence[str]) -> tuple[Question, ...]:
    """The question about these roots, each a `model.ROOT`."""
    return (Shell("roots", _BODY.replace("@APPS@", words(roots)), partial(twin.read, roots)),)


def words(roots: Sequence[str]) -> str:
    """The roots as words of a shell script, each with a blank before it: none can be another."""
    for root in roots:
        if ROOT.fullmatch(root) is None:
            raise ValueError(f"not fit for the script: {root!r}")
    return "".join(f" {root}" for root in roots)


ASK = asked(())
GIVES = (
    About(
        "apps",
        "facts",
        "path that --app or the inventory's `app` names",
        "state (directory, missing, or other: what is no directory)",
        cost="1 ms; only where one is named",
        source="the named directories",
    ),
)

# What may be walked below them, and no more: `closed` as `languages` has it.
_WALK = r"""
set --
for d in@APPS@; do
  if [ -d "$d" ]; then set -- "$@" "$d"; fi
done
closed=-005
[ "$(id -u)" != 0 ] || closed=-000
[ $# -eq 0 ] || timeout -s KILL @SECONDS@ find -H "$@" -xdev \
  '(' -path "*$NL*" -prune -exec stat -c odd '{}' + ')' -o \
  '(' -type d '(' @PRUNED@ ')' -prune ')' -o \
  '(' -type d ! -perm "$closed" ! -user "$(id -u)" ! -group "$(id -g)" -prune \
    -exec stat -c 'closed %n' '{}' + ')' -o \
  '(' -type d -path '/*/*/*/*/*/*/*/*/*/*/*/*' -prune -exec stat -c 'deep %n' '{}' + ')' -o \
  @FOUND@ 2>/dev/null
[ $? -lt 124 ] || echo unwalked
"""


def walk(roots: Sequence[str], pruned: Sequence[str], found: str) -> str:
    """Lines of sh that print what find tells of the roots' files, and what was not looked at:
    `closed PATH`, `deep PATH`, `odd`, `unwalked`. Empty without roots."""
    if not roots:
        return ""
    patterns = " -o ".join(f"-path '{pattern}'" for pattern in pruned)
    text = _WALK.strip().replace("@APPS@", words(roots)).replace("@SECONDS@", str(twin.SECONDS))
    return text.replace("@PRUNED@", patterns).replace("@FOUND@", found)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The section of GIVES; raises ParseError for a line that the question cannot print."""
    items: Items = {}
    gaps = []
    for line in raw.outputs.get("roots", Payload(())).lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected the state of a directory, got {line!r}")
        if match[1] == "closed":
            gaps.append(f"{match[2]}: denied")
        else:
            items[match[2]] = {"state": match[1]}
    section = Partial(items=items, gaps=gaps) if gaps else Collected(items=items)
    return {"apps": section}


ODD = "a name that holds a line break: not looked at"
_UNSEEN = {"closed": "denied", "deep": "deeper than is looked at"}


def unseen(line: str) -> str:
    """What a line of `walk` tells that was not looked at; empty for any other line."""
    if line == "odd":
        return ODD
    if line == "unwalked":
        return f"a walk of what --app names has {twin.SECONDS} s: the rest was not looked at"
    word, _, path = line.partition(" ")
    return f"{path}: {_UNSEEN[word]}" if word in _UNSEEN and path.startswith("/") else ""


def lost(facts: Mapping[str, Section]) -> list[str]:
    """The roots that are no directory on the machine with these facts."""
    section = facts.get(NAME)
    items = section.items if isinstance(section, Collected | Partial) else {}
    return [root for root, item in items.items() if item.get("state") != "directory"]


_PATHS = (NAME, "files", "software", "verified-software")


def above(section: str, key: str, roots: Iterable[str]) -> str:
    """The root that an item is below, or is; empty for any other."""
    path = key if section in _PATHS else ""
    if section in LANGUAGES:
        path = f"/{key.partition('@/')[2]}"
    return next((root for root in roots if f"{path}/".startswith(f"{root}/")), "")


_LINE = re.compile(r"(directory|missing|other|closed) (/.*)")
