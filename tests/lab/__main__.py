"""python -m tests.lab up|down|status|engine|mirror|env: the lab on the command line."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time

from tests.lab import base, engine, hosts, inventory, mirror
from tests.lab.settings import PREFIX, ROOT, RUN, LabError, cache, one_at_a_time, say


def up(refresh: bool = False) -> None:
    """Bring up engine, archive, base image, hosts; write .run."""
    began = time.monotonic()
    with one_at_a_time():
        chosen = engine.ensure()
        hosts.remove(chosen, hosts.containers(chosen, f"{PREFIX}-build"))
        frozen = mirror.ensure(chosen, refresh)
        port = mirror.serve(frozen)
        base.ensure(chosen, frozen.tree)
        images = hosts.build_all(chosen, frozen, port)
        running = hosts.launch_all(chosen, images, port)
        path = inventory.write(RUN, running)
        inventory.write_environment(chosen, port)
        mirror.prune(frozen, chosen)
    say(f"up after {time.monotonic() - began:.0f} s: {', '.join(f'{row.name} on {hosts.ADDRESS}:{row.port}' for row in running)}")
    print(f"driftscan compare -i {os.path.relpath(path, ROOT)} web-a web-b")


def down(keep_engine: bool = False) -> None:
    """Remove the hosts, stop the archive's server and the engine if we started it."""
    with one_at_a_time():
        chosen = engine.find()
        if chosen:
            hosts.remove(chosen, hosts.containers(chosen))
        mirror.stop()
        if not keep_engine:
            engine.stop()
            shutil.rmtree(RUN, ignore_errors=True)
    say(f"down; what was downloaded and built stays in {cache()}")


def status() -> None:
    """What runs."""
    chosen = engine.find()
    served = mirror.serving()
    print(f"engine   {f'{chosen.client} {chosen.host or str()}'.strip() if chosen else 'none'}{f' (our dockerd, pid {chosen.pid})' if chosen and chosen.pid else ''}")
    print(f"archive  {f'{served[2].name} on 127.0.0.1:{served[1]} (pid {served[0]})' if served else 'not served'}")
    for name in hosts.containers(chosen) if chosen else ():
        form = f'{{{{.State.Status}}}}  127.0.0.1:{{{{index .Config.Labels "{PREFIX}.port"}}}}  {{{{.Config.Image}}}}'
        print(f"{name}  {chosen.run('container', 'inspect', '--format', form, name).strip() if chosen else ''}")


def show_engine() -> None:
    """Have an engine answer, and name it."""
    with one_at_a_time():
        chosen = engine.ensure()
    print(f"{chosen.client} {chosen.host or ''}".strip())


def show_mirror(refresh: bool) -> None:
    """Have the archive served, and say what it has."""
    with one_at_a_time():
        chosen = engine.ensure()
        frozen = mirror.ensure(chosen, refresh)
        port = mirror.serve(frozen)
    for suite in mirror.SUITES:
        versions = frozen.versions(suite)
        print(f"{suite.name}: {len(versions)} packages, {mirror.STORY} {versions[mirror.STORY]}")
    print(f"{mirror.container_url(port)} serves {frozen.tree}")


def show_environment() -> None:
    """Print env.sh."""
    path = RUN / "env.sh"
    if not path.exists():
        raise LabError(f"the lab does not run (no {os.path.relpath(path, ROOT)}): start it with `make lab`")
    print(path.read_text(), end="")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m tests.lab", description="Real servers for the demo and the tests.")
    commands = made.add_subparsers(dest="command", required=True)
    for name in ("up", "mirror"):
        commands.add_parser(name).add_argument("--refresh", action="store_true", help="ask the archive again even if the cached copy is fresh")
    commands.add_parser("down").add_argument("--keep-engine", action="store_true", help="leave our own dockerd running")
    for name in ("status", "engine", "env", "shell-env"):
        commands.add_parser(name)
    return made


def main() -> int:
    """Run one command; an error a person can cure is one line."""
    chosen = parser().parse_args()
    try:
        match chosen.command:
            case "up":
                up(chosen.refresh)
            case "down":
                down(chosen.keep_engine)
            case "status":
                status()
            case "engine":
                show_engine()
            case "mirror":
                show_mirror(chosen.refresh)
            case _:
                show_environment()
    except LabError as error:
        print(f"lab: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; what was complete is kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
