"""Where pacman takes packages from, in the order that decides between them (pacman.conf(5))."""

from collections.abc import Mapping

from driftscan.model import Absent, Collected, Denied, Files, Item, Items, Partial, Raw, Section
from driftscan.probes import pacman_conf, reading
from driftscan.probes.contract import About

NAME = "pacman-repositories"
ASK = (Files(pacman_conf.FILES),)
GIVES = (
    About("repositories", "facts", "pacman/NAME", "position", cost="8 ms"),
    About("repository-sources", "evidence", "as repositories", "urls, places"),
)


def parse(raw: Raw) -> Mapping[str, Section]:
    """The two sections; raises ParseError naming file and line that pacman would refuse too."""
    for path in reading.denied(raw):
        if path.startswith("/etc/pacman") or path == "/etc":
            cure = Denied(cure=f"read access to {path}, or --become")
            return {about.name: cure for about in GIVES}
    if pacman_conf.MAIN not in raw.files:
        return {about.name: Absent() for about in GIVES}
    conf = pacman_conf.read(raw.files)
    gaps = [f"{path}, which is included, was not read" for path in dict.fromkeys(conf.unread)]
    repositories: Items = {
        f"pacman/{name}": {"position": position} for position, name in enumerate(conf.repositories)
    }
    sources = {f"pacman/{name}": _source(lines) for name, lines in conf.repositories.items()}
    return {
        "repositories": _section(repositories, gaps),
        "repository-sources": _section(sources, gaps),
    }


def _section(items: Items, gaps: list[str]) -> Section:
    return Partial(items=items, gaps=gaps) if gaps else Collected(items=items)


def _source(lines: list[pacman_conf.Line]) -> Item:
    return {
        "urls": list(dict.fromkeys(line.value for line in lines)),
        "places": list(dict.fromkeys(line.place for line in lines)),
    }
