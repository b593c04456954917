"""The accept file as nouns: rules, and the values that each of them pins."""

from driftscan.model.found import Noun


class Pin(Noun, frozen=True, kw_only=True):
    """One difference as it was accepted: `digest` decides, both sides' values are for readers."""

    id: str
    digest: str
    subject: str = ""
    reference: str = ""


class Rule(Noun, frozen=True, kw_only=True):
    """One entry: the id of a finding or a cause, its scope (a host, a group, or all), and why.

    `until` is the last day (ISO 8601, UTC) on which it counts, `line` its place in the file.
    """

    id: str
    reason: str
    owner: str
    until: str
    ticket: str = ""
    host: str = ""
    group: str = ""
    values: list[Pin] = []
    line: int = 0

    @property
    def scope(self) -> tuple[str, str, str]:
        """What makes it another rule than the next one, and their order in a file."""
        return self.id, self.group, self.host

    @property
    def told(self) -> str:
        """Its id, and where it is not for every host, its scope."""
        where = f" on {self.host}" if self.host else f" in {self.group}" if self.group else ""
        return self.id + where


class Rules(Noun, frozen=True, kw_only=True):
    """A whole accept file, or none."""

    path: str = ""
    rules: list[Rule] = []
