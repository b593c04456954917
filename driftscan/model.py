"""The nouns: frozen, typed, no I/O. Everything else maps these onto each other."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta as Limit
from msgspec import Struct, field
from msgspec.structs import force_setattr

SCHEMA = 1

Field: TypeAlias = str | int | bool | list[str] | dict[str, str] | None
Item: TypeAlias = dict[str, Field]
Items: TypeAlias = dict[str, Item]


class Noun(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of what is stored or reported: equality by value, no surprises when read back."""


# --- what can be asked -------------------------------------------------------------------------


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
    """The output of a few lines of POSIX sh: live machines only, where no file tells it."""

    name: str
    body: str


Question: TypeAlias = Files | Lines | Stats | Shell


class Questions(Struct, frozen=True):
    """All questions of one trip: as data for those that read files, as a script for live ones."""

    asked: tuple[tuple[str, Question], ...]
    script: str
    nonce: str


class Limits(Struct, frozen=True):
    """How long one machine may take, in seconds, and how much it may say, in bytes."""

    deadline: float = 120.0
    connect: float = 10.0
    handshake: float = 20.0
    first_byte: float = 15.0
    idle: float = 30.0
    output: int = 64 << 20
    errors: int = 64 << 10


class Answer(Struct, frozen=True):
    """What a machine said: framed bytes, the start of its complaints, its exit status."""

    output: bytes
    errors: bytes
    status: int | None
    seconds: float


class Payload(Struct, frozen=True):
    """One file or output: its lines, the exit status of reading it, whether a limit cut it."""

    lines: tuple[str, ...]
    status: int = 0
    cut: bool = False


class Raw(Struct, frozen=True):
    """What a probe parses: files by path, other answers by name, and what could not be read."""

    files: Mapping[str, Payload] = field(default_factory=dict)
    outputs: Mapping[str, Payload] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)


# --- what was found ----------------------------------------------------------------------------


class Collected(Noun, frozen=True, kw_only=True, tag_field="state", tag="collected"):
    """Everything there is, keyed by identity."""

    items: Items


class Absent(Noun, frozen=True, kw_only=True, tag_field="state", tag="absent"):
    """Neither the tool nor its data exists: compared as an empty mapping."""


class Partial(Noun, frozen=True, kw_only=True, tag_field="state", tag="partial"):
    """A limit was hit or a part denied: what was seen on both sides is compared, no more."""

    items: Items
    gaps: list[str]


class Denied(Noun, frozen=True, kw_only=True, tag_field="state", tag="denied"):
    """The account may not read it; never compared."""

    cure: str


class Failed(Noun, frozen=True, kw_only=True, tag_field="state", tag="failed"):
    """It is there and could not be understood; never compared."""

    reason: str


Section: TypeAlias = Collected | Absent | Partial | Denied | Failed
Sections: TypeAlias = dict[str, Section]


class Meta(Noun, frozen=True, kw_only=True):
    """Where a fingerprint comes from: never compared."""

    target: str
    kind: Literal["host", "container", "image"]
    address: str
    taken: str
    privilege: str
    zone: str = "UTC"
    tool: str = ""
    seconds: float = 0.0
    size: int = 0


class Fingerprint(Noun, frozen=True, kw_only=True):
    """One machine: facts are compared, evidence explains, details answer the second trip."""

    schema: Annotated[int, Limit(ge=1)] = SCHEMA
    meta: Meta
    facts: Sections
    evidence: Sections
    details: Sections = {}


class Place(Noun, frozen=True, kw_only=True):
    """The line of a Dockerfile (or the base image) that did something, and how sure that is."""

    kind: Literal["line", "base", "unknown"]
    file: str = ""
    line: int = 0
    text: str = ""
    built: str = ""
    confidence: Literal["recorded", "inferred", "unknown"] = "recorded"


class Attribution(Noun, frozen=True, kw_only=True):
    """Which place brought a package into the image, and which one changed it last, by name.

    Names, not places: a rebuild at another moment then changes few lines of `baseline.json`.
    """

    brought_by: str
    changed_by: str


class Baseline(Noun, frozen=True, kw_only=True):
    """An image built from a Dockerfile: the record of operations, and its moment."""

    schema: Annotated[int, Limit(ge=1)] = SCHEMA
    name: str
    image: str
    built: str
    builder: str
    dockerfile: str
    digest: str
    text: str
    attributions: dict[str, Attribution]
    places: dict[str, Place]
    fingerprint: Fingerprint

    @property
    def lines(self) -> list[Place]:
        """Each instruction of the final image, in the order of the Dockerfile."""
        lines = [p for p in self.places.values() if p.kind == "line" and p.confidence == "recorded"]
        return sorted(lines, key=lambda place: (place.line, place.text))

    def brought_by(self, package: str) -> Place | None:
        """The place that brought a package of the image."""
        found = self.attributions.get(package)
        return self.places.get(found.brought_by) if found else None

    def changed_by(self, package: str) -> Place | None:
        """The place that last changed a package of the image."""
        found = self.attributions.get(package)
        return self.places.get(found.changed_by) if found else None


