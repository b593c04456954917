"""The container engine: the one that answers, else our own dockerd, stopped by its pid."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.settings import (
    RUN,
    LabError,
    alive,
    apt_install,
    cache,
    folder,
    root_on_debian,
    run,
    say,
    stop_process,
)

STATE = RUN / "engine.json"
NO_ENGINE = (
    "no container engine answers (`docker info`, `podman info`) and none can be installed here "
    "(not root on Debian or Ubuntu): "
    "start one, or set DRIFTSCAN_LAB=off, or see the same story recorded with `driftscan demo`"
)
# tried in order: a normal machine, one without netfilter, one whose disk cannot carry overlay2
FALLBACKS: tuple[tuple[str, ...], ...] = (
    (),
    ("--iptables=false", "--bridge=none"),
    ("--iptables=false", "--bridge=none", "--storage-driver=vfs"),
)


@dataclass(frozen=True)
class Engine:
    """A client program and the daemon that it speaks to; `pid` only if we started that daemon."""

    client: str
    kind: str
    host: str | None = None
    pid: int | None = None

    def environment(self) -> dict[str, str]:
        """What a child needs in its environment to reach this engine."""
        return {"DOCKER_HOST": self.host} if self.host else {}

    def run(self, *argv: str | Path, stdin: str | None = None, log: Path | None = None) -> str:
        """Run a client command and return its output."""
        return run(self.client, *argv, stdin=stdin, log=log, env=self.environment())

    def succeeds(self, *argv: str | Path) -> bool:
        """True if the client command ends well."""
        words = [self.client, *map(str, argv)]
        env = {**os.environ, **self.environment()}
        quiet = subprocess.DEVNULL
        return (
            subprocess.run(
                words, env=env, stdin=quiet, stdout=quiet, stderr=quiet, check=False
            ).returncode
            == 0
        )

    def limits(self) -> Sequence[str]:
        """Limits for podman, whose own defaults restricted machines forbid."""
        if self.kind != "podman":
            return ()
        return ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096")

    def network(self) -> Sequence[str]:
        """How a container gets a network: the host's own on Linux."""
        if host_network():
            return ("--network", "host")
        return ("--add-host", "host.docker.internal:host-gateway")


def host_network() -> bool:
    """True where containers can share our loopback; elsewhere ports are published."""
    return sys.platform == "linux"


def container_url(port: int) -> str:
    """A port of this machine as a container sees it."""
    return f"http://{'127.0.0.1' if host_network() else 'host.docker.internal'}:{port}"


def places() -> dict[str, Path]:
    """Where our own daemon keeps its things: one set for each cache folder."""
    data = cache() / "docker"
    short = Path("/run") / f"driftscan-lab-{hashlib.sha256(str(data).encode()).hexdigest()[:8]}"
    return {
        "data": data,
        "exec": short / "exec",
        "socket": short / "docker.sock",
        "pid": short / "docker.pid",
        "log": cache() / "logs" / "dockerd.log",
    }


def ours() -> Engine | None:
    """Our own daemon, if it runs."""
    place = places()
    try:
        pid = int(place["pid"].read_text())
    except (OSError, ValueError):
        return None
    if not alive(pid, "dockerd", str(place["data"])):
        return None
    return Engine(own_client(), "docker", f"unix://{place['socket']}", pid)


def own_client() -> str:
    """The client that belongs to the packaged daemon; another `docker` may come first in PATH."""
    packaged = Path("/usr/bin/docker")
    return str(packaged) if packaged.exists() else shutil.which("docker") or "docker"


def answers(engine: Engine) -> bool:
    """True if the daemon (or podman itself) answers."""
    words = [engine.client, "info"]
    env = {**os.environ, **engine.environment()}
    quiet = subprocess.DEVNULL
    try:
        return (
            subprocess.run(
                words, env=env, stdin=quiet, stdout=quiet, stderr=quiet, timeout=30, check=False
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def find() -> Engine | None:
    """The engine that runs: our own, else the user's docker, else podman."""
    own = ours()
    if own and answers(own):
        return own
    for kind in ("docker", "podman"):
        path = shutil.which(kind)
        if path and answers(Engine(path, kind)):
            return Engine(path, kind, os.environ.get("DOCKER_HOST") if kind == "docker" else None)
    return None


def ensure() -> Engine:
    """An engine that answers, started if need be; written to .run/engine.json."""
    engine = find()
    if engine is None:
        engine = start()
    else:
        say(f"engine: {engine.client}{' (our own daemon)' if engine.pid else ''} answers")
    folder(RUN)
    STATE.write_text(json.dumps(asdict(engine), indent=1) + "\n")
    return engine


def current() -> Engine:
    """The engine of the running lab."""
    try:
        return Engine(**json.loads(STATE.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise LabError(
            "the lab does not run (no tests/lab/.run/engine.json): start it with `make lab`"
        ) from error


def start() -> Engine:
    """Install docker.io where it is missing; start a daemon of our own, milder if it must be."""
    if not root_on_debian():
        raise LabError(NO_ENGINE)
    if not shutil.which("dockerd") or not shutil.which("docker"):
        apt_install("docker.io")
    for flags in FALLBACKS:
        say(f"engine: starting dockerd on its own data root {' '.join(flags)}".rstrip())
        if launch(flags):
            engine = ours()
            if engine:
                return engine
    raise LabError(
        f"dockerd does not start on this machine (its log: {places()['log']}): start an engine "
        "yourself, or set DRIFTSCAN_LAB=off, or see `driftscan demo`"
    )


def launch(flags: Sequence[str], seconds: float = 40) -> bool:
    """Start dockerd detached from us; True once it answers, False (and stopped) if it does not."""
    place = places()
    for name in ("data", "exec"):
        folder(place[name])
    folder(place["log"].parent)
    place["pid"].unlink(missing_ok=True)
    argv = ["dockerd", "--data-root", str(place["data"]), "--exec-root", str(place["exec"])]
    argv += ["--host", f"unix://{place['socket']}", "--pidfile", str(place["pid"]), *flags]
    with place["log"].open("ab") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    engine = Engine(own_client(), "docker", f"unix://{place['socket']}", process.pid)
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if place["socket"].exists() and answers(engine):
            return True
        time.sleep(0.2)
    stop_process(process.pid, "dockerd")
    process.poll()
    return False


def stop() -> None:
    """Stop our own daemon, and only that one."""
    own = ours()
    if own and own.pid:
        stop_process(own.pid, "dockerd", str(places()["data"]))
        say(
            f"engine: our dockerd (pid {own.pid}) is stopped; its images stay in {places()['data']}"
        )
    STATE.unlink(missing_ok=True)
