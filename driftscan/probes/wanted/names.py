"""Which names may be sent to a machine: those of the ecosystem's own grammar, and no others."""

import re
from collections.abc import Iterable

from driftscan.model import Want

# deb-control(5); both hold nothing that a shell, awk or a glob would read as more than itself.
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{0,250}", re.ASCII)
# rpm-spec(5); `name.arch` is one too.
RPM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,250}", re.ASCII)
ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]{0,30}", re.ASCII)


def is_key(name: str) -> bool:
    """A Debian package as the section `dpkg` names it: `name`, or `name:arch` if foreign."""
    package, colon, architecture = name.partition(":")
    return PACKAGE.fullmatch(package) is not None and (
        not colon or ARCHITECTURE.fullmatch(architecture) is not None
    )


def quoted(names: Iterable[str]) -> str:
    """Keys as words of a shell command; raises ValueError for anything else."""
    names = list(names)
    for name in names:
        if not is_key(name):
            raise ValueError(f"not a name of a package: {name!r}")
    return " ".join(f"'{name}'" for name in names)


def unfit(wants: Iterable[Want]) -> dict[str, str]:
    """The wants whose name cannot be sent, each with the reason."""
    return {want.name: "no name of a Debian package" for want in wants if not is_key(want.name)}
