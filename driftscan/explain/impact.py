"""Who is hit: running programs that load what differs, and how far that is known."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from driftscan.explain.case import Case
from driftscan.model import Collected, Use


def known(case: Case) -> bool:
    """Whether every process of the subject could be looked at."""
    return isinstance(case.subject.fingerprint.evidence.get("processes"), Collected)


def uses(case: Case, packages: Iterable[str]) -> list[Use]:
    """The subject's running programs that map a file of the packages, in order."""
    wanted = set(packages)
    found: list[Use] = []
    for key, item in sorted(case.evidence(case.subject, "processes").items()):
        loads, count = item.get("loads"), item.get("count")
        if not isinstance(loads, dict) or not isinstance(count, int):
            continue
        files = sorted(path for path, owner in loads.items() if owner in wanted)
        if files:
            program, _, service = key.partition("|")
            found.append(Use(program=program, service=service, processes=count, files=files))
    return found


def name(use: Use) -> str:
    """The unit without its suffix, else the program's own name."""
    return use.service.removesuffix(".service") or PurePosixPath(use.program).name
