"""The commands that would make one side like the other: printed, never run."""

from driftscan.explain.remedies.available import wants
from driftscan.explain.remedies.plan import remedies

__all__ = ["remedies", "wants"]
