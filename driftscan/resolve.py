"""Targets -> sides: files are loaded, images built, and all that lives is asked in one run."""

import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from driftscan import baseline, scan, store
from driftscan.details import cache, trips
from driftscan.details.needs import Needs, Sources
from driftscan.errors import EngineError, InputError
from driftscan.inventory.contract import Inventory
from driftscan.machines import engine as engines
from driftscan.machines import image_tree
from driftscan.machines.any_image import AnyImage
from driftscan.machines.container import Container, Image, reaching
from driftscan.machines.contract import Machine
from driftscan.machines.directory import at
from driftscan.machines.engine import Engine
from driftscan.machines.local import Local
from driftscan.machines.openssh import OpenSsh
from driftscan.machines.reading import Reader
from driftscan.machines.ssh import PER_JUMP, Credentials, Ssh
from driftscan.machines.unusable import Unusable
from driftscan.model import Baseline, Limits, Scope, Sections, Side, Target, Unreached, Want
from driftscan.probes.table import PROBES
from driftscan.scan import Job, OnEvent


class Options(Struct, frozen=True):
    """How targets are asked; an empty engine is the one that answers, 0 workers as many as fit.

    `per_jump` machines at once go through one jump host, none is begun after `until` (seconds of
    time.monotonic). `network` is that of containers which fetch packages; empty is the engine's
    own default. `cache` is a folder in place of the user's. `road` is that of all hosts over SSH
    (ssh, openssh), whatever their targets say; with `read` local images are read even if they
    could be run. `verify` sums all files of packages.
    """

    limits: Limits = Limits()
    workers: int = 0
    per_jump: int = PER_JUMP
    until: float = math.inf
    engine: str = ""
    network: str = ""
    cache: str = ""
    road: str = ""
    verify: bool = False


def sides(
    targets: Iterable[Target],
    options: Options,
    *,
    on_event: OnEvent = lambda _name, _event, _text: None,
    early: bool = True,
) -> Generator[tuple[str, Side | Unreached], None, None]:
    """Each target's name and its side, or why there is none, as each is ready.

    Whatever the user can have got wrong is found before the first machine is asked: raises
    InputError, StoreError and EngineError for files, Dockerfiles and the engine. Stopping early
    ends what is under way, see `scan.scan`. Without `early` keys that cannot be used are results
    of their hosts, as they are when another host has a good one.
    """
    wanted = {target.name: target for target in targets}
    road = _Road(options)
    stored = {name: road.loaded(target) for name, target in wanted.items() if _is_stored(target)}
    live = [target for target in wanted.values() if is_live(target)]
    jobs = [replace(road.job(target), scope=_scope(target, options)) for target in live]
    if (
        early and options.road != "openssh" and len(wanted) - len(live) < 2
    ):  # a file can be judged by another, if no host can
        road.check_keys(live)
    yield from stored.items()
    for name, target in wanted.items():
        if target.road == "dockerfile":
            on_event(name, "started", "")
            yield name, road.built(target)
            on_event(name, "done", "")
    results = scan.scan(
        jobs,
        probes=PROBES,
        limits=options.limits,
        workers=options.workers,
        until=options.until,
        on_event=on_event,
        close=road.close,
    )
    for name, result in results:
        if isinstance(result, Unreached):
            yield name, result
        else:
            yield name, Side(fingerprint=result, profile=wanted[name].profile)


class Wanting(Struct):
    """What a run wants to learn on its second trip, and of which of its targets.

    `known` are the details that fingerprints bring with them, `sources` what live hosts have.
    """

    targets: dict[str, Target] = {}
    wants: dict[str, list[Want]] = {}
    known: dict[str, Sections] = {}
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    sources: Sources = msgspec.field(default_factory=Sources)

    def see(self, target: Target, side: Side) -> None:
        """A target of the run that was asked."""
        self.labels[target.name] = side.label
        if answers_again(target):
            self.targets[target.name] = target
            if not side.is_image:
                self.sources.add(target.name, side.fingerprint)

    def want(self, target: Target, side: Side, wanted: Sequence[Want]) -> None:
        """Something to learn about a target of the run."""
        self.wants.setdefault(target.name, []).extend(wanted)
        self.known[target.name] = side.fingerprint.details
        if side.baseline or target.road == "image":
            self.images[target.name] = side.baseline.image if side.baseline else target.path


