"""The question of the alternatives, read from files."""

from collections.abc import Iterator

from driftscan.model import Tree
from driftscan.probes.twins import tools

_LOGGED = r"^update-alternatives [0-9: -]+ run with --(set|config) "
_LOGS = ("/var/log/alternatives.log.1", "/var/log/alternatives.log")


def read(tree: Tree) -> Iterator[str]:
    """Databases, those in manual mode with their targets, and what was logged of them."""
    named = False
    for database in ("/var/lib/dpkg/alternatives", "/var/lib/alternatives"):
        if not tools.is_directory(tree, database):
            continue
        yield f"database {database}"
        if not tree.readable(database):
            yield f"denied {database}"
            continue
        for path in tools.expand(tree, f"{database}/*"):
            if tools.lines(tree, path)[:1] == ["manual"]:
                named = True
                name = path.rpartition("/")[2]
                link = tree.lstat(f"/etc/alternatives/{name}")
                yield f"manual {name}"
                yield f"target {link.target if link else ''}"
    for line in tools.grep(tree, _LOGGED, _LOGS if named else ()):
        yield "log " + line.partition(":update-alternatives ")[2]
