"""Who loads what: the running programs of the libraries probe's answer, as evidence.

They are those that see this machine's root: the processes of its containers are left out, because
their files are not this machine's. Command lines and environments are never read.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address

from msgspec import Struct

from driftscan.model import Collected, Failed, Items, Partial, Section
from driftscan.probes.loader import Told, folded


class Process(Struct):
    """One process: its row of /proc/PID/stat and what the links and maps of it tell.

    The executable is empty when this account may not know it, None when the process was gone.
    """

    state: str
    group: str
    kernel: bool
    started: int
    executable: str | None = None
    service: str = ""
    namespace: str = ""
    root: str = ""


_STAT = re.compile(r"([0-9]{1,9}) (\S) (-?[0-9]{1,9}) ([0-9]{1,19}) ([0-9]{1,19})")
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD, in include/linux/sched.h
_TICKS = 100  # USER_HZ, the same on every architecture of a released Debian or Ubuntu
_PROC = re.compile(r"/proc/([0-9]+|self)/(exe|ns/mnt)(?: -> (.*))?")
_CGROUP = re.compile(r"/proc/([0-9]+)/cgroup:[0-9]+:[^:]*:(/.*)")
_ROOT = re.compile(r"([0-9]+:[0-9]+) (?:/|/proc/([0-9]+)/root)")
_MAP = re.compile(r"([0-9]+(?:,[0-9]+)*) (/.*)")
_LISTEN = re.compile(
    r"([0-9]+) (?:(?P<unix>unix:/.*)|(?P<kind>tcp|udp)/"
    r"(?:(?P<address>[0-9A-F]{8}|[0-9A-F]{32}):)?(?P<port>[0-9A-F]{4}))"
)
_EPHEMERAL = 32768  # from here on the kernel gives ports to whoever asks (ip(7))
_DELETED = " (deleted)"
# needrestart(1) leaves these out: memory that only looks like a file, and files made to vanish.
_MEMORY = re.compile(r"/(?:SYSV|dev/|drm|memfd:|i915|anon_hugepage|\[|#)")
_SHORT_LIVED = re.compile(r"/(?:tmp|var/tmp|run|var/run)/|.*\.dpkg-")


def sections(told: Told) -> dict[str, Section]:
    """`processes`, Partial with how many when some could not be read; and `listening`."""
    if "processes" not in told.have:
        unknown = Failed(reason="/proc is not mounted")
        return {"processes": unknown, "listening": unknown}
    processes = _rows(told)
    own = processes.get(told.single.get("self", ""))
    own_group = own.group if own else ""
    _linked(told, processes)
    _rooted(told, processes)
    loads, ports, sockets = _loads(told), *_ports(told)
    seen: dict[str, Process] = {}
    closed = 0
    for pid, process in processes.items():
        if process.kernel or process.state in "ZX" or process.group == own_group:
            continue
        if process.executable == "":
            closed += 1
        elif process.executable and _ours(process, told):
            seen[pid] = process
    items = _grouped(seen, loads, ports, told.owners)
    gaps = _gaps(closed, closed + len(seen), "1" in processes)
    if told.odd:
        gaps.append(f"{len(told.odd)} lines were not understood, as {told.odd[0]!r}")
    processes_ = Partial(items=items, gaps=gaps) if gaps else Collected(items=items)
    # What cannot be known of processes is told once.
    return {"processes": processes_, "listening": Collected(items=_listening(seen, sockets))}


def _gaps(closed: int, count: int, complete: bool) -> list[str]:
    cure = "run with sudo (in a container also with CAP_SYS_PTRACE)"
    gaps = [f"{closed} of {count} processes: {cure}"] if closed else []
    return gaps if complete else [*gaps, f"processes of other accounts are hidden: {cure}"]


def _rows(told: Told) -> dict[str, Process]:
    boot = told.single.get("boot", "")
    booted = int(boot) if re.fullmatch(r"[0-9]{1,12}", boot) else 0
    processes: dict[str, Process] = {}
    for row in told.stats:
        match = _STAT.fullmatch(row)
        if match is None:
            told.odd.append(row)
            continue
        pid, state, group, flags, start = match.groups()
        kernel = bool(int(flags) & _KERNEL_THREAD)
        processes.setdefault(pid, Process(state, group, kernel, booted + int(start) // _TICKS))
    return processes


def _linked(told: Told, processes: dict[str, Process]) -> None:
    """Fill in executable, mount namespace and service; those of a process gone are left."""
    for line in told.proc:
        link, cgroup = _PROC.fullmatch(line), _CGROUP.fullmatch(line)
        match = link or cgroup
        process = processes.get(match.group(1)) if match else None
        if match is None:
            told.odd.append(line)
        elif match.group(1) == "self":
            told.single["namespace"] = match.group(3) or ""
        elif process and match is cgroup:
            process.service = _service(match.group(2)) or process.service
        elif process and match.group(2) == "exe":
            process.executable = match.group(3) or ""
        elif process:
            process.namespace = match.group(3) or ""


def _rooted(told: Told, processes: Mapping[str, Process]) -> None:
    """Fill in the device and inode of each root directory, and ours."""
    for line in told.roots:
        match = _ROOT.fullmatch(line)
        if match is None:
            told.odd.append(line)
        elif match.group(2) is None:
            told.single["root"] = match.group(1)
        elif match.group(2) in processes:
            processes[match.group(2)].root = match.group(1)


def _service(cgroup: str) -> str:
    """The innermost unit of a control group's path: /system.slice/x.service, also of a user."""
    units = [part for part in cgroup.split("/") if part.endswith(".service")]
    return units[-1] if units else ""


