"""Machines -> fingerprints: all at once, each within its deadline, one failure never the end."""

import math
import random
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Literal, TypeAlias, TypeVar

import msgspec
from msgspec import structs

from driftscan import __version__, bounded, collector, framing, plausible, sanitize, script
from driftscan.errors import MachineError, ParseError
from driftscan.machines import exhaustion
from driftscan.machines.contract import Machine
from driftscan.machines.jumps import late
from driftscan.model import (
    Absent,
    Answer,
    Collected,
    Failed,
    Fingerprint,
    Item,
    Limits,
    Meta,
    Partial,
    Questions,
    Raw,
    Scope,
    Section,
    Sections,
    Unreached,
)
from driftscan.probes import environment, winners
from driftscan.probes.contract import Asks, Probe
from driftscan.probes.table import of
from driftscan.uniting import united

MOST_WORKERS = 32
_FAREWELL = 2.0

Kind: TypeAlias = Literal["host", "container", "image"]
Event: TypeAlias = Literal["started", "done", "failed"]
OnEvent: TypeAlias = Callable[[str, Event, str], None]
Result: TypeAlias = Fingerprint | Unreached
Found = TypeVar("Found")


class Job(msgspec.Struct, frozen=True):
    """One machine to ask, the name its result goes by, and what is asked beyond the usual."""

    name: str
    kind: Kind
    address: str
    machine: Machine
    scope: Scope = Scope()


class _Asked(msgspec.Struct, frozen=True):
    """The probes of one scope, and their script's template."""

    scope: Scope
    probes: Sequence[Probe]
    text: str


def scan(
    jobs: Iterable[Job],
    *,
    probes: Sequence[Probe],
    limits: Limits,
    workers: int = 0,
    until: float = math.inf,
    on_event: OnEvent = lambda _name, _event, _text: None,
    close: Callable[[], None] = lambda: None,
) -> Generator[tuple[str, Result], None, None]:
    """Every machine's name and result, as each finishes: a fingerprint, or why there is none.

    A job with a scope of its own is asked the table's probes for it.
    """
    jobs = list(jobs)
    none = Scope()
    table = {scope: of(scope) if scope != none else probes for scope in {job.scope for job in jobs}}
    asked = {scope: _Asked(scope, some, script.template(some)) for scope, some in table.items()}
    return each(
        jobs,
        lambda job: _fingerprint(job, asked[job.scope], limits),
        workers=workers,
        until=until,
        on_event=on_event,
        close=close,
    )


def each(
    jobs: Iterable[Job],
    ask: Callable[[Job], Found],
    *,
    workers: int = 0,
    until: float = math.inf,
    on_event: OnEvent = lambda _name, _event, _text: None,
    close: Callable[[], None] = lambda: None,
) -> Generator[tuple[str, Found | Unreached], None, None]:
    """Every machine's name and what `ask` found there, or why it found nothing, as each finishes.

    They are asked in a random order, so that many scanners do not meet at the same machine. None
    is begun after `until` (seconds of time.monotonic): those are `skipped`.

    `ask` and `on_event` are called from the threads. When the caller stops early (Ctrl-C, a signal,
    or it closes the iterator) no machine is asked any more, `close` has to end what is under way,
    and two seconds later the iterator gives up waiting: what was yielded until then is whole.
    """
    waiting = list(jobs)
    random.shuffle(waiting)
    if not waiting:
        return
    threads = workers or min(MOST_WORKERS, len(waiting))
    pool = ThreadPoolExecutor(threads, thread_name_prefix="driftscan")
    # None begins before all threads are there: to start one between others at work takes 20 ms.
    ready = threading.Event()
    futures: dict[Future[Found | Unreached], str] = {}
    try:
        for job in waiting:
            futures[pool.submit(_asked, job, ask, until, on_event, ready)] = job.name
        ready.set()
        for future in as_completed(futures):
            yield futures.pop(future), future.result()  # let go: many answers are large
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        close()
        ready.set()
        wait([future for future in futures if not future.cancelled()], timeout=_FAREWELL)
        raise
    pool.shutdown()


