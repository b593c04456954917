"""Where and when a machine thinks it is: time zone, locale, and who keeps its clock."""

import re
from collections.abc import Iterator, Mapping
from posixpath import basename

from driftscan.model import Collected, Item, Items, Partial, Raw, Section, Shell
from driftscan.probes import reading, texts
from driftscan.probes.contract import About
from driftscan.probes.texts import Texts
from driftscan.probes.twins import localtime

NAME = "regional"

_TIMESYNCD = ("/etc/systemd/timesyncd.conf", "/etc/systemd/timesyncd.conf.d/*.conf")
_LOCALE = ("/etc/default/locale", "/etc/locale.conf")
ASK = (
    Shell(
        "localtime",
        r"""
if [ -h /etc/localtime ]; then printf 'link %s\n' "$(readlink /etc/localtime)"
elif [ -r /etc/localtime ]; then sha256sum /etc/localtime | sed 's/^/sum /'
fi
""",
        localtime.read,
    ),
    texts.question(
        "files",
        (
            "/etc/timezone",
            *_LOCALE,
            *_TIMESYNCD,
            "/etc/chrony.conf",
            "/etc/chrony/chrony.conf",
            "/etc/chrony/conf.d/*.conf",
            "/etc/chrony/sources.d/*.sources",
            "/etc/ntp.conf",
            "/etc/ntpsec/ntp.conf",
            "/etc/openntpd/ntpd.conf",
        ),
        ("/etc/chrony", "/etc/ntpsec"),
    ),
)
GIVES = (
    About(
        "timezone",
        "facts",
        "zone",
        "zone (UTC where nothing sets one; of a copied file its digest)",
        cost="all three 7 ms",
        source="/etc/localtime, /etc/timezone",
    ),
    About("locale", "facts", "variable", "value", source="/etc/default/locale, /etc/locale.conf"),
    About(
        "time-servers",
        "facts",
        "program (chrony, ntp, ntpsec, openntpd, timesyncd)",
        "servers (sorted; none: what it was built with)",
        source="chrony.conf, ntp.conf, ntpd.conf, timesyncd.conf",
    ),
)

_ANSWER = re.compile(r"link (.*)|sum ([0-9a-f]{64})  /etc/localtime")
_UTC = re.compile(r"(?:Etc/)?(?:UTC|UCT|Universal|Zulu|GMT)|Greenwich")


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the questions cannot print."""
    found = texts.read(raw, "files")
    link = texts.read(raw, "localtime", _ANSWER).more
    zone: Items = {"zone": {"zone": _zone(found, link)}}
    return {
        "timezone": _section(found, zone, "/etc/timezone"),
        "locale": _section(found, _locale(found), "locale"),
        "time-servers": _section(found, _servers(found), "chrony", "ntp", "timesync"),
    }


def _section(found: Texts, items: Items, *names: str) -> Section:
    gaps = found.gaps(*names)
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _zone(found: Texts, answer: list[str]) -> str:
    """The name that the link leads to, else the one that Debian writes down beside a copy."""
    match = _ANSWER.fullmatch(answer[0]) if answer else None
    named = next((line.strip(" \t") for line in found.lines("/etc/timezone")), "")
    if match and match[1]:
        name = match[1].rpartition("zoneinfo/")[2]
    else:
        name = named or (f"sha256:{match[2][:16]}" if match and match[2] else "UTC")
    return "UTC" if _UTC.fullmatch(name) else name


_ASSIGNED = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Z_]+)=['\"]?([^'\"]*)['\"]?[ \t]*")


def _locale(found: Texts) -> Items:
    items: Items = {}
    for path in _LOCALE:
        for match in filter(None, map(_ASSIGNED.fullmatch, found.lines(path))):
            items[match[1]] = {"value": match[2]}
    return items


# --- time synchronisation ----------------------------------------------------------------------

_WORD = re.compile(r"server|servers|pool|peer|NTP|FallbackNTP")


def _servers(found: Texts) -> Items:
    servers: dict[str, set[str]] = {}
    for path in found.files:
        program = _program(path)
        if program:
            servers.setdefault(program, set()).update(_named(found.lines(path)))
    return {program: _item(named) for program, named in sorted(servers.items())}


def _item(named: set[str]) -> Item:
    return {"servers": sorted(named)}


def _program(path: str) -> str:
    if "timesyncd" in path:
        return "timesyncd"
    for program in ("chrony", "openntpd", "ntpsec"):
        if program in path:
            return program
    return "ntp" if basename(path) == "ntp.conf" else ""


def _named(lines: list[str]) -> Iterator[str]:
    """`server NAME options` of ntp and chrony, `NTP=NAME NAME` of systemd."""
    for line in lines:
        words = reading.words(re.split(r"[#;!]", line, maxsplit=1)[0].replace("=", " ", 1))
        if words and _WORD.fullmatch(words[0]):
            yield from words[1:] if "=" in line else words[1:2]