def learn(
    wanting: Wanting,
    options: Options,
    *,
    on_event: OnEvent = lambda _name, _event, _text: None,
) -> tuple[Needs, frozenset[str]]:
    """What is known of the targets then, and which of them were asked once more.

    Each machine is asked at most once; what cannot be learned is a gap, never an error.
    """
    needs = Needs(wanting.wants, wanting.known, cache.at(options.cache), wanting.labels)
    if not needs.targets:
        return needs, frozenset()
    road = _Road(options)
    machines, absent = road.jobs(wanting.targets.values())
    hosts = [name for name in machines if name not in wanting.images]
    images, gone = road.images(wanting.images, needs.targets)
    plan = needs.plan([*hosts, *images], hosts, wanting.sources)

    ask = partial(
        trips.ask,
        needs,
        limits=options.limits,
        workers=options.workers,
        until=options.until,
        on_event=on_event,
        close=road.close,
    )
    ask(plan, {**machines, **images})
    lacking = {name: wants for name in images if (wants := needs.shared(name))}
    fetching = {name: road.fetching(name, wanting.images[name]) for name in lacking}
    ask(lacking, fetching, packages=True)
    for name in needs.targets:
        why = {**absent, **gone}.get(name, "a saved fingerprint answers no more questions")
        needs.give_up(name, why)
    return needs, frozenset({*plan, *lacking})


def baseline_of(target: Target, inventory: Inventory | None) -> Target:
    """The baseline a target answers to, through its groups; raises InputError if it has none."""
    if not target.baseline:
        place = ""
        if inventory:
            place = f"give its group a `baseline:` in {inventory.path}, or "
            if inventory.is_ansibles:
                place = "set `driftscan_baseline` for its group (a variable of Ansible's), or "
        raise InputError(f"{target.name} has no baseline: {place}name one with --baseline TARGET")
    return Target(name=f"baseline://{target.baseline}", road="baseline", path=target.baseline)


def load_baseline(path: Path) -> Baseline:
    """The baseline in a folder, or in a file.

    Raises InputError when it was never built and StoreError when it cannot be read.
    """
    file = path / baseline.FILE if path.is_dir() else path
    if not file.exists():
        if not path.is_dir():
            raise InputError(f"{path}: no such folder of a baseline")
        raise InputError(f"{file} is not there: make it with `driftscan baseline build {path}`")
    found = store.load(file)
    if isinstance(found, Baseline):
        return found
    raise InputError(f"{file}: is a fingerprint, not a baseline: name it as a file, {file}")


def takes_time(targets: Iterable[Target]) -> int:
    """For how many of the targets, each counted once, `sides` tells events: all but files."""
    return len({target.name for target in targets if not _is_stored(target)})


def _is_stored(target: Target) -> bool:
    return target.road in ("file", "baseline")


def is_live(target: Target) -> bool:
    """It can be asked."""
    return not _is_stored(target) and target.road != "dockerfile"


def answers_again(target: Target) -> bool:
    """It can be asked once more, on a second trip, whose questions need a shell."""
    return is_live(target) and target.road not in ("rootfs", "archive")


def _scope(target: Target, options: Options) -> Scope:
    return Scope(apps=tuple(sorted(target.app)), verify=options.verify)


