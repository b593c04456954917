"""Which files of configuration are told, which of them are never read, and why: data.

Patterns are the shell's, matched against whole paths; `*` does not stop at a slash.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

TOLD: tuple[str, ...] = (
    *("/etc/apt/sources.list", "/etc/apt/sources.list.d/*", "/etc/apt/preferences.d/*"),
    *("/etc/passwd", "/etc/group", "/etc/sudoers", "/etc/sudoers.d/*", "/etc/crontab"),
    *("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*", "/etc/cron.d/*", "/etc/nsswitch.conf"),
    *("/etc/fstab", "/etc/sysctl.conf", "/etc/sysctl.d/*", "/etc/security/limits.conf"),
    *("/etc/security/limits.d/*", "/etc/timezone", "/etc/locale.conf", "/etc/default/locale"),
    *("/etc/environment", "/etc/ld.so.conf", "/etc/ld.so.conf.d/*", "/etc/ld.so.preload"),
    *("/etc/apk/repositories", "/etc/yum.repos.d/*", "/etc/pam.d/common-*"),
)
"""What other sections tell the contents of: only who may change it is told here."""

LINKS: tuple[str, ...] = ("/etc/systemd/system/*",)
"""Where another section tells what is there, but of files not what is in them."""

ELSEWHERE: dict[str, tuple[str, ...]] = {
    "another section tells what it leads to, or what was made of it": (
        *("/etc/alternatives", "/etc/ssl/certs", "/etc/rc?.d", "/etc/runlevels", "/etc/localtime"),
        *("/etc/php/*/*/conf.d", "/etc/nginx/modules-enabled", "/etc/apache2/mods-enabled"),
        *("/etc/ca-certificates.conf", "/etc/os-release", "/etc/debian_version"),
    ),
    "each machine has its own": (
        *("/etc/machine-id", "/etc/hostname", "/etc/mailname", "/etc/hostid", "/etc/adjtime"),
        *("/etc/ssh/ssh_host_*", "/etc/network/interfaces*", "/etc/netplan", "/etc/dhcpcd.duid"),
        *("/etc/systemd/network", "/etc/NetworkManager/system-connections", "/etc/nvme/host*"),
        *("/etc/sysconfig/network-scripts", "/etc/iscsi/initiatorname.iscsi", "/etc/cni"),
        *("/etc/popularity-contest.conf", "/etc/salt/minion_id", "/etc/kubernetes"),
        *("/etc/exim4/update-exim4.conf.conf", "/etc/msmtprc", "/etc/ssmtp/ssmtp.conf"),
        *("/etc/udev/rules.d/70-persistent-*", "/etc/lvm/devices", "/etc/zfs/zpool.cache"),
        *("/etc/hosts", "/etc/resolv.conf*", "/etc/subuid*", "/etc/subgid*"),
    ),
    "a program makes it from other files, or keeps its state there": (
        *("/etc/mtab", "/etc/ld.so.cache", "/etc/.pwd.lock", "/etc/.updated", "/etc/.git"),
        *("/etc/.etckeeper", "/etc/udev/hwdb.bin", "/etc/lvm/archive", "/etc/lvm/backup"),
        *("/etc/lvm/cache", "/etc/pki/ca-trust/extracted", "/etc/ca-certificates/extracted"),
        *("/etc/cups/subscriptions.conf*", "/etc/selinux/*/active", "/etc/selinux/*/policy"),
        *("/etc/apparmor.d/cache*", "/etc/aliases.db", "/etc/postfix/*.db", "/etc/blkid*"),
        *("/etc/ssl/certs.pem", "/etc/pki/nssdb", "/etc/gtk-*", "/etc/fonts/conf.d"),
        *("/etc/apk/world",),
    ),
    "an upgrade or an editor left it beside another": (
        *("*.dpkg-*", "*.ucf-*", "*.rpmsave", "*.rpmnew", "*.rpmorig", "*.apk-new", "*.pacnew"),
        *("*.pacsave", "*~", "*.swp", "*.bak", "/etc/*-"),
    ),
}
"""Why a file or directory is left out -> the patterns of those."""

BELOW_ROOTS: dict[str, tuple[str, ...]] = {
    "another section tells what is in it, or only a program made it": (
        *("*/node_modules", "*/site-packages", "*/dist-packages", "*/__pycache__", "*/.cache"),
        *("*/.git", "*/.hg", "*/.svn", "*/.npm"),
    ),
    "a program writes there while it runs": (
        *("*/log", "*/logs", "*.log", "*.log.*", "*/tmp", "*/cache", "*/sessions", "*.pid"),
        *("*.sock", "*.swp"),
    ),
}
"""Why something below a further root of applications (`--app`) is left out -> its patterns."""

SECRET: tuple[str, ...] = (
    *("/etc/shadow*", "/etc/gshadow*", "/etc/ssh/ssh_host_*"),
    *("*.key", "*.keys", "*.pem", "*.p12", "*.pfx", "*.jks", "*.keytab", "*.kdbx"),
    *("*/private/*", "*secret*", "*passwd*", "*password*", "*credential*", "*.env"),
    *("*/.env.*", "*/.ssh/*", "*/.aws/*", "*/.docker/*", "*/.git-credentials", "*.keystore"),
    *("*/id_rsa", "*/id_ed25519", "*/id_ecdsa", "/etc/letsencrypt/*", "/etc/wireguard/*"),
    *("/etc/ppp/*", "/etc/openvpn/*", "/etc/ipsec.*", "/etc/NetworkManager/system-connections/*"),
    *("/etc/apt/auth.conf*", "/etc/munge/*"),
    *("*.my.cnf", "/etc/mysql/debian.cnf", "*pgpass*", "*netrc*", "/etc/machine-id"),
)
"""What may hold nothing but a secret: mode and owner are told, neither a digest nor the text."""


WRITTEN = tuple(sorted({pattern for found in BELOW_ROOTS.values() for pattern in found}))
"""Of all that is left out below the roots of applications."""

PATTERNS = tuple(sorted({pattern for found in ELSEWHERE.values() for pattern in found}))
"""Of all that is left out."""


def pruned(path: str) -> bool:
    """Whether `find` leaves the path out; what is in a directory left out it never sees."""
    return _matches(path, PATTERNS)


def secret(path: str) -> bool:
    """Whether what is in the file never leaves the host."""
    return _matches(path, SECRET)


def elsewhere(path: str) -> bool:
    """Whether what is in the file is not told here."""
    return pruned(path) or told(path)


def told_elsewhere(path: str) -> bool:
    """Whether another section tells that it is there."""
    return _matches(path, (*TOLD, *LINKS))


def told(path: str) -> bool:
    """Whether another section tells what is in the file."""
    return _matches(path, TOLD)


def _matches(path: str, known: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in known)


_ASKABLE = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.@+~:-]{1,255}){2,20}")


def askable(path: str) -> bool:
    """Whether a file's text may be asked for: of plain letters, and no secret.

    `within` tells whether it is at a place where that is done.
    """
    return _ASKABLE.fullmatch(path) is not None and not secret(path)


def within(path: str, roots: Iterable[str]) -> bool:
    """Whether the path is below /etc or one of the roots of applications."""
    return below(path, ("/etc", *roots))


def below(path: str, roots: Iterable[str]) -> bool:
    """Whether the path is one of the roots or below one."""
    return any(path == root or path.startswith(f"{root}/") for root in roots)
