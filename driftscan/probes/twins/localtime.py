"""The twin of the question where /etc/localtime leads."""

import hashlib
from collections.abc import Iterator

from driftscan.model import Tree
from driftscan.probes.twins import tools

_PATH = "/etc/localtime"


def read(tree: Tree) -> Iterator[str]:
    """`link TARGET`, or of a file `sum SHA256  PATH`."""
    node = tree.lstat(_PATH)
    if tools.is_link(tree, _PATH) and node is not None:
        yield f"link {node.target}"
    elif tools.is_file(tree, _PATH) and tree.readable(_PATH):
        yield f"sum {hashlib.sha256(tree.read(_PATH, tools.LARGEST)).hexdigest()}  {_PATH}"
