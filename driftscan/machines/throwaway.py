"""A container of an image for one piece of work: it writes only memory, and nothing stays."""

import secrets

from driftscan.errors import EngineError
from driftscan.machines.container import reaching
from driftscan.machines.engine import Engine, last_lines
from driftscan.machines.process import Expired, Said, TooMuch, converse

FOLDER = "/tmp/work"  # noqa: S108 - inside the container, in its memory


def run(
    engine: Engine,
    image: str,
    script: str,
    data: bytes = b"",
    *,
    network: str = "",
    deadline: float = 120.0,
) -> Said:
    """Run a script of ours in a new container of a local image, in `FOLDER`; `data` is its input.

    The proxies of our own environment are handed on. Raises EngineError when it cannot be run to
    its end; the container is removed either way.
    """
    text = script.encode()
    begin = f"mkdir -p {FOLDER} && cd {FOLDER} && head -c {len(text)} > script && exec sh ./script"
    name = f"driftscan-{secrets.token_hex(8)}"
    args = ("run", "--name", name, "-i", "--rm", *reaching(network), image, "-c", begin)
    ended = False
    try:
        said = converse((engine.client, *args), stdin=text + data, deadline=deadline)
        ended = True
        return said
    except Expired as error:
        raise EngineError(f"the container was not done after {deadline:g} s") from error
    except (OSError, TooMuch) as error:
        raise EngineError(f"the container cannot be run: {type(error).__name__}") from error
    finally:
        if not ended:
            engine.remove_container(name)


def complaint(said: Said) -> str:
    """The last words of what a container complained of."""
    return last_lines(said.errors, 3) or f"it ended with status {said.status}"