# --- who can be asked --------------------------------------------------------------------------


class Target(Noun, frozen=True, kw_only=True):
    """One machine and the road to it, as inventory or command line names it."""

    name: str
    road: Literal["ssh", "local", "docker", "podman", "image", "dockerfile", "baseline", "file"]
    address: str = ""
    port: int = 0
    user: str = ""
    key: str = ""
    known_hosts: list[str] = []
    host_key_alias: str = ""
    jump: list[str] = []
    become: bool = False
    container: str = ""
    path: str = ""
    groups: list[str] = []
    baseline: str = ""


class Side(Noun, frozen=True, kw_only=True):
    """One of the two things compared: its fingerprint, and the Dockerfile's record if an image."""

    fingerprint: Fingerprint
    baseline: Baseline | None = None

    @property
    def name(self) -> str:
        return self.fingerprint.meta.target

    @property
    def label(self) -> str:
        """How a sentence names it."""
        return f"image {self.name}" if self.is_image else self.name

    @property
    def is_image(self) -> bool:
        return self.baseline is not None or self.fingerprint.meta.kind == "image"


class Unreached(Noun, omit_defaults=False, frozen=True, kw_only=True):
    """A machine that could not be asked: which state, where it stopped, why, and the cure."""

    target: str
    state: str
    stage: str
    cause: str
    cure: str = ""
    attempts: int = 1
    seconds: float = 0.0


# --- what differs and why ----------------------------------------------------------------------

Kind: TypeAlias = Literal["missing", "extra", "changed"]
Direction: TypeAlias = Literal["older", "newer", "equal", "unknown"]
Confidence: TypeAlias = Literal["proven", "recorded", "inferred", "unknown"]
Level: TypeAlias = Literal["breaks", "in-use", "installed", "expected"]
LEVELS: tuple[Level, ...] = ("breaks", "in-use", "installed", "expected")


class Told(Noun, frozen=True, omit_defaults=False, kw_only=True):
    """Base of what a report holds: every field is written, so a reader needs no defaults."""


def _named(noun: Noun, name: str) -> None:
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
        _named(self, f"{self.section}:{self.key}")


class Gap(Told, frozen=True, kw_only=True):
    """Something that could not be compared, on which side, and why."""

    what: str
    side: str
    why: str
    cure: str = ""
    blocks: bool = True


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


class Evidence(Told, frozen=True, kw_only=True):
    """One statement that carries a cause, and how far it can be trusted."""

    text: str
    confidence: Confidence


class Step(Told, frozen=True, kw_only=True):
    """One command of a remedy: printed, never run."""

    run: str
    why: str = ""


class Remedy(Told, frozen=True, kw_only=True):
    """The commands that would converge the subject, in order."""

    id: str
    causes: list[str]
    steps: list[Step]
    simulated: str = "not simulated"
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
        _named(self, f"{self.type}:{self.subject}")


class Use(Told, frozen=True, kw_only=True):
    """A running program that loads what differs."""

    program: str
    service: str = ""
    processes: int
    files: list[str]


class Finding(Told, frozen=True, kw_only=True):
    """What differs, grouped (binary packages by their source), with its records and its reach."""

    id: str = ""
    section: str
    key: str
    kind: Kind | Literal["mixed"]
    direction: Direction = "unknown"
    subject_version: str = ""
    reference_version: str = ""
    level: Level
    score: int = 0
    members: list[Divergence]
    cause: str
    also: list[str] = []
    requested: bool = False
    host_record: HostRecord | None = None
    reference_record: HostRecord | None = None
    image_record: Place | None = None
    uses: list[Use] = []
    uses_known: bool = True
    dependencies: list[str] = []
    dependency_count: int = 0

    def __post_init__(self) -> None:
        _named(self, f"{self.section}:{self.key}")


class Expected(Told, frozen=True, kw_only=True):
    """Divergences that a rule expects, with its reason, and the records that brought them."""

    rule: str
    reason: str
    members: list[str]
    host_records: list[HostRecord] = []


class HostReport(Told, frozen=True, kw_only=True):
    """One pair, explained."""

    state: str
    subject: Meta | None = None
    reference: Meta | None = None
    reference_image: Place | None = None
    unreached: Unreached | None = None
    causes: list[Cause] = []
    findings: list[Finding] = []
    equal: dict[str, int] = {}
    unknown: list[Gap] = []
    remedies: list[Remedy] = []
    expected: list[Expected] = []

    @property
    def worst(self) -> Level | None:
        levels = {finding.level for finding in self.findings}
        return next((level for level in LEVELS if level in levels), None)


class Report(Told, frozen=True, kw_only=True):
    """A whole run: one entry a host, the same shape for one pair."""

    schema: str = "driftscan/report/1"
    complete: bool
    exit_code: int
    counts: dict[str, int]
    hosts: dict[str, HostReport]


Say: TypeAlias = Callable[[str], None]
