"""driftscan: which servers differ, since when, by which command, and how to undo it."""

__version__ = "0.1.0"
