"""What the kernel runs with: its command line, modules, settings, mounts, and what the CPU can.

Only a running machine has these. What differs on any two machines is left out: clock speeds,
sizes of memory, names of disks, what a container engine mounts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from driftscan import sanitize
from driftscan.errors import ParseError
from driftscan.model import (
    Absent,
    Collected,
    Failed,
    Item,
    Items,
    Partial,
    Payload,
    Raw,
    Section,
    Shell,
)
from driftscan.probes import reading
from driftscan.probes.contract import About

NAME = "running"

# Settings below /proc/sys that people set and whose default is the same on machines of any size.
# Left out for that reason: threads-max, file-max, tcp_mem, min_free_kbytes, inotify watches; and
# what is a counter, an action (vm/stat_refresh) or a secret (tcp_fastopen_key).
_SYSCTLS = (
    "kernel/core_pattern kernel/core_uses_pid kernel/dmesg_restrict kernel/hung_task_panic",
    "kernel/hung_task_timeout_secs kernel/io_uring_disabled kernel/kexec_load_disabled",
    "kernel/kptr_restrict kernel/modules_disabled kernel/msgmax kernel/msgmnb kernel/msgmni",
    "kernel/nmi_watchdog kernel/numa_balancing kernel/panic kernel/panic_on_oops kernel/pid_max",
    "kernel/panic_on_warn kernel/perf_event_paranoid kernel/printk kernel/randomize_va_space",
    "kernel/sched_autogroup_enabled kernel/sched_rt_runtime_us kernel/sem kernel/shmall",
    "kernel/shmmax kernel/shmmni kernel/softlockup_panic kernel/sysrq",
    "kernel/unprivileged_bpf_disabled kernel/unprivileged_userns_clone kernel/watchdog_thresh",
    "kernel/apparmor_restrict_unprivileged_userns kernel/yama/ptrace_scope",
    "fs/aio-max-nr fs/inotify/max_queued_events fs/inotify/max_user_instances fs/mount-max",
    "fs/mqueue/msg_max fs/mqueue/msgsize_max fs/mqueue/queues_max fs/nr_open fs/pipe-max-size",
    "fs/protected_fifos fs/protected_hardlinks fs/protected_regular fs/protected_symlinks",
    "fs/suid_dumpable vm/dirty_background_bytes vm/dirty_background_ratio vm/dirty_bytes",
    "vm/dirty_expire_centisecs vm/dirty_ratio vm/dirty_writeback_centisecs vm/laptop_mode",
    "vm/hugetlb_shm_group vm/max_map_count vm/mmap_min_addr vm/mmap_rnd_bits vm/nr_hugepages",
    "vm/nr_overcommit_hugepages vm/oom_kill_allocating_task vm/overcommit_kbytes",
    "vm/overcommit_memory vm/overcommit_ratio vm/page-cluster vm/panic_on_oom vm/swappiness",
    "vm/unprivileged_userfaultfd vm/vfs_cache_pressure vm/zone_reclaim_mode",
    "net/core/bpf_jit_enable net/core/bpf_jit_harden net/core/default_qdisc",
    "net/core/netdev_budget net/core/netdev_max_backlog net/core/optmem_max net/core/rmem_default",
    "net/core/rmem_max net/core/somaxconn net/core/wmem_default net/core/wmem_max",
    "net/ipv4/icmp_echo_ignore_all net/ipv4/icmp_echo_ignore_broadcasts",
    "net/ipv4/icmp_ignore_bogus_error_responses net/ipv4/ip_forward",
    "net/ipv4/ip_local_port_range net/ipv4/ip_local_reserved_ports net/ipv4/ip_nonlocal_bind",
    "net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range net/ipv4/tcp_base_mss",
    "net/ipv4/tcp_abort_on_overflow net/ipv4/tcp_congestion_control net/ipv4/tcp_ecn",
    "net/ipv4/tcp_fastopen net/ipv4/tcp_fin_timeout net/ipv4/tcp_keepalive_intvl",
    "net/ipv4/tcp_keepalive_probes net/ipv4/tcp_keepalive_time net/ipv4/tcp_mtu_probing",
    "net/ipv4/tcp_no_metrics_save net/ipv4/tcp_retries1 net/ipv4/tcp_retries2",
    "net/ipv4/tcp_rfc1337 net/ipv4/tcp_sack net/ipv4/tcp_slow_start_after_idle",
    "net/ipv4/tcp_syn_retries net/ipv4/tcp_synack_retries net/ipv4/tcp_syncookies",
    "net/ipv4/tcp_timestamps net/ipv4/tcp_tw_reuse net/ipv4/tcp_window_scaling",
    "net/ipv4/neigh/default/gc_thresh1 net/ipv4/neigh/default/gc_thresh2",
    "net/ipv4/neigh/default/gc_thresh3 net/ipv6/bindv6only net/ipv6/neigh/default/gc_thresh3",
    "net/bridge/bridge-nf-call-ip6tables net/bridge/bridge-nf-call-iptables",
    "net/netfilter/nf_conntrack_tcp_timeout_established net/unix/max_dgram_qlen",
)
_OF_INTERFACES = {
    "ipv4": "accept_redirects accept_source_route arp_announce arp_filter arp_ignore forwarding"
    " log_martians proxy_arp rp_filter secure_redirects send_redirects",
    "ipv6": "accept_ra accept_redirects accept_source_route autoconf disable_ipv6 forwarding"
    " use_tempaddr",
}


def _paths() -> Iterator[str]:
    for line in _SYSCTLS:
        yield from line.split()
    for family, names in _OF_INTERFACES.items():
        for name in names.split():
            yield from (f"net/{family}/conf/{which}/{name}" for which in ("all", "default"))


ASK = (
    Shell(
        "kernel",
        r"""
