"""The databases of dnf5, dnf and yum -> transactions: who did what, when, by which command.

Schemas: dnf5's libdnf5/transaction/db/sql, libdnf's swdb/sql, yum's yum/history.py. `old` rows (of
what was replaced) are joined with the new one of the same name and architecture.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from driftscan.errors import ParseError
from driftscan.rpmdb import sqlite

NOBODY = (-1, 0xFFFFFFFF)
"""loginuid of what no login started: cron, a boot script, a container."""
MOST_ROWS = 400_000


class Transaction(Struct):
    """One transaction; packages by action (as in apt-history) and by `name.arch`.

    `begin` and `end` are seconds since 1970; `reasons` whether each package came automatically.
    """

    id: int
    begin: int
    end: int
    uid: int | None
    command: str
    failed: str = ""
    packages: dict[str, dict[str, str]] = {}
    repositories: dict[str, str] = {}
    automatic: set[str] = set()
    reasons: dict[str, bool] = {}


class Row(Struct, frozen=True):
    """What a transaction did with one package."""

    transaction: int
    action: str
    key: str
    version: str
    automatic: bool
    repository: str = ""


def of_dnf5(data: bytes, wal: bytes, path: str) -> list[Transaction]:
    """`transaction_history.sqlite`; raises ParseError for a file that is none."""
    with sqlite.opened(data, wal, path) as connection:
        tables = sqlite.tables(connection)
        names = "pkg_names" if "pkg_names" in tables else "pkg_name"
        archs = "archs" if "archs" in tables else "arch"
        columns = _columns(connection, "trans")
        command = "description" if "description" in columns else "cmdline"
        heads = _heads(
            connection,
            f"SELECT id, dt_begin, dt_end, user_id, {command}, state_id = 3 FROM trans",  # noqa: S608
            "dnf",
        )
        rows = connection.execute(
            "SELECT t.trans_id, a.name, n.name, h.name, r.epoch, r.version, r.release, "  # noqa: S608
            "s.name, p.repoid "
            "FROM trans_item t JOIN rpm r ON r.item_id = t.item_id "
            f"JOIN {names} n ON n.id = r.name_id JOIN {archs} h ON h.id = r.arch_id "
            "JOIN trans_item_action a ON a.id = t.action_id "
            "LEFT JOIN trans_item_reason s ON s.id = t.reason_id "
            "LEFT JOIN repo p ON p.id = t.repo_id WHERE t.state_id <> 3 ORDER BY t.id"
        )
        return _filled(heads, _rows(rows, _DNF5, lambda reason: reason in _DNF5_AUTOMATIC))


def of_dnf(data: bytes, wal: bytes, path: str) -> list[Transaction]:
    """`history.sqlite`; raises ParseError for a file that is none."""
    with sqlite.opened(data, wal, path) as connection:
        heads = _heads(
            connection,
            "SELECT id, dt_begin, dt_end, user_id, cmdline, state = 2 FROM trans",
            "dnf",
        )
        rows = connection.execute(
            "SELECT t.trans_id, t.action, r.name, r.arch, r.epoch, r.version, r.release, t.reason, "
            "p.repoid FROM trans_item t JOIN rpm r ON r.item_id = t.item_id "
            "LEFT JOIN repo p ON p.id = t.repo_id WHERE t.state <> 2 ORDER BY t.id"
        )
        return _filled(heads, _rows(rows, _DNF, lambda reason: reason in _DNF_AUTOMATIC))


def of_yum(data: bytes, _wal: bytes, path: str) -> list[Transaction]:
    """`history-DATE.sqlite`; raises ParseError for a file that is none."""
    with sqlite.opened(data, b"", path) as connection:
        tables = sqlite.tables(connection)
        command = "c.cmdline FROM trans_beg b LEFT JOIN trans_cmdline c ON c.tid = b.tid "
        if "trans_cmdline" not in tables:
            command = "'' FROM trans_beg b "
        command = command.replace(" FROM", ", e.return_code <> 0 FROM", 1)
        heads = _heads(
            connection,
            f"SELECT b.tid, b.timestamp, e.timestamp, b.loginuid, {command}"
            "LEFT JOIN trans_end e ON e.tid = b.tid",
            "yum",
        )
        source = "NULL"
        if "pkg_yumdb" in tables:
            source = (
                "(SELECT y.yumdb_val FROM pkg_yumdb y WHERE y.pkgtupid = p.pkgtupid "
                "AND y.yumdb_key = 'from_repo' LIMIT 1)"
            )
        rows = connection.execute(
            "SELECT t.tid, t.state, p.name, p.arch, p.epoch, p.version, p.release, t.state, "  # noqa: S608
            f"{source} FROM trans_data_pkgs t JOIN pkgtups p ON p.pkgtupid = t.pkgtupid "
            "ORDER BY t.rowid"
        )
        return _filled(heads, _rows(rows, _YUM, lambda state: state == "Dep-Install"))


# What each tool calls what it did; `old` is the replaced one. A change of reason is no change.
_DNF5: Mapping[object, str] = {
    "Install": "install",
    "Upgrade": "upgrade",
    "Downgrade": "downgrade",
    "Reinstall": "reinstall",
    "Remove": "remove",
    "Replaced": "old",
    "Reason Change": "reason",
}
_DNF5_AUTOMATIC = {"Dependency", "Weak Dependency", "Clean"}
_DNF: Mapping[object, str] = {
    1: "install",
    2: "downgrade",
    3: "old",
    4: "install",
    5: "remove",
    6: "upgrade",
    7: "old",
    8: "remove",
    9: "reinstall",
    10: "old",
    11: "reason",
}
_DNF_AUTOMATIC = {1, 3, 4}
_YUM: Mapping[object, str] = {
    "Install": "install",
    "True-Install": "install",
    "Dep-Install": "install",
    "Update": "upgrade",
    "Updated": "old",
    "Downgrade": "downgrade",
    "Downgraded": "old",
    "Reinstall": "reinstall",
    "Erase": "remove",
    "Obsoleting": "install",
    "Obsoleted": "remove",
}


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")}


def _heads(connection: sqlite3.Connection, query: str, tool: str) -> dict[int, Transaction]:
    heads: dict[int, Transaction] = {}
    for number, begin, end, uid, command, failed in connection.execute(query):
        heads[_number(number)] = Transaction(
            id=_number(number),
            begin=_number(begin),
            end=_number(end),
            uid=None if uid is None or _number(uid) in NOBODY else _number(uid),
            command=_command(str(command or ""), tool),
            failed=f"{tool} recorded that it failed" if failed else "",
        )
    return heads


def _number(value: object) -> int:
    return value if isinstance(value, int) and abs(value) < 1 << 53 else 0


def _command(text: str, tool: str) -> str:
    """dnf and yum record their arguments alone."""
    first = text.partition(" ")[0].rpartition("/")[2]
    named = first in ("dnf", "dnf5", "dnf-3", "yum", "microdnf") or not text
    return text if named else f"{tool} {text}"


def _rows(
    rows: Iterable[tuple[object, ...]],
    actions: Mapping[object, str],
    automatic: Callable[[object], bool],
) -> list[Row]:
    found: list[Row] = []
    for number, action, name, arch, epoch, version, release, reason, repository in rows:
        if len(found) >= MOST_ROWS:
            raise ParseError(f"the history has more than {MOST_ROWS} changes")
        told = actions.get(action)
        if told:
            evr = f"{version}-{release}"
            found.append(
                Row(
                    _number(number),
                    told,
                    f"{name}.{arch}",
                    evr if str(epoch) in ("0", "", "None") else f"{epoch}:{evr}",
                    automatic(reason),
                    str(repository or ""),
                )
            )
    return found


def _filled(heads: dict[int, Transaction], rows: list[Row]) -> list[Transaction]:
    old: dict[tuple[int, str], str] = {}
    for row in rows:
        if row.action == "old":
            old[row.transaction, row.key] = row.version
    for row in rows:
        head = heads.get(row.transaction)
        if head and row.action != "old":
            _add(head, row, old.get((row.transaction, row.key), ""))
    return list(heads.values())


def _add(head: Transaction, row: Row, old: str) -> None:
    if row.action != "remove":
        head.reasons[row.key] = row.automatic
    if row.action == "reason":
        return
    version = row.version
    if row.action in ("upgrade", "downgrade") and old:
        version = f"{old} -> {row.version}"
    head.packages.setdefault(row.action, {})[row.key] = version
    if row.action == "install" and row.automatic:
        head.automatic.add(row.key)
    if row.repository and row.action != "remove":
        head.repositories[row.key] = row.repository.lstrip("@")