class _Road:
    """What the targets of one run share: credentials, the engine, and how to end them all."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._credentials = Credentials(per_jump=options.per_jump, until=options.until)
        self._engines: dict[str, Engine] = {}
        self._closes: list[Callable[[], None]] = [self._credentials.close_all]

    def close(self) -> None:
        """End every conversation, from any thread."""
        for close in self._closes:
            close()

    def check_keys(self, targets: Sequence[Target]) -> None:
        """Raises InputError when all are hosts over SSH, and none has a key that can be used."""
        if not targets or any(target.road != "ssh" for target in targets):
            return
        wrong = self._credentials.unusable(targets)
        if wrong is not None:
            raise InputError(f"no host can be logged in to: {wrong.cause}: {wrong.cure}")

    def loaded(self, target: Target) -> Side:
        """The side that is in a file or a baseline."""
        path = Path(target.path)
        if target.road == "file" and path.is_dir():
            raise InputError(f"{path}: is a folder: write baseline://{path} if it is a baseline's")
        found = load_baseline(path) if target.road == "baseline" else store.load(path)
        if isinstance(found, Baseline):
            return Side(fingerprint=found.fingerprint, baseline=found)
        return Side(fingerprint=found)

    def built(self, target: Target) -> Side:
        """The side of an image that is built now from a Dockerfile."""
        built = baseline.build(
            Path(target.path),
            engine=self._engine(),
            limits=self._options.limits,
            scope=_scope(target, self._options),
        )
        return Side(fingerprint=built.fingerprint, baseline=built)

    def job(self, target: Target) -> Job:
        """The machine behind a target that lives."""
        if target.unusable:
            return Job(target.name, "host", "", Unusable(target.unusable))
        match target.road:
            case "local":
                return self._closing(target, "host", "local", Local(target))
            case "docker" | "podman":
                engine = self._engine("podman" if target.road == "podman" else "")
                user = "0" if target.become else ""
                machine = Container(engine, target.container, user=user)
                return self._closing(target, "container", target.container, machine)
            case "image":
                image = AnyImage(self._engine(), target.path, read=self._options.road == "read")
                return self._closing(target, "image", target.path, image)
            case "rootfs" | "archive":
                opened = at if target.road == "rootfs" else image_tree.of_archive
                reader = Reader(partial(opened, target.path))
                return self._closing(target, "image", target.path, reader)
            case _:
                return self._over_ssh(target)

    def _over_ssh(self, target: Target) -> Job:
        address = target.address + (f":{target.port}" if target.port else "")
        address += f"/{target.engine}/{target.container}" if target.engine else ""
        kind: scan.Kind = "container" if target.engine else "host"
        road = target.road if self._options.road in ("", "read") else self._options.road
        if road == "openssh":
            return self._closing(
                target, kind, address, OpenSsh(target, jumps=self._credentials.jumps)
            )
        return Job(target.name, kind, address, Ssh(target, self._credentials))

    def jobs(self, targets: Iterable[Target]) -> tuple[dict[str, Job], dict[str, str]]:
        """The machines of targets that live; and why others cannot be had any more."""
        found: dict[str, Job] = {}
        absent: dict[str, str] = {}
        for target in targets:
            try:
                found[target.name] = self.job(target)
            except EngineError as error:
                absent[target.name] = str(error)
        return found, absent

    def images(
        self, references: Mapping[str, str], names: Iterable[str]
    ) -> tuple[dict[str, Job], dict[str, str]]:
        """The images that are here, as machines; and why the others are not."""
        found: dict[str, Job] = {}
        absent: dict[str, str] = {}
        for name in names:
            if name not in references:
                continue
            try:
                here = self._engine().inspect(references[name]) is not None
            except EngineError as error:
                absent[name] = str(error)
                continue
            if here:
                image = Image(self._engine(), references[name])
                self._closes.append(image.close)
                found[name] = Job(name, "image", references[name], image)
            else:
                absent[name] = "its image is not on this machine: build the baseline again"
        return found, absent

    def fetching(self, name: str, reference: str) -> Job:
        """A container of the image that may fetch packages."""
        image = Image(self._engine(), reference, options=reaching(self._options.network))
        self._closes.append(image.close)
        return Job(name, "image", reference, image)

    def _closing(self, target: Target, kind: scan.Kind, address: str, machine: "_Closable") -> Job:
        self._closes.append(machine.close)
        return Job(target.name, kind, address, machine)

    def _engine(self, road: str = "") -> Engine:
        named = self._options.engine or road
        if named not in self._engines:
            self._engines[named] = engines.find(named)
        return self._engines[named]


class _Closable(Machine, Protocol):
    def close(self) -> None: ...
