"""Programs that run code which is no longer installed: no fact differs, and yet a host is stale."""

from collections.abc import Sequence

from driftscan.explain import loaded
from driftscan.explain.case import Case
from driftscan.model import Cause, Divergence, Evidence, HostRecord, Item, Want

SECTION = "processes"


def wants(case: Case) -> list[Want]:
    """Nothing: the first trip tells all."""
    del case
    return []


def stale(case: Case) -> list[Divergence]:
    """The subject's programs that map files deleted since: differences of their own.

    They are evidence of the moment and no facts, so the comparison does not know them.
    """
    return [
        Divergence(
            section=SECTION,
            key=key,
            kind="changed",
            subject={"deleted": deleted},
            changes={"deleted": [", ".join(deleted), ""]},
            group=key,
        )
        for key, item in sorted(case.evidence(case.subject, SECTION).items())
        if (deleted := _deleted(item))
    ]


def _deleted(item: Item) -> list[str]:
    deleted = item.get("deleted")
    return sorted(deleted) if isinstance(deleted, list) else []


def claim(case: Case, open_: Sequence[Divergence]) -> list[Cause]:
    """`stale-process`, proven by the kernel's maps, with what is installed instead."""
    return [_stale(case, divergence) for divergence in open_ if divergence.section == SECTION]


def _stale(case: Case, divergence: Divergence) -> Cause:
    key = divergence.key
    item = case.evidence(case.subject, SECTION)[key]
    deleted = _deleted(item)
    names = [path.rpartition("/")[2] for path in deleted]
    owners = _owners(item, deleted)
    installed = [_installed(case, owner) for owner in owners]
    record = _newest(case, owners)
    instead = f", although {loaded.some(installed)} is installed" if installed else ""
    return Cause(
        type="stale-process",
        subject=loaded.program(key),
        text=f"{loaded.program(key)} on {case.subject.label} runs {loaded.some(names)}, "
        f"which was replaced or removed since{instead}",
        confidence="proven",
        level="in-use",
        claims=[divergence.id],
        evidence=[_mapped(case, key, item, deleted), *_versions(case, owners)],
        host_record=record,
    )


def _owners(item: Item, deleted: Sequence[str]) -> list[str]:
    """The packages that own what stands at those paths now."""
    loads = item.get("loads")
    owners = loads if isinstance(loads, dict) else {}
    return sorted({owners[path] for path in deleted if owners.get(path)})


def _installed(case: Case, owner: str) -> str:
    version = case.facts(case.subject, "dpkg").get(owner, {}).get("version", "")
    return f"{owner} {version}".rstrip()


def _mapped(case: Case, key: str, item: Item, deleted: Sequence[str]) -> Evidence:
    count = item.get("count")
    who = f"{count} process{'' if count == 1 else 'es'}" if isinstance(count, int) else "it"
    verb = "map" if who != "it" and count != 1 else "maps"
    return Evidence(
        text=f"{who} {verb} (deleted) {', '.join(deleted)}",
        confidence="proven",
        cites=case.cite(case.subject, SECTION, key),
    )


def _versions(case: Case, owners: Sequence[str]) -> list[Evidence]:
    """Since when the packages are there in the version that is not the one that runs."""
    found: list[Evidence] = []
    for owner in owners:
        record = case.records.record(owner)
        if record is None:
            continue
        sure = "probably " if record.confidence == "inferred" else ""
        by = f", by {record.user}" + (f": {record.command}" if record.command else "")
        found.append(
            Evidence(
                text=f"{_installed(case, owner)} is there {sure}since {record.time}"
                f"{f' {record.zone}' if record.zone else ''}{by}",
                confidence=record.confidence,
                cites=[*case.cite(case.subject, "dpkg", owner), *record.cites],
            )
        )
    return found


def _newest(case: Case, owners: Sequence[str]) -> HostRecord | None:
    """The last change of those packages: what the program did not survive to see."""
    records = [r for owner in owners if (r := case.records.record(owner)) is not None]
    return max(records, key=lambda r: (r.confidence == "recorded", r.time, r.command), default=None)
