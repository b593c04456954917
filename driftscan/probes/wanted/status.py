"""The whole package database of a machine: what a simulation of a remedy begins with."""

from collections.abc import Sequence

from driftscan.model import Files, Question, Raw, Want
from driftscan.probes.contract import Learned

KIND = "status"
GIVES = "`dpkg`: lines of /var/lib/dpkg/status"

_STATUS = "/var/lib/dpkg/status"


def questions(wants: Sequence[Want]) -> tuple[Question, ...]:
    """One file, whatever is wanted of it."""
    del wants
    return (Files((_STATUS,)),)


def parse(raw: Raw, wants: Sequence[Want]) -> Learned:
    """All its lines: half a database would simulate another machine."""
    answer = raw.files.get(_STATUS)
    if answer is None:
        why = f"{_STATUS}: {raw.gaps.get(_STATUS, 'is not there')}"
    elif answer.cut or answer.status:
        why = f"{_STATUS} could not be read whole"
    else:
        return Learned({want.name: {"lines": list(answer.lines)} for want in wants})
    return Learned({}, {want.name: why for want in wants})
