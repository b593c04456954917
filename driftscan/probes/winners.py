"""Which copy of a compiler or runtime wins: each recorded PATH, walked over what was found."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from driftscan.model import Collected, Item, Items, Partial, Section, Sections

KINDS = ("gcc", "python3", "perl", "php", "node", "ruby", "go", "java")
UNKNOWN = "unknown"
PLACES = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/opt/*/bin",
    "/opt/*/*/bin",
    "/usr/lib/jvm/*/bin",
    "/usr/lib/jvm/*/jre/bin",
    "/usr/local/*/bin",
    "/usr/lib/go*/bin",
)
"""Where copies are looked for, beside every PATH."""


def section(items: Items, gaps: list[str]) -> Section:
    """Partial when there are gaps."""
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def with_path(sections: Mapping[str, Section], scope: str, path: str) -> Sections:
    """The sections `path` and `winners` with another PATH in one scope, such as an image's ENV.

    Takes the sections of probe `runtimes` by name, facts and evidence together; gives the two that
    change, or none when the copies could not be collected. An empty part is the working directory.
    """
    needed = ("path", "winners", "runtimes", "runtime-copies")
    known = {name: sections.get(name) for name in needed}
    items: dict[str, Items] = {
        name: section.items
        for name, section in known.items()
        if isinstance(section, Collected | Partial)
    }
    if len(items) < len(needed):
        return {}
    directories = list(dict.fromkeys(part.rstrip("/") or "." for part in path.split(":")))
    paths = _without(items["path"], lambda key: key.partition("/")[0] == scope)
    for position, directory in enumerate(directories, 1):
        paths[f"{scope}/{directory}"] = {"position": position}
    winners = _without(items["winners"], lambda key: key.partition("@")[2] == scope)
    walked, gap = _walked(directories, items["runtime-copies"])
    for kind, winner in _winners(walked, items["runtime-copies"]):
        version = items["runtimes"].get(f"{kind}|{winner['real']}", {}).get("version", UNKNOWN)
        winners[f"{kind}@{scope}"] = {**winner, "version": version}
    gaps = [old for old in _gaps(known["winners"]) if not old.startswith(f"PATH of {scope}: ")]
    gaps += [f"PATH of {scope}: {gap}"] if gap else []
    return {"path": section(paths, _gaps(known["path"])), "winners": section(winners, gaps)}


def _without(items: Items, gone: Callable[[str], bool]) -> Items:
    return {key: item for key, item in items.items() if not gone(key)}


def _gaps(section: Section | None) -> list[str]:
    return section.gaps if isinstance(section, Partial) else []


def _walked(directories: Iterable[str], copies: Items) -> tuple[list[str], str]:
    """The directories up to the first that was never looked into: what is in it is not known."""
    walked: list[str] = []
    for directory in directories:
        if directory.startswith("/") and not _looked(directory, copies):
            return walked, f"{directory} was not looked into"
        walked.append(directory)
    return walked, ""


def _looked(directory: str, copies: Items) -> bool:
    if directory in copies:
        return copies[directory]["kind"] == "directory"
    closed = (path for path, item in copies.items() if item["kind"] == "closed")
    if any(directory.startswith(f"{path}/") for path in closed):
        return False
    return any(_matches(directory, place) for place in PLACES)


def _matches(directory: str, place: str) -> bool:
    return directory.count("/") == place.count("/") and fnmatchcase(directory, place)


def _winners(directories: Iterable[str], copies: Items) -> Iterator[tuple[str, Item]]:
    """The first copy of each kind in the order of the directories, links of them resolved."""
    for kind in KINDS:
        for directory in directories:
            real = copies.get(directory, {}).get("real") or directory
            copy = copies.get(f"{directory}/{kind}") or copies.get(f"{real}/{kind}")
            if copy:
                yield kind, {"path": f"{directory}/{kind}", "real": copy["real"]}
                break