# What stands after ` -- ` is for init, and may be anything.
sed -n '1{s/ -- .*//;s/^/boot /p;}' /proc/cmdline
printf 'machine %s\n' "$(uname -m)"
grep -m 1 '^flags' /proc/cpuinfo
if [ -r /proc/modules ]; then
  echo 'have modules'
  awk '{ print "module", $1, ($NF ~ /^[(]/ ? $NF : "") }' /proc/modules
  grep -Hs '' /sys/module/*/version
fi
if cd /proc/sys; then
  set --
  for f in @SYSCTLS@; do
    if [ -r "$f" ]; then set -- "$@" "$f"
    elif [ -e "$f" ]; then printf 'closed %s\n' "$f"
    fi
  done
  [ $# -eq 0 ] || grep -Hs '' "$@"
fi
awk '
  $3 == "overlay" { gsub(/,(lower|upper|work)dir=[^,]*/, "", $4) }
  { print "mount", $2, $3, $4, $1 }' /proc/mounts
return 0
""".replace("@SYSCTLS@", " \\\n    ".join(sorted(_paths()))),
    ),
)
GIVES = (
    About(
        "boot",
        "facts",
        "parameter of the kernel's command line",
        "values (in order; without those that name a disk or an image)",
        cost="all five 12 ms",
        source="/proc/cmdline",
        live=True,
    ),
    About(
        "modules",
        "facts",
        "name of a loaded module",
        "version (where it has one), taint (letters of /proc/modules: O out of tree, E unsigned)",
        source="/proc/modules, /sys/module/*/version",
        live=True,
    ),
    About(
        "cpu",
        "facts",
        "level",
        "level (of the x86-64 psABI: x86-64-v1 to v4)",
        source="flags of /proc/cpuinfo",
        live=True,
    ),
    About(
        "sysctl",
        "facts",
        "setting as sysctl(8) names it, of a list of 150",
        "value",
        source="/proc/sys",
        live=True,
    ),
    About(
        "mounts",
        "facts",
        "mount point; not those of the kernel's and of an engine's own",
        "type, options (sorted), device (of network file systems)",
        source="/proc/mounts",
        live=True,
    ),
)

_LINE = re.compile(
    r"boot(?: (?P<boot>.*))?|machine (?P<machine>\S{0,60})|flags\s*: ?(?P<flags>.*)"
    r"|(?P<have>have modules)|module (?P<module>\S+) (?P<taint>\([A-Z+-]{1,20}\))?"
    r"|/sys/module/(?P<versioned>[^/]+)/version:(?P<version>.*)"
    r"|closed (?P<closed>[a-z0-9A-Z_/-]+)"
    r"|(?P<sysctl>(?:kernel|fs|vm|net)/[a-z0-9A-Z_/-]+):(?P<value>.*)"
    r"|mount (?P<mount>(?P<point>/\S*) (?P<type>\S+) (?P<options>\S*) (?P<device>.*))"
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The sections of GIVES; raises ParseError for a line that the question cannot print.

    Without /proc nothing is known; a kernel without modules, or another CPU, has none: Absent.
    """
    answer = raw.outputs.get("kernel", Payload((), 127))
    found = _found(answer.lines)
    if not answer.lines and not answer.status:
        return {about.name: Absent() for about in GIVES}
    if not found["boot"]:
        unknown = Failed(reason="/proc is not there or tells nothing")
        return {about.name: unknown for about in GIVES}
    level = cpu_level(found["flags"], found["machine"])
    cpu: Items = {"level": {"level": level}} if level else {}
    return {
        "boot": Collected(items=_boot(found["boot"][0].group("boot") or "")),
        "modules": Collected(items=_modules(found)) if found["have"] else Absent(),
        "cpu": Collected(items=cpu) if cpu else Absent(),
        "sysctl": _sysctl(found),
        "mounts": Collected(items=_mounts(found["mount"])),
    }


_KINDS = ("machine", "flags", "have", "module", "versioned", "closed", "sysctl", "mount")


