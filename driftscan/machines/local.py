"""The road to this very machine: the same script through `sh -s`, in a session of its own."""

import os
import shutil

from driftscan.errors import MachineError
from driftscan.machines import answers, exhaustion
from driftscan.machines.process import Child, Expired, Said, TooMuch, converse
from driftscan.model import Answer, Limits, Questions, Target
from driftscan.probes.settings import SYSTEM_PATH


class Local:
    """This machine, as the account that runs us sees it, or as root where the target says so."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._child: Child | None = None
        self._closed = False

    def close(self) -> None:
        """End what is being asked, from any thread: for Ctrl-C."""
        self._closed = True
        if self._child is not None:
            self._child.kill()

    def ask(self, questions: Questions, limits: Limits) -> Answer:
        """The whole answer; see machines/contract.py."""
        said = self._said(answers.text(self.target, questions), limits)
        if self._closed:
            raise MachineError("interrupted", "stream", "stopped on request")
        answer = Answer(said.output, said.errors, said.status, said.seconds)
        return answers.judged(answer, questions, self.target)

    def _said(self, text: str, limits: Limits) -> Said:
        program, *arguments = answers.command(self.target).split()
        found = shutil.which(program)
        if found is None:
            raise self._does_not_start("not found")
        try:
            return converse(
                [found, *arguments],
                stdin=text.encode(),
                deadline=limits.deadline,
                output=limits.output,
                errors=limits.errors,
                started=self._started,
                env={**os.environ, "PATH": SYSTEM_PATH},  # our own is that of who runs us
                cwd="/",
            )
        except OSError as error:
            if full := exhaustion.told(error, "exec"):
                raise full from error
            raise self._does_not_start(error.strerror or "") from error
        except Expired as error:
            cause = f"its answer did not end within {limits.deadline:g} s"
            raise MachineError("timeout", "stream", cause, _SLOW) from error
        except TooMuch as error:
            cause = f"the answer is longer than {limits.output >> 20} MiB"
            raise MachineError("output_limit", "stream", cause, _GREW) from error

    def _started(self, child: Child) -> None:
        self._child = child
        if self._closed:
            child.kill()

    def _does_not_start(self, why: str) -> MachineError:
        state = "become_failed" if self.target.become else "no_shell"
        cause = f"`{answers.command(self.target)}` does not start: {why}"
        return MachineError(state, "exec", cause, "install it, or look at PATH")


_SLOW = "look for a hanging mount, or allow it more time"
_GREW = "look at what grew in /etc or /var"
