"""Which running programs of the subject map a file: the proof that a copy is the one in use."""

from collections.abc import Callable
from pathlib import PurePosixPath

from driftscan.explain.case import Case
from driftscan.model import Evidence, Item


def maps(case: Case, wanted: Callable[[str], bool]) -> list[Evidence]:
    """One proven statement for each program that maps a file so wanted, in order."""
    found: list[Evidence] = []
    for key, item in sorted(case.evidence(case.subject, "processes").items()):
        loads = item.get("loads")
        files = sorted(filter(wanted, loads)) if isinstance(loads, dict) else []
        if files:
            text = f"{program(key)} maps {some(files)}{_count(item)}"
            cites = case.cite(case.subject, "processes", key)
            found.append(Evidence(text=text, confidence="proven", cites=cites))
    return found


def runs(case: Case, path: str) -> list[Evidence]:
    """The running programs whose executable is the file."""
    return [
        Evidence(
            text=f"{program(key)} runs it{_count(item)}",
            confidence="proven",
            cites=case.cite(case.subject, "processes", key),
        )
        for key, item in sorted(case.evidence(case.subject, "processes").items())
        if key.partition("|")[0] == path
    ]


def program(key: str) -> str:
    """`/usr/sbin/php-fpm8.2|php8.2-fpm.service` -> its unit, else the program's own name."""
    path, _, service = key.partition("|")
    return service.removesuffix(".service") or PurePosixPath(path).name


def some(names: list[str]) -> str:
    """The first three, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _count(item: Item) -> str:
    count = item.get("count")
    return f" ({count} process{'' if count == 1 else 'es'})" if isinstance(count, int) else ""
