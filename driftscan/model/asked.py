"""What can be asked of a machine, and what it says: questions, limits, answers."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, field

from driftscan.model.tree import Tree

FORMAT = 1
"""The number of the answer's form (driftscan/script.py)."""

FILE_LIMIT = 4 << 20
"""Bytes of one file that an answer has at most."""

OUTPUT_LIMIT = 16 << 20
"""Bytes of any other answer to one question."""


class Files(Struct, frozen=True):
    """The contents of the files that match the globs; `.gz` ones are unpacked."""

    globs: tuple[str, ...]


class Lines(Struct, frozen=True):
    """The lines that match an extended regular expression, each as `path:line` or without path.

    Looks at regular files named like the shell pattern, directly in the directories.
    """

    name: str
    directories: tuple[str, ...]
    pattern: str
    regex: str
    path: bool = True


class Stats(Struct, frozen=True):
    """`mtime mode uid gid size path` of what is named so, directly in the directories.

    The mode is hexadecimal and holds the type, as `stat -c %f` prints it (inode(7)).
    """

    name: str
    directories: tuple[str, ...]
    pattern: str = "*"


class Shell(Struct, frozen=True):
    """The output of a few lines of POSIX sh, for what the other questions cannot ask.

    `read` gives the same lines from files that are only read. Without it the question is for
    running machines alone.
    """

    name: str
    body: str
    read: Callable[[Tree], Iterable[str]] | None = None


ROOT = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.@+-]{1,255}){1,20}")
"""A further root of applications: its characters stand for themselves in a shell and for find."""


class Scope(Struct, frozen=True):
    """What is asked beyond the usual: `apps` are further roots of applications, each a ROOT;
    `verify` is whether all files of packages are summed."""

    apps: tuple[str, ...] = ()
    verify: bool = False


class Want(Struct, frozen=True, order=True):
    """One thing to learn on the second trip: from which side, of what kind, about which name.

    `kind` is a row of `probes/wanted/table.py` and becomes the section `details[kind]`, `name` its
    key. `names` are where to look (for a changelog the installed binary packages of the source),
    `version` is the one wanted.
    """

    side: Literal["subject", "reference"]
    kind: str
    name: str
    names: tuple[str, ...] = ()
    version: str = ""


Question: TypeAlias = Files | Lines | Stats | Shell


class Questions(Struct, frozen=True):
    """All questions of one trip: as data for those that read files, as a script for live ones.

    `order` is what a collector that has the same questions is sent in place of the script; empty
    where none has them. `scope` is what they ask beyond the usual.
    """

    asked: tuple[tuple[str, Question], ...]
    script: str
    nonce: str
    order: str = ""
    scope: Scope = Scope()


class Limits(Struct, frozen=True):
    """How long one machine may take, in seconds, and how much it may say, in bytes.

    `deadline` is for all of it, the others for one stage each; `connect` for each address,
    `handshake` for banner and key exchange, `idle` between two pieces of the answer.
    """

    deadline: float = 120.0
    dns: float = 5.0
    connect: float = 10.0
    handshake: float = 20.0
    login: float = 15.0
    session: float = 15.0
    first_byte: float = 15.0
    idle: float = 30.0
    output: int = 64 << 20
    errors: int = 64 << 10


class Answer(Struct, frozen=True):
    """What a machine said: framed bytes, the start of its complaints, its exit status.

    `environment` is what its configuration sets for every process (an image's ENV), as
    `NAME=value`; None for what has none.
    """

    output: bytes
    errors: bytes
    status: int | None
    seconds: float
    environment: tuple[str, ...] | None = None


class Payload(Struct, frozen=True):
    """One file or output: its lines, the exit status of reading it, whether a limit cut it."""

    lines: tuple[str, ...]
    status: int = 0
    cut: bool = False


class Raw(Struct, frozen=True):
    """What a probe parses: files by path, other answers by name, and what could not be read.

    `strange` is why there is no answer to this probe's questions at all.
    """

    files: Mapping[str, Payload] = field(default_factory=dict)
    outputs: Mapping[str, Payload] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)
    strange: str = ""


Say: TypeAlias = Callable[[str], None]
