"""What a report tells: findings with all that is known of them, the pairs, and the run."""

from typing import Literal

from driftscan.model.explained import (
    LEVELS,
    Cause,
    Confidence,
    Direction,
    Divergence,
    Evidence,
    Gap,
    HostRecord,
    Kind,
    Level,
    Remedy,
    Told,
    named,
)
from driftscan.model.found import Item, Meta, Place, Unreached


class Use(Told, frozen=True, kw_only=True):
    """A running program that loads what differs: through which plugin, and where it listens.

    `stale`: what it has mapped was deleted or replaced since, so it runs the old code.
    """

    program: str
    service: str = ""
    processes: int
    files: list[str]
    via: list[str] = []
    ports: list[str] = []
    stale: bool = False


class Headline(Told, frozen=True, kw_only=True):
    """The one bullet of a changelog that says most: of which version, what kind, which bugs."""

    version: str
    kind: str
    text: str
    bugs: list[str] = []


class Window(Told, frozen=True, kw_only=True):
    """Something broken from one version until another, and whether the subject lies between."""

    of: str
    introduced: str
    introduced_date: str = ""
    fixed: str
    fixed_date: str = ""
    inside: bool
    cites: list[str] = []


class Match(Told, frozen=True, kw_only=True):
    """The user's error message found in a changelog, and how many were searched."""

    version: str
    text: str
    hits: int
    searched: int
    confidence: Confidence = "recorded"
    cites: list[str] = []


class Changes(Told, frozen=True, kw_only=True):
    """What a changelog says of the way between two versions of a source package.

    `counts` are bullets a kind; `complete`: the text reaches from the newer to the older version;
    `origin` says where the text was read.
    """

    entries: int
    distributions: list[str] = []
    urgency: str = ""
    counts: dict[str, int] = {}
    ids: list[str] = []
    headline: Headline | None = None
    news: list[str] = []
    complete: bool = True
    origin: str = ""
    cites: list[str] = []


class Symbols(Told, frozen=True, kw_only=True):
    """What the libraries of a package export on one side only (deb-symbols(5)).

    `missing`: by path, what a program or library of the subject that no package brought needs of
    them and the subject's do not have; `read` is how many of those there are, None if not all of
    them could be read.
    """

    gained: list[str] = []
    lost: list[str] = []
    sonames_gained: list[str] = []
    sonames_lost: list[str] = []
    missing: dict[str, list[str]] = {}
    read: int | None = None
    cites: list[str] = []


class Finding(Told, frozen=True, kw_only=True):
    """What differs, grouped (binary packages by their source), with its records and its reach.

    `tools` are programs that somebody may call, of what was installed on purpose.
    """

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
    tools: list[str] = []
    proof: list[Evidence] = []
    changes: Changes | None = None
    windows: list[Window] = []
    match: Match | None = None
    symbols: Symbols | None = None
    dependencies: list[str] = []
    dependency_count: int = 0

    def __post_init__(self) -> None:
        named(self, f"{self.section}:{self.key}")


class Expected(Told, frozen=True, kw_only=True):
    """Divergences that a rule expects, with its reason, and the records that brought them."""

    rule: str
    reason: str
    members: list[str]
    host_records: list[HostRecord] = []


class Hypothesis(Told, frozen=True, kw_only=True):
    """One of the four questions about the worst finding, its answer, and because of what."""

    id: Literal["new-feature", "version", "dependency", "service"]
    question: str
    answer: Literal["yes", "no", "unlikely", "possible", "not needed", "unknown"]
    confidence: Confidence
    because: list[Evidence] = []


class Accepted(Told, frozen=True, kw_only=True):
    """A rule of the accept file that concerns this pair, and the findings it is about.

    `active` ones are accepted; the others stay drift: the rule is over (`expired`), or they are
    no longer what was accepted (`changed`).
    """

    id: str
    state: Literal["active", "expired", "changed"]
    reason: str
    owner: str
    until: str
    ticket: str = ""
    members: list[str]


class Known(Told, frozen=True, kw_only=True):
    """An item of both sides, whether it differs or not."""

    section: str
    key: str
    subject: Item | None = None
    reference: Item | None = None


class Standing(Told, frozen=True, kw_only=True):
    """How one package stands on one side: its version, why it is there, who needs and loads it.

    `chain` leads from something that was asked for down to the package, each needing the next;
    empty: it came with the system, or nothing tells.
    """

    side: Literal["subject", "reference"]
    section: str = "dpkg"
    package: str
    version: str
    source: str = ""
    chain: list[str] = []
    dependents: list[str] = []
    host_record: HostRecord | None = None
    brought_by: Place | None = None
    changed_by: Place | None = None
    uses: list[Use] = []
    uses_known: bool = True


class Called(Told, frozen=True, kw_only=True):
    """A program of a package that answers to a name.

    `link`: by an alternative, whose name belongs to no package; `sure`: that was read.
    """

    path: str
    package: str
    link: bool = False
    sure: bool = True


class About(Told, frozen=True, kw_only=True):
    """All that is known of one name on both sides.

    `difference` is a unified one of a text file's lines, from the reference to the subject.
    """

    name: str
    items: list[Known] = []
    standings: list[Standing] = []
    called: list[Called] = []
    difference: list[str] = []


class Mirror(Told, frozen=True, kw_only=True):
    """The lead cause of the same pair in the other order, and the command that tells it all."""

    level: Level
    cause: str
    text: str
    command: str


class HostReport(Told, frozen=True, kw_only=True):
    """One pair, explained. `since`: until when the subject is known to have been as it should."""

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
    symptom: str = ""
    hypotheses: list[Hypothesis] = []
    since: Evidence | None = None
    mirror: Mirror | None = None
    trips: int = 1
    accepted: list[Accepted] = []
    about: About | None = None

    @property
    def open_findings(self) -> list[Finding]:
        """Those that nobody has accepted."""
        done = {name for rule in self.accepted if rule.state == "active" for name in rule.members}
        return [finding for finding in self.findings if finding.id not in done]

    @property
    def worst(self) -> Level | None:
        levels = {finding.level for finding in self.open_findings}
        return next((level for level in LEVELS if level in levels), None)


class WithoutRoot(Told, frozen=True, kw_only=True):
    """What plain accounts were not told: targets by section and by account, and what cures it.

    `sudoers` are the lines for /etc/sudoers.d/driftscan once `collector` is installed.
    """

    sections: dict[str, list[str]]
    accounts: dict[str, list[str]]
    collector: str
    sudoers: list[str]


class Report(Told, frozen=True, kw_only=True):
    """A whole run: one entry a host, the same shape for one pair.

    `fail_on` is the level from which an open finding was drift; `notes` is what to know of the
    run itself: rules that expired or match nothing, hosts that were allowed to be missing.
    """

    schema: str = "driftscan/report/1"
    complete: bool
    exit_code: int
    fail_on: str = "installed"
    counts: dict[str, int]
    notes: list[str] = []
    hosts: dict[str, HostReport]
    without_root: WithoutRoot | None = None

    @property
    def excuses_unreached(self) -> bool:
        """Whether the hosts that were not reached were allowed to be."""
        return not self.complete and self.exit_code in (0, 1)

    @property
    def drift_levels(self) -> tuple[Level, ...]:
        """The levels at which an open finding is drift."""
        return levels_from(self.fail_on)


def levels_from(fail_on: str) -> tuple[Level, ...]:
    """The levels that `--fail-on` counts: that one and the worse ones; none for `never`."""
    return LEVELS[: [*LEVELS].index(fail_on) + 1] if fail_on in LEVELS else ()