def _ours(process: Process, told: Told) -> bool:
    """In our mount namespace (a chroot is), or with our root in its own (a hardened service)."""
    same = process.namespace == told.single.get("namespace")
    return same or process.root == told.single.get("root")


def _loads(told: Told) -> dict[str, list[str]]:
    """The executable mappings by process, pseudo-files left out."""
    loads: dict[str, list[str]] = {}
    for row in told.maps:
        match = _MAP.fullmatch(row)
        if match is None:
            told.odd.append(row)
            continue
        path = match.group(2)
        if _MEMORY.match(path) or (path.endswith(_DELETED) and _SHORT_LIVED.match(path)):
            continue
        for pid in match.group(1).split(","):
            loads.setdefault(pid, []).append(path)
    return loads


def _ports(told: Told) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Where each process listens: `tcp/9000`, `unix:/run/x.sock`; and `tcp/0.0.0.0/9000`."""
    ports: dict[str, list[str]] = {}
    sockets: dict[str, list[str]] = {}
    for row in told.listens:
        match = _LISTEN.fullmatch(row)
        if match is None:
            told.odd.append(row)
            continue
        number = int(match["port"] or "0", 16)
        if match["kind"] != "udp":
            port = match["unix"] or f"tcp/{number}"
            ports.setdefault(match[1], []).append(port)
        if match["address"] and (match["kind"] == "tcp" or number < _EPHEMERAL):
            place = f"{match['kind']}/{_address(match['address'])}/{number}"
            sockets.setdefault(match[1], []).append(place)
    return ports, sockets


def _address(text: str) -> str:
    """The kernel writes addresses as words of its own byte order: here of little-endian ones."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    return str(ip_address(b"".join(words)))


def _listening(seen: Mapping[str, Process], sockets: Mapping[str, list[str]]) -> Items:
    programs: dict[str, set[str]] = {}
    for pid, places in sockets.items():
        if pid in seen:
            program = str(seen[pid].executable).removesuffix(_DELETED)
            for place in places:
                programs.setdefault(place, set()).add(program)
    return {place: {"programs": sorted(told)} for place, told in sorted(programs.items())}


def _grouped(
    seen: Mapping[str, Process],
    loads: Mapping[str, list[str]],
    ports: Mapping[str, list[str]],
    owners: Mapping[str, str],
) -> Items:
    groups: dict[str, list[str]] = {}
    for pid, process in seen.items():
        program = str(process.executable).removesuffix(_DELETED)
        groups.setdefault(f"{program}|{process.service}", []).append(pid)
    items: Items = {}
    for key, pids in sorted(groups.items()):
        mapped = sorted({path for pid in pids for path in loads.get(pid, [])})
        files = {path.removesuffix(_DELETED) for path in mapped}
        items[key] = {
            "count": len(pids),
            "pids": sorted(pids, key=int),
            "service": seen[pids[0]].service,
            "loads": {path: owners.get(folded(path), "") for path in sorted(files)},
            "deleted": [path.removesuffix(_DELETED) for path in mapped if path.endswith(_DELETED)],
            "started": min(seen[pid].started for pid in pids),
            "ports": sorted({port for pid in pids for port in ports.get(pid, [])}),
        }
    return items
