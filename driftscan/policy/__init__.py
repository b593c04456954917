"""What a run means: which differences are accepted, and the verdict over the rest."""

from driftscan.policy.accepting import accept, pins
from driftscan.policy.verdict import FAIL_ON, NOTHING_JUDGED, FailOn, judge

__all__ = ["FAIL_ON", "NOTHING_JUDGED", "FailOn", "accept", "judge", "pins"]
