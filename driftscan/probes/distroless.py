"""Debian packages of images that have no dpkg: a file a package in status.d, as distroless has it.

They are part of the sections of dpkg: the same package is the same wherever it is recorded.
"""

import re
from collections.abc import Iterator, Mapping

from driftscan.errors import ParseError
from driftscan.model import Absent, Collected, Denied, Failed, Lines, Raw, Section
from driftscan.probes import dpkg, reading
from driftscan.probes.contract import About

NAME = "distroless"
_PLACE = "/var/lib/dpkg/status.d"
_FIELDS = "Package|Status|Architecture|Version|Source|Depends|Pre-Depends|Recommends|Provides"
ASK = (Lines("pieces", (_PLACE,), "*", f"^({_FIELDS}): "),)
GIVES = (
    About(
        "dpkg",
        "facts",
        "name, or name:architecture if foreign",
        "version, source, source_version, architecture, want, status",
        cost="3 ms where there is no such folder",
    ),
    About("dpkg-needs", "evidence", "as dpkg", "depends, recommends, provides"),
)

# Beside the description of a package lie its scripts and the digests of its files.
_PIECE = re.compile(rf"{re.escape(_PLACE)}/([^/]+?):((?:{_FIELDS}): .*)")
_BESIDE = re.compile(r".*\.(?:md5sums|list|conffiles|(?:pre|post)(?:inst|rm)|triggers|shlibs)")


def parse(raw: Raw) -> Mapping[str, Section]:
    """The two sections; raises ParseError for a stanza that is not one of dpkg's."""
    for path in reading.denied(raw):
        if path == _PLACE or _PLACE.startswith(path + "/"):
            return _all(Denied(cure=f"read access to {path}, or --become"))
    answer = raw.outputs["pieces"]
    if answer.cut:
        return _all(Failed(reason=f"{_PLACE} is larger than the limit"))
    lines = tuple(_lines(answer.lines))
    if not lines:
        return _all(Absent())
    packages, needs = dpkg.packages_of(lines)
    return {"dpkg": Collected(items=packages), "dpkg-needs": Collected(items=needs)}


def _all(section: Section) -> dict[str, Section]:
    return {about.name: section for about in GIVES}


def _lines(lines: tuple[str, ...]) -> Iterator[str]:
    """The fields of the descriptions, without what lies beside them."""
    for line in lines:
        match = _PIECE.fullmatch(line)
        if match is None:
            raise ParseError(f"expected '{_PLACE}/NAME:Field: ...', got {line!r}")
        if not _BESIDE.fullmatch(match[1]):
            yield match[2]
