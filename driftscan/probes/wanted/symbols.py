"""What libraries export, by the symbols files that dpkg keeps of them (deb-symbols(5))."""

from collections.abc import Sequence

from driftscan.model import Files, Items, Question, Raw, Want
from driftscan.probes.contract import Learned
from driftscan.probes.wanted import names

KIND = "symbols"
GIVES = "package: lines of its symbols file"

_INFO = "/var/lib/dpkg/info/"
_NATIVE = "/var/lib/dpkg/arch"
_SUFFIX = ".symbols"


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """The files of each package; which architecture is the native one is only told by a file."""
    fit = {want.name for want in wants if names.is_key(want.name)}
    globs = [_NATIVE]
    for name in sorted(fit):
        package, foreign, _ = name.partition(":")
        if not foreign:
            globs += [f"{_INFO}{name}{_SUFFIX}", f"{_INFO}{name}:*{_SUFFIX}"]
        elif package not in fit:  # else its files of every architecture are asked for already
            globs += [f"{_INFO}{name}{_SUFFIX}"]
    return (Files(tuple(globs)),)


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """The file of each package that has one; most packages have none, which is no gap."""
    native = next(iter(raw.files[_NATIVE].lines), "") if _NATIVE in raw.files else ""
    found: Items = {}
    missing = names.unfit(wants)
    for want in wants:
        path = _path(raw, want.name, native)
        if path in raw.files:
            found[want.name] = {"lines": list(raw.files[path].lines)}
        elif path in raw.gaps:
            missing[want.name] = f"{path}: {raw.gaps[path]}"
    return Learned(found, missing)


def _path(raw: Raw, name: str, native: str) -> str:
    """Where the file of the package is, if it has one."""
    plain = f"{_INFO}{name}{_SUFFIX}"
    if ":" in name or plain in raw.files:
        return plain
    several = [p for p in {*raw.files, *raw.gaps} if p.startswith(f"{_INFO}{name}:")]
    return several[0] if len(several) == 1 else f"{_INFO}{name}:{native}{_SUFFIX}"
