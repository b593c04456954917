"""Who is hit: running programs that load what differs, and how far that is known."""

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from driftscan.explain.case import Case
from driftscan.model import Collected, Divergence, Item, Use, Want
from driftscan.model.managers import DPKG, is_package

# A library is called so; anything else that is mapped and ends in .so is opened as a module.
_MODULE = re.compile(r"/(?!lib)[^/]+\.so$")


def wants(case: Case) -> list[Want]:
    """The programs of sources that changed and were asked for: somebody means to call them."""
    groups: dict[str, list[str]] = {}
    for divergence in case.comparison.divergences:
        if divergence.section == DPKG.section and divergence.kind == "changed":
            groups.setdefault(divergence.group, []).append(divergence.key)
    return [
        Want(side="subject", kind="programs", name=name)
        for _, members in sorted(groups.items())
        if any(case.requested(member) for member in members)
        for name in sorted(members)
    ]


def tools(case: Case, members: Iterable[Divergence]) -> list[str]:
    """The programs among the members, as far as the second trip told, in order."""
    told = case.details(case.subject, "programs")
    lists = (told.get(d.key, {}).get("programs") for d in members if is_package(d))
    return sorted({path for paths in lists if isinstance(paths, list) for path in paths})


def known(case: Case) -> bool:
    """Whether every process of the subject could be looked at."""
    return isinstance(case.subject.fingerprint.evidence.get("processes"), Collected)


def uses(case: Case, packages: Iterable[str]) -> list[Use]:
    """The subject's running programs that map a file of the packages, in order."""
    wanted = set(packages)
    return _users(case, lambda _path, owner: owner in wanted)


def users(case: Case, members: Iterable[Divergence]) -> list[Use]:
    """The subject's running programs that map what differs, whatever it is, in order."""
    here = [d for d in members if d.subject is not None]
    packages = {d.key for d in here if is_package(d)}
    files = {path for d in here for path in _files(d)}
    places = {d.key for d in here if d.section == "vendored"}
    programs = {d.key for d in here if d.section == "processes"}

    def wanted(path: str, owner: str) -> bool:
        return owner in packages or path in files or path.rpartition("/")[0] in places

    return [*_users(case, wanted), *_stale(case, programs)]


def _files(divergence: Divergence) -> list[str]:
    """The names by which a process may map an item that no package owns."""
    item = divergence.subject or {}
    if divergence.section == "programs":
        return [divergence.key, str(item.get("target", ""))]
    if divergence.section == "libraries" and not item.get("owner"):
        soname, _, rest = divergence.key.partition("|")
        return [f"{rest.rpartition('|')[2]}/{soname}", str(item.get("target", ""))]
    return []


def _users(case: Case, wanted: Callable[[str, str], bool]) -> list[Use]:
    found: list[Use] = []
    for key, item in sorted(case.evidence(case.subject, "processes").items()):
        loads = item.get("loads")
        mapped = loads.items() if isinstance(loads, dict) else ()
        files = sorted(path for path, owner in mapped if wanted(path, owner))
        found += _use(case, key, item, files)
    return found


def _stale(case: Case, programs: set[str]) -> list[Use]:
    """Programs that differ by what they run: told with the files that are gone."""
    items = case.evidence(case.subject, "processes")
    return [
        use
        for key in sorted(programs)
        for use in _use(case, key, items.get(key, {}), sorted(_deleted(items.get(key, {}))))
    ]


def _use(case: Case, key: str, item: Item, files: list[str]) -> list[Use]:
    count, ports = item.get("count"), item.get("ports")
    if not files or not isinstance(count, int):
        return []
    program, _, service = key.partition("|")
    return [
        Use(
            program=program,
            service=service,
            processes=count,
            files=files,
            via=_modules(case, program, item, files),
            ports=ports if isinstance(ports, list) else [],
            stale=not _deleted(item).isdisjoint(files),
        )
    ]


def _modules(case: Case, program: str, item: Item, files: list[str]) -> list[str]:
    """Modules of the program whose package needs one of the files': why these are loaded at all.

    DT_NEEDED of the program itself does not tell: it opens modules at run time. Nor are they the
    reason where the program's own package needs it too.
    """
    loads = item.get("loads")
    owners = loads if isinstance(loads, dict) else {}
    wanted = {owners[path] for path in files if owners.get(path)}
    if _needs(case, owners.get(program, ""), wanted):
        return []
    return sorted(
        {
            PurePosixPath(path).name
            for path, owner in owners.items()
            if owner not in wanted and _MODULE.search(path) and _needs(case, owner, wanted)
        }
    )


def _needs(case: Case, package: str, wanted: set[str]) -> bool:
    groups = case.graph.groups(package, recommends=False) if package else []
    return any(wanted & group for group in groups)


def _deleted(item: Item) -> set[str]:
    deleted = item.get("deleted")
    return set(deleted) if isinstance(deleted, list) else set()


def cites(case: Case, found: Iterable[Use]) -> list[str]:
    """The processes of the subject that statements about these programs rest on."""
    keys = sorted({f"{use.program}|{use.service}" for use in found})
    return case.cite(case.subject, "processes", *keys)


def name(use: Use) -> str:
    """The unit without its suffix, else the program's own name."""
    return use.service.removesuffix(".service") or PurePosixPath(use.program).name
