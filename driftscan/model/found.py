"""What was found: sections, fingerprints, baselines, and the targets they were found on."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta as Limit
from msgspec import Struct

SCHEMA = 1

Field: TypeAlias = str | int | bool | list[str] | dict[str, str] | None
Item: TypeAlias = dict[str, Field]
Items: TypeAlias = dict[str, Item]


class Noun(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of what is stored or reported: equality by value, no surprises when read back."""


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


LANGUAGES = ("python", "npm", "gems", "go", "jars")
"""The sections of what managers of languages install, keyed `ecosystem/namespace/name@place`."""

Section: TypeAlias = Collected | Absent | Partial | Denied | Failed
Sections: TypeAlias = dict[str, Section]


class Meta(Noun, frozen=True, kw_only=True):
    """Where a fingerprint comes from: never compared. `machine`: see the probe `host`.

    `apps` are the further roots that were asked about (`--app`).
    """

    target: str
    kind: Literal["host", "container", "image"]
    address: str
    taken: str
    privilege: str
    zone: str = "UTC"
    machine: str = ""
    tool: str = ""
    seconds: float = 0.0
    size: int = 0
    apps: list[str] = []


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
    """An image built from a Dockerfile: the record of operations, and its moment.

    `digest` is the Dockerfile's, `context` that of what it copies from its folder: empty where it
    copies nothing, where that is too much, and in baselines of before there was one.
    """

    schema: Annotated[int, Limit(ge=1)] = SCHEMA
    name: str
    image: str
    built: str
    builder: str
    dockerfile: str
    digest: str
    context: str = ""
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


# --- who can be asked -------------------------------------------------------------------------


Profile: TypeAlias = Literal["", "host", "container", "none"]
"""Which rules tell what a machine has for its own sake and no image; empty: those of its kind."""


class Target(Noun, frozen=True, kw_only=True):
    """One machine and the road to it, as inventory or command line names it.

    `engine` is that of a `container` on the host that the road leads to.
    """

    name: str
    road: Literal[
        "ssh",
        "openssh",
        "local",
        "docker",
        "podman",
        "image",
        "rootfs",
        "archive",
        "dockerfile",
        "baseline",
        "file",
    ]
    address: str = ""
    port: int = 0
    user: str = ""
    key: str = ""
    known_hosts: list[str] = []
    host_key_alias: str = ""
    jump: list[str] = []
    become: bool = False
    collector: str = ""
    engine: Literal["", "docker", "podman"] = ""
    container: str = ""
    path: str = ""
    groups: list[str] = []
    app: list[str] = []
    baseline: str = ""
    profile: Profile = ""
    unusable: str = ""
    """Why it cannot be asked, if its inventory leaves that open: nobody connects on a guess."""


class Side(Noun, frozen=True, kw_only=True):
    """One of the two things compared: its fingerprint, and the Dockerfile's record if an image."""

    fingerprint: Fingerprint
    baseline: Baseline | None = None
    profile: Profile = ""

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
