"""python -m tests.bench [--hosts N]: what a scan costs, beside its goals and its peers.

Every figure is of this run on this machine, hosts and client on the same cores; compare them with
each other, not with those of another machine. Nothing here fails for being slow.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from driftscan import cyclonedx, diff, framing, resolve, scan, script, store
from driftscan.explain import engine
from driftscan.explain.records import items
from driftscan.machines.local import Local
from driftscan.model import Collected, Fingerprint, Limits, Meta, Side, Target
from driftscan.probes.contract import Probe
from driftscan.probes.table import PROBES
from tests.bench import cpu, lab, peers
from tests.bench.client import Cost
from tests.bench.fleet import fleet
from tests.lab.settings import LabError

PROGRAM = [sys.executable, "-m", "driftscan"]
FEW = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--hosts", type=int, default=50, help="how many real sshd to scan at once")
    many = parser.parse_args().hosts
    say(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.platform()}")
    for section in (startup, host, lab_hosts, offline):
        section()
    try:
        with tempfile.TemporaryDirectory(prefix="driftscan-bench-") as folder:
            fleets(many, Path(folder))
    except LabError as error:
        say(f"\nnothing over SSH: {error}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def head(title: str, *columns: str) -> None:
    say(f"\n{title:<46}" + "".join(f"{column:>14}" for column in columns))


def row(name: str, *figures: str) -> None:
    say(f"  {name:<44}" + "".join(f"{figure:>14}" for figure in figures))


def ms(figure: float) -> str:
    return f"{figure:.1f} ms" if figure < 100 else f"{figure:.0f} ms"


def startup() -> None:
    """What it costs to be started at all."""
    head("starting, CPU, least of 10", "figure", "goal")
    bare = cpu.least(10, lambda: cpu.of([sys.executable, "-c", ""]))
    row("python -c ''", ms(bare))
    for words, goal in ((["--version"], ""), (["--help"], "150 ms"), (["scan", "--help"], "")):
        used = cpu.least(10, lambda words=words: cpu.of([*PROGRAM, *words]))
        row(" ".join(["driftscan", *words]), ms(used), goal)


def host() -> None:
    """What the script costs the host it runs on, all of it and each probe alone."""
    head("the script on its host, CPU, least of 5", "figure", "answer")
    empty, _ = scripted(())
    row("its frame alone", ms(empty))
    for probe in PROBES:
        used, size = scripted((probe,))
        row(f"  {probe.NAME}", ms(used - empty), f"{size / 1000:.1f} kB")
    used, size = scripted(PROBES)
    row("all of it", ms(used), f"{size / 1000:.1f} kB")


def lab_hosts() -> None:
    """What it costs servers of the lab, where the lab runs."""
    head("the script on hosts of the lab, CPU, least of 5", "figure", "goal", "answer", "gzip -1")
    names = lab.running()
    for name in names:
        for cost in lab.costs(name):
            sizes = (f"{size / 1000:.0f} kB" for size in (cost.plain, cost.packed))
            row(f"{name}, {cost.name}", ms(cost.cpu), cost.goal, *sizes)
    if not names:
        row("the lab does not run: `make lab` starts it")


def scripted(probes: Sequence[Probe]) -> tuple[float, int]:
    """Milliseconds of CPU and bytes of answer of the script of these probes."""
    asked = script.questions(probes, deadline=120)
    answer = Local(Target(name="here", road="local")).ask(asked, Limits())
    used = cpu.least(5, lambda: cpu.of(["sh", "-s"], stdin=asked.script.encode()))
    return used, len(answer.output)


def offline() -> None:
    """What it costs to understand an answer, and to compare two."""
    head("this machine's answer, CPU, least of 5", "figure")
    local = Local(Target(name="here", road="local"))
    asked = script.questions(PROBES, deadline=120)
    answer = local.ask(asked, Limits())
    row("unframing", ms(spent(lambda: framing.unframe(answer.output, asked.nonce, PROBES))))
    raws = framing.unframe(answer.output, asked.nonce, PROBES)
    for probe in PROBES:
        row(f"  parsing {probe.NAME}", ms(spent(lambda probe=probe: probe.parse(raws[probe.NAME]))))

    def parse() -> Fingerprint:
        return scan.fingerprint(
            answer,
            asked,
            PROBES,
            target="here",
            kind="host",
            address="local",
            taken="2026-11-23T17:20:00Z",
        )

    row("the whole fingerprint", ms(spent(parse)))
    compared(parse())


def compared(found: Fingerprint) -> None:
    """Two fingerprints of this machine, a tenth of the packages of one made older."""
    other = older(found)
    row("comparing two", ms(spent(lambda: diff.compare(other, found))))
    with tempfile.TemporaryDirectory(prefix="driftscan-bench-") as folder:
        files = [Path(folder) / f"{name}.json" for name in ("subject", "reference")]
        for path, fingerprint in zip(files, (other, found), strict=True):
            store.save(path, fingerprint)
        row("a saved fingerprint", f"{files[0].stat().st_size / 1000:.0f} kB")
        row("loading one", ms(spent(lambda: store.load(files[0]))))
        row("CycloneDX, 3,000 packages", ms(spent(lambda: cyclonedx.render(large()))), "1000 ms")
        words = ["compare", *map(str, files), "--fail-on", "never"]
        used = cpu.least(5, lambda: cpu.of([*PROGRAM, *words]))
        row("driftscan compare SUBJECT.json REFERENCE.json", ms(used))


def older(found: Fingerprint) -> Fingerprint:
    """The same machine with every tenth package at version 0."""
    section = found.facts.get("dpkg")
    if not isinstance(section, Collected):
        return found
    items = dict(section.items)
    for key in sorted(items)[::10]:
        items[key] = {**items[key], "version": "0"}
    return msgspec.structs.replace(found, facts={**found.facts, "dpkg": Collected(items=items)})


def large() -> Fingerprint:
    """A machine with 3,000 packages."""
    item = {"version": "1:2.3.4-5", "architecture": "amd64", "source": "some-source"}
    facts = {"dpkg": Collected(items={f"package-{number}": item for number in range(3000)})}
    meta = Meta(target="a", kind="host", address="a", taken="2026-11-23T17:20:00Z", privilege="")
    return Fingerprint(meta=meta, facts=facts, evidence={})


def spent(run: object) -> float:
    """Milliseconds of this process's CPU for one call."""
    assert callable(run)

    def once() -> float:
        began = time.process_time()
        run()
        return (time.process_time() - began) * 1000

    return cpu.least(5, once)


