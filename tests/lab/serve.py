"""Runs the proxy over the frozen archive: detached, one a cache, stopped by its pid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.lab.mirror import Mirror
from tests.lab.proxy import IDENTITY
from tests.lab.settings import HERE, LabError, alive, cache, folder, free_port, say, stop_process


def state() -> Path:
    """Where the pid and port of the running proxy are kept."""
    return cache() / "proxy.json"


def serving() -> tuple[int, int, Path] | None:
    """(pid, port, tree) of the proxy that runs."""
    try:
        about = json.loads(state().read_text())
    except (OSError, ValueError):
        return None
    running = alive(about["pid"], "proxy.py", about["tree"])
    return (about["pid"], about["port"], Path(about["tree"])) if running else None


def serve(mirror: Mirror) -> int:
    """Have the proxy run over this mirror, detached; gives its port."""
    now = serving()
    if now and now[2] == mirror.tree and identity(now[1]) == str(mirror.tree):
        say(f"mirror: served on 127.0.0.1:{now[1]} (running)")
        return now[1]
    stop()
    first = int(os.environ.get("DRIFTSCAN_LAB_PROXY_PORT", "18181"))
    port = free_port(first)
    with (folder(cache() / "logs") / "proxy.log").open("ab") as log:
        python = str(Path(sys.executable).absolute())  # relative when PATH is
        argv = [python, "-B", str(HERE / "proxy.py"), str(mirror.tree), str(port)]
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    until = time.monotonic() + 15
    while identity(port) != str(mirror.tree):
        if time.monotonic() > until or process.poll() is not None:
            raise LabError(
                f"the archive proxy does not start on 127.0.0.1:{port}: "
                f"see {cache() / 'logs' / 'proxy.log'}"
            )
        time.sleep(0.05)
    state().write_text(
        json.dumps({"pid": process.pid, "port": port, "tree": str(mirror.tree)}) + "\n"
    )
    say(f"mirror: served on 127.0.0.1:{port}")
    return port


def identity(port: int) -> str | None:
    """Which tree the proxy on a port serves, None if nobody or somebody else answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{IDENTITY}", timeout=5) as answer:
            return bytes(answer.read(4096)).decode(errors="replace").strip()
    except OSError:
        return None


def stop() -> None:
    """Stop the proxy that we started, by its pid."""
    now = serving()
    if now and stop_process(now[0], "proxy.py"):
        say(f"mirror: proxy (pid {now[0]}) is stopped")
    state().unlink(missing_ok=True)
