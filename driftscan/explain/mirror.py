"""What the other order of the same two machines tells, where it tells more."""

import shlex

from msgspec.structs import replace

from driftscan.explain.remedies import words
from driftscan.model import LEVELS, HostReport, Meta, Mirror, Place

_LITTLE = ("ahead", "repository-foreign", "reference-only", "subject-only", "unexplained")
"""Causes that only say that the other machine is the one to look at."""


def mirror(report: HostReport, other: HostReport) -> Mirror | None:
    """The lead cause of `other` (the same pair, sides exchanged) if it is worse or says more."""
    if not report.causes or not other.causes or other.subject is None or other.reference is None:
        return None
    ours, theirs = report.causes[0], other.causes[0]
    worse = LEVELS.index(theirs.level) - LEVELS.index(ours.level)
    says_more = ours.type in _LITTLE and theirs.type not in _LITTLE
    if worse > 0 or (worse == 0 and not says_more):
        return None
    return Mirror(
        level=theirs.level,
        cause=theirs.id,
        text=theirs.text,
        command=shlex.join(_command(other.subject, other.reference, other.reference_image)),
    )


def _command(subject: Meta, reference: Meta, image: Place | None) -> tuple[str, ...]:
    """The other order as it is typed; a baseline goes by its own name."""
    if image is not None and words.fits(words.NAME, image.text):
        reference = replace(reference, target=f"baseline://{image.text}")
    return words.compare(subject, reference)
