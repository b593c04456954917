"""What a shell's answer as a whole tells, before anything is read out of it."""

from driftscan import sanitize
from driftscan.errors import MachineError
from driftscan.model import Answer, Questions


def command(become: bool) -> str:
    """The one command that is run; through sudo it is full root, and is asked for per host."""
    return "sudo -n sh -s" if become else "sh -s"


def last_line(questions: Questions) -> bytes:
    """What a whole answer ends with."""
    return f"{questions.nonce} END\n".encode()


def judged(answer: Answer, questions: Questions, *, become: bool) -> Answer:
    """The answer, if the script began and came to its own end.

    Raises MachineError: become_failed, no_shell, forced_command or collector_failed.
    """
    if f"{questions.nonce} BEGIN ".encode() not in answer.output:
        raise _never_began(answer, become)
    if answer.status != 0:
        raise MachineError(
            "collector_failed",
            "stream",
            f"the script ended with status {answer.status}{_said(answer.errors)}",
            "look at the account's limits (ulimit) and for what kills processes on the host",
        )
    return answer


def _never_began(answer: Answer, become: bool) -> MachineError:
    if become and answer.status != 0 and not answer.output.strip():
        return MachineError(
            "become_failed",
            "exec",
            f"it does not let us become root: {_refusal(answer.errors)}",
            "allow this account `sh -s` without a password (NOPASSWD, !requiretty in sudoers),"
            " or scan without become",
        )
    if answer.status == 0 and answer.output.strip():
        return MachineError(
            "forced_command",
            "exec",
            f"the account runs something else in place of the script{_said(answer.output)}",
            "look for ForceCommand in sshd_config and command= in authorized_keys",
        )
    said = _said(answer.output.strip() or answer.errors)
    return MachineError(
        "no_shell",
        "exec",
        f"the account's shell does not run `{command(become)}` (status {answer.status}){said}",
        "give the account a POSIX shell (usermod -s /bin/sh), or use another one",
    )


def _refusal(errors: bytes) -> str:
    """sudo's own sentence: not all of them begin with its name, but then it comes last."""
    lines = errors.strip().split(b"\n")
    own = [line for line in lines if line.startswith(b"sudo:")]
    return _shown((own or lines[-1:])[0]) or "it says nothing"


def _said(data: bytes) -> str:
    text = _shown(data.strip())
    return f": '{text}'" if text else ""


def _shown(data: bytes) -> str:
    return sanitize.redact(sanitize.safe_bytes(data))
