"""Who answers: account, clock and time zone of the machine. Explains, never compared."""

import hashlib
import re
from collections.abc import Mapping

from driftscan.errors import ParseError
from driftscan.model import Collected, Item, Raw, Section, Shell
from driftscan.probes.contract import About

NAME = "host"
ASK = (
    Shell(
        "self",
        """
printf 'uid %s\\n' "$(id -u)"
printf 'user %s\\n' "$(id -un)"
printf 'clock %s\\n' "$(date +%s)"
printf 'offset %s\\n' "$(date +%z)"
printf 'zone %s\\n' "$(date +%Z)"
printf 'name %s\\n' "$(uname -n)"
for f in /etc/machine-id /proc/sys/kernel/random/boot_id; do
  if [ -f "$f" ] && [ -r "$f" ]; then
    read -r id < "$f" || :
    printf '%s %s\\n' "${f##*/}" "$id"
  fi
done
""",
    ),
)
GIVES = (
    About(
        "host",
        "evidence",
        "self",
        "uid, user, clock (seconds since 1970), offset, zone, name, machine (hash of its name, its"
        " machine id and its boot)",
        cost="7 ms",
        live=True,
    ),
)

_LINE = re.compile(r"(uid|user|clock|offset|zone|name|machine-id|boot_id) (.{0,200})")


def parse(raw: Raw) -> Mapping[str, Section]:
    """One item, `self`; raises ParseError for an unknown line."""
    item: Item = {}
    for line in raw.outputs["self"].lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected 'name value', got {line!r}")
        item[match.group(1)] = match.group(2)
    return {"host": Collected(items={"self": _identified(item)})}


def _identified(item: Item) -> Item:
    """With a hash in place of the ids: machine-id(5) asks to keep the id itself to the machine.

    Containers share a boot, and those of one image an id, but not a name.
    """
    boot, own = item.pop("boot_id", None), item.pop("machine-id", "")
    if boot:
        parts = "\n".join(map(str, (item.get("name"), own, boot)))
        item["machine"] = hashlib.sha256(parts.encode()).hexdigest()[:16]
    return item