def _asked(
    job: Job,
    ask: Callable[[Job], Found],
    until: float,
    on_event: OnEvent,
    ready: threading.Event,
) -> Found | Unreached:
    ready.wait()
    on_event(job.name, "started", "")
    began = time.monotonic()
    try:
        if began > until:
            raise late()
        found = ask(job)
    except MachineError as error:
        failed = unreached(job.name, error, time.monotonic() - began)
    except Exception as error:  # noqa: BLE001 - whatever happens to one machine is its own result
        failed = unreached(job.name, fault(error), time.monotonic() - began)
    else:
        on_event(job.name, "done", f"{time.monotonic() - began:.1f} s")
        return found
    on_event(job.name, "failed", f"{failed.state}: {failed.cause}")
    return failed


def _fingerprint(job: Job, asked: _Asked, limits: Limits) -> Fingerprint:
    taken = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    questions = script.questions(
        asked.probes,
        deadline=limits.deadline,
        installed=True,
        text=asked.text,
        scope=asked.scope,
    )
    return fingerprint(
        job.machine.ask(questions, limits),
        questions,
        asked.probes,
        target=job.name,
        kind=job.kind,
        address=job.address,
        taken=taken,
    )


_REPORT_IT = "this is a fault of driftscan: please report it"


def fault(error: Exception) -> MachineError:
    """What is our own mistake, as the failure of the one machine it happened with."""
    full = exhaustion.told(error, "driftscan")
    if full is not None:
        return full
    return MachineError("internal_error", "driftscan", _bug(error), _REPORT_IT)


def _bug(error: Exception) -> str:
    """What was raised and where, as one line: host text may be in it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}: {error}"


def unreached(name: str, error: MachineError, seconds: float) -> Unreached:
    """A machine's failure as its result, every word of it printable and without secrets."""
    return Unreached(
        target=name,
        state=error.state,
        stage=error.stage,
        cause=_told(error.cause),
        cure=_told(error.cure),
        attempts=getattr(error, "attempts", 1),
        seconds=round(seconds, 3),
    )


def _told(text: str) -> str:
    return sanitize.safe(sanitize.redact(text))


# --- one answer --------------------------------------------------------------------------------


def fingerprint(
    answer: Answer,
    questions: Questions,
    probes: Sequence[Probe],
    *,
    target: str,
    kind: Kind,
    address: str,
    taken: str,
) -> Fingerprint:
    """The fingerprint in a machine's answer; `taken` is UTC, `2026-11-23T17:20:00Z`.

    A probe that does not understand its answer makes its own sections Failed and no others; what
    several probes tell of one section is united. An image leaves out what only a running machine
    has. Raises MachineError when there is no whole answer: `incomplete`, `collector_failed`,
    `no_collector` or `malformed`.
    """
    raws = unframed(answer, questions, probes)
    facts: Sections = {}
    evidence: Sections = {}
    account: Section = Failed(reason="not asked")
    for probe in probes:
        sections = _sections(probe, raws[probe.NAME])
        account = sections.get("host", account)
        for about in probe.GIVES:
            if about.live and kind == "image":
                continue
            place = facts if about.holds == "facts" else evidence
            place[about.name] = united([place.get(about.name, Absent()), sections[about.name]])
    facts |= _with_environment(answer.environment, {**facts, **evidence})
    return Fingerprint(
        meta=structs.replace(
            _meta(answer, account, target=target, kind=kind, address=address, taken=taken),
            apps=list(questions.scope.apps),
        ),
        facts=plausible.facts(facts),
        evidence=bounded.capped(evidence),
    )


