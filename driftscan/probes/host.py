"""Who answers: account, clock and time zone of the machine. Explains, never compared."""

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
""",
    ),
)
GIVES = (
    About(
        "host",
        "evidence",
        "self",
        "uid, user, clock (seconds since 1970), offset, zone, name",
        cost="7 ms",
        live=True,
    ),
)

_LINE = re.compile(r"(uid|user|clock|offset|zone|name) (.{0,200})")


def parse(raw: Raw) -> Mapping[str, Section]:
    """One item, `self`; raises ParseError for an unknown line."""
    item: Item = {}
    for line in raw.outputs["self"].lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected 'name value', got {line!r}")
        item[match.group(1)] = match.group(2)
    return {"host": Collected(items={"self": item})}