def _found(lines: Iterable[str]) -> dict[str, list[re.Match[str]]]:
    """The lines by what they tell."""
    found: dict[str, list[re.Match[str]]] = {kind: [] for kind in ("boot", *_KINDS)}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected what the kernel tells of itself, got {line!r}")
        kind = next((kind for kind in _KINDS if match[kind] is not None), "boot")
        found[kind].append(match)
    return found


def _sysctl(found: Mapping[str, list[re.Match[str]]]) -> Section:
    items: Items = {
        match["sysctl"].replace("/", "."): {"value": " ".join(reading.words(match["value"]))}
        for match in found["sysctl"]
    }
    gaps = [f"{match['closed'].replace('/', '.')}: denied" for match in found["closed"]]
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


# --- command line and modules ------------------------------------------------------------------

# Where a machine finds its root and its kernel: another on each, or told by the kernel's version.
_OWN = {"BOOT_IMAGE", "initrd", "resume", "root", "rootflags", "ostree", "cryptdevice", "ip"}
_OWN_PREFIX = ("rd.luks", "rd.lvm", "rd.md", "systemd.machine_id", "ds")


def _boot(text: str) -> Items:
    """Parameters in quotes may hold blanks (kernel-command-line(7)); one may be given often."""
    values: dict[str, list[str]] = {}
    for word in re.findall(r'(?:[^\s"]|"[^"]*"?)+', text):
        name, _, value = word.replace('"', "").partition("=")
        if name in _OWN or name.startswith(_OWN_PREFIX):
            continue
        values.setdefault(name, []).append(sanitize.redact_variable(name, value))
    return {name: {"values": told} for name, told in values.items()}


def _modules(found: Mapping[str, list[re.Match[str]]]) -> Items:
    items: Items = {}
    for match in found["module"]:
        item: Item = {}
        if match["taint"]:
            item["taint"] = match["taint"].strip("()")
        items[match["module"]] = item
    for match in found["versioned"]:
        if match["versioned"] in items:
            items[match["versioned"]]["version"] = match["version"]
    return items


# --- CPU ---------------------------------------------------------------------------------------

# The levels of the x86-64 psABI, by the names that /proc/cpuinfo has for what each demands.
_LEVELS = (
    ("x86-64-v1", "cmov cx8 fpu fxsr mmx sse sse2 syscall"),
    ("x86-64-v2", "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"),
    ("x86-64-v3", "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"),
    ("x86-64-v4", "avx512bw avx512cd avx512dq avx512f avx512vl"),
)


def cpu_level(flags: list[re.Match[str]], machine: list[re.Match[str]]) -> str:
    """The highest level all of whose demands the CPU meets; empty for other architectures."""
    if not flags or not machine or machine[0]["machine"] != "x86_64":
        return ""
    have = set(flags[0]["flags"].split())
    level = ""
    for name, demands in _LEVELS:
        if not have.issuperset(demands.split()):
            break
        level = name
    return level


# --- mounts ------------------------------------------------------------------------------------

_VIRTUAL = {
    *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts"),
    *("devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "ramfs"),
    *("rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tracefs", "fuse.lxcfs"),
    *("fuse.gvfsd-fuse", "fuse.portal", "nfsd", "fuse.snapfuse"),
}
# Of the kernel and of services, of engines and orchestrators, and what an engine gives each.
_NOT_TOLD = re.compile(
    r"/(?:proc|sys|dev|run)(?:/.*)?|/var/lib/(?:docker|containerd|containers|kubelet)/.*"
    r"|/etc/(?:hosts|hostname|resolv\.conf)|/snap/.*|/media/.*"
    # an engine's folders that were moved elsewhere
    r"|/.*/(?:overlay2?|overlay-containers|containers)/[0-9a-f]{64}(?:-init)?/.*"
    r"|/.*/io\.containerd\.[a-z0-9.-]+/.*"
)
_NETWORK = re.compile(r"nfs4?|cifs|smb3?|ceph|glusterfs|fuse\.(?:glusterfs|sshfs|s3fs|ceph)|9p")
# What the kernel fills in by itself, by memory, address or moment.
_FILLED = re.compile(
    r"(?:addr|clientaddr|mountaddr|mountport|port|size|nr_inodes|subvolid|gid|uid|seclabel"
    r"|stripe|sunit|swidth|logbufs|logbsize|inode64|relatime|rw|resuid|resgid|errors)(?:=.*)?"
    r"|[a-z_]*resv_strict"
)


def _mounts(lines: Iterable[re.Match[str]]) -> Items:
    """The last mount of a point is the one that is seen."""
    items: Items = {}
    for match in lines:
        point, kind = reading.unescaped(match["point"]), match["type"]
        if kind in _VIRTUAL or _NOT_TOLD.fullmatch(point):
            continue
        options = {o for o in match["options"].split(",") if o and not _FILLED.fullmatch(o)}
        item: Item = {"type": kind, "options": sorted(options)}
        if _NETWORK.fullmatch(kind):
            item["device"] = reading.unescaped(match["device"])
        items[point] = item
    return items
