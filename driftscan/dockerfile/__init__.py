"""Dockerfile text -> stages and numbered instructions, and how `docker history` tells them."""

from driftscan.dockerfile.history import history_text, matches
from driftscan.dockerfile.nouns import (
    DEFAULT_SHELL,
    KEYWORDS,
    Dockerfile,
    Heredoc,
    Instruction,
    Stage,
    creates_layer,
)
from driftscan.dockerfile.parsing import copied_from, final_chain, parse
from driftscan.dockerfile.words import sets, substitute

__all__ = [
    "DEFAULT_SHELL",
    "KEYWORDS",
    "Dockerfile",
    "Heredoc",
    "Instruction",
    "Stage",
    "copied_from",
    "creates_layer",
    "final_chain",
    "history_text",
    "matches",
    "parse",
    "sets",
    "substitute",
]
