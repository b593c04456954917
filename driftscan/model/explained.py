"""What differs and why: divergences, the records and evidence about them, causes, remedies."""

from typing import Literal, TypeAlias

from msgspec.structs import force_setattr

from driftscan.model.found import Item, Noun, Place

Kind: TypeAlias = Literal["missing", "extra", "changed"]
Direction: TypeAlias = Literal["older", "newer", "equal", "unknown"]
Confidence: TypeAlias = Literal["proven", "recorded", "inferred", "unknown"]
Level: TypeAlias = Literal["breaks", "in-use", "installed", "expected"]
Phase: TypeAlias = Literal[
    "repository", "unblock", "packages", "marks", "settings", "restarts", "removals", "again"
]
PHASES: tuple[Phase, ...] = (
    "repository",
    "unblock",
    "packages",
    "marks",
    "settings",
    "restarts",
    "removals",
    "again",
)
LEVELS: tuple[Level, ...] = ("breaks", "in-use", "installed", "expected")


class Told(Noun, frozen=True, omit_defaults=False, kw_only=True):
    """Base of what a report holds: every field is written, so a reader needs no defaults."""


def named(noun: Noun, name: str) -> None:
    """Ids are made from the parts that name a thing, and written for those who read the file."""
    if getattr(noun, "id", "") != name:
        force_setattr(noun, "id", name)


class Divergence(Told, frozen=True, kw_only=True):
    """One item that differs; missing means only in the reference, extra only in the subject."""

    id: str = ""
    section: str
    key: str
    kind: Kind
    subject: Item | None = None
    reference: Item | None = None
    changes: dict[str, list[str]] = {}
    direction: Direction = "unknown"
    group: str

    def __post_init__(self) -> None:
        named(self, f"{self.section}:{self.key}")


class Gap(Told, frozen=True, kw_only=True):
    """Something that could not be compared, on which side, and why."""

    what: str
    side: str
    why: str
    cure: str = ""
    blocks: bool = True


NO_LOGS = "package logs"
"""What a gap calls the records of a machine that has none."""


class Comparison(Told, frozen=True, kw_only=True):
    """Two fingerprints compared: what differs, what is equal, what could not be known."""

    divergences: list[Divergence]
    equal: dict[str, int]
    gaps: list[Gap]


class HostRecord(Told, frozen=True, kw_only=True):
    """What a host's own log says was done: when (host's local time and zone), who, by which."""

    time: str
    zone: str = ""
    user: str = ""
    command: str = ""
    source: str = ""
    confidence: Confidence = "recorded"
    cites: list[str] = []


class Evidence(Told, frozen=True, kw_only=True):
    """One statement, how far it can be trusted, and the items that carry it.

    A citation is `subject/SECTION:KEY` or `reference/SECTION:KEY`: an item of that side's
    fingerprint. Without the items cited the statement falls or weakens; no other item matters.
    """

    text: str
    confidence: Confidence
    cites: list[str] = []


class Step(Told, frozen=True, kw_only=True):
    """One command of a remedy: printed, never run.

    `words` are the last arguments of a long one; with `--fix` they are in `file`.
    """

    run: str
    why: str = ""
    phase: Phase = "settings"
    words: list[str] = []
    file: str = ""


class Simulation(Told, frozen=True, kw_only=True):
    """What apt says that a remedy would do to the subject's packages.

    `left` are differences that stay, `beyond` what only a plain dist-upgrade would change.
    """

    upgraded: int
    downgraded: int = 0
    installed: int = 0
    removed: list[str] = []
    left: int
    beyond: list[str] = []


class Remedy(Told, frozen=True, kw_only=True):
    """The commands that would make one side like the other, in order.

    `recommended` is false when a simulation shows that it would remove what nobody asked for.
    """

    id: str
    direction: Literal["subject", "reference"] = "subject"
    causes: list[str]
    steps: list[Step]
    recommended: bool = True
    simulated: str = "not simulated"
    simulation: Simulation | None = None
    notes: list[str] = []


class Explains(Told, frozen=True, kw_only=True):
    """How many version differences a cause claims, in how many sources, of how many in all."""

    differences: int
    sources: int
    of: int


class Cause(Told, frozen=True, kw_only=True):
    """Why a set of divergences is there: what claims them, with which evidence."""

    id: str = ""
    type: str
    subject: str
    text: str
    confidence: Confidence
    level: Level = "installed"
    claims: list[str]
    explains: Explains | None = None
    evidence: list[Evidence] = []
    host_record: HostRecord | None = None
    image_record: Place | None = None
    also: list[str] = []

    def __post_init__(self) -> None:
        named(self, f"{self.type}:{self.subject}")
