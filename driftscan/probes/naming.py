"""How a machine finds names: resolver, hosts file, name services; its own name left out."""

import re
from collections.abc import Iterator, Mapping

from driftscan.model import Collected, Items, Partial, Raw, Section
from driftscan.probes import reading, texts
from driftscan.probes.contract import About
from driftscan.probes.texts import Texts

NAME = "naming"
ASK = (
    texts.question(
        "files",
        ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/hostname"),
    ),
)
GIVES = (
    About(
        "resolver",
        "facts",
        "nameserver, search or options",
        "values (in order; options sorted)",
        cost="all three 4 ms",
        source="/etc/resolv.conf",
        live=True,
    ),
    About(
        "hosts",
        "facts",
        "name; neither the machine's own nor those of loopback",
        "addresses (in order)",
        source="/etc/hosts",
        live=True,
    ),
    About(
        "name-services",
        "facts",
        "database of nsswitch.conf(5)",
        "sources (in order; those that only their packages add left out)",
        source="/etc/nsswitch.conf",
    ),
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; what the C library passes over is passed over."""
    found = texts.read(raw, "files")
    return {
        "resolver": _section(found, "resolv.conf", _resolver(found)),
        "hosts": _section(found, "hosts", _hosts(found)),
        "name-services": _section(found, "nsswitch", _services(found)),
    }


def _section(found: Texts, name: str, items: Items) -> Section:
    gaps = found.gaps(name)
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _fields(found: Texts, path: str) -> Iterator[list[str]]:
    for line in found.lines(path):
        words = reading.words(re.split(r"[#;]", line, maxsplit=1)[0])
        if words:
            yield words


def _resolver(found: Texts) -> Items:
    """resolv.conf(5): each name server counts, of search and domain the last line."""
    values: dict[str, list[str]] = {}
    for keyword, *rest in _fields(found, "/etc/resolv.conf"):
        if keyword == "nameserver":
            values.setdefault(keyword, []).extend(rest[:1])
        elif keyword in ("search", "domain"):
            values["search"] = rest
        elif keyword == "options":
            values[keyword] = sorted({*values.get(keyword, []), *rest})
    return {key: {"values": told} for key, told in values.items() if told}


_LOOPBACK = re.compile(r"127\..*|::1|f[ef]0.*")


def _hosts(found: Texts) -> Items:
    own = {word for line in found.lines("/etc/hostname") for word in reading.words(line)}
    own |= {name.partition(".")[0] for name in own}
    addresses: dict[str, list[str]] = {}
    for address, *names in _fields(found, "/etc/hosts"):
        if _LOOPBACK.fullmatch(address):
            continue
        for name in names:
            if name not in own and name.partition(".")[0] not in own:
                addresses.setdefault(name, []).append(address)
    return {name: {"addresses": told} for name, told in addresses.items()}


# libnss-systemd, libnss-mymachines, libnss-myhostname and libnss-resolve write themselves in:
# whether they are there is told by their packages.
_BY_PACKAGES = {"systemd", "mymachines", "myhostname", "resolve", "[!UNAVAIL=return]"}


def _services(found: Texts) -> Items:
    items: Items = {}
    for line in found.lines("/etc/nsswitch.conf"):
        database, colon, rest = line.partition("#")[0].partition(":")
        if colon and database.strip(" \t"):
            sources = [word for word in reading.words(rest) if word not in _BY_PACKAGES]
            items[database.strip(" \t")] = {"sources": sources}
    return items
