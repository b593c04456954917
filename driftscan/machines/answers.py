"""What a shell's answer as a whole tells, before anything is read out of it."""

import json
import re

from msgspec.structs import replace

from driftscan import sanitize
from driftscan.errors import MachineError
from driftscan.model import Answer, Questions, Target


def command(target: Target) -> str:
    """The one command that is run there; of names and paths none can be taken for more.

    `sudo -n sh -s` is full root, and is asked for per host. For a container there it also prints
    the container's ENV first, before anything of the answer.
    """
    sudo = "sudo -n " if target.become else ""
    if not target.engine:
        return sudo + (target.collector or "sh -s")
    if is_name(target.container) is None:
        raise ValueError(f"not the name of a container: {target.container!r}")
    engine, user = f"{sudo}{target.engine}", "--user 0 " if target.become else ""
    return (
        f"{engine} container inspect --format '{_ENV}' {target.container} &&"
        f" {engine} exec -i {user}{target.container} sh -s"
    )


_ENV = "{{json .Config.Env}}"
is_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,253}").fullmatch


def text(target: Target, questions: Questions) -> str:
    """What that command reads; raises MachineError where the target takes no such question."""
    if not target.collector:
        return questions.script
    if questions.order:
        return questions.order
    raise MachineError(
        "collector_only",
        "config",
        f"its collector {target.collector} takes no questions about single packages",
        "explain from a host that is sent the script, or with --no-details",
    )


def _allowed(target: Target) -> str:
    return target.engine or command(target).removeprefix("sudo -n ")


def last_line(questions: Questions) -> bytes:
    """What a whole answer ends with."""
    return f"{questions.nonce} END\n".encode()


def judged(answer: Answer, questions: Questions, target: Target | None = None) -> Answer:
    """The answer, if the script began and came to its own end; without a target a container's.

    Of a container on a host it has the ENV too. Raises MachineError: become_failed, no_shell,
    no_collector, forced_command or collector_failed; `unreachable` for a container there.
    """
    target = target or Target(name="", road="docker")
    before, begun, _ = answer.output.partition(f"{questions.nonce} BEGIN ".encode())
    if not begun:
        raise _never_began(answer, target)
    if answer.status != 0:
        raise MachineError(
            "collector_failed",
            "stream",
            f"the script ended with status {answer.status}{_said(answer.errors)}",
            "look at the account's limits (ulimit) and for what kills processes on the host",
        )
    return replace(answer, environment=_environment(before)) if target.engine else answer


def _environment(before: bytes) -> tuple[str, ...] | None:
    """The ENV in what was printed before the answer: the last line that is a list."""
    lines = [line for line in before.split(b"\n") if line.startswith((b"[", b"null"))]
    try:
        return tuple(map(str, json.loads(lines[-1]) or ()))
    except (IndexError, ValueError, RecursionError):
        return None


_CONTAINERS = (
    (r"no such container|is not running|is paused", "look at `{engine} ps -a` there"),
    (
        r"permission denied.*(?:sock|daemon)|dial unix .*permission denied",
        "let this account use the engine (usermod -aG docker USER, which is as good as root), or"
        " scan with become",
    ),
    (r"not found|no such file", "is {engine} installed there, and a POSIX shell in the container?"),
    (r"cannot connect|connection refused|is the docker daemon running", "start the engine there"),
)


def _no_container(answer: Answer, target: Target) -> MachineError:
    text = answer.errors.decode("utf-8", "replace")
    cause = _shown((answer.errors.strip().split(b"\n") or [b""])[-1])
    cause = cause or f"{target.engine} ended with status {answer.status}"
    for pattern, cure in _CONTAINERS:
        if re.search(pattern, text, re.IGNORECASE):
            cure = cure.format(engine=target.engine)
            return MachineError("unreachable", "engine", cause, cure)
    return MachineError("unreachable", "engine", cause, f"try `{target.engine} exec` there")


def _never_began(answer: Answer, target: Target) -> MachineError:
    if _ASKS_ORDER in answer.errors:
        return _wants_order(target)
    if target.engine and not answer.errors.startswith(b"sudo:"):
        return _no_container(answer, target)
    if target.become and answer.status != 0 and not answer.output.strip():
        return MachineError(
            "become_failed",
            "exec",
            f"it does not let us become root: {_refusal(answer.errors)}",
            f"allow this account `{_allowed(target)}` without a password"
            " (NOPASSWD, !requiretty in sudoers), or scan without become",
        )
    if answer.status == 0 and answer.output.strip():
        return MachineError(
            "forced_command",
            "exec",
            f"the account runs something else in place of the script{_said(answer.output)}",
            "look for ForceCommand in sshd_config and command= in authorized_keys",
        )
    said = _said(answer.output.strip() or answer.errors)
    if target.collector:
        return MachineError(
            "no_collector",
            "exec",
            f"{target.collector} does not run there (status {answer.status}){said}",
            "install there what `driftscan script --collector` prints, root:root 0755",
        )
    return MachineError(
        "no_shell",
        "exec",
        f"the account's shell does not run `{command(target)}` (status {answer.status}){said}",
        "give the account a POSIX shell (usermod -s /bin/sh), or use another one",
    )


_ASKS_ORDER = b"driftscan-collect: expected"


def _wants_order(target: Target) -> MachineError:
    if target.collector:
        return MachineError(
            "no_collector",
            "exec",
            f"{target.collector} does not take this version's order",
            "install there what `driftscan script --collector` prints",
        )
    return MachineError(
        "forced_command",
        "exec",
        "the account runs an installed collector in place of the script",
        "give this host `collector: PATH` in the inventory",
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
