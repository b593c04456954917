"""The programs that packages bring: what somebody may call although no process runs it now."""

from collections.abc import Iterable, Iterator, Sequence

from driftscan.model import Items, Lines, Question, Raw, Want
from driftscan.probes.contract import Learned
from driftscan.probes.wanted import names

KIND = "programs"
GIVES = "package: paths of its programs"

_INFO = "/var/lib/dpkg/info"
_REGEX = "^/(usr/)?(s?bin|games)/[^/]+$"


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """Of each package's list of files those that a PATH finds."""
    fit = sorted({want.name for want in wants if names.is_key(want.name)})
    return tuple(
        Lines(f"{KIND}-{number}", (_INFO,), f"{name}.list", _REGEX)
        for number, name in enumerate(fit)
    )


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """The paths by package; one that brings no program has nothing to tell."""
    found: dict[str, list[str]] = {}
    for package, path in _lines(line for told in raw.outputs.values() for line in told.lines):
        found.setdefault(package, []).append(path)
    wanted = {want.name for want in wants}
    items: Items = {
        name: {"programs": sorted(set(paths))} for name, paths in found.items() if name in wanted
    }
    return Learned(items, names.unfit(wants))


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`/var/lib/dpkg/info/NAME.list:PATH`, where a foreign NAME has a colon of its own."""
    for line in lines:
        name, found, path = line.removeprefix(f"{_INFO}/").partition(".list:")
        if found and path.startswith("/"):
            yield name, path
