"""Which package brings a program that somebody asks about by its name, an alternative's too."""

import re
from collections.abc import Sequence

from driftscan.model import Items, Question, Raw, Shell, Want
from driftscan.probes.contract import Learned

KIND = "owners"
GIVES = "name of a program asked about: packages by path, what its alternative leads to (dpkg)"

_NAME = re.compile(r"(?:/(?:usr/)?(?:s?bin|games)/)?([A-Za-z0-9_][A-Za-z0-9._+-]{0,60})")
_INFO = "/var/lib/dpkg/info/"
# The target of a link may lie anywhere; it is compared whole and never read as a pattern.
_BODY = """
wanted() {
  target=$(readlink "/etc/alternatives/$1") || target=
  printf 'name %s\\ntarget %s\\n' "$1" "$target"
  grep -Fx -e "/usr/bin/$1" -e "/usr/sbin/$1" -e "/usr/games/$1" -e "/bin/$1" -e "/sbin/$1" \\
    -e "${target:-/}" /var/lib/dpkg/info/*.list /dev/null
}
"""


def word(about: str) -> str:
    """The program's own name, if it may be one and may be sent; else nothing."""
    found = _NAME.fullmatch(about)
    return found[1] if found else ""


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """The lists that have a program of that name, or what update-alternatives(1) made of it."""
    calls = [f"wanted '{name}'" for name in sorted({word(want.name) for want in wants} - {""})]
    return (Shell(KIND, "\n".join([_BODY.strip(), *calls, ":"])),)


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """By what was asked the packages of its programs; nothing where no package has one."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    name = ""
    for line in (line for told in raw.outputs.values() for line in told.lines):
        kind, _, value = line.partition(" ")
        package, listed, path = line.partition(".list:")
        if kind == "name":
            name = value
            found[name] = "", {}
        elif kind == "target" and name:
            found[name] = value, {}
        elif name and listed and package.startswith(_INFO) and path != "/.":
            found[name][1][path] = package.removeprefix(_INFO)
    names = {want.name: word(want.name) for want in wants}
    items: Items = {
        asked: {"target": found[called][0], "programs": dict(sorted(found[called][1].items()))}
        for asked, called in names.items()
        if called in found and found[called][1]
    }
    why = "no name of a program"
    return Learned(items, {asked: why for asked, called in names.items() if not called})
