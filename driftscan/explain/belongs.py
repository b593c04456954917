"""Which package brings a setting that no database lists under it: by its file, or by its name."""

from collections.abc import Iterator, Mapping

from driftscan.explain.case import Case
from driftscan.model import Divergence

# What packages' own scripts write (Debian's policy lets them: it is then in no list of files).
_WRITTEN: Mapping[str, tuple[str, ...]] = {
    "files:/etc/adduser.conf": ("adduser",),
    "files:/etc/mailcap": ("mailcap", "mime-support"),
    **{
        f"files:/etc/pam.d/common-{kind}": ("libpam-runtime",)
        for kind in ("account", "auth", "password", "session", "session-noninteractive")
    },
    "files:/etc/profile": ("base-files",),
    "files:/etc/shells": ("debianutils", "passwd"),
    "groups:messagebus": ("dbus", "dbus-system-bus-common"),
    "groups:systemd-journal": ("systemd",),
    "groups:systemd-network": ("systemd",),
    "groups:systemd-timesync": ("systemd-timesyncd",),
    "sysctl-settings:kernel.pid_max": ("systemd",),
    "time-servers:timesyncd": ("systemd-timesyncd",),
    "users:_apt": ("apt",),
    "users:messagebus": ("dbus", "dbus-system-bus-common"),
    "users:systemd-network": ("systemd",),
    "users:systemd-timesync": ("systemd-timesyncd",),
}
_CRON = {"/etc/cron.d/e2scrub_all": "e2fsprogs", "/etc/cron.d/php": "php-common"}
_UNITS = {"dpkg-db-backup": "dpkg", "e2scrub_reap": "e2fsprogs"}
_OF_SYSTEMD = ("systemd-", "getty@", "emergency", "rescue", "debug-shell", "remote-fs")
_FILES_OF_SYSTEMD = (
    *("/usr/lib/sysctl.d/", "/usr/lib/systemd/"),
    "/etc/security/limits.d/10-coredump-debian.conf",
)
_JAVA = "files:/etc/.java/"


def packages(case: Case, divergence: Divergence) -> Iterator[str]:
    """The packages it may belong to, best first, whether or not these differ."""
    yield from _WRITTEN.get(divergence.id, ())
    if divergence.id.startswith(_JAVA):
        differing = case.comparison.divergences
        yield from (d.key for d in differing if d.key.endswith("-jre-headless"))
    yield from _by_name(divergence)
    yield from _by_file(case, divergence)


def _by_name(divergence: Divergence) -> Iterator[str]:
    """Of what starts with the machine: mostly called as its package."""
    key = divergence.key
    match divergence.section:
        case "init-scripts":
            yield key
        case "units":
            item = divergence.subject or divergence.reference or {}
            yield from _unit(str(item.get("target", "")))
            yield from _unit(key)
        case "environment" if key.startswith("unit:"):
            yield from _unit(key.removeprefix("unit:").rpartition("/")[0])
        case "cron" if key.partition("|")[0] in _CRON:
            yield _CRON[key.partition("|")[0]]


def _unit(name: str) -> Iterator[str]:
    """`php8.2-fpm.service`; a few are systemd's."""
    stem = name.partition(".")[0] if name.endswith(".target") else name.rpartition(".")[0] or name
    if stem:
        yield _UNITS.get(stem, stem)
    if name.startswith(_OF_SYSTEMD):
        yield "systemd"


def _by_file(case: Case, divergence: Divergence) -> Iterator[str]:
    """The packages of the files that set it."""
    sides = ((case.subject, divergence.subject), (case.reference, divergence.reference))
    for side in (side for side, item in sides if item is not None):
        what = f"{divergence.section}:{divergence.key}"
        path = str(case.evidence(side, "tuning-files").get(what, {}).get("file", ""))
        package = case.facts(side, "files").get(path, {}).get("package")
        if package:
            yield str(package)
        elif path.startswith(_FILES_OF_SYSTEMD):
            yield "systemd"
