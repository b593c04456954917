"""What dnf and yum recorded: transactions with time, account and command; what came automatically.

Their databases come over and are read here. Evidence: the newest of those that are there is told.
Times are UTC: they are seconds in the databases. The account is the one that logged in (loginuid).
"""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from driftscan.model import (
    Absent,
    Collected,
    Denied,
    Files,
    Item,
    Items,
    Lines,
    Partial,
    Payload,
    Raw,
    Section,
    Shell,
)
from driftscan.probes import carried, rpm_transactions
from driftscan.probes.contract import About
from driftscan.probes.rpm_transactions import Transaction
from driftscan.probes.twins import rpm as twin
from driftscan.probes.twins.rpm import DNF, DNF5, YUM

NAME = "rpm-history"
REASONS = "/usr/lib/sysimage/libdnf5/packages.toml"

ASK = (
    Shell(
        "databases",
        f"""
y=
for f in {YUM}history-*.sqlite; do y=$f; done
set -- {DNF5} {DNF5}-wal {DNF} {DNF}-wal "$y"
"""
        + carried.LOOP,
        twin.history,
    ),
    Files((REASONS,)),
    # Whose numbers the transactions name: an account of a directory service has no line here.
    Lines("accounts", ("/etc",), "passwd", "^[^:]*:[^:]*:(0|[0-9]{4,}):", path=False),
)
GIVES = (
    About(
        "rpm-history",
        "evidence",
        "START#N; N orders equal starts",
        "start, end, zone (UTC), id, command, user, uid, error, automatic, install, reinstall, "
        "upgrade, downgrade, remove, repositories (of what came)",
        privilege="any user; yum's: root",
        cost="10 ms, and 30 ms for each MB of history",
    ),
    About("rpm-auto", "evidence", "as rpm", "auto"),
)

# In this order: a machine that was upgraded to the next tool keeps the older one's record.
_READERS = (
    (DNF5, rpm_transactions.of_dnf5),
    (DNF, rpm_transactions.of_dnf),
    (YUM, rpm_transactions.of_yum),
)
_ACCOUNT = re.compile(r"([^:]{1,256}):[^:]*:([0-9]{1,10}):.*")


def parse(raw: Raw) -> Mapping[str, Section]:
    """Both sections; raises ParseError for a database that did not come over whole or is none."""
    payload = raw.outputs.get("databases", Payload(()))
    closed = [line.removeprefix("denied ") for line in payload.lines if line.startswith("denied ")]
    files = carried.files(line for line in payload.lines if not line.startswith("denied "))
    transactions: list[Transaction] = []
    for prefix, read in _READERS:
        path = next((path for path in files if path.startswith(prefix)), "")
        if path:
            transactions += read(files[path], files.get(f"{path}-wal", b""), path)
    if closed and not transactions:
        return _all(Denied(cure=f"read access to {closed[0]}, or --become"))
    if not files:
        return _all(Absent())
    gaps = [f"{path}: denied" for path in closed]
    transactions.sort(key=lambda one: (one.begin, one.id))
    items = _items(transactions, _names(raw.outputs.get("accounts", Payload(()))))
    history: Section = Partial(items=items, gaps=gaps) if gaps else Collected(items=items)
    return {"rpm-history": history, "rpm-auto": Collected(items=_automatic(transactions, raw))}


def _all(section: Section) -> dict[str, Section]:
    return {about.name: section for about in GIVES}


def _names(payload: Payload) -> dict[int, str]:
    found: dict[int, str] = {}
    for line in payload.lines:
        match = _ACCOUNT.fullmatch(line)
        if match:
            found.setdefault(int(match[2]), match[1])
    return found


def _items(transactions: list[Transaction], names: Mapping[int, str]) -> Items:
    seen: Counter[str] = Counter()
    items: Items = {}
    for one in transactions:
        start = _time(one.begin)
        items[f"{start}#{seen[start]:02}"] = _item(one, names)
        seen[start] += 1
    return items


def _time(seconds: int) -> str:
    """Seconds since 1970 as apt writes a time; nothing for what no clock shows."""
    if not 0 < seconds < 1 << 35:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _item(one: Transaction, names: Mapping[int, str]) -> Item:
    whole: Item = {
        "start": _time(one.begin),
        "zone": "UTC",
        "id": str(one.id),
        "end": _time(one.end),
        "command": one.command,
        "uid": one.uid,
        "user": names.get(one.uid) if one.uid is not None else None,
        "error": one.failed,
        "automatic": sorted(one.automatic),
        **{action: dict(sorted(packages.items())) for action, packages in one.packages.items()},
        "repositories": dict(sorted(one.repositories.items())),
    }
    return {name: value for name, value in whole.items() if value or value == 0}


def _automatic(transactions: list[Transaction], raw: Raw) -> Items:
    """The last reason that was recorded for each package; dnf5 keeps a list of its own."""
    payload = raw.files.get(REASONS)
    reasons = _listed(payload) if payload else None
    if reasons is None:
        reasons = {}
        for one in transactions:
            reasons.update(one.reasons)
            for package in one.packages.get("remove", {}):
                reasons.pop(package, None)
    return {key: {"auto": True} for key, auto in sorted(reasons.items()) if auto}


_DEPENDENCY = {"Dependency", "Weak Dependency", "Clean"}


def _listed(payload: Payload) -> dict[str, bool] | None:
    """dnf5's `packages.toml`: a table of `name.arch` with a reason; None if it is no such file."""
    try:
        packages = tomllib.loads("\n".join(payload.lines)).get("packages")
    except tomllib.TOMLDecodeError:
        return None
    if not isinstance(packages, dict):
        return None
    return {
        key: value.get("reason") in _DEPENDENCY
        for key, value in packages.items()
        if isinstance(value, dict)
    }