def fleets(many: int, folder: Path) -> None:
    """Real sshd over loopback, few and many, and the same hosts asked by others."""
    with fleet(many, folder) as targets:
        second_trip(targets[0], folder)
        for count in sorted({min(FEW, many), many}):
            fleet_of(targets[:count], folder)


def second_trip(target: Target, folder: Path) -> None:
    """One host asked once more, about every package of which a tenth was made older."""
    options = resolve.Options(cache=str(folder / "cache"))
    ((_, found),) = resolve.sides([target], options)
    if not isinstance(found, Side):
        raise LabError(f"{target.name} does not answer: {found.cause}")
    behind = Side(fingerprint=older(found.fingerprint))
    compared = diff.compare(behind.fingerprint, found.fingerprint)
    wants = [w for w in engine.wants(behind, found, compared) if w.side == "reference"]
    head(f"the second trip, {len(wants)} wants", "wall", "learned", "goal")
    for name, goal in (("with an empty cache", ""), ("with a warm one", "2 s")):
        wanting = resolve.Wanting()
        wanting.see(target, found)
        wanting.want(target, found, wants)
        began = time.monotonic()
        needs, _ = resolve.learn(wanting, options)
        took = time.monotonic() - began
        learned = sum(len(items(s)) for s in needs.sections(target.name, wants).values())
        row(name, f"{took:.2f} s", str(learned), goal)


def fleet_of(targets: Sequence[Target], folder: Path) -> None:
    """One table: whole processes, their start and their imports included."""
    count = len(targets)
    head(f"{count} real sshd, a host's share", "client CPU", "hosts/s", "ratio", "goal")
    costs = {how: client(how, targets, folder) for how in ("transport", "whole")}
    base = costs["whole"].cpu
    for how, name, goal in (
        ("transport", "driftscan, transport", "20 ms"),
        ("whole", "driftscan, with parsing", "60 ms"),
    ):
        cost = costs[how]
        row(name, ms(cost.cpu / count), f"{count / cost.wall:.1f}", f"{cost.cpu / base:.2f}", goal)
    for name, program, run in peers.PEERS:
        peer(name, program, run, targets, folder, base)
    moved = costs["whole"]
    say(f"  bytes a host: {moved.sent / 1000:.1f} kB sent, {moved.received / 1000:.1f} kB received")


def peer(
    name: str,
    program: str,
    run: peers.Run,
    targets: Sequence[Target],
    folder: Path,
    base: float,
) -> None:
    """One peer's row; what is not installed or fails says so."""
    count = len(targets)
    if not peers.installed(program):
        row(name, "not installed")
        return
    try:
        used, wall = run(targets, folder)
    except RuntimeError as error:
        row(name, "failed")
        say(f"    {str(error).strip().splitlines()[-1][:94]}")
        return
    row(name, ms(used / count), f"{count / wall:.1f}", f"{used / base:.2f}")


def client(how: str, targets: Sequence[Target], folder: Path) -> Cost:
    """The cheaper of two runs of the client in a process of its own."""
    path = folder / "targets.json"
    path.write_bytes(msgspec.json.encode(targets))
    argv = [sys.executable, "-m", "tests.bench.client", how, str(path)]
    runs = []
    for _ in range(2):
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            raise LabError(f"the client failed: {done.stderr.strip().splitlines()[-1]}")
        runs.append(msgspec.json.decode(done.stdout, type=Cost))
    return min(runs, key=lambda cost: cost.cpu)


if __name__ == "__main__":
    main()