def unframed(answer: Answer, questions: Questions, probes: Sequence[Asks]) -> dict[str, Raw]:
    """The raw answers in a machine's answer; raises MachineError when it is not whole."""
    if answer.status is None:
        raise MachineError(
            "incomplete",
            "answer",
            f"the connection ended after {len(answer.output)} bytes, before the answer did",
            "run it again; if it stays so, look at the machine's load and network",
        )
    try:
        output, strange = collector.answer(
            answer.output, questions.nonce, list(probes), questions.scope
        )
        known = [probe for probe in probes if probe.NAME not in strange]
        raws = framing.unframe(output, questions.nonce, known)
    except framing.Malformed as error:
        raise MachineError(
            error.state,
            "answer",
            f"{error}; exit status {answer.status}{_complaint(answer)}",
            "`driftscan script` prints what is run there with `sh -s`",
        ) from error
    if answer.status != 0:
        raise MachineError(
            "collector_failed",
            "answer",
            f"the script ended with exit status {answer.status}{_complaint(answer)}",
            "`driftscan script` prints what is run there with `sh -s`",
        )
    return {**raws, **{name: Raw(strange=why) for name, why in strange.items()}}


def _complaint(answer: Answer) -> str:
    said = sanitize.safe_bytes(answer.errors.strip())
    return f", and said {said!r}" if said else ""


def _sections(probe: Probe, raw: Raw) -> dict[str, Section]:
    """Exactly the sections the probe gives, each clean."""
    names = [about.name for about in probe.GIVES]
    if raw.strange:
        return dict.fromkeys(names, Failed(reason=raw.strange))
    lacking = sorted(tool for tool, why in raw.gaps.items() if why == "lacks")
    if lacking:
        return dict.fromkeys(names, Failed(reason=f"this machine has no {', '.join(lacking)}"))
    if stopped := _stopped(raw):
        return dict.fromkeys(names, Failed(reason=stopped))
    try:
        given = dict(probe.parse(raw))
        unknown = sorted(given.keys() - set(names))
        if unknown:
            raise KeyError(f"{', '.join(unknown)} not in GIVES")
    except ParseError as error:
        given = dict.fromkeys(names, Failed(reason=str(error)))
    except Exception as error:  # noqa: BLE001 - a fault in one parser must not cost the others
        given = dict.fromkeys(names, Failed(reason=f"{_bug(error)} ({_REPORT_IT})"))
    silent = Failed(reason=f"the probe {probe.NAME} said nothing about it ({_REPORT_IT})")
    return {name: sanitize.clean(given.get(name, silent)) for name in names}


def _stopped(raw: Raw) -> str:
    """Which question of a probe was ended before it was answered; empty if none was."""
    answers = [*raw.outputs.items(), *raw.files.items()]
    names = sorted(name for name, payload in answers if payload.status == script.STOPPED)
    why = "waited for a file system or a pipe that says nothing, and was ended"
    return f"the question {names[0]!r} {why}" if names else ""


def _meta(
    answer: Answer, account: Section, *, target: str, kind: Kind, address: str, taken: str
) -> Meta:
    self: Item = account.items.get("self", {}) if isinstance(account, Collected | Partial) else {}
    user = "root" if self.get("uid") == "0" else f"user {self['user']}" if "user" in self else ""
    return Meta(
        target=target,
        kind=kind,
        address=address,
        taken=taken,
        privilege=user or "unknown",
        zone=str(self.get("zone") or self.get("offset") or "unknown"),
        machine=str(self.get("machine", "")) if kind == "host" else "",
        tool=__version__,
        seconds=round(answer.seconds, 3),
        size=len(answer.output),
    )


# What both engines give a container whose image sets none.
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _with_environment(pairs: Sequence[str] | None, sections: Sections) -> Sections:
    """The facts that an image's ENV decides: its variables, its PATH and what wins there."""
    if pairs is None:
        return {}
    env = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    changed = {
        **environment.with_image_env(sections, env),
        **winners.with_path(sections, "system", env.get("PATH", _DEFAULT_PATH)),
    }
    return {name: sanitize.clean(section) for name, section in changed.items()}
