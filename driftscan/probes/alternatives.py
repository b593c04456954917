"""Alternatives that somebody set by hand, and what update-alternatives(1) logged of it."""

import re

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Items, Payload, Section, Shell
from driftscan.probes.twins import alternatives as twin

ASK = Shell(
    "alternatives",
    r"""
named=
for d in /var/lib/dpkg/alternatives /var/lib/alternatives; do
  [ -d "$d" ] || continue
  printf 'database %s\n' "$d"
  [ -r "$d" ] || { printf 'denied %s\n' "$d"; continue; }
  for f in $(grep -lsx manual "$d"/*); do
    IFS= read -r mode <"$f"
    [ "$mode" = manual ] || continue
    named=1
    printf 'manual %s\ntarget %s\n' "${f##*/}" "$(readlink "/etc/alternatives/${f##*/}")"
  done
done
[ -z "$named" ] || grep -hsE '^update-alternatives [0-9: -]+ run with --(set|config) ' \
  /var/log/alternatives.log.1 /var/log/alternatives.log | sed 's/^update-alternatives /log /'
return 0
""",
    twin.read,
)

_LINE = re.compile(
    r"(?P<word>database|denied|manual|target) ?(?P<of>.*)"
    r"|log (?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2}) (?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2}): run with "
    r"--(?P<how>set|config) (?P<name>[^ ]+)(?: (?P<path>/.*))?"
)


def sections(payload: Payload) -> dict[str, Section]:
    """`alternatives`: those whose link group is in manual mode; `alternatives-log`: by name the
    last command that set it. Raises ParseError for a line the question cannot have printed."""
    told: dict[str, list[str]] = {"database": [], "denied": [], "manual": [], "target": []}
    logged: Items = {}
    for line in payload.lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected 'manual name' or 'target path', got {line!r}")
        if match["word"]:
            told[match["word"]].append(match["of"])
            continue
        path = f" {match['path']}" if match["path"] else ""
        logged[match["name"]] = {
            "time": f"{match['day']} {match['time']}",
            "command": f"update-alternatives --{match['how']} {match['name']}{path}",
        }
    return {"alternatives": _manual(told), "alternatives-log": Collected(items=logged)}


def _manual(told: dict[str, list[str]]) -> Section:
    if told["denied"]:
        return Denied(cure=f"read access to {told['denied'][0]}, or --become")
    if not told["database"]:
        return Absent()
    if len(told["manual"]) != len(told["target"]):
        raise ParseError(f"{len(told['manual'])} names but {len(told['target'])} targets")
    pairs = zip(told["manual"], told["target"], strict=True)
    return Collected(items={name: {"target": target} for name, target in pairs})
