"""Programs that run code which is no longer installed: no fact differs, and yet a host is stale."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from driftscan.explain import loaded, windows
from driftscan.explain.case import Case
from driftscan.explain.pairs import read
from driftscan.explain.records import newest
from driftscan.model import Cause, Divergence, Evidence, HostRecord, Item, Level, Want

SECTION = "processes"
_MOST = 10


def wants(case: Case) -> list[Want]:
    """The changelogs of what stale programs still run: whether that was broken meanwhile."""
    found = {
        each.source: each
        for divergence in stale(case)
        for each in ran(case, divergence.key)
        if each.old
    }
    return [
        Want(
            side="subject",
            kind=case.records.manager.changelogs,
            name=each.source,
            names=tuple(_binaries(case, each.source)),
            version=each.source_version,
        )
        for each in sorted(found.values(), key=lambda r: r.source)[:_MOST]
    ]


def _binaries(case: Case, source: str) -> list[str]:
    packages = case.packages(case.subject)
    return sorted(
        name
        for name, item in packages.items()
        if item.get("source") == source and item.get("status") != "config-files"
    )


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


class Ran(Struct, frozen=True):
    """A source package of which a program runs files that are gone; `old` is what it runs, if
    the log tells, and `keys` the transactions that say so."""

    source: str
    source_version: str
    owners: list[str]
    version: str
    old: str = ""
    keys: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.source} {self.version}".rstrip()


def _stale(case: Case, divergence: Divergence) -> Cause:
    key = divergence.key
    item = case.evidence(case.subject, SECTION)[key]
    deleted = _deleted(item)
    gone = ran(case, key)
    fails = [told for each in gone for told in _broken(case, key, each)]
    level: Level = "breaks" if fails else "in-use"
    return Cause(
        type="stale-process",
        subject=loaded.program(key),
        text=_text(case, key, deleted, gone),
        confidence="proven",
        level=level,
        claims=[divergence.id],
        evidence=[
            _mapped(case, key, item, deleted),
            *fails,
            *(told for each in gone for told in _versions(case, key, item, each)),
        ],
        host_record=_changed(case, key, [owner for each in gone for owner in each.owners]),
    )


def _text(case: Case, key: str, deleted: Sequence[str], ran: Sequence[Ran]) -> str:
    who = f"{loaded.program(key)} on {case.subject.label}"
    if ran and all(each.old for each in ran):
        old = loaded.some([f"{each.source} {each.old}" for each in ran])
        new = loaded.some([each.version for each in ran])
        return f"{who} still runs {old}, although {new} is installed"
    names = loaded.some([path.rpartition("/")[2] for path in deleted])
    verb = "was" if len(deleted) == 1 else "were"
    instead = f", although {loaded.some([each.name for each in ran])} is installed" if ran else ""
    return f"{who} runs {names}, which {verb} replaced or removed since{instead}"


def ran(case: Case, key: str) -> list[Ran]:
    """What a stale program of the subject still runs."""
    return _ran_of(case, case.evidence(case.subject, SECTION).get(key, {}))


def _ran_of(case: Case, item: Item) -> list[Ran]:
    """The sources that own what stands at the paths of the files that are gone."""
    loads = item.get("loads")
    owner_of = loads if isinstance(loads, dict) else {}
    packages = case.packages(case.subject)
    owners: dict[str, list[str]] = {}
    for owner in sorted({owner_of[path] for path in _deleted(item) if owner_of.get(path)}):
        source = str(packages.get(owner, {}).get("source", owner))
        owners.setdefault(source, []).append(owner)
    found: list[Ran] = []
    for source, names in sorted(owners.items()):
        lead = packages.get(names[0], {})
        old, keys = _old(case, names[0], item)
        found.append(
            Ran(
                source=source,
                source_version=str(lead.get("source_version", "")),
                owners=names,
                version=str(lead.get("version", "")),
                old=old,
                keys=keys,
            )
        )
    return found


def _old(case: Case, owner: str, item: Item) -> tuple[str, tuple[str, ...]]:
    """The version that was installed when the program started, and the entries that tell."""
    started = case.records.local(item.get("started"))
    old, keys = "", tuple[str, ...]()
    for transaction in reversed(case.records.transactions if started else []):
        if transaction.start < started:
            break
        done = transaction.operations.get(owner)
        if done and done.old:
            old, keys = done.old, (*keys, *transaction.keys)
    return old, keys


def _broken(case: Case, key: str, ran: Ran) -> list[Evidence]:
    """The broken windows that what runs lies in, by the changelog of what is installed."""
    manager = case.records.manager
    lines = case.details(case.subject, manager.changelogs).get(ran.source, {}).get("lines")
    if not ran.old or not isinstance(lines, list):
        return []
    changelog = read(manager.ecosystem, tuple(lines), ran.source)
    found = windows.windows(changelog, ran.old, ran.source_version, manager.ecosystem)
    cites = [
        *case.cite(case.subject, SECTION, key),
        *case.cite_changelogs(case.subject, ran.source),
        *case.records.cites(case.records.manager.history, *ran.keys),
    ]
    return [
        Evidence(
            text=f"{each.reference}: broken since {each.introduced} ({each.introduced_date[:10]}), "
            f"fixed in {each.fixed} ({each.fixed_date[:10]}); what runs lies between: {each.text}",
            confidence="recorded",
            cites=cites,
        )
        for each in found[:1]
    ]


def _mapped(case: Case, key: str, item: Item, deleted: Sequence[str]) -> Evidence:
    count = item.get("count")
    who = f"{count} process{'' if count == 1 else 'es'}" if isinstance(count, int) else "it"
    verb = "map" if who != "it" and count != 1 else "maps"
    return Evidence(
        text=f"{who} {verb} (deleted) {', '.join(deleted)}",
        confidence="proven",
        cites=case.cite(case.subject, SECTION, key),
    )


def _versions(case: Case, key: str, item: Item, ran: Ran) -> list[Evidence]:
    """Since when another version is there than the one that runs."""
    record = _newest(case, ran.owners)
    if record is None:
        return []
    cites = [*case.cite_packages(case.subject, ran.owners[0]), *record.cites]
    cites += case.cite(case.subject, SECTION, key)
    since, moment = "", record.time
    if ran.old:
        moment, started = _apart(case, record.time, item, ran)
        since = f"; the program started {started}, when {ran.old} was"
        cites += case.records.cites(case.records.manager.history, *ran.keys)
    sure = "probably " if record.confidence == "inferred" else ""
    by = f" by {record.user}" + (f": {record.command}" if record.command else "")
    when = f"{moment} {record.zone}".rstrip()
    text = f"{ran.name} is there {sure}since {when}{by}{since}"
    return [Evidence(text=text, confidence=record.confidence, cites=sorted({*cites}))]


def _apart(case: Case, changed: str, item: Item, ran: Ran) -> tuple[str, str]:
    """When the package changed and when the program started: to the second in one minute.

    By the end of the change the package was there.
    """
    started = case.records.local(item.get("started"))
    whole = [t.end for t in case.records.transactions if {*t.keys} & {*ran.keys}]
    same = [moment for moment in whole if changed == started[:16] <= moment]
    return (max(same), started) if same else (changed, started[:16])


def _changed(case: Case, key: str, owners: Sequence[str]) -> HostRecord | None:
    """The record of the cause: that it is about these packages only the process tells."""
    record = _newest(case, owners)
    cites = case.cite(case.subject, SECTION, key)
    return replace(record, cites=[*record.cites, *cites]) if record else None


def _newest(case: Case, owners: Sequence[str]) -> HostRecord | None:
    """The last change of those packages: what the program did not survive to see."""
    return newest(case.records.record(owner) for owner in owners)
