"""What plain accounts were not told, over all machines of a run; the rule of sudo that cures it."""

import re
from collections.abc import Callable, Iterable, Mapping

from driftscan.model import HostReport, Meta, WithoutRoot

# How gaps say that the account was refused: a section that is denied, a part of one.
DENIED = "not readable by this account"
FOR_ROOT = "only root is shown all of it (No root, below)"
_REFUSED = re.compile(rf"{DENIED}|: denied$|run with sudo")
_ACCOUNT = re.compile(r"user ([a-z_][a-z0-9_-]{0,31})")
_NAME = "DRIFTSCAN"
_MOST = 6


def is_for_root(meta: Meta, why: str) -> bool:
    """Whether root on that machine would see it; a container's limits no rule of sudo cures."""
    return meta.kind == "host" and meta.privilege != "root" and bool(_REFUSED.search(why))


def of_reports(
    hosts: Mapping[str, HostReport], path: str, digest: Callable[[], str]
) -> WithoutRoot | None:
    """What was lost over all pairs, on either side; nothing where nothing was."""
    lost = [
        (side, gap)
        for host in hosts.values()
        for side in (host.subject, host.reference)
        for gap in host.unknown
        if side is not None and side.target == gap.side and is_for_root(side, gap.why)
    ]
    return without_root(((s.target, s.privilege, gap.what) for s, gap in lost), path, digest)


def without_root(
    lost: Iterable[tuple[str, str, str]], path: str, digest: Callable[[], str]
) -> WithoutRoot | None:
    """Of rows of target, privilege and section; `digest` is that of the collector at `path`.

    It takes a moment, and is only asked for where something was lost.
    """
    sections: dict[str, set[str]] = {}
    accounts: dict[str, set[str]] = {}
    for target, privilege, section in lost:
        sections.setdefault(section, set()).add(target)
        accounts.setdefault(_account(privilege), set()).add(target)
    if not sections:
        return None
    return WithoutRoot(
        sections={name: sorted(targets) for name, targets in sorted(sections.items())},
        accounts={name: sorted(targets) for name, targets in sorted(accounts.items())},
        collector=path,
        sudoers=sudoers(sorted(accounts), path, digest()),
    )


def _account(privilege: str) -> str:
    """Its name as sudoers(5) takes it unquoted; another one is for the reader to fill in."""
    found = _ACCOUNT.fullmatch(privilege)
    return found[1] if found else "ACCOUNT"


def sudoers(accounts: Iterable[str], path: str, digest: str) -> list[str]:
    """Lines of sudoers(5): that one file, as it is today and without arguments, run as root."""
    lines = [f'Cmnd_Alias {_NAME} = sha256:{digest} {path} ""']
    for account in accounts:
        lines += [
            f"Defaults:{account} !requiretty, env_reset, umask=0077",
            f'Defaults:{account} secure_path="/usr/sbin:/usr/bin:/sbin:/bin"',
            f"{account} ALL=(root) NOPASSWD: {_NAME}",
        ]
    return lines


# --- in words ------------------------------------------------------------------------------------


def sentence(lost: WithoutRoot) -> str:
    """Which accounts on which targets were not shown what."""
    targets = {target for names in lost.accounts.values() for target in names}
    who = "; ".join(f"{name} on {_some(names)}" for name, names in lost.accounts.items())
    all_ = [name for name, names in lost.sections.items() if len(names) == len(targets)]
    rest = [f"{n} ({_some(names)})" for n, names in lost.sections.items() if n not in all_]
    return f"{who}: not all of {', '.join([*all_, *rest])}"


def cure(lost: WithoutRoot) -> str:
    """What goes before the lines of sudoers(5), and after them."""
    return (
        f"install what `driftscan script --collector` prints there as {lost.collector}, say"
        f" `collector: {lost.collector}` and `become: true` in the inventory, and put into"
        " /etc/sudoers.d/driftscan (docs/privileges.md):"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
