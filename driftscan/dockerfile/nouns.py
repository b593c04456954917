"""What a Dockerfile consists of: stages, numbered instructions, heredocs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_SHELL = ("/bin/sh", "-c")
KEYWORDS = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
        *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME"),
        "WORKDIR",
    )
)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """`<<NAME` and its lines; `expand` is false when the name was quoted, `chomp` after `<<-`."""

    name: str
    content: str
    expand: bool
    chomp: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `value` is the joined logical line without keyword and flags,
    `original` the raw lines `line` to `end_line` (1-based), `shell` what runs its shell form."""

    keyword: str
    value: str
    original: str
    line: int
    end_line: int
    flags: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    shell: tuple[str, ...] = DEFAULT_SHELL


@dataclass(frozen=True, slots=True)
class Stage:
    """`FROM base [AS name]` and what follows; `reference` is `base` with the defaults of the
    global ARGs put in, or `base` itself when one has no value."""

    index: int
    name: str | None
    base: str
    reference: str
    instruction: Instruction
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed Dockerfile: its parser directives, the ARGs before the first FROM, its stages."""

    name: str
    stages: tuple[Stage, ...]
    global_args: tuple[Instruction, ...] = ()
    directives: Mapping[str, str] = field(default_factory=dict)


def creates_layer(instruction: Instruction) -> bool:
    """RUN, COPY and ADD always make a layer. WORKDIR may (when it creates the directory):
    the `empty_layer` mark of the image's history decides there."""
    return instruction.keyword in ("RUN", "COPY", "ADD")
