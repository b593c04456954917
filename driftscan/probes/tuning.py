"""What a machine is told to run with: kernel settings, limits, file systems; read from files.

Whether it does is told by `running`: what differs between the two was never applied, or is not
set for good.
"""

import re
from collections.abc import Iterator, Mapping

from driftscan.model import Collected, Files, Item, Items, Lines, Partial, Payload, Raw, Section
from driftscan.probes import reading
from driftscan.probes.contract import About

NAME = "tuning"

_SYSCTL = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
_MANAGER = tuple(
    f"{place}/systemd/system.conf.d" for place in ("/etc", "/run", "/usr/local/lib", "/usr/lib")
)
ASK = (
    Files(("/etc/sysctl.conf", "/etc/security/limits.conf", "/etc/systemd/system.conf")),
    Files(("/etc/fstab",)),
    Lines("sysctl", _SYSCTL, "*.conf", "^[^#;]"),
    Lines("limits", ("/etc/security/limits.d",), "*.conf", "^[^#]"),
    Lines("manager", _MANAGER, "*.conf", "^[[:space:]]*Default[A-Z]"),
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
    sysctl, limits = _sysctl(raw), _limits(raw)
    files = {f"sysctl-settings:{key}": path for key, (_, path) in sysctl.items()}
    files |= {f"limits:{key}": path for key, (_, path) in limits.items()}
    denied = reading.denied(raw)
    return {
        "sysctl-settings": _section(_values(sysctl), denied, "sysctl"),
        "limits": _section(_values(limits), denied, "limits", "systemd"),
        "fstab": _section(_fstab(reading.content(raw, "/etc/fstab")), denied, "fstab"),
        "tuning-files": Collected(items={key: {"file": path} for key, path in files.items()}),
    }


def _section(items: Items, denied: list[str], *names: str) -> Section:
    gaps = [f"{path}: denied" for path in denied if any(name in path for name in names)]
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _values(found: Mapping[str, tuple[str, str]]) -> Items:
    return {key: {"value": value} for key, (value, _) in found.items()}


def _outputs(raw: Raw, name: str) -> Payload:
    return raw.outputs.get(name, Payload(()))


# --- kernel settings ---------------------------------------------------------------------------


def _sysctl(raw: Raw) -> dict[str, tuple[str, str]]:
    """Setting -> value and file. Files go by their names, the last wins; of one name the first
    place counts (sysctl.d(5)); sysctl(8) reads /etc/sysctl.conf last."""
    found: dict[str, tuple[str, str]] = {}
    lines = reading.ranked(_outputs(raw, "sysctl"), _SYSCTL)
    last = [("/etc/sysctl.conf", line) for line in reading.content(raw, "/etc/sysctl.conf")]
    for path, line in [*lines, *last]:
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


def _limits(raw: Raw) -> dict[str, tuple[str, str]]:
    """Limit -> value and file: pam_limits(8) reads limits.conf first, then limits.d by name; the
    last of one domain, type and item wins."""
    found: dict[str, tuple[str, str]] = {}
    first = "/etc/security/limits.conf"
    lines = [(first, line) for line in reading.content(raw, first)]
    for path, line in [*lines, *reading.ranked(_outputs(raw, "limits"), ())]:
        fields = reading.words(line.partition("#")[0])
        if len(fields) == 4:
            domain, kind, item, value = fields
            for one in ("soft", "hard") if kind == "-" else (kind,):
                found[f"{domain}/{one}/{item}"] = value, path
    main = "/etc/systemd/system.conf"
    lines = [(main, line) for line in reading.content(raw, main)]
    for path, line in [*lines, *reading.ranked(_outputs(raw, "manager"), _MANAGER)]:
        match = _DEFAULT.fullmatch(line)
        if match:
            found[f"systemd/{match[1]}"] = match[2], path
    return found


# --- file systems ------------------------------------------------------------------------------

_NETWORK = re.compile(r"nfs4?|cifs|smb3?|ceph|glusterfs|fuse\.\S+|9p")


def _fstab(lines: Iterator[str]) -> Items:
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
