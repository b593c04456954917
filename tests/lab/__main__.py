"""python -m tests.lab up|down|status|engine|mirror|env: the lab on the command line."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence

from tests.lab import (
    alpine,
    arch,
    base,
    engine,
    hosts,
    images,
    inventory,
    mirror,
    rpm_machine,
    serve,
)
from tests.lab.archive import STORY, SUITES
from tests.lab.settings import PREFIX, ROOT, RUN, LabError, cache, one_at_a_time, say, tell


def up(names: Sequence[str] = (), refresh: bool = False) -> None:
    """Bring up engine, archive, base image and hosts (no name: all); write .run."""
    if os.environ.get("DRIFTSCAN_LAB") == "off":
        say("DRIFTSCAN_LAB=off: no lab")
        return
    began = time.monotonic()
    with one_at_a_time():
        chosen = engine.ensure()
        hosts.remove(chosen, hosts.containers(chosen, f"{PREFIX}-build"))
        frozen = mirror.ensure(chosen, refresh)
        port = serve.serve(frozen)
        base.ensure(chosen, frozen.tree, frozen.key)
        made = images.build_all(chosen, frozen, port, names)
        hosts.launch_all(chosen, made, port)
        if not names:
            for machine in (rpm_machine, alpine, arch):
                machine.ensure(chosen)
        running = hosts.running()
        path = inventory.write(RUN, running)
        inventory.write_environment(chosen, port)
        mirror.prune(frozen)
        images.prune(chosen, frozen)
    names = ", ".join(f"{row.name} on {hosts.ADDRESS}:{row.port}" for row in running)
    say(f"up after {time.monotonic() - began:.0f} s: {names}")
    tell(f"driftscan compare -i {os.path.relpath(path, ROOT)} web-a web-b")


def down(keep_engine: bool = False) -> None:
    """Remove the hosts, stop the archive's server and the engine if we started it."""
    with one_at_a_time():
        chosen = engine.find()
        if chosen:
            hosts.remove(chosen, hosts.containers(chosen))
        serve.stop()
        if not keep_engine:
            engine.stop()
            shutil.rmtree(RUN, ignore_errors=True)
    say(f"down; what was downloaded and built stays in {cache()}")


def status() -> None:
    """What runs."""
    chosen = engine.find()
    served = serve.serving()
    answering = f"{chosen.client} {chosen.host or ''}".strip() if chosen else "none"
    tell(f"engine   {answering}{' (started by the lab)' if chosen and chosen.pid else ''}")
    tell(f"archive  {f'{served[2].name} on 127.0.0.1:{served[1]}' if served else 'not served'}")
    port = f'{hosts.ADDRESS}:{{{{index .Config.Labels "{PREFIX}.port"}}}}'
    form = f"{{{{.State.Status}}}}  {port}  {{{{.Config.Image}}}}"
    for name in hosts.containers(chosen) if chosen else ():
        if chosen:
            tell(f"{name}  {chosen.run('container', 'inspect', '--format', form, name).strip()}")


def show_engine() -> None:
    """Have an engine answer, and name it."""
    with one_at_a_time():
        chosen = engine.ensure()
    tell(f"{chosen.client} {chosen.host or ''}".strip())


def show_mirror(refresh: bool) -> None:
    """Have the archive served, and say what it has."""
    with one_at_a_time():
        chosen = engine.ensure()
        frozen = mirror.ensure(chosen, refresh)
        port = serve.serve(frozen)
    for suite in SUITES:
        versions = frozen.versions(suite)
        tell(f"{suite.name}: {len(versions)} packages, {STORY} {versions[STORY]}")
    tell(f"{engine.container_url(port)} serves {frozen.tree}")


def show_environment() -> None:
    """Print env.sh."""
    path = RUN / "env.sh"
    if not path.exists():
        raise LabError(
            f"the lab does not run (no {os.path.relpath(path, ROOT)}): start it with `make lab`"
        )
    sys.stdout.write(path.read_text())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.lab", description="Real servers for the demo and the tests."
    )
    commands = made.add_subparsers(dest="command", required=True)
    for name in ("up", "mirror"):
        command = commands.add_parser(name)
        command.add_argument(
            "--refresh",
            action="store_true",
            help="ask the archive again even if the cached copy is fresh",
        )
        if name == "up":
            command.add_argument("names", nargs="*", metavar="HOST", help="only these hosts")
    commands.add_parser("down").add_argument(
        "--keep-engine", action="store_true", help="leave our own dockerd running"
    )
    for name in ("status", "engine", "env", "shell-env"):
        commands.add_parser(name)
    return made


def main() -> int:
    """Run one command; an error a person can cure is one line."""
    chosen = parser().parse_args()
    try:
        match chosen.command:
            case "up":
                up(chosen.names, chosen.refresh)
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
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; what was complete is kept")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
