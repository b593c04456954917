"""A running container, and an image asked in a throw-away container of it."""

import os
import re
import secrets
import time
from collections.abc import Sequence

from msgspec import structs

from driftscan.errors import EngineError, InputError, MachineError
from driftscan.machines import answers, exhaustion
from driftscan.machines.engine import Engine, last_lines
from driftscan.machines.process import Child, Expired, Said, TooMuch, converse
from driftscan.model import Answer, Limits, Questions

# It may read every file of the image and do nothing else: no network, no writing, no privileges.
CONFINED = (
    *("--user", "0", "--network", "none", "--read-only"),
    *("--cap-drop", "ALL", "--cap-add", "DAC_READ_SEARCH"),
    *("--security-opt", "no-new-privileges", "--pids-limit", "256", "--entrypoint", "/bin/sh"),
)
# To fetch packages it may use the network and write in its own /tmp, which is memory.
REACHING = (
    *("--user", "0", "--read-only", "--tmpfs", "/tmp:rw,nosuid,nodev,size=1g"),  # noqa: S108
    *("--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--pids-limit", "256", "--entrypoint", "/bin/sh"),
)
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,253}")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,253}")  # podman: slirp4netns:option
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,1023}")


class _Road:
    """The client's command that carries the script, and how to end it early."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._child: Child | None = None
        self._closed = False

    def close(self) -> None:
        """End what is under way, from another thread: `ask` then raises `interrupted`."""
        self._closed = True
        if self._child is not None:
            self._child.kill()

    def _started(self, child: Child) -> None:
        self._child = child
        if self._closed:
            child.kill()

    def _converse(self, args: Sequence[str], questions: Questions, limits: Limits) -> Answer:
        try:
            said = converse(
                (self._engine.client, *args),
                stdin=questions.script.encode(),
                deadline=limits.deadline,
                output=limits.output,
                errors=limits.errors,
                started=self._started,
            )
        except OSError as error:
            if full := exhaustion.told(error, "engine"):
                raise full from error
            raise MachineError("unreachable", "engine", str(error), _START) from error
        except Expired as error:
            cause = f"no whole answer within {limits.deadline:g} s"
            raise MachineError(
                "timeout", "answer", cause, "allow it more with --deadline"
            ) from error
        except TooMuch as error:
            cause = f"it answered more than {error.size >> 20} MB"
            raise MachineError("output_limit", "answer", cause) from error
        if self._closed:
            raise MachineError("interrupted", "answer", "the run was interrupted")
        if said.status and not said.output:
            raise _refusal(said)
        answer = Answer(said.output, said.errors, said.status, said.seconds)
        return answers.judged(answer, questions)


class Container(_Road):
    """A running container, asked through `exec`; as `user`, else as its own."""

    def __init__(self, engine: Engine, name: str, *, user: str = "") -> None:
        super().__init__(engine)
        self.name = _checked(_NAME, name, "container")
        self._as = ("--user", _checked(_NAME, user, "user")) if user else ()

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """The framed answer (machines/contract.py). The script ends itself if the client dies."""
        args = ("exec", "-i", *self._as, self.name, "sh", "-s")
        answer = self._converse(args, questions, limits)
        try:
            environment = self._engine.environment(self.name)
        except EngineError as error:
            raise MachineError("unreachable", "engine", str(error), _START) from error
        return structs.replace(answer, environment=environment)


class Image(_Road):
    """A local image, asked in a confined container of our own name that is always removed."""

    def __init__(
        self, engine: Engine, reference: str, *, options: Sequence[str] = CONFINED
    ) -> None:
        super().__init__(engine)
        self.reference = _checked(_REFERENCE, reference, "image")
        self._options = options

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """The framed answer (machines/contract.py); nothing of the image's own is started."""
        name = f"driftscan-{secrets.token_hex(8)}"
        args = ("run", "--name", name, "-i", "--rm", *self._options, self.reference, "-s")
        ended = False
        try:
            answer = self._converse(args, questions, limits)
            ended = True
            return answer
        finally:
            if not ended:
                self._remove(name)

    def _remove(self, name: str) -> None:
        """Try twice: the engine may still be making what its client was ended over."""
        if not self._engine.remove_container(name):
            time.sleep(1)
            self._engine.remove_container(name)


def reaching(network: str = "") -> tuple[str, ...]:
    """Options of a container that may fetch packages: with the proxies of this process."""
    proxies = [word for name in _PROXIES if name in os.environ for word in ("--env", name)]
    named = ("--network", _checked(_NETWORK, network, "network")) if network else ()
    return (*REACHING, *named, *proxies)


def _checked(form: re.Pattern[str], text: str, what: str) -> str:
    if form.fullmatch(text) is None:
        raise InputError(f"not the name of {_article(what)}: {text!r}")
    return text


def _article(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


_START = "start the engine, or name another with --engine or DRIFTSCAN_ENGINE"
_REFUSALS = (
    (r"cannot connect|connection refused|is the docker daemon running", "unreachable", _START),
    (r"permission denied.*(?:sock|daemon)", "unreachable", "this account may not use the engine"),
    (r"no such container|is not running|is paused", "unreachable", "look at the engine's `ps -a`"),
    (r"no such image|unable to find image|image not known", "unreachable", "build or pull it"),
    (
        r"exec format error",
        "no_shell",
        "the image is of another architecture: ask it on a machine that can run it",
    ),
    (
        r"executable file not found|no such file or directory|not found in \$PATH",
        "no_shell",
        "it has no POSIX shell /bin/sh",
    ),
)


def _refusal(said: Said) -> MachineError:
    """Why the client ended without an answer, by what it complained of."""
    cause = last_lines(said.errors, 2) or f"the client ended with status {said.status}"
    for pattern, state, cure in _REFUSALS:
        if re.search(pattern, cause, re.IGNORECASE):
            return MachineError(state, "engine", cause, cure)
    return MachineError("unreachable", "engine", cause)
