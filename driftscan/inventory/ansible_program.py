"""Ansible's own word on one of its inventories: `ansible-inventory --list`, without its plugins.

Of what stands in a repository it runs nothing: no ansible.cfg is read, only the readers of INI and
YAML are switched on, every folder of plugins is an empty one, no vault is opened, nobody is asked.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from msgspec.structs import replace

from driftscan.errors import InputError
from driftscan.inventory import ansible_listed
from driftscan.inventory.contract import Inventory
from driftscan.model import Target

NAME = "ansible-inventory"
OFF = "off"
SECONDS = 60.0
_MAX_OUTPUT = 64 << 20
# Of the user's environment only what a program needs to start.
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR")
# Ansible's settings that name folders of plugins, in every version since 2.9.
_PLUGINS = (
    *("ACTION", "BECOME", "CACHE", "CALLBACK", "CLICONF", "CONNECTION", "DOC_FRAGMENT", "FILTER"),
    *("HTTPAPI", "INVENTORY", "LOOKUP", "NETCONF", "STRATEGY", "TERMINAL", "TEST", "VARS"),
)
_FOLDERS = (
    *(f"ANSIBLE_{kind}_PLUGINS" for kind in _PLUGINS),
    *("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_COLLECTIONS_PATHS", "ANSIBLE_ROLES_PATH"),
    *("ANSIBLE_LIBRARY", "ANSIBLE_MODULE_UTILS", "ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP"),
)


class _NoAnswerError(Exception):
    """Why the program said nothing that can be used, in a few words."""


def program(named: str) -> str:
    """The path of the program: `named`, or the one on PATH; empty for `off` or where none is.

    A PATH with a relative folder could find it in a repository: that one is not taken. Raises
    InputError when the named one cannot be run.
    """
    if named == OFF:
        return ""
    found = shutil.which(named or NAME) or ""
    if named and not (found and Path(found).is_absolute()):
        raise InputError(
            f"DRIFTSCAN_ANSIBLE_INVENTORY: {named!r} is no program: give its whole path, or"
            f" `{OFF}` to leave it"
        )
    return found if Path(found).is_absolute() else ""


def asked(ours: Inventory, path: Path, folder: Path, program: str, seconds: float) -> Inventory:
    """`ours`, and where Ansible reads a host or group otherwise, what Ansible reads.

    Without an answer within so many seconds it stays `ours`, with a note that says why.
    """
    try:
        theirs = ansible_listed.of_text(_listed(program, path, seconds), path, folder, merged=True)
    except (_NoAnswerError, InputError) as error:
        if "vault" in str(error) and any("ansible-vault" in note for note in ours.notes):
            return ours  # it says so already, with the file
        note = f"{path}: {NAME} did not answer ({error}): driftscan's own reader was used"
        return replace(ours, notes=(*ours.notes, note))
    others = list(_otherwise(ours, theirs))
    if not others:
        return replace(ours, reader="both")
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    note = (
        f"{path}: {', '.join(others[:3])}{more}: as {NAME} says, which driftscan's own reader reads"
        " otherwise"
    )
    return replace(theirs, notes=(*theirs.notes, note), reader=NAME)


def _otherwise(ours: Inventory, theirs: Inventory) -> Iterator[str]:
    """The hosts and groups that the two do not agree about."""
    for name in sorted({*ours.hosts, *theirs.hosts}):
        if _told(ours.hosts.get(name)) != _told(theirs.hosts.get(name)):
            yield name
    for name in sorted({*ours.groups, *theirs.groups}):
        pair = (ours.groups.get(name), theirs.groups.get(name))
        members = [group and sorted(group.hosts) for group in pair]
        if members[0] != members[1]:
            yield f"group {name}"


def _told(target: Target | None) -> Target | None:
    """The host without the place in a file, which only our reader knows."""
    return target and replace(
        target, groups=sorted(target.groups), unusable="yes" if target.unusable else ""
    )


# --- running it ----------------------------------------------------------------------------------


def _listed(program: str, path: Path, seconds: float) -> str:
    """What it prints about the inventory."""
    with tempfile.TemporaryDirectory(prefix="driftscan-") as scratch:
        place = Path(scratch)
        nothing = place / "nothing"
        nothing.mkdir()
        (place / "empty.cfg").write_text("[defaults]\n")
        argv = [program, "-i", str(path.absolute()), "--list"]
        with (place / "out").open("wb") as out, (place / "errors").open("wb") as errors:
            try:
                status = _run(argv, _environment(place, nothing), (out, errors), nothing, seconds)
            except OSError as error:
                raise _NoAnswerError(f"{program}: {error.strerror}") from error
        if status:
            raise _NoAnswerError(_reason((place / "errors").read_bytes()[-(64 << 10) :], status))
        if (place / "out").stat().st_size > _MAX_OUTPUT:
            raise _NoAnswerError(f"more than {_MAX_OUTPUT >> 20} MiB")
        return (place / "out").read_text(encoding="utf-8", errors="replace")


def _environment(place: Path, nothing: Path) -> Mapping[str, str]:
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        **dict.fromkeys(_FOLDERS, str(nothing)),
        "LC_ALL": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
        "ANSIBLE_CONFIG": str(place / "empty.cfg"),
        "ANSIBLE_INVENTORY_ENABLED": "yaml,ini",
        "ANSIBLE_VARS_ENABLED": "host_group_vars",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
        "ANSIBLE_NOCOLOR": "1",
    }


def _run(
    argv: list[str],
    env: Mapping[str, str],
    to: tuple[IO[bytes], IO[bytes]],
    folder: Path,
    seconds: float,
) -> int:
    """Its exit status. In a session of its own: no terminal to ask on, and a group to end."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=to[0],
        stderr=to[1],
        env=env,
        cwd=folder,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise _NoAnswerError(f"no end within {seconds:.0f} s") from None
            raise


def _reason(errors: bytes, status: int) -> str:
    """The line that names its error, else its last one."""
    lines = [line.strip() for line in errors.decode(errors="replace").splitlines() if line.strip()]
    named = [line for line in lines if "ERROR" in line] or lines[-1:]
    return named[0][:200] if named else f"status {status}"
