"""Where things of the lab are, how it speaks to a person, and how it runs a command."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RUN = HERE / ".run"
RECIPES = HERE / "recipes"
DOCKERFILES = ROOT / "inventories" / "demo"
PREFIX = "driftscan-lab"


class LabError(Exception):
    """Something a person can cure; its text is one sentence: what, where, what to do."""


def say(text: str) -> None:
    """One line of progress, on standard error."""
    sys.stderr.write(f"lab: {text}\n")
    sys.stderr.flush()


def tell(text: str) -> None:
    """One line of what was asked for, on standard output."""
    sys.stdout.write(f"{text}\n")


def cache() -> Path:
    """The folder that survives a fresh clone: engine data, mirrors, keys, logs."""
    named = os.environ.get("DRIFTSCAN_LAB_CACHE")
    if named:
        return Path(named).absolute()
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home).absolute() / PREFIX


def folder(path: Path) -> Path:
    """The folder, made if it is missing."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def run(
    *argv: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run a command, return its output; a failure becomes a LabError with its last lines."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
            timeout=timeout,
        )
    except FileNotFoundError as error:
        raise LabError(
            f"{words[0]} is not installed on this machine: install it and try again"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"`{' '.join(words[:4])}` did not end within {timeout:.0f} s: try again"
        ) from error
    if log is not None:
        folder(log.parent)
        log.write_text(done.stdout + done.stderr)
    if done.returncode:
        raise LabError(failure(words, done, log))
    return done.stdout


def failure(words: Sequence[str], done: subprocess.CompletedProcess[str], log: Path | None) -> str:
    """What a failed command said at the end, with the place of the whole."""
    last = "\n  ".join((done.stdout + done.stderr).strip().splitlines()[-12:])
    where = f", whole output in {log}" if log else ""
    return f"`{' '.join(words[:6])}` ended with status {done.returncode}{where}:\n  {last}"


def root_on_debian() -> bool:
    """True where we may install packages with apt: root on Debian, Ubuntu or a child of them."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def need(program: str, package: str, why: str) -> str:
    """The path of a program, installed with apt first where we may; else a LabError."""
    found = shutil.which(program)
    if found:
        return found
    if not root_on_debian():
        raise LabError(
            f"{program} is needed {why} and is not on this machine: install the package {package}"
        )
    apt_install(package)
    found = shutil.which(program)
    if not found:
        raise LabError(
            f"{package} is installed but {program}, needed {why}, is not in PATH: add /usr/sbin"
        )
    return found


def apt_install(*packages: str) -> None:
    """Install packages on this machine; a foreign source that cannot be updated is no matter."""
    say(f"installing {' '.join(packages)} on this machine with apt")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        ["apt-get", "update", "-q"],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    run(
        "apt-get",
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        *packages,
        env=env,
        log=cache() / "logs" / "apt.log",
    )


def alive(pid: int, *words: str) -> bool:
    """True if the process runs and its command line holds all the words: pids are reused."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return False
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    line = raw.replace(b"\0", b" ").decode(errors="replace")
    return bool(line) and all(word in line for word in words)


def stop_process(pid: int, *words: str, seconds: float = 30) -> bool:
    """Ask exactly this process to end and wait for it; False if it was not running."""
    if not alive(pid, *words):
        return False
    os.kill(pid, 15)
    until = time.monotonic() + seconds
    while alive(pid, *words):
        if time.monotonic() > until:
            os.kill(pid, 9)
            return True
        time.sleep(0.1)
    return True


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Only one `up` or `down` of a cache at once; a second one waits."""
    path = folder(cache()) / "lock"
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run of the lab to finish")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def free_port(first: int) -> int:
    """The first free loopback port from here on."""
    for port in range(first, first + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LabError(
        f"no free port on 127.0.0.1 from {first} to {first + 199}: stop what listens there"
    )
