"""Settings of the machine itself that differ: kernel, limits, mounts, accounts, services, names."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from driftscan.explain import filetimes
from driftscan.explain.case import Case
from driftscan.explain.wording import some
from driftscan.model import Cause, Divergence, Evidence, Item, Side, Want


class Kind(Struct, frozen=True):
    """Sections that one cause tells together, and what people call one item of them."""

    sections: tuple[str, ...]
    one: str
    many: str
    fields: tuple[str, ...] = ()

    def tells(self, divergence: Divergence) -> bool:
        """Whether it is of a section; of one where other causes are at home, only these fields."""
        own = not self.fields or divergence.changes.keys() == {*self.fields}
        return divergence.section in self.sections and own


KINDS: dict[str, Kind] = {
    "boot": Kind(("boot",), "kernel parameter", "kernel parameters"),
    "modules": Kind(("modules",), "kernel module", "kernel modules"),
    "cpu": Kind(("cpu",), "CPU", "CPUs"),
    "sysctl": Kind(("sysctl", "sysctl-settings"), "kernel setting", "kernel settings"),
    "limits": Kind(("limits",), "limit", "limits"),
    "mounts": Kind(("mounts", "fstab"), "mount", "mounts"),
    "accounts": Kind(("users", "groups"), "account or group", "accounts and groups"),
    "sudo": Kind(("sudo",), "rule of sudo", "rules of sudo"),
    "sshd": Kind(("sshd",), "setting of sshd", "settings of sshd"),
    "authorized-keys": Kind(("authorized-keys",), "key that may log in", "keys that may log in"),
    "services": Kind(
        ("units", "init-scripts", "failed-units"), "start-up setting", "start-up settings"
    ),
    "apps": Kind(("apps",), "directory of applications", "directories of applications"),
    "files": Kind(("files",), "configuration file", "configuration files"),
    "cron": Kind(("cron",), "job of cron", "jobs of cron"),
    "names": Kind(
        ("resolver", "hosts", "name-services"), "setting of name lookup", "settings of name lookup"
    ),
    "time": Kind(("timezone", "time-servers"), "setting of the clock", "settings of the clock"),
    "locale": Kind(("locale",), "locale setting", "locale settings"),
    "certificates": Kind(("certificates",), "trusted certificate", "trusted certificates"),
    "signatures": Kind(
        ("repositories",), "signature of a repository", "signatures of repositories", ("signed",)
    ),
}
"""Subject of a cause `settings-differ` -> what it tells."""

_MOST = 20  # differences told one by one


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`settings-differ`: one cause a kind, however many of its items differ."""
    found: list[Cause] = []
    for subject, kind in KINDS.items():
        members = [d for d in open_ if kind.tells(d)]
        if members:
            found.append(_differ(case, subject, kind, members))
    return found


def _differ(case: Case, subject: str, kind: Kind, members: Sequence[Divergence]) -> Cause:
    keys = sorted({d.key for d in members})
    first = [next(d for d in members if d.key == key) for key in keys]
    told = some([_told(case, d) for d in first], 2)
    here = [d for d in members if d.section == "files" and d.subject is not None]
    lead = kind.one if len(keys) == 1 else f"{len(keys)} {kind.many} differ:"
    return Cause(
        type="settings-differ",
        subject=subject,
        text=f"{lead} {told}",
        confidence="recorded",
        claims=[d.id for d in members],
        evidence=[e for d in members[:_MOST] for e in (_compared(case, d), *_set(case, d))],
        host_record=filetimes.record(case, "file-times", [d.key for d in here]),
    )


def _told(case: Case, divergence: Divergence) -> str:
    """What differs of one item, in a few words."""
    subject, reference = case.subject.label, case.reference.label
    if divergence.kind == "extra":
        return f"{divergence.key}{_value(divergence.subject)} is only on {subject}"
    if divergence.kind == "missing":
        return f"{divergence.key}{_value(divergence.reference)} is only on {reference}"
    if set(divergence.changes) == {"digest"}:
        return f"{divergence.key} has another text on {subject} than on {reference}"
    name, (ours, theirs) = next(iter(divergence.changes.items()))
    field = "" if name == "value" else f" ({name.replace('_', ' ')})"
    return (
        f"{divergence.key}{field} is {_plain(ours)} on {subject}, {_plain(theirs)} on {reference}"
    )


def _plain(value: object) -> object:
    return (", ".join(map(str, value)) if isinstance(value, list) else value) or "not set"


def _value(item: Item | None) -> str:
    value = (item or {}).get("value")
    return f"={value}" if value else ""


def _sides(case: Case, divergence: Divergence) -> Iterator[tuple[Side, Item]]:
    for side, item in ((case.subject, divergence.subject), (case.reference, divergence.reference)):
        if item is not None:
            yield side, item


def _compared(case: Case, divergence: Divergence) -> Evidence:
    sides = list(_sides(case, divergence))
    return Evidence(
        text=f"{divergence.section}: {_told(case, divergence)}",
        confidence="recorded",
        cites=[c for side, _ in sides for c in case.cite(side, divergence.section, divergence.key)],
    )


def _set(case: Case, divergence: Divergence) -> Iterator[Evidence]:
    """Which file sets what runs; or that what a file says was never applied, or is no more."""
    if divergence.section != "sysctl":
        return
    for side, item in _sides(case, divergence):
        key, value = divergence.key, str(item.get("value", ""))
        wanted = case.facts(side, "sysctl-settings").get(key, {}).get("value")
        place = f"sysctl-settings:{key}"
        file = case.evidence(side, "tuning-files").get(place, {}).get("file")
        if wanted is None or file is None:
            continue
        same = wanted == value
        text = f"{file} of {side.label} sets it" if same else (
            f"{file} of {side.label} says {key}={wanted}, but {value} is what runs: "
            "it was not applied, or something else set it since"
        )  # fmt: skip
        cites = case.cite(side, "sysctl-settings", key) + case.cite(side, "tuning-files", place)
        cites += case.cite(side, "sysctl", key)
        yield Evidence(text=text, confidence="recorded", cites=cites)
