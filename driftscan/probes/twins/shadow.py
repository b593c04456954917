"""The twin of the question whether passwords are set: of each account one word, no hash."""

from collections.abc import Iterator

from driftscan.model import Tree
from driftscan.probes.twins import tools

_PATH = "/etc/shadow"


def read(tree: Tree) -> Iterator[str]:
    """`state NAME set|locked|none`."""
    if not tools.exists(tree, _PATH):
        return
    if not tree.readable(_PATH):
        yield f"closed {_PATH}"
    for line in tools.lines(tree, _PATH):
        name, _, rest = line.partition(":")
        secret = rest.partition(":")[0]
        state = "none" if not secret else "locked" if secret[0] in "!*" else "set"
        yield f"state {name} {state}"
