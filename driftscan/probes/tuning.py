"""What a machine is told to run with: kernel settings, limits, file systems; read from files.

Whether it does is told by `running`: what differs between the two was never applied, or is not
set for good.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from driftscan import sanitize
from driftscan.model import Collected, Item, Items, Partial, Raw, Section
from driftscan.probes import reading, texts
from driftscan.probes.contract import About
from driftscan.probes.texts import Texts

NAME = "tuning"

_SYSCTL = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
_MANAGER = tuple(
    f"{place}/systemd/system.conf.d" for place in ("/etc", "/run", "/usr/local/lib", "/usr/lib")
)
ASK = (
    texts.question(
        "files",
        (
            *("/etc/sysctl.conf", "/etc/security/limits.conf", "/etc/systemd/system.conf"),
            *("/etc/fstab", "/etc/security/limits.d/*.conf"),
            *(f"{place}/*.conf" for place in (*_SYSCTL, *_MANAGER)),
        ),
        ("/etc/sysctl.d", "/etc/security/limits.d"),
    ),
)
GIVES = (
    About(
        "sysctl-settings",
        "facts",
        "setting as sysctl(8) names it; patterns as written",
        "value (the one that counts, by the order of sysctl.d(5))",
        cost="all four 25 ms",
        source="/etc/sysctl.conf, sysctl.d of /etc, /run, /usr/local/lib and /usr/lib",
    ),
    About(
        "limits",
        "facts",
        "DOMAIN/TYPE/ITEM of limits.conf(5), or systemd/DefaultNAME",
        "value",
        source="/etc/security/limits.conf and limits.d, systemd's system.conf and system.conf.d",
    ),
    About(
        "fstab",
        "facts",
        "mount point, or the device of a swap",
        "type, options (sorted), device (of network file systems)",
        source="/etc/fstab",
    ),
    About("tuning-files", "evidence", "SECTION:KEY of the first two", "file (and line's order)"),
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES. Lines that their programs pass over are passed over."""
    found = texts.read(raw, "files")
    sysctl, limits = _sysctl(found), _limits(found)
    files = {f"sysctl-settings:{key}": path for key, (_, path) in sysctl.items()}
    files |= {f"limits:{key}": path for key, (_, path) in limits.items()}
    return {
        "sysctl-settings": _section(found, _values(sysctl), "sysctl"),
        "limits": _section(found, _values(limits), "limits", "systemd"),
        "fstab": _section(found, _fstab(found.lines("/etc/fstab")), "fstab"),
        "tuning-files": Collected(items={key: {"file": path} for key, path in files.items()}),
    }


def _section(found: Texts, items: Items, *names: str) -> Section:
    gaps = found.gaps(*names)
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _values(found: Mapping[str, tuple[str, str]]) -> Items:
    return {key: {"value": _told(key, value)} for key, (value, _) in found.items()}


def _told(key: str, value: str) -> str:
    """A key of the kernel, such as net.ipv4.tcp_fastopen_key, is a secret."""
    return sanitize.REDACTED if key.endswith(("_key", "_secret")) else value


def _ranked(found: Texts, places: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The lines of `*.conf` files in the order in which they count, each with its path: by name.

    Of two files of one name that in the first of the places hides the other, as sysctl.d(5) and
    systemd-system.conf(5) say.
    """
    seen: dict[str, str] = {}
    for place in places:
        for path in found.named(re.escape(place) + r"/[^/]+\.conf"):
            seen.setdefault(path.rpartition("/")[2], path)
    for name in sorted(seen):
        yield from _of(found, seen[name])


def _of(found: Texts, path: str) -> Iterator[tuple[str, str]]:
    return ((path, line) for line in found.lines(path))


# --- kernel settings ---------------------------------------------------------------------------


def _sysctl(texts_: Texts) -> dict[str, tuple[str, str]]:
    """Setting -> value and file. Files go by their names, the last wins; of one name the first
    place counts (sysctl.d(5)); sysctl(8) reads /etc/sysctl.conf last."""
    found: dict[str, tuple[str, str]] = {}
    for path, line in (*_ranked(texts_, _SYSCTL), *_of(texts_, "/etc/sysctl.conf")):
        text = line.strip(" \t").removeprefix("-").lstrip(" \t")
        name, equals, value = text.partition("=")
        name = dotted(name.strip(" \t"))
        if equals and name and not text.startswith(("#", ";")):
            found[name] = " ".join(reading.words(value)), path
    return found


def dotted(name: str) -> str:
    """`net/ipv4/conf/eth0.1/x` -> `net.ipv4.conf.eth0/1.x`: the first separator counts."""
    first = re.search(r"[./]", name)
    return name.translate(str.maketrans("./", "/.")) if first and first.group() == "/" else name


# --- limits ------------------------------------------------------------------------------------

_DEFAULT = re.compile(r"[ \t]*(Default[A-Za-z]+)[ \t]*=[ \t]*(.*?)[ \t]*")


def _limits(texts_: Texts) -> dict[str, tuple[str, str]]:
    """Limit -> value and file: pam_limits(8) reads limits.conf first, then limits.d by name; the
    last of one domain, type and item wins."""
    found: dict[str, tuple[str, str]] = {}
    more = _ranked(texts_, ("/etc/security/limits.d",))
    for path, line in (*_of(texts_, "/etc/security/limits.conf"), *more):
        fields = reading.words(line.partition("#")[0])
        if len(fields) == 4:
            domain, kind, item, value = fields
            for one in ("soft", "hard") if kind == "-" else (kind,):
                found[f"{domain}/{one}/{item}"] = value, path
    more = _ranked(texts_, _MANAGER)
    for path, line in (*_of(texts_, "/etc/systemd/system.conf"), *more):
        match = _DEFAULT.fullmatch(line)
        if match:
            found[f"systemd/{match[1]}"] = match[2], path
    return found


# --- file systems ------------------------------------------------------------------------------

_NETWORK = re.compile(r"nfs4?|cifs|smb3?|ceph|glusterfs|fuse\.\S+|9p")


def _fstab(lines: Iterable[str]) -> Items:
    """The lines of fstab(5). Disks have another name on each machine: no device of theirs."""
    items: Items = {}
    for line in lines:
        fields = [reading.unescaped(field) for field in reading.words(line)]
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        device, point, kind = fields[:3]
        options = fields[3].split(",") if len(fields) > 3 else []
        item: Item = {"type": kind, "options": sorted({*options} - {"defaults", ""})}
        if _NETWORK.fullmatch(kind):
            item["device"] = device
        items["swap" if kind == "swap" else point] = item
    return items
