"""Wants that were captured on a real machine: `python -m tests.probes.wanted MACHINE -- COMMAND`.

The command gets the script on its standard input, such as `docker exec -i HOST sh -s`; the answer
becomes captured/MACHINE/wanted.txt.gz.
"""

import sys

from driftscan.details.asking import learned, questions_for
from driftscan.model import Answer, Want
from driftscan.probes.contract import Learned
from tests.probes.capture import NONCE, ask, keep
from tests.probes.conftest import read_captured

MAGICK = "8:6.9.11.60+dfsg-1.6+deb12u15"


def want(kind: str, name: str, *names: str, version: str = "") -> Want:
    """A want of the reference's side."""
    return Want(side="reference", kind=kind, name=name, names=names, version=version)


# A common case; one whose first package has only a link; a native package with NEWS; one that was
# rebuilt; a version that is not the newest entry; one that is not there.
WANTS = [
    want("changelogs", "imagemagick", "imagemagick", "imagemagick-6-common", version=MAGICK),
    want("changelogs", "php8.2", "php8.2-cli", "php8.2-common", version="8.2.36-1~deb12u1"),
    want("changelogs", "adduser", "adduser", version="3.134"),
    want("changelogs", "bash", "bash", version="5.2.15-2"),
    want("changelogs", "brotli", "libbrotli1", version="1.0.9-2"),
    want("changelogs", "nowhere", "nowhere", "nowhere-common", version="1"),
    want("symbols", "libbrotli1"),
    want("symbols", "libpng16-16"),
    want("symbols", "imagemagick"),
    want("available", "imagemagick"),
    want("available", "nowhere"),
    want("programs", "imagemagick-6.q16"),
    want("programs", "libbrotli1"),
]


def captured(machine: str) -> dict[str, Learned]:
    """What was learned there."""
    output = read_captured(machine, "wanted")
    questions = questions_for(WANTS, deadline=100, nonce=NONCE)
    return learned(Answer(output, b"", 0, 1.0), questions, WANTS, origin=machine)


def main() -> None:
    """Ask all the wants of one machine."""
    machine, _, *command = sys.argv[1:]
    answer = ask(command, questions_for(WANTS, deadline=100, nonce=NONCE).script)
    keep(machine, "wanted", answer)


if __name__ == "__main__":
    main()
